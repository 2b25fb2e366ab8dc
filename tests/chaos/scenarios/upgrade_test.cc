// A rolling upgrade, the way back, and the upgrade again, all under load: from a build that only pretends to be older,
// and from the packages of the last release.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "common/testing/temporary_directory.h"
#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

ScenarioReport UpgradeAloud(UpgradeOptions options) {
  options.seed = 8;
  options.say = [](const std::string& text) { std::cout << text << std::endl; };
  return Upgrade(options);
}

TEST(LongUpgradeTest, TwoBuildsServeSideBySideAndNobodyNotices) {
  const ScenarioReport report = UpgradeAloud({});
  EXPECT_THAT(report.faults, ::testing::IsEmpty()) << report.summary;
}

TEST(UpgradeTest, FromTheLastReleaseAndBackWithCertificates) {
  const testing::TemporaryDirectory release;
  int packages = 0;
  for (const auto& file : std::filesystem::directory_iterator(EBLA_RELEASE)) {
    if (file.path().extension() != ".deb") continue;
    const std::string unpack = "dpkg-deb --extract '" + file.path().string() + "' " + release.path();
    ASSERT_EQ(std::system(unpack.c_str()), 0) << unpack;
    ++packages;
  }
  ASSERT_EQ(packages, 2) << "server and client in " << EBLA_RELEASE;
  const ScenarioReport report = UpgradeAloud({.old_bin = release.path() + "/usr/bin", .secure = true});
  EXPECT_THAT(report.faults, ::testing::IsEmpty()) << report.summary;
}

}  // namespace
}  // namespace ebla::chaos

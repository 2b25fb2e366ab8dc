// A rolling upgrade, the way back, and the upgrade again, all under load. EBLA_OLD_BIN names a directory with an earlier
// build's ebla-master and ebla-tabletserver (./dev upgrade makes one); without, this build speaks less than it can.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

TEST(UpgradeTest, TwoBuildsServeSideBySideAndNobodyNotices) {
  const char* old_bin = std::getenv("EBLA_OLD_BIN");
  const ScenarioReport report =
      Upgrade({.old_bin = old_bin == nullptr ? "" : old_bin, .seed = 8, .say = [](const std::string& text) {
                 std::cout << text << std::endl;
               }});
  EXPECT_THAT(report.faults, ::testing::IsEmpty()) << report.summary;
}

}  // namespace
}  // namespace ebla::chaos

// --begin_empty sets aside what a disk has lost, and leaves whole data where it is.
#include "tabletserver/server/begin_empty.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "common/testing/temporary_directory.h"
#include "tabletserver/server/identity.h"

namespace ebla::tabletserver {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class BeginEmptyTest : public ::testing::Test {
 protected:
  ServerProcessOptions Options(const std::string& data) {
    ServerProcessOptions options;
    options.data_dir = directory_ / data;
    options.name = "another";
    options.store.cache_bytes = 32 << 20;
    return options;
  }
  // A directory with a store.
  void Make(const std::string& data) {
    {
      ASSERT_TRUE(DataDirectory::Open(directory_ / data, "of-" + data));
    }
    ServerProcessOptions options = Options(data);
    const Status opened = ServerProcess::TryToOpen(options);
    ASSERT_TRUE(opened.ok()) << opened;
  }
  Result<std::string> Begin(const std::string& data) {
    ServerProcessOptions options = Options(data);
    return BeginEmpty(options);
  }
  void ExpectWhole(const std::string& data) {
    EXPECT_FALSE(fs::exists(directory_ / (data + "/lost-1")));
    ServerProcessOptions options = Options(data);
    const Status opened = ServerProcess::TryToOpen(options);
    EXPECT_TRUE(opened.ok()) << opened;
  }
  void Exchange(const std::string& one, const std::string& other) {
    fs::rename(directory_ / one, directory_ / "between");
    fs::rename(directory_ / other, directory_ / one);
    fs::rename(directory_ / "between", directory_ / other);
  }

  const testing::TemporaryDirectory directory_;
};

TEST_F(BeginEmptyTest, ADiskThatIsNotMountedBehindALinkIsSetAside) {
  Make("a");
  fs::rename(directory_ / "a/store", directory_ / "disk");
  fs::create_directory_symlink(directory_ / "unmounted", directory_ / "a/store");
  const Result<std::string> aside = Begin("a");
  ASSERT_TRUE(aside) << aside.error();
  EXPECT_TRUE(fs::is_symlink(*aside + "/store"));
  EXPECT_FALSE(fs::is_symlink(directory_ / "a/store"));
  EXPECT_TRUE(fs::exists(*aside + "/IDENTITY"));
}

TEST_F(BeginEmptyTest, WhatTheSystemRefusesForNowIsNoLoss) {
  Make("a");
  for (const char* const file : {"", "a", "a/LOCK"}) chmod((directory_ / file).c_str(), 0777);
  chmod((directory_ / "a/store/LOCK").c_str(), 0);
  const bool root = geteuid() == 0;
  constexpr uid_t kNobody = 65534;
  if (root) {
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const Result<std::string> aside = Begin("a");
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  ASSERT_FALSE(aside) << *aside;
  EXPECT_EQ(aside.error().code(), Code::kUnavailable);
  EXPECT_THAT(aside.error().message(), HasSubstr("store/LOCK: Permission denied"));
  chmod((directory_ / "a/store/LOCK").c_str(), 0644);
  ExpectWhole("a");
}

TEST_F(BeginEmptyTest, PartsOfTwoServersAreNamedAndNotMoved) {
  Make("a");
  Make("b");
  const auto expect_named = [&](const std::string& data) {
    const Result<std::string> aside = Begin(data);
    ASSERT_FALSE(aside) << *aside;
    EXPECT_EQ(aside.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(aside.error().message(), AllOf(HasSubstr(directory_ / data), HasSubstr("put each server's")));
  };
  for (const std::string part : {"/store", "/IDENTITY"}) {
    Exchange("a" + part, "b" + part);
    expect_named("a");
    expect_named("b");
    Exchange("a" + part, "b" + part);
    ExpectWhole("a");
    ExpectWhole("b");
  }
}

}  // namespace
}  // namespace ebla::tabletserver

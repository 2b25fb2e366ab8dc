#include "tests/sim/cluster/disk_failures.h"

#include <gtest/gtest.h>

namespace ebla::sim {
namespace {

using std::chrono::seconds;

constexpr auto kAny = [](const ServerName&) { return true; };

TEST(DiskFailures, ExcuseTheirOwnErrorsOfTheirTimeAndServer) {
  const MonotonicTime start{seconds(100)};
  DiskFailures failures;
  EXPECT_FALSE(failures.Excuses("INTERNAL: fsync failed", start, kAny));
  const std::string first = failures.Begin("ts-1").ToString();
  EXPECT_TRUE(failures.Excuses("UNKNOWN_OUTCOME: " + first + ": fsync failed", start, kAny));
  EXPECT_FALSE(failures.Excuses("INTERNAL: fsync failed", start, kAny)) << "another error at the same time";
  EXPECT_FALSE(failures.Excuses(first, start, [](const ServerName& server) { return server != "ts-1"; }));
  failures.End("ts-2", start + seconds(1));
  EXPECT_TRUE(failures.Excuses(first, start + seconds(2), kAny)) << "another server has ended";
  failures.End("ts-1", start + seconds(3));
  EXPECT_TRUE(failures.Excuses(first, start + seconds(3), kAny)) << "asked while it lasted, and answered late";
  EXPECT_FALSE(failures.Excuses(first, start + seconds(4), kAny)) << "the disk is sound again";
  const std::string second = failures.Begin("ts-1").ToString();
  EXPECT_FALSE(failures.Excuses(first, start + seconds(4), kAny)) << "an older failure";
  EXPECT_TRUE(failures.Excuses(second, start + seconds(4), kAny));
}

}  // namespace
}  // namespace ebla::sim

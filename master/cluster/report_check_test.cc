#include "master/cluster/report_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace ebla::master {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLatest = 2'000'000'000'000;

idl::HeartbeatRequest Honest() {
  idl::HeartbeatRequest report;
  report.incarnation = 3;
  report.diskFreeBytes = report.diskTotalBytes = int64_t{1} << 40;
  idl::TabletLoad load;
  load.tabletId = 7;
  load.epoch = load.promisedEpoch = load.lastEpoch = 12;
  load.appliedLsn = load.lastLsn = 1'000'000;
  load.tabletTimeMs = kLatest - 1;
  load.sizeBytes = int64_t{1} << 38;
  load.peers.resize(2);
  load.peers[0].silentMs = -1;
  report.tablets = {load};
  return report;
}

TEST(ReportCheck, TakesWhatAServerComesTo) { EXPECT_TRUE(CheckReport(Honest(), kLatest).ok()); }

TEST(ReportCheck, RefusesWhatNoneComesTo) {
  using Load = idl::TabletLoad;
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::function<void(Load&)>> lies = {
      [](Load& load) { load.epoch = kMost; },
      [](Load& load) { load.promisedEpoch = -1; },
      [](Load& load) { load.refusedForEpoch = kMost; },
      [](Load& load) { load.lastLsn = kMost; },
      [](Load& load) { load.tabletTimeMs = kLatest + 1; },
      [](Load& load) { load.sizeBytes = kMost; },
      [](Load& load) { load.readsPerSecond = kNone; },
      [](Load& load) { load.writesPerSecond = -1; },
      [](Load& load) { load.tabletId = kMost; },
      [](Load& load) { load.peers[1].flushedLsn = -1; },
      [](Load& load) {
        idl::AppliedSplit split;
        split.position.epoch = kMost;
        load.__set_lastSplit(split);
      },
      [](Load& load) { load.__set_frozenInto(-1); },
  };
  for (size_t i = 0; i < lies.size(); ++i) {
    idl::HeartbeatRequest report = Honest();
    lies[i](report.tablets[0]);
    const Status status = CheckReport(report, kLatest);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << i;
    EXPECT_THAT(status.message(), HasSubstr("for tablet ")) << i;
  }
  idl::HeartbeatRequest report = Honest();
  report.incarnation = -1;
  EXPECT_EQ(CheckReport(report, kLatest).code(), Code::kInvalidArgument);
  report = Honest();
  report.disk.slowestSyncMs = -1;
  report.__isset.disk = true;
  EXPECT_EQ(CheckReport(report, kLatest).code(), Code::kInvalidArgument);
  report = Honest();
  report.diskFreeBytes = kMost;
  EXPECT_EQ(CheckReport(report, kLatest).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::master

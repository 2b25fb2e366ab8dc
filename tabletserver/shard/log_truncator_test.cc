// What a checkpoint makes of the logs, on whole servers.
#include <gtest/gtest.h>

#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {
namespace {

class ShardLogsTest : public GroupFixture {
 protected:
  static constexpr int kWrites = 600;

  void SetUp() override {
    options_.checkpoint = {.period = 2s, .log_bytes = 100'000'000, .look_every = 500ms};
    Start("ts-1");
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}}));
    ASSERT_TRUE(Until([&] { return View("ts-1")->barrier_applied; }));
    before_truncation_ = [this] {
      pieces_.push_back(scheduler_.Now());
      scheduler_.RunOnly({}, 2ms);  // that long it takes
    };
    for (int i = 0; i < kWrites; ++i) ASSERT_EQ(Write("ts-1", {IncrementOf("counter")}).header.code, idl::Code::OK);
  }
  std::vector<LogEntry> Log() {
    auto log = at("ts-1").store->ReadLog(TabletId{kTablet}, Lsn{1}, Lsn{UINT64_MAX}, 1 << 20);
    EXPECT_TRUE(log.has_value());
    return log.has_value() ? *std::move(log) : std::vector<LogEntry>();
  }

  std::vector<MonotonicTime> pieces_;
};

TEST_F(ShardLogsTest, AreTruncatedALittleAtATime) {
  ASSERT_TRUE(Until([&] { return Log().empty(); })) << Log().size() << " are left of them";
  EXPECT_GE(pieces_.size(), 4u);
  for (size_t i = 1; i < pieces_.size(); ++i)
    EXPECT_GE(pieces_[i] - pieces_[i - 1], 2ms + 5ms) << "nobody is served meanwhile";
}

TEST_F(ShardLogsTest, ACrashBetweenTwoPiecesLeavesNoGap) {
  ASSERT_TRUE(Until([&] { return pieces_.size() >= 2; }));
  ASSERT_EQ(Write("ts-1", {IncrementOf("counter")}).header.code,
            idl::Code::OK);  // its flush has what is truncated by now
  Crash("ts-1", MemoryDisk::CrashKind::kProcess);
  Start("ts-1");
  const std::vector<LogEntry> log = Log();
  ASSERT_GT(log.size(), 0u);
  EXPECT_LT(log.size(), size_t{kWrites});
  for (size_t i = 1; i < log.size(); ++i) EXPECT_EQ(log[i].version.lsn, log[i - 1].version.lsn.Next());
  ASSERT_TRUE(Fence(2, {"ts-1"}));
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Until([&] { return View("ts-1")->barrier_applied; }));
  const idl::WriteReply reply = Write("ts-1", {IncrementOf("counter")});
  EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.counters, std::vector<int64_t>{kWrites + 2});
  ASSERT_TRUE(Until([&] { return Log().size() <= 1; })) << "what was left goes with the next checkpoint";
}

// Of a tablet that stays damaged, as nobody else has what it has: the server's log would grow until the disk is full.
TEST_F(ShardLogsTest, AnEntryThatTheDiskHasLostGoesAsAnyOther) {
  lost_ = Lsn{1};
  EXPECT_TRUE(Until([&] { return !at("ts-1").store->FirstLogged(TabletId{kTablet}); }));
}

}  // namespace
}  // namespace ebla::tabletserver

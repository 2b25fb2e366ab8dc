// Logs after a checkpoint, on whole servers.
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
  Crash("ts-1", SimulatedDisk::CrashKind::kProcess);
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

// The tablet stays damaged, because no other server has its data. The server's log would grow until the disk is full.
TEST_F(ShardLogsTest, AnEntryThatTheDiskHasLostGoesAsAnyOther) {
  SimulatedLogDisk& disk = at("ts-1").disk.log_disk();
  const uint64_t segment = disk.List()->front();
  const auto file = disk.Open(segment);
  const size_t place = (*file)->Read(0, *(*file)->Size())->find("counter");
  ASSERT_NE(place, std::string::npos);
  disk.Damage(segment, static_cast<int64_t>(place));
  ASSERT_EQ(at("ts-1").store->ReadLog(TabletId{kTablet}, Lsn{2}, Lsn{2}, 1).error().code(), Code::kUnavailable);
  EXPECT_TRUE(Until([&] { return !at("ts-1").store->FirstLogged(TabletId{kTablet}); }));
}

class MemoryLogsTest : public GroupFixture {
 protected:
  static constexpr int kBytes = 4'000;  // of a value

  void SetUp() override {
    table_options_.__set_memory(true);
    options_.checkpoint.memory_log_bytes = 1;
    options_.shard.memory_log_bytes_least = 10 * kBytes;
    options_.shard.memory_log_patience = 2s;
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
    ASSERT_TRUE(Until([&] { return View("ts-1")->barrier_applied; }));
  }
  void Put(int i) {
    const idl::WriteReply reply = Write("ts-1", {PutOf("key" + std::to_string(i), std::string(kBytes, 'v'))});
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  }
  void PutWithoutThird(int count) {
    Cut("ts-3", "ts-1");
    Cut("ts-3", "ts-2");
    for (int i = 0; i < count; ++i) Put(i % 100);
  }
  int64_t Logged(const std::string& name) { return at(name).in_memory->Logs().bytes; }
  struct Kept {
    int least, written_more, most;  // values; a log's memory is more than its entries
  };
  void ExpectKeptForTheThird(const Kept& kept) {
    PutWithoutThird(kept.least);
    scheduler_.RunFor(3s);
    for (const char* name : {"ts-1", "ts-2"}) EXPECT_GE(Logged(name), kept.least * kBytes) << name;
    for (int i = 0; i < kept.written_more; ++i) Put(i);
    for (const char* name : {"ts-1", "ts-2"})
      EXPECT_TRUE(Until([&] { return Logged(name) < kept.most * kBytes; })) << name << ": " << Logged(name);
    ExpectLevelAfterHealing();
  }
  void ExpectLevelAfterHealing() {
    Heal();
    for (const char* name : {"ts-2", "ts-3"}) EXPECT_TRUE(Until([&] { return Level(name, "ts-1"); })) << name;
  }
};

TEST_F(MemoryLogsTest, KeepAPartOfTheRecordsBytesForOneWhoIsAway) {
  for (int i = 0; i < 400; ++i) Put(i);
  scheduler_.RunFor(2 * options_.purge_and_size_tasks.size_period);
  ExpectKeptForTheThird({.least = 40, .written_more = 60, .most = 70});
}

TEST_F(MemoryLogsTest, KeepSomeMoreOfFewRecords) {
  ExpectKeptForTheThird({.least = 9, .written_more = 20, .most = 18});
}

TEST_F(MemoryLogsTest, KeepMoreForOneWhoMayBeBackSoon) {
  PutWithoutThird(100);
  scheduler_.RunFor(1s);
  EXPECT_GE(Logged("ts-1"), 100 * kBytes);
  ExpectLevelAfterHealing();
}

// Under load, more is written during a copy than the server retains for a replica that is away.
TEST_F(MemoryLogsTest, KeepWhatACopyOfOneWhoIsThereNeeds) {
  Start("ts-4");
  PutWithoutThird(100);
  scheduler_.RunFor(options_.shard.memory_log_patience + 5s);
  copy_bytes_per_second_ = 100'000;  // four seconds
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {"ts-4"}}));
  int written = 0;
  EXPECT_TRUE(Until([&] {
    if (written < 2'000) Put(written++ % 100);
    return View("ts-4") != nullptr && !View("ts-4")->incomplete;
  }));
  EXPECT_GT(written, 20);
  copy_bytes_per_second_ = CopyThrottle::kDefaultBytesPerSecond;
  EXPECT_TRUE(Until([&] { return Level("ts-4", "ts-1"); })) << written << " were written meanwhile";
  ExpectLevelAfterHealing();
}

}  // namespace
}  // namespace ebla::tabletserver

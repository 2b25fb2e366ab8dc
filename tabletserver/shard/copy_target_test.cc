// Copies between whole servers (PROTOCOL 5, 8, 9): what the target holds at the end is what the source held, whatever
// happened meanwhile.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <sstream>

#include "common/base/planted_bug.h"
#include "common/coordination/node_codec.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {
namespace {

class ShardCopyTest : public GroupFixture {
 protected:
  static constexpr int kRecords = 3000;  // three chunks and a little

  void SetUp() override {
    options_.checkpoint = {.period = 2s, .log_bytes = 100'000'000, .look_every = 500ms};
    options_.shard.log_retention.entries_max = 10;
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
  }

  static std::string Key(int i) { return "k" + std::to_string(10'000 + i); }
  void Put(const std::string& server, int first, int end, const std::string& value, int64_t ttl_ms = 0) {
    while (first < end) {
      std::vector<idl::Write> writes;
      for (; first < end && writes.size() < 500; ++first) writes.push_back(PutOf(Key(first), value, ttl_ms));
      ASSERT_EQ(Write(server, std::move(writes)).header.code, idl::Code::OK);
    }
  }
  void Delete(const std::string& server, int first, int end) {
    std::vector<idl::Write> writes;
    for (; first < end; ++first) writes.push_back(DeleteOf(Key(first)));
    ASSERT_EQ(Write(server, std::move(writes)).header.code, idl::Code::OK);
  }
  bool Serves(const std::string& server) {
    return Until([&] {
      const auto view = View(server);
      return view != nullptr && view->barrier_applied;
    });
  }
  // One voter with records.
  void Lead() {
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}}));
    ASSERT_TRUE(Serves("ts-1"));
    Put("ts-1", 0, kRecords, "first");
  }
  void SlowCopies() { copy_bytes_per_second_ = 20'000; }  // two or three seconds for a chunk
  void FastCopies() { copy_bytes_per_second_ = CopyThrottle::kDefaultBytesPerSecond; }
  size_t Count(const std::string& server) {
    size_t records = 0;
    (void)at(server).store->Scan(TableId{kTable}, {}, [&](auto, auto&) { return ++records > 0; });
    return records;
  }
  Lsn LogBegins(const std::string& server) {
    const auto log = at(server).store->ReadLog(TabletId{kTablet}, Lsn{1}, Lsn{UINT64_MAX}, 1);
    return log && !log->empty() ? log->front().version.lsn : Lsn{};
  }
  bool Copying(const std::string& target) {
    return Until([&] { return Count(target) > 500 && View(target)->incomplete; });
  }
  std::string Place(const std::string& server) {
    const auto view = View(server);
    if (view == nullptr) return server + " has no view";
    std::ostringstream out;
    out << server << (view->incomplete ? " incomplete" : "") << " epoch " << view->epoch << " applied " << view->applied
        << " last " << view->last_appended << " " << view->failure;
    return out.str();
  }
  void ExpectEqual(const std::string& target, const std::string& source) {
    ASSERT_TRUE(Until([&] { return Level(target, source); })) << Place(target) << ", " << Place(source);
    EXPECT_EQ(Records(target), Records(source));
  }
};

TEST_F(ShardCopyTest, ALearnerGetsEverything) {
  Lead();
  Delete("ts-1", 100, 200);
  Put("ts-1", 300, 400, "for an hour", 3'600'000);
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
  ExpectEqual("ts-2", "ts-1");
  EXPECT_EQ(Count("ts-2"), kRecords - 100u);
  Put("ts-1", 0, 10, "later");
  ExpectEqual("ts-2", "ts-1");
}

TEST_F(ShardCopyTest, APeersOwnAnswersTellOfItsNewStart) {
  Lead();
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
  ExpectEqual("ts-2", "ts-1");
  addresses_told_ = false;
  Crash("ts-2");
  Start("ts-2");
  Put("ts-1", 0, 10, "later");
  ExpectEqual("ts-2", "ts-1");
}

TEST_F(ShardCopyTest, WritesAndDeletesGoOnMeanwhile) {
  Lead();
  SlowCopies();
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
  ASSERT_TRUE(Copying("ts-2"));
  EXPECT_EQ(Get("ts-2", Key(1), idl::ReadLevel::EVENTUAL).header.code, idl::Code::NOT_PRIMARY)
      << "incomplete: it serves nobody";
  Delete("ts-1", 0, 100);      // of what was sent
  Delete("ts-1", 2900, 3000);  // of what will be
  Put("ts-1", 100, 200, "second");
  Put("ts-1", 2800, 2900, "second", 3'600'000);
  Put("ts-1", 4000, 4100, "new");
  EXPECT_TRUE(View("ts-2")->incomplete);
  ExpectEqual("ts-2", "ts-1");
  EXPECT_EQ(Get("ts-2", Key(150), idl::ReadLevel::EVENTUAL).record.value, "second");
}

TEST_F(ShardCopyTest, ARetryOfAWriteBeforeTheCopyIsAnsweredByTheTargetThatLeads) {
  Lead();
  const idl::WriteReply first = WriteAs("ts-1", 5, 1, {IncrementOf("counter")});
  ASSERT_EQ(first.header.code, idl::Code::OK);
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
  ExpectEqual("ts-2", "ts-1");
  ASSERT_TRUE(Configure(3, {"ts-1", {"ts-1", "ts-2"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  const idl::WriteReply second = WriteAs("ts-1", 6, 1, {IncrementOf("counter")});
  ASSERT_EQ(second.header.code, idl::Code::OK);
  Crash("ts-1");
  ASSERT_TRUE(Fence(4, {"ts-2"}));
  ASSERT_TRUE(Configure(4, {"ts-2", {"ts-2"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2"));
  for (const auto& [client, before] : {std::pair(5, first), std::pair(6, second)}) {
    const idl::WriteReply retry = WriteAs("ts-2", client, 1, {IncrementOf("counter")});
    ASSERT_EQ(retry.header.code, idl::Code::OK) << retry.header.message;
    EXPECT_EQ(retry.version, before.version);
    EXPECT_EQ(retry.counters, before.counters);
  }
  EXPECT_EQ(WriteAs("ts-2", 7, 1, {IncrementOf("counter")}).counters, std::vector<int64_t>{3});
}

TEST_F(ShardCopyTest, ATargetThatDiesMidwayIsCopiedAnew) {
  Lead();
  int64_t epoch = 1;
  for (const auto& [target, kind] :
       {std::pair("ts-2", SimulatedDisk::CrashKind::kProcess), std::pair("ts-3", SimulatedDisk::CrashKind::kMachine)}) {
    SCOPED_TRACE(target);
    SlowCopies();
    ASSERT_TRUE(Configure(++epoch, {"ts-1", {"ts-1"}, {target}}));
    ASSERT_TRUE(Copying(target));
    Crash(target, kind);
    Cut("ts-1", target);
    Delete("ts-1", 0, 50);
    Start(target);
    ASSERT_NE(View(target), nullptr);
    EXPECT_TRUE(View(target)->incomplete) << "the mark was durable";
    Heal();
    FastCopies();
    ExpectEqual(target, "ts-1");
    // The checkpoint that ended the copy, and the log after it, are all of it.
    scheduler_.RunFor(100ms);  // that it is complete is flushed
    Cut("ts-1", target);
    Crash(target, kind);
    Start(target);
    EXPECT_FALSE(View(target)->incomplete);
    Heal();
    ExpectEqual(target, "ts-1");
  }
}

// At moments by chance, target or source or both, while writes go on.
TEST_F(ShardCopyTest, WhoeverDiesAndWhenever) {
  Lead();
  const char* given = std::getenv("EBLA_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::mt19937_64 random(seed);
  std::string told = "EBLA_SEED=" + std::to_string(seed) + ", who died:";
  int64_t epoch = 1;
  for (int round = 0; round < 30; ++round) {
    const auto kind = random() % 2 == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine;
    copy_bytes_per_second_ = static_cast<int64_t>(10'000 + random() % 100'000);
    // A learner anew, or the one there is.
    if (random() % 3 == 0) {
      Drop("ts-2", epoch);
      ASSERT_TRUE(Until([&] { return at("ts-2").server->directory().snapshot()->All().empty(); }));
    }
    ASSERT_TRUE(Configure(++epoch, {"ts-1", {"ts-1"}, {"ts-2"}}));
    scheduler_.RunFor(std::chrono::milliseconds(random() % 4000));
    const int first = static_cast<int>(random() % kRecords);
    Put("ts-1", first, first + 20, "round " + std::to_string(round));
    Delete("ts-1", first + 10, first + 60);
    scheduler_.RunFor(std::chrono::milliseconds(random() % 1000));
    const uint64_t who = random() % 4;
    told += " " + std::to_string(who);
    SCOPED_TRACE(told);
    if (who == 0 || who == 2) {
      Crash("ts-2", kind);
      Start("ts-2");
    }
    if (who == 1 || who == 2) {
      Crash("ts-1", kind);
      Start("ts-1");
      ASSERT_TRUE(Fence(++epoch, {"ts-1"}));
      ASSERT_TRUE(Configure(epoch, {"ts-1", {"ts-1"}, {"ts-2"}}, /*fenced=*/true));
      ASSERT_TRUE(Serves("ts-1"));
    }
    if (random() % 2 == 0) ExpectEqual("ts-2", "ts-1");
  }
  ExpectEqual("ts-2", "ts-1");
}

TEST_F(ShardCopyTest, ASourceThatStepsDownMidwayIsReplaced) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  Put("ts-1", 0, kRecords, "first");
  SlowCopies();
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1", "ts-2"}, {"ts-3"}}));
  ASSERT_TRUE(Copying("ts-3"));
  Delete("ts-1", 0, 100);
  Cut("ts-1", "ts-2");
  Cut("ts-1", "ts-3");
  ASSERT_TRUE(Fence(3, {"ts-2"}));
  ASSERT_TRUE(Configure(3, {"ts-2", {"ts-2"}, {"ts-3"}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2"));
  Delete("ts-2", 100, 200);
  Heal();
  FastCopies();
  ExpectEqual("ts-3", "ts-2");
  EXPECT_EQ(Count("ts-3"), kRecords - 200u);
}

TEST_F(ShardCopyTest, WhoIsALittleBehindIsSentTheLog) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  Put("ts-1", 0, 100, "first");
  ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1") && Level("ts-3", "ts-1"); }));
  Cut("ts-1", "ts-2");
  for (int i = 0; i < 5; ++i) Put("ts-1", 50, 51, std::to_string(i));
  ASSERT_TRUE(Until([&] { return LogBegins("ts-1") == View("ts-2")->last_appended.lsn; }));
  Heal();
  bool copied = false;
  ASSERT_TRUE(Until([&] {
    copied = copied || View("ts-2")->incomplete;
    return Level("ts-2", "ts-1");
  }));
  EXPECT_FALSE(copied) << "the log could reach it";
}

TEST_F(ShardCopyTest, WhatTheTargetHadIsDiscarded) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  Put("ts-1", 0, 100, "first");
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
  ExpectEqual("ts-2", "ts-1");
  Cut("ts-1", "ts-2");
  Delete("ts-1", 0, 50);
  for (int i = 0; i < 40; ++i) Put("ts-1", 50, 51, std::to_string(i));
  ASSERT_TRUE(Until([&] { return LogBegins("ts-1") > View("ts-2")->last_appended.lsn.Next(); }));
  EXPECT_EQ(Count("ts-2"), 100u);
  Heal();
  ExpectEqual("ts-2", "ts-1");
  EXPECT_EQ(Count("ts-2"), 50u);
}

// ---- what a copy, or a new primary's log, rolls back (PROTOCOL 22) ------------------------------------------------

class RollbackTest : public ShardCopyTest {
 protected:
  // ts-1 leads three voters and acknowledges two PRIMARY writes that reach no other server; then ts-2 leads.
  void RollBack() {
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
    ASSERT_TRUE(Serves("ts-1"));
    Put("ts-1", 0, 100, "first");
    ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1") && Level("ts-3", "ts-1"); }));
    Cut("ts-1", "ts-2");
    Cut("ts-1", "ts-3");
    for (int i = 1; i <= 2; ++i) {
      const auto reply = WriteAs("ts-1", 5, i, {PutOf("lonely" + std::to_string(i), "v")}, idl::WriteLevel::PRIMARY);
      ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
      lonely_ += "lonely" + std::to_string(i) + "@1." + std::to_string(reply.version.lsn) + " ";
    }
    ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
    ASSERT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
    ASSERT_TRUE(Serves("ts-2"));
  }
  void ExpectKept() {
    ExpectEqual("ts-1", "ts-2");
    EXPECT_EQ(RolledBack("ts-1"), lonely_);
    EXPECT_EQ(RolledBack("ts-2"), "");
    EXPECT_EQ(Get("ts-1", "lonely1", idl::ReadLevel::EVENTUAL).header.code, idl::Code::NOT_FOUND);
    scheduler_.RunFor(100ms);
    Crash("ts-1");
    Start("ts-1");
    EXPECT_EQ(RolledBack("ts-1"), lonely_);
  }

  std::string lonely_;
};

TEST_F(RollbackTest, WhatALogDisagreesWithIsKept) {
  RollBack();
  Heal();
  ExpectKept();
}

TEST_F(RollbackTest, WhatACopyDiscardsIsKept) {
  RollBack();
  for (int i = 0; i < 40; ++i) Put("ts-2", 50, 51, std::to_string(i));
  ASSERT_TRUE(Until([&] { return LogBegins("ts-2") > View("ts-1")->last_appended.lsn; }));
  Heal();
  ExpectKept();
}

// ---- a source played by the test ------------------------------------------------------------------------------------

class CopyTargetTest : public ShardCopyTest {
 protected:
  // ts-2 is a complete learner of ts-1, which is cut off then.
  void SetUp() override {
    ShardCopyTest::SetUp();
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}}));
    ASSERT_TRUE(Serves("ts-1"));
    Put("ts-1", 0, 100, "first");
    ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
    ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1"); }));
    Cut("ts-1", "ts-2");
  }

  static constexpr int64_t kEarlier = int64_t{1} << 40;  // above the ids of ts-1's own copies
  idl::CopyRequest Request(int64_t copy = 1) {
    idl::CopyRequest request;
    request.header.clusterId = kCluster;
    request.header.fromServer = "ts-1";
    request.header.fromIncarnation = 1;
    request.header.toServer = "ts-2";
    request.tabletId = kTablet;
    request.epoch = 2;
    request.copyId = kEarlier + copy;
    return request;
  }
  // Begins at lsn 1000 of epoch 2, unless the target holds the line.
  idl::CopyRequest Begin(Version line, int64_t copy = 1) {
    idl::CopyRequest request = Request(copy);
    AppliedState applied;
    applied.applied = {Epoch{2}, Lsn{1000}};
    idl::CopyStart first;
    first.start.epoch = 2;
    first.start.lsn = 1000;
    first.line.epoch = static_cast<int64_t>(line.epoch.value);
    first.line.lsn = static_cast<int64_t>(line.lsn.value);
    first.applied = EncodeAppliedState(applied);
    first.schema.tableId = kTable;
    first.schema.schemaVersion = 1;
    request.__set_first(first);
    return request;
  }
  static constexpr Version kFar{Epoch{2}, Lsn{900}};
};

TEST_F(CopyTargetTest, WhoHoldsTheLineRefuses) {
  const std::string before = Records("ts-2");
  EXPECT_EQ(SendCopy("ts-2", Begin(View("ts-2")->applied)).status.code, idl::Code::CONDITION_FAILED);
  EXPECT_FALSE(View("ts-2")->incomplete);
  EXPECT_EQ(Records("ts-2"), before);
  EXPECT_EQ(Get("ts-2", Key(1), idl::ReadLevel::EVENTUAL).record.value, "first");
}

TEST_F(CopyTargetTest, NothingIsDiscardedWhileSomebodyReads) {
  const std::string before = Records("ts-2");
  std::shared_ptr<const TabletView> reading = View("ts-2");
  ASSERT_FALSE(reading->incomplete);
  std::optional<idl::CopyReply> reply;
  at("ts-2").server->replication_service()->copy([&](const idl::CopyReply& answer) { reply = answer; }, Begin(kFar));
  ASSERT_TRUE(Until([&] { return View("ts-2")->incomplete; }));
  scheduler_.RunFor(3s);
  EXPECT_FALSE(reply.has_value());
  EXPECT_EQ(Records("ts-2"), before);
  reading.reset();
  ASSERT_TRUE(Until([&] { return reply.has_value(); }));
  EXPECT_EQ(reply->status.code, idl::Code::OK) << reply->status.message;
  EXPECT_EQ(Records("ts-2"), "");
}

// So that the test above is known to see it: left out, the records go while a view of them is held.
TEST_F(CopyTargetTest, WithoutTheRuleTheyAreDiscardedUnderTheReader) {
  Plant(PlantedBug::discard_under_readers);
  const std::shared_ptr<const TabletView> reading = View("ts-2");
  const idl::CopyReply reply = SendCopy("ts-2", Begin(kFar));
  Plant(PlantedBug::none);
  EXPECT_EQ(reply.status.code, idl::Code::OK) << reply.status.message;
  EXPECT_EQ(Records("ts-2"), "") << "while the view is still held";
}

TEST_F(CopyTargetTest, AFullDiskTakesNoCopy) {
  const std::string before = Records("ts-2");
  at("ts-2").disk.SetFull(true);
  EXPECT_EQ(SendCopy("ts-2", Begin(kFar)).status.code, idl::Code::OVERLOADED);
  EXPECT_FALSE(View("ts-2")->incomplete);
  EXPECT_EQ(Records("ts-2"), before) << "nothing is discarded for it";
  at("ts-2").disk.SetFull(false);
  EXPECT_EQ(SendCopy("ts-2", Begin(kFar)).status.code, idl::Code::OK);
  idl::CopyRequest chunk = Request();
  chunk.__set_chunk({});
  at("ts-2").disk.SetFull(true);
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::OVERLOADED);
  at("ts-2").disk.SetFull(false);
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::OK);
}

class MemoryCopyTargetTest : public CopyTargetTest {
 protected:
  MemoryCopyTargetTest() {
    table_options_.__set_memory(true);
    table_options_.__set_memoryLimit(1 << 20);
  }
  idl::CopyRequest Begin(int64_t copy) {
    idl::CopyRequest request = CopyTargetTest::Begin(kFar, copy);
    request.first.schema.options = table_options_;
    return request;
  }
  // Twice what the table may take.
  void Fill() {
    const std::string value(1'000, 'v');
    for (int i = 0; i < 2'000; ++i) {
      const Effect effect{.key = "x" + std::to_string(i), .value = value};
      ApplyBatch batch{.tablet = TabletId{kTablet + 1}, .table = TableId{kTable}};
      batch.records.push_back({&effect, {Epoch{1}, Lsn{static_cast<uint64_t>(i) + 1}}});
      ASSERT_TRUE(at("ts-2").in_memory->Apply({&batch, 1}).ok());
    }
  }
};

TEST_F(MemoryCopyTargetTest, AFullDiskTakesACopyAndFullMemoryDoesNot) {
  at("ts-2").disk.SetFull(true);
  EXPECT_EQ(SendCopy("ts-2", Begin(1)).status.code, idl::Code::OK);
  at("ts-2").disk.SetFull(false);
  Fill();
  idl::CopyRequest chunk = Request();
  chunk.__set_chunk({});
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::OVERLOADED);
}

class MemoryFollowerTest : public ShardCopyTest {
 protected:
  // Far above the pages that an empty table takes.
  static constexpr int64_t kLimit = 16 << 20;

  void Begin(const std::string& eviction) {
    table_options_.__set_memory(true);
    table_options_.__set_eviction(eviction);
    Crash("ts-2");
    memory_limits_["ts-2"] = kLimit;
    Start("ts-2");
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2"}, {}}));
    ASSERT_TRUE(Serves("ts-1"));
  }
  // How many of so many records were taken.
  int PutAll(int records) {
    int taken = 0;
    for (int i = 0; i < records; i += 20) {
      std::vector<idl::Write> writes;
      for (int j = i; j < i + 20; ++j) writes.push_back(PutOf(Key(j), std::string(16'000, 'v')));
      const idl::Code::type code = Write("ts-1", std::move(writes)).header.code;
      EXPECT_TRUE(code == idl::Code::OK || code == idl::Code::OVERLOADED) << code;
      taken += code == idl::Code::OK ? 20 : 0;
      scheduler_.RunFor(200ms);  // a fiftieth of the limit in each
    }
    return taken;
  }
  double Taken(const std::string& server) {
    return static_cast<double>(at(server).in_memory->Uses().front().bytes) / kLimit;
  }
};

TEST_F(MemoryFollowerTest, APrimaryWithRoomEvictsForAFollowerWithout) {
  Begin("lru");
  EXPECT_GT(PutAll(3'000), 2'500);
  scheduler_.RunFor(2s);
  EXPECT_LT(Taken("ts-2"), 1.0);
  EXPECT_GT(Taken("ts-2"), 0.6) << "and not much more than it has to";
  EXPECT_LT(Taken("ts-1"), 1.0) << "they hold the same";
}

TEST_F(MemoryFollowerTest, WhereNothingIsEvictedAFullFollowerRefusesForItsPrimary) {
  Begin("none");
  EXPECT_LT(PutAll(3'000), 1'100);
  EXPECT_LT(Taken("ts-2"), 1.1);
  const idl::WriteReply refused = Write("ts-1", {PutOf("z", "v")});
  EXPECT_EQ(refused.header.code, idl::Code::OVERLOADED);
  EXPECT_NE(refused.header.message.find("server ts-2"), std::string::npos) << refused.header.message;
  Delete("ts-1", 0, 500);
  scheduler_.RunFor(1s);
  EXPECT_EQ(Write("ts-1", {PutOf("z", "v")}).header.code, idl::Code::OK);
}

// Else it would wait for ever for what it is itself to go.
TEST_F(MemoryCopyTargetTest, WhatTheReplicaHoldsDoesNotKeepItsCopyOut) {
  Fill();
  EXPECT_EQ(SendCopy("ts-2", Begin(1)).status.code, idl::Code::OK);
  EXPECT_EQ(at("ts-2").in_memory->Uses().front().records, 0);
  idl::CopyRequest chunk = Request();
  chunk.__set_chunk({});
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::OK);
}

TEST_F(CopyTargetTest, OnlyTheCopyThatHasBegunIsTaken) {
  idl::CopyRequest chunk = Request();
  chunk.__set_chunk({});
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::NOT_FOUND) << "none has begun";
  EXPECT_EQ(SendCopy("ts-2", Begin(kFar)).status.code, idl::Code::OK);
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::OK);
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::OK) << "once more does no harm";
  EXPECT_EQ(SendCopy("ts-2", Begin(kFar)).status.code, idl::Code::OK) << "its answer was lost";
  chunk.copyId = kEarlier + 2;
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::NOT_FOUND);
  chunk.copyId = kEarlier + 1;
  chunk.chunk.checksum = 1;
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::COME_AGAIN) << "damaged on its way";
  EXPECT_EQ(SendCopy("ts-2", Begin(kFar, 2)).status.code, idl::Code::OK) << "another takes its place";
  chunk.chunk.checksum = 0;
  EXPECT_EQ(SendCopy("ts-2", chunk).status.code, idl::Code::NOT_FOUND);
  idl::CopyRequest arrived = Request(1);
  arrived.__set_arrivedUpto(1000);
  EXPECT_EQ(SendCopy("ts-2", arrived).status.code, idl::Code::NOT_FOUND);
  idl::CopyRequest stale = Begin(kFar, 3);
  stale.epoch = 1;
  EXPECT_EQ(SendCopy("ts-2", stale).status.code, idl::Code::STALE_EPOCH);
  idl::CopyRequest elsewhere = Begin(kFar, 4);
  elsewhere.tabletId = 999;
  EXPECT_EQ(SendCopy("ts-2", elsewhere).status.code, idl::Code::NOT_FOUND);
  EXPECT_EQ(SendCopy("ts-2", Request(5)).status.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_TRUE(View("ts-2")->incomplete);
}

TEST_F(CopyTargetTest, ACopyThatIsGivenUpWhileItBeginsIsAnswered) {
  std::shared_ptr<const TabletView> reading = View("ts-2");
  std::optional<idl::CopyReply> first, second;
  auto target = at("ts-2").server->replication_service();
  target->copy([&](const idl::CopyReply& answer) { first = answer; }, Begin(kFar, 1));
  ASSERT_TRUE(Until([&] { return View("ts-2")->incomplete; }));
  target->copy([&](const idl::CopyReply& answer) { second = answer; }, Begin(kFar, 2));
  ASSERT_TRUE(Until([&] { return first.has_value(); }));
  EXPECT_EQ(first->status.code, idl::Code::COME_AGAIN);
  reading.reset();
  ASSERT_TRUE(Until([&] { return second.has_value(); }));
  EXPECT_EQ(second->status.code, idl::Code::OK);
}

TEST_F(CopyTargetTest, WhoNamesItselfWithControlCharactersIsRefusedAndShownWithoutThem) {
  idl::CopyRequest forged = Begin(kFar);
  forged.header.fromServer = "ts-1\x1b[31m\nE1 all is lost";
  std::optional<idl::CopyReply> reply;
  const auto ask = [&] {
    at("ts-2").server->replication_service()->copy([&](const idl::CopyReply& answer) { reply = answer; }, forged);
    ASSERT_TRUE(Until([&] { return reply.has_value(); }));
  };
  ask();
  EXPECT_EQ(reply->status.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_NE(reply->status.message.find("\\x1b[31m\\x0a"), std::string::npos) << reply->status.message;
  reply.reset();
  forged.header.toServer = "ts-2\n";
  ask();
  EXPECT_EQ(reply->status.message, R"(this is server "ts-2", not "ts-2\x0a")");
}

TEST_F(CopyTargetTest, ADropEndsACopy) {
  std::shared_ptr<const TabletView> reading = View("ts-2");
  std::optional<idl::CopyReply> reply;
  at("ts-2").server->replication_service()->copy([&](const idl::CopyReply& answer) { reply = answer; }, Begin(kFar));
  ASSERT_TRUE(Until([&] { return View("ts-2")->incomplete; }));
  Drop("ts-2", 2);
  ASSERT_TRUE(Until([&] { return reply.has_value(); }));
  EXPECT_EQ(reply->status.code, idl::Code::COME_AGAIN);
  scheduler_.RunFor(2s);
  EXPECT_EQ(Count("ts-2"), 100u) << "somebody still reads";
  reading.reset();
  ASSERT_TRUE(Until([&] { return at("ts-2").server->directory().snapshot()->All().empty(); }));
  EXPECT_EQ(Count("ts-2"), 0u);
}

}  // namespace
}  // namespace ebla::tabletserver

// Level ANY and what a failover rolls back, in last_write_wins tables (PROTOCOL 22), on several servers in virtual
// time.
#include <gmock/gmock.h>

#include "tabletserver/testing/group_fixture.h"

namespace ebla::tabletserver {
namespace {

using idl::WriteLevel;
using ::testing::HasSubstr;
using ::testing::Not;

class HintedWritesTest : public GroupFixture {
 protected:
  static constexpr Duration kTombstoneRetention = std::chrono::minutes(10);

  HintedWritesTest() {
    table_options_.__set_lastWriteWins(true);
    options_.shard.tombstone_retention = kTombstoneRetention;
    options_.purge_and_size_tasks.tombstone_retention = kTombstoneRetention;
    options_.purge_and_size_tasks.between_passes = 1s;
  }
  void SetUp() override {
    for (const char* name : {"ts-1", "ts-2", "ts-3"}) Start(name);
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
    ASSERT_TRUE(Serves("ts-1"));
    ASSERT_EQ(Put("ts-1", "k", "first", WriteLevel::MAJORITY).header.code, idl::Code::OK);
    ASSERT_TRUE(AllEqual());
  }
  bool Serves(const std::string& name) {
    return Until([&] { return View(name) != nullptr && View(name)->barrier_applied; });
  }
  idl::WriteReply Put(const std::string& server, const std::string& key, const std::string& value,
                      WriteLevel::type level = WriteLevel::ANY) {
    return WriteAs(server, 5, ++writes_, {PutOf(key, value)}, level);
  }
  idl::WriteReply Delete(const std::string& server, const std::string& key, WriteLevel::type level = WriteLevel::ANY) {
    return WriteAs(server, 5, ++writes_, {DeleteOf(key)}, level);
  }
  void CutOff(const std::string& name) {
    for (const char* other : {"ts-1", "ts-2", "ts-3"}) {
      if (name != other) Cut(name, other);
    }
  }
  bool Delivered() {
    return Until([&] { return Pending("ts-1") + Pending("ts-2") + Pending("ts-3") == 0; });
  }
  // All replicas have applied everything, and hold the same.
  bool AllEqual() {
    return Until([&] {
      const std::string records = Records("ts-1");
      return Records("ts-2") == records && Records("ts-3") == records && Level("ts-2", "ts-1") && Level("ts-3", "ts-1");
    });
  }
  std::string Value(const std::string& server, const std::string& key) {
    const auto reply = Get(server, key, idl::ReadLevel::EVENTUAL);
    if (reply.header.code == idl::Code::OK) return reply.record.value;
    return std::string(CodeName(static_cast<ebla::Code>(reply.header.code)));
  }
  idl::ListKeptReply Unresolved(const std::string& server) {
    idl::ListKeptRequest request;
    request.header.tableId = kTable;
    return Await<idl::ListKeptReply>(
        [&](auto cob) { at(server).server->tablet_service()->listKept(std::move(cob), request); });
  }
  // ts-3 took a write of "k" by a clock that was an hour ahead; now each key is written there after a restart.
  void TakenAfterARestartWins(const std::vector<std::string>& keys) {
    CutOff("ts-3");
    LogEntry entry;
    entry.version = {Epoch{1}, Lsn{99}};
    entry.level = AckLevel::kAny;
    entry.outcome.wrote = true;
    const int64_t stamp_ms = at("ts-3").executor->TimeOfDayMs() + 3'600'000;
    entry.effects.push_back({.key = "k", .value = "before", .write_time_ms = stamp_ms, .writer = "ts-3"});
    const LogEntry* const kept = &entry;
    ASSERT_TRUE(at("ts-3").store->unresolved().Put(TabletId{}, TableId{kTable}, {&kept, 1}).ok());
    Crash("ts-3", SimulatedDisk::CrashKind::kProcess);
    Start("ts-3");
    for (const std::string& key : keys) ASSERT_EQ(Put("ts-3", key, "after").header.code, idl::Code::OK);
    Heal();
    ASSERT_TRUE(Delivered());
    ASSERT_TRUE(AllEqual());
    EXPECT_EQ(Value("ts-1", "k"), "after");
  }
  // The master orders the table's data to be removed.
  void DropData(const std::string& server) {
    idl::DropTableRequest request;
    request.header.clusterId = kCluster;
    request.header.masterTerm = 1;
    request.header.toServer = server;
    request.header.toIncarnation = 1;
    request.tableId = kTable;
    ASSERT_TRUE(Until([&] {
      const auto reply = Await<idl::DropTableReply>(
          [&](auto cob) { at(server).server->control_service()->dropTableData(std::move(cob), request); });
      return reply.status.code == idl::Code::OK;
    }));
  }
  // ts-1 acknowledges a PRIMARY write that reaches no other server, while ts-2 is made primary.
  void RollBack(const std::string& key, const std::string& value) {
    CutOff("ts-1");
    ASSERT_EQ(Put("ts-1", key, value, WriteLevel::PRIMARY).header.code, idl::Code::OK);
    ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
    ASSERT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
    ASSERT_TRUE(Serves("ts-2"));
  }

  int64_t writes_ = 0;
};

TEST_F(HintedWritesTest, EveryReplicasServerTakesThemAndDeliversThem) {
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) {
    const std::string name(server);
    const auto reply = Put(name, "from-" + name, name);
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    EXPECT_FALSE(reply.__isset.version) << "it has none yet";
  }
  ASSERT_EQ(Delete("ts-2", "k").header.code, idl::Code::OK);
  ASSERT_TRUE(Delivered());
  ASSERT_TRUE(AllEqual());
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) EXPECT_EQ(Value("ts-3", "from-" + std::string(server)), server);
  EXPECT_EQ(Value("ts-1", "k"), "NOT_FOUND");
}

TEST_F(HintedWritesTest, OnEverySideOfAPartitionTheLaterOneWinsWhenItHeals) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "early", "cut off").header.code, idl::Code::OK);
  ASSERT_EQ(Put("ts-1", "late", "primary").header.code, idl::Code::OK);
  scheduler_.RunFor(50ms);
  ASSERT_EQ(Put("ts-1", "early", "primary", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  ASSERT_EQ(Put("ts-3", "late", "cut off").header.code, idl::Code::OK);
  ASSERT_EQ(Put("ts-3", "gone", "cut off").header.code, idl::Code::OK);
  scheduler_.RunFor(50ms);
  ASSERT_EQ(Delete("ts-2", "gone").header.code, idl::Code::OK);
  scheduler_.RunFor(10s);
  EXPECT_EQ(Pending("ts-3"), 3);
  EXPECT_EQ(Value("ts-1", "late"), "primary");
  Heal();
  ASSERT_TRUE(Delivered());
  ASSERT_TRUE(AllEqual());
  EXPECT_EQ(Value("ts-2", "early"), "primary");
  EXPECT_EQ(Value("ts-2", "late"), "cut off");
  EXPECT_EQ(Value("ts-2", "gone"), "NOT_FOUND");
}

TEST_F(HintedWritesTest, WithNobodyElseReachableAWriteOutlivesCrashesUntilItIsDelivered) {
  CutOff("ts-1");
  CutOff("ts-2");
  ASSERT_EQ(Put("ts-2", "k", "kept").header.code, idl::Code::OK);
  Crash("ts-2");
  Start("ts-2");
  EXPECT_EQ(Pending("ts-2"), 1);
  ASSERT_EQ(Put("ts-2", "j", "after the restart").header.code, idl::Code::OK);
  Heal();
  ASSERT_TRUE(Delivered());
  ASSERT_TRUE(AllEqual());
  EXPECT_EQ(Value("ts-3", "k"), "kept");
  EXPECT_EQ(Value("ts-3", "j"), "after the restart");
}

// This holds for any clock, because it may have been set back.
TEST_F(HintedWritesTest, WhatIsTakenAfterARestartIsLaterThanWhatWaitsFromBefore) { TakenAfterARestartWins({"k"}); }

class AnyStampsTest : public HintedWritesTest {
 protected:
  AnyStampsTest() { options_.hinted_writes.stamps_max = 2; }
};

TEST_F(AnyStampsTest, TimesThatAreForgottenAreSurpassedAllTheSame) {
  TakenAfterARestartWins({"a", "b", "c", "d", "k"});
}

TEST_F(HintedWritesTest, ACrashOfThePrimaryBetweenAnswerAndDeliveryLosesNothing) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Put("ts-2", "k" + std::to_string(i), "v").header.code, idl::Code::OK);
  Crash("ts-1");
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
  ASSERT_TRUE(Configure(2, {"ts-3", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Until([&] { return Pending("ts-2") == 0; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Value("ts-3", "k" + std::to_string(i)), "v") << i;
}

TEST_F(HintedWritesTest, AServerWithoutTheReplicaAsksTheMasterWhoLeads) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "k", "kept").header.code, idl::Code::OK);
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1", "ts-2"}, {}}));
  Drop("ts-3", 2);
  ASSERT_TRUE(Until([&] { return View("ts-3") == nullptr; }));
  scheduler_.RunFor(5s);
  EXPECT_EQ(Pending("ts-3"), 1);
  Heal();
  ASSERT_TRUE(Delivered());
  EXPECT_EQ(Value("ts-1", "k"), "kept");
}

TEST_F(HintedWritesTest, AMasterThatKnowsNoSuchTableForgetsNothing) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "k", "kept").header.code, idl::Code::OK);
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1", "ts-2"}, {}}));
  Drop("ts-3", 2);
  ASSERT_TRUE(Until([&] { return View("ts-3") == nullptr; }));
  table_dropped_ = true;  // as in the catalog of a restored coordinator
  scheduler_.RunFor(20s);
  EXPECT_EQ(Pending("ts-3"), 1);
  table_dropped_ = false;
  Heal();
  ASSERT_TRUE(Delivered());
  EXPECT_EQ(Value("ts-1", "k"), "kept");
}

TEST_F(HintedWritesTest, WhatBelongsToADroppedTableGoesWithItsData) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "k", "kept").header.code, idl::Code::OK);
  Drop("ts-3", 2);
  table_dropped_ = true;
  ASSERT_TRUE(Until([&] { return View("ts-3") == nullptr; }));
  DropData("ts-3");
  EXPECT_EQ(Pending("ts-3"), 0);
  scheduler_.RunFor(10s);  // a pass that was under way ends
  const int64_t dropped = at("ts-3").server->hint_delivery().figures().dropped;
  // Stored at the very moment when the data was removed.
  LogEntry late;
  late.version = {Epoch{1}, Lsn{99}};
  late.effects.push_back({.key = "k", .value = "late", .write_time_ms = 5, .writer = "ts-3"});
  const LogEntry* const kept = &late;
  ASSERT_TRUE(at("ts-3").store->unresolved().Put(TabletId{}, TableId{kTable}, {&kept, 1}).ok());
  ASSERT_TRUE(Delivered());
  EXPECT_EQ(at("ts-3").server->hint_delivery().figures().dropped, dropped + 1);
}

TEST_F(HintedWritesTest, RefusesWhatTheLevelCannotDo) {
  const auto refused = [&](std::vector<idl::Write> writes) {
    const auto reply = WriteAs("ts-2", 5, ++writes_, std::move(writes), WriteLevel::ANY);
    EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
    return reply.header.message;
  };
  EXPECT_THAT(refused({IncrementOf("n")}), HasSubstr("puts and deletes without conditions"));
  idl::Write conditional = PutOf("k", "v");
  conditional.condition.kind = idl::ConditionKind::ABSENT;
  conditional.__isset.condition = true;
  EXPECT_THAT(refused({conditional}), HasSubstr("puts and deletes without conditions"));
  EXPECT_THAT(refused({PutOf("k", "v"), PutOf("k", "w")}), HasSubstr("twice"));
  idl::Write forged = PutOf("k", "v");
  forged.__set_writeTimeMs(1);
  forged.__set_writer("ts-9");
  EXPECT_THAT(refused({forged}), HasSubstr("names no client"));
}

TEST_F(HintedWritesTest, AFullDiskRefusesThem) {
  at("ts-2").disk.SetFull(true);
  const auto reply = Put("ts-2", "k", "v");
  EXPECT_EQ(reply.header.code, idl::Code::OVERLOADED) << reply.header.message;
  EXPECT_TRUE(reply.header.__isset.retryAfterMs);
  EXPECT_EQ(Delete("ts-2", "k").header.code, idl::Code::OK) << "which frees room";
  at("ts-2").disk.SetFull(false);
}

class HintedWritesCapTest : public HintedWritesTest {
 protected:
  HintedWritesCapTest() { options_.hinted_writes.entries_max = 5; }
};

TEST_F(HintedWritesCapTest, WhatWaitsIsBounded) {
  CutOff("ts-3");
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Put("ts-3", "k" + std::to_string(i), "v").header.code, idl::Code::OK);
  EXPECT_EQ(Put("ts-3", "k5", "v").header.code, idl::Code::OVERLOADED);
  Heal();
  ASSERT_TRUE(Delivered());
  EXPECT_EQ(Put("ts-3", "k5", "v").header.code, idl::Code::OK);
}

class AnyByDefaultTest : public HintedWritesTest {
 protected:
  AnyByDefaultTest() { table_options_.__set_defaultWriteLevel(WriteLevel::ANY); }
};

TEST_F(AnyByDefaultTest, TheTablesDefaultMayBeAny) {
  CutOff("ts-3");
  EXPECT_EQ(Put("ts-3", "k", "v", WriteLevel::DEFAULT).header.code, idl::Code::OK);
  Heal();
  ASSERT_TRUE(Delivered());
  EXPECT_EQ(Value("ts-1", "k"), "v");
}

// ---- deletes --------------------------------------------------------------------------------------------------------

TEST_F(HintedWritesTest, ADeleteIsRememberedUntilNothingOlderCanCome) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "k", "older").header.code, idl::Code::OK);
  scheduler_.RunFor(50ms);
  ASSERT_EQ(Delete("ts-1", "k", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  EXPECT_EQ(Get("ts-1", "k", idl::ReadLevel::STRONG).header.code, idl::Code::NOT_FOUND);
  idl::ScanRequest scan;
  scan.header.tableId = kTable;
  const auto page =
      Await<idl::ScanReply>([&](auto cob) { at("ts-1").server->tablet_service()->scan(std::move(cob), scan); });
  EXPECT_TRUE(page.records.empty() && page.done);
  EXPECT_EQ(EstimateSize(*at("ts-1").store, TableId{kTable}, KeyRange::All())->records, 0);
  Heal();
  ASSERT_TRUE(Delivered());
  ASSERT_TRUE(AllEqual());
  EXPECT_EQ(Records("ts-2"), "k! ");
  ASSERT_EQ(Put("ts-1", "other", "v", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  scheduler_.RunFor(kTombstoneRetention + 10s);
  ASSERT_TRUE(AllEqual());
  EXPECT_THAT(Records("ts-2"), Not(HasSubstr("k!")));
  EXPECT_EQ(Value("ts-2", "other"), "v");
}

TEST_F(HintedWritesTest, WhatExpiredDoesNotLetAnOlderWriteBack) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "short", "older").header.code, idl::Code::OK);
  scheduler_.RunFor(50ms);
  ASSERT_EQ(WriteAs("ts-1", 5, ++writes_, {PutOf("short", "newer", 1000)}, WriteLevel::MAJORITY).header.code,
            idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Records("ts-1").find("short!") != std::string::npos; })) << Records("ts-1");
  Heal();
  ASSERT_TRUE(Delivered());
  EXPECT_EQ(Value("ts-1", "short"), "NOT_FOUND");
}

TEST_F(HintedWritesTest, AWriteOlderThanDeletesAreRememberedStaysAsAConflictRecord) {
  CutOff("ts-3");
  ASSERT_EQ(Put("ts-3", "k", "old").header.code, idl::Code::OK);
  scheduler_.RunFor(50ms);
  ASSERT_EQ(Delete("ts-1", "k", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  scheduler_.RunFor(kTombstoneRetention + 10s);
  ASSERT_EQ(Records("ts-1"), "");
  Heal();
  ASSERT_TRUE(Until([&] { return at("ts-3").server->hint_delivery().figures().conflicts == 1; }));
  EXPECT_EQ(Value("ts-1", "k"), "NOT_FOUND");
  const auto unresolved = Unresolved("ts-3");
  ASSERT_EQ(unresolved.writes.size(), 1u);
  EXPECT_FALSE(unresolved.writes[0].waiting);
  EXPECT_EQ(unresolved.writes[0].effects[0].value, "old");
  Crash("ts-3");
  Start("ts-3");
  ASSERT_TRUE(Until([&] { return at("ts-3").server->hint_delivery().figures().conflicts == 1; })) << "found again";
}

// ---- what a failover rolls back -------------------------------------------------------------------------------------

TEST_F(HintedWritesTest, RolledBackPrimaryWritesAreDeliveredAndWinOrLoseByTheirTime) {
  RollBack("lonely", "undone");
  ASSERT_EQ(Put("ts-2", "k", "by the new primary", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  Heal();
  ASSERT_TRUE(Until([&] { return RolledBack("ts-1").empty() && Value("ts-2", "lonely") == "undone"; }))
      << RolledBack("ts-1");
  EXPECT_EQ(Value("ts-2", "k"), "by the new primary");
}

// A decision by a lost state means nothing beside another state.
TEST_F(HintedWritesTest, RolledBackIncrementsAndConditionalWritesStayAsConflictRecords) {
  ASSERT_EQ(Put("ts-1", "n", "5", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  ASSERT_TRUE(AllEqual());
  CutOff("ts-1");
  idl::Write conditional = PutOf("c", "undone");
  conditional.condition.kind = idl::ConditionKind::ABSENT;
  conditional.__isset.condition = true;
  ASSERT_EQ(WriteAs("ts-1", 5, ++writes_, {conditional}, WriteLevel::PRIMARY).header.code, idl::Code::OK);
  ASSERT_EQ(WriteAs("ts-1", 5, ++writes_, {IncrementOf("n")}, WriteLevel::PRIMARY).header.code, idl::Code::OK);
  RollBack("plain", "undone");
  Heal();
  ASSERT_TRUE(Until([&] { return Value("ts-2", "plain") == "undone"; }));
  scheduler_.RunFor(20s);
  EXPECT_EQ(Value("ts-2", "n"), "5");
  EXPECT_EQ(Value("ts-2", "c"), "NOT_FOUND");
  const auto unresolved = Unresolved("ts-1");
  ASSERT_EQ(unresolved.writes.size(), 2u);
  for (const idl::KeptWrite& write : unresolved.writes) EXPECT_FALSE(write.waiting);
}

TEST_F(HintedWritesTest, ARolledBackWriteLosesAgainstALaterOne) {
  RollBack("lonely", "undone");
  ASSERT_EQ(Put("ts-2", "lonely", "later", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  Heal();
  ASSERT_TRUE(Until([&] { return Level("ts-1", "ts-2") && View("ts-1")->epoch == Epoch{2}; }));
  ASSERT_TRUE(Until([&] { return RolledBack("ts-1").empty(); }));
  EXPECT_EQ(Value("ts-2", "lonely"), "later");
  EXPECT_EQ(Value("ts-1", "lonely"), "later");
}

// ---- conflict records: what a failover rolls back in other tables
// --------------------------------------------------------

class ConflictTest : public HintedWritesTest {
 protected:
  ConflictTest() { table_options_.__set_lastWriteWins(false); }
  idl::ForgetKeptReply Forget(const std::string& server, const idl::KeptWrite& write) {
    idl::ForgetKeptRequest request;
    request.header.tableId = kTable;
    request.tabletId = write.tabletId;
    request.version = write.version;
    return Await<idl::ForgetKeptReply>(
        [&](auto cob) { at(server).server->tablet_service()->forgetKept(std::move(cob), request); });
  }
  // Rolled back, healed, and level with the new primary.
  void RollBackAndHeal() {
    RollBack("lonely", "undone");
    Heal();
    ASSERT_TRUE(Until([&] { return Level("ts-1", "ts-2") && !RolledBack("ts-1").empty(); }));
  }
};

TEST_F(ConflictTest, ARolledBackWriteStaysUntilItIsForgotten) {
  RollBackAndHeal();
  scheduler_.RunFor(30s);
  auto unresolved = Unresolved("ts-1");
  ASSERT_EQ(unresolved.writes.size(), 1u);
  const idl::KeptWrite& write = unresolved.writes[0];
  EXPECT_EQ(write.tabletId, kTablet);
  EXPECT_EQ(write.version.epoch, 1);
  EXPECT_FALSE(write.waiting || write.repeated || unresolved.more);
  EXPECT_EQ(write.effects[0].key, "lonely");
  EXPECT_EQ(write.effects[0].value, "undone");
  EXPECT_TRUE(Unresolved("ts-2").writes.empty());
  EXPECT_EQ(at("ts-1").server->hint_delivery().figures().conflicts, 1);
  EXPECT_EQ(Forget("ts-2", write).header.code, idl::Code::NOT_FOUND);
  EXPECT_EQ(Forget("ts-1", write).header.code, idl::Code::OK);
  EXPECT_EQ(Forget("ts-1", write).header.code, idl::Code::NOT_FOUND);
  EXPECT_TRUE(Unresolved("ts-1").writes.empty());
}

TEST_F(ConflictTest, OneWhoseRetryWasExecutedIsMarked) {
  RollBack("lonely", "undone");
  ASSERT_EQ(WriteAs("ts-2", 5, writes_, {PutOf("lonely", "undone")}, WriteLevel::MAJORITY).header.code, idl::Code::OK);
  Heal();
  ASSERT_TRUE(Until([&] { return Level("ts-1", "ts-2") && !RolledBack("ts-1").empty(); }));
  const auto unresolved = Unresolved("ts-1");
  ASSERT_EQ(unresolved.writes.size(), 1u);
  EXPECT_TRUE(unresolved.writes[0].repeated);
}

TEST_F(ConflictTest, OneThatTheHistoryHasAfterAllGoesByItself) {
  const auto reply = Put("ts-1", "k", "second", WriteLevel::MAJORITY);
  ASSERT_TRUE(AllEqual());
  LogEntry entry;
  entry.version = {Epoch{1}, Lsn{static_cast<uint64_t>(reply.version.lsn)}};
  entry.effects.push_back({.key = "k", .value = "second"});
  LogEntry never = entry;
  never.version.epoch = Epoch{9};
  const LogEntry* const kept[] = {&entry, &never};
  ASSERT_TRUE(at("ts-1").store->unresolved().Put(TabletId{kTablet}, TableId{kTable}, kept).ok());
  ASSERT_TRUE(Until([&] { return Unresolved("ts-1").writes.size() == 1; }));
  EXPECT_EQ(Unresolved("ts-1").writes[0].version.epoch, 9);
}

TEST_F(ConflictTest, AreListedInPages) {
  std::vector<LogEntry> entries(5);
  std::vector<const LogEntry*> pointers;
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].version = {Epoch{9}, Lsn{i + 1}};
    entries[i].effects.push_back({.key = "k", .value = "v"});
    pointers.push_back(&entries[i]);
  }
  ASSERT_TRUE(at("ts-1").store->unresolved().Put(TabletId{kTablet}, TableId{kTable}, pointers).ok());
  idl::ListKeptRequest request;
  request.header.tableId = kTable;
  request.limit = 2;
  std::string seen;
  for (bool more = true; more;) {
    const auto page = Await<idl::ListKeptReply>(
        [&](auto cob) { at("ts-1").server->tablet_service()->listKept(std::move(cob), request); });
    for (const auto& write : page.writes) seen += std::to_string(write.version.lsn);
    seen += ";";
    more = page.more;
    request.afterTabletId = page.writes.back().tabletId;
    request.afterVersion = page.writes.back().version;
  }
  EXPECT_EQ(seen, "12;34;5;");
  request.limit = 1001;
  EXPECT_EQ(Await<idl::ListKeptReply>([&](auto cob) {
              at("ts-1").server->tablet_service()->listKept(std::move(cob), request);
            }).header.code,
            idl::Code::INVALID_ARGUMENT);
}

TEST_F(ConflictTest, AnotherTableTakesNoWritesThatCarryTheirTime) {
  EXPECT_EQ(Put("ts-1", "k", "v").header.code, idl::Code::INVALID_ARGUMENT) << "nor ANY";
  idl::WriteRequest request;
  request.header.tableId = kTable;
  request.level = WriteLevel::MAJORITY;
  request.writes = {PutOf("k", "forged")};
  request.writes[0].__set_writeTimeMs(1);
  request.writes[0].__set_writer("ts-9");
  const auto reply =
      Await<idl::WriteReply>([&](auto cob) { at("ts-1").server->tablet_service()->write(std::move(cob), request); });
  EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(reply.header.message, HasSubstr("last_write_wins"));
}

TEST_F(ConflictTest, GoWithTheirTable) {
  RollBackAndHeal();
  Drop("ts-1", 3);
  ASSERT_TRUE(Until([&] { return View("ts-1") == nullptr; }));
  DropData("ts-1");
  EXPECT_EQ(RolledBack("ts-1"), "");
}

class ConflictCapTest : public ConflictTest {
 protected:
  ConflictCapTest() { options_.shard.rolled_back_bytes_max = 1; }
};

TEST_F(ConflictCapTest, WhileTheyExceedTheirCapPrimaryIsRefused) {
  RollBackAndHeal();
  ASSERT_TRUE(Fence(3, {"ts-1", "ts-3"}));
  ASSERT_TRUE(Configure(3, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-1"));
  const auto refused = Put("ts-1", "k", "v", WriteLevel::PRIMARY);
  EXPECT_EQ(refused.header.code, idl::Code::OVERLOADED) << refused.header.message;
  EXPECT_THAT(refused.header.message, HasSubstr("conflict records"));
  EXPECT_EQ(Put("ts-1", "k", "v", WriteLevel::MAJORITY).header.code, idl::Code::OK);
  EXPECT_EQ(Forget("ts-1", Unresolved("ts-1").writes.at(0)).header.code, idl::Code::OK);
  EXPECT_EQ(Put("ts-1", "k", "v", WriteLevel::PRIMARY).header.code, idl::Code::OK);
}

// A stamp that is a year ahead would win over every later write of the key for a year.
TEST_F(HintedWritesTest, AClockThatLeapsGivesNoStampAheadOfTime) {
  CutOff("ts-3");
  Crash("ts-3", SimulatedDisk::CrashKind::kProcess);
  Start("ts-3");
  const int64_t now_ms = at("ts-3").executor->TimeOfDayMs();
  at("ts-3").executor->Leap(int64_t{365} * 86'400'000);
  ASSERT_EQ(Put("ts-3", "new", "v").header.code, idl::Code::OK);
  const auto taken = at("ts-3").store->unresolved().List(TableId{kTable}, {}, 10, 1 << 20);
  ASSERT_TRUE(taken.has_value() && taken->size() == 1);
  EXPECT_GE(taken->front().entry.effects.at(0).write_time_ms, now_ms - 1000);
  EXPECT_LT(taken->front().entry.effects.at(0).write_time_ms, now_ms + 60'000);
}

// The machine was off for a month, or its clock is wrong: a record must not expire before its time.
TEST_F(HintedWritesTest, ALifetimeInADoubtCountsFromTheLaterClock) {
  constexpr int64_t kHourMs = 3'600'000, kMonthMs = 30 * 24 * kHourMs;
  const auto expiry_of = [this](const std::string& key) -> int64_t {
    idl::Write put = PutOf(key, "v");
    put.__set_ttlMs(kHourMs);
    EXPECT_EQ(WriteAs("ts-3", 5, ++writes_, {put}, WriteLevel::ANY).header.code, idl::Code::OK);
    const auto taken = at("ts-3").store->unresolved().List(TableId{kTable}, {}, 10, 1 << 20);
    for (const UnresolvedLogEntry& one : taken.value()) {
      const Effect& effect = one.entry.effects.at(0);
      if (effect.key == key) return static_cast<int64_t>(effect.expires_at.value);
    }
    return 0;
  };
  CutOff("ts-3");
  const int64_t before_ms = at("ts-3").executor->TimeOfDayMs();
  at("ts-3").executor->Leap(kMonthMs);
  const int64_t known_ms = expiry_of("known");
  EXPECT_GE(known_ms, before_ms + kHourMs - 1000);
  EXPECT_LT(known_ms, before_ms + kHourMs + 60'000) << "the tablet's time is known";
  Crash("ts-3", SimulatedDisk::CrashKind::kProcess);
  Start("ts-3");
  at("ts-3").executor->Leap(kMonthMs);
  const int64_t machine_ms = at("ts-3").executor->TimeOfDayMs();
  EXPECT_GE(expiry_of("new"), machine_ms + kHourMs);
  at("ts-3").executor->Leap(-4 * kMonthMs);
  EXPECT_GE(expiry_of("behind"), before_ms + kHourMs - 1000) << "a clock that is behind takes nothing off";
}

}  // namespace
}  // namespace ebla::tabletserver

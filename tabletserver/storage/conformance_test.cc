// What every TabletStore does, asked of all: see the contract in tablet_store.h.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <sstream>
#include <thread>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TableId kAnyTable{7};
constexpr TabletId kAnyTablet{70};
constexpr TabletId kOther{71};

class StoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  StoreTest() : life(MakeStore(GetParam())) {
    EXPECT_TRUE(life->MakeTable(kAnyTable).ok());
    AddReplica(kAnyTablet);
  }
  // A crash, of a store that has what it held before it at the last checkpoint.
  void CrashAfterCheckpoint() {
    ASSERT_TRUE(CheckpointNow(store()));
    if (life->KeepsRecords()) life->Crash();
  }
  TabletStore& store() { return **life; }
  void AddReplica(TabletId tablet, TableId table = kAnyTable) {
    ReplicaState state;
    state.table = table;
    state.promised = {1};
    ASSERT_TRUE(store().PutReplicaState(tablet, state).ok());
    ASSERT_TRUE(FlushNow(store()).ok());
  }
  void AppendTo(uint64_t last, uint64_t first = 1) {
    for (uint64_t lsn = first; lsn <= last; ++lsn) ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(lsn)).ok());
  }
  void Write(uint64_t lsn, std::vector<Effect> effects) {
    const LogEntry entry = Entry(lsn, std::move(effects));
    ASSERT_TRUE(AppendOne(store(), kAnyTablet, entry).ok());
    ASSERT_TRUE(ApplyOne(store(), kAnyTablet, kAnyTable, entry).ok());
  }
  std::string Records(const KeyRange& range = {}, bool reverse = false) {
    return Dump(store(), kAnyTable, range, reverse);
  }

  std::unique_ptr<StoreUnderTest> life;
};

// What a crash leaves: of tables in memory, nothing (tables_in_memory_test.cc).
class DurableStoreTest : public StoreTest {};

// ---- log -----------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, TheLogIsReadInOrderAndWithinBounds) {
  AppendTo(5);
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(100)).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2 1.3 1.4 1.5");
  const auto middle = store().ReadLog(kAnyTablet, Lsn{2}, Lsn{3}, SIZE_MAX);
  ASSERT_TRUE(middle);
  EXPECT_EQ(middle->size(), 2u);
  const auto one = store().ReadLog(kAnyTablet, Lsn{2}, Lsn{9}, 1);  // at least one, however small the budget
  ASSERT_TRUE(one);
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ(one->front().version.lsn, Lsn{2});
  EXPECT_EQ(DumpLog(store(), kOther), "1.100");
  EXPECT_EQ(DumpLog(store(), TabletId{1}), "");
  const auto all = store().ReadLog(kAnyTablet, Lsn{0}, Lsn{UINT64_MAX}, SIZE_MAX);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 5u);
}

TEST_P(StoreTest, AnEntryComesBackAsItWas) {
  LogEntry entry = Entry(1, {Put("k", std::string(1000, 'v')), Delete("d")});
  entry.client = {77};
  entry.sequence = {5};
  entry.outcome.counters = {-3, 9};
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, entry).ok());
  const auto read = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{1}, SIZE_MAX);
  ASSERT_TRUE(read && read->size() == 1);
  EXPECT_EQ(EncodeLogEntry(read->front()), EncodeLogEntry(entry));
}

TEST_P(StoreTest, OneAppendSpansTablets) {
  const LogEntry first = Entry(1), second = Entry(2), other = Entry(8);
  const AppendBatch batches[] = {{kAnyTablet, {&first, &second}}, {kOther, {&other}}};
  ASSERT_TRUE(store().Append(batches).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2");
  EXPECT_EQ(DumpLog(store(), kOther), "1.8");
}

TEST_P(DurableStoreTest, WhatWasFlushedSurvivesACrash) {
  for (const FlushMode mode : {FlushMode::kSync, FlushMode::kInterval}) {
    const uint64_t last = mode == FlushMode::kSync ? 20 : 40;
    AppendTo(last, last - 19);
    ASSERT_TRUE(FlushNow(store(), mode).ok());
    life->Crash();
    const auto log = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{1000}, SIZE_MAX);
    ASSERT_TRUE(log);
    EXPECT_EQ(log->size(), last);
  }
}

TEST_P(DurableStoreTest, ACrashKeepsAPrefixOfWhatWasNotFlushed) {
  AppendTo(10);
  ASSERT_TRUE(FlushNow(store()).ok());
  AppendTo(200, 11);
  life->Crash();
  const auto log = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{1000}, SIZE_MAX);
  ASSERT_TRUE(log);
  ASSERT_GE(log->size(), 10u);
  for (size_t i = 0; i < log->size(); ++i) EXPECT_EQ((*log)[i].version.lsn.value, i + 1);
}

TEST_P(DurableStoreTest, ASuffixIsRemovedAndWrittenAnew) {
  AppendTo(1200);
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(3)).ok());
  ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{3}).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2");
  LogEntry anew = Entry(3);
  anew.version.epoch = {2};
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, anew).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2 2.3");
  EXPECT_EQ(DumpLog(store(), kOther), "1.3");
}

TEST_P(DurableStoreTest, TheLogIsTruncatedBelowACheckpoint) {
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) Write(lsn, {Put("k" + std::to_string(lsn), "v")});
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(1)).ok());
  const auto held = CheckpointNow(store());
  ASSERT_TRUE(held);
  ASSERT_EQ(held->at(kAnyTablet), Lsn{5});
  ASSERT_TRUE(store().TruncateLog(kAnyTablet, Lsn{0}, Lsn{5}).ok());
  ASSERT_TRUE(store().TruncateLog(kAnyTablet, Lsn{0}, Lsn{1}).ok());  // again, and less: nothing happens
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.5");
  Write(6, {Put("k6", "v")});
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.5 1.6");
  EXPECT_EQ(DumpLog(store(), kOther), "1.1");
  EXPECT_EQ(Records(), "k1=v@1 k2=v@2 k3=v@3 k4=v@4 k5=v@5");
}

// ---- records -------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, RecordsAreReadAsTheyWereApplied) {
  Effect effect = Put("key", std::string("\0binary\xff", 8));
  effect.expires_at = {123};
  effect.write_time_ms = 456;
  effect.writer = "ts-1";
  Write(1, {effect, Put("plain", "")});
  const auto got = store().Get(kAnyTable, "key");
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->value, effect.value);
  EXPECT_EQ((*got)->version, (Version{Epoch{1}, Lsn{1}}));
  EXPECT_EQ((*got)->expires_at, effect.expires_at);
  EXPECT_EQ((*got)->write_time_ms, 456);
  EXPECT_EQ((*got)->writer, "ts-1");
  const std::string_view keys[] = {"plain", "absent", "key"};
  const auto many = store().MultiGet(kAnyTable, keys, SIZE_MAX);
  ASSERT_TRUE(many);
  ASSERT_TRUE((*many)[0] && !(*many)[1] && (*many)[2]);
  EXPECT_EQ((*many)[0]->value, "");
  EXPECT_FALSE((*many)[0]->expires_at);
  EXPECT_EQ((*many)[0]->writer, "");
}

TEST_P(StoreTest, AReadOfManyKeysEndsAtItsBound) {
  Write(1, {Put("a", std::string(600, 'a')), Put("b", std::string(600, 'b')), Put("c", "small")});
  const std::string_view keys[] = {"absent", "a", "c", "b", "c"};
  const auto lengths = [&](size_t bytes_max, std::span<const std::string_view> asked) {
    const auto records = store().MultiGet(kAnyTable, asked, bytes_max);
    return records ? static_cast<int>(records->size()) : -1;
  };
  EXPECT_EQ(lengths(SIZE_MAX, keys), 5);
  EXPECT_EQ(lengths(1210, keys), 5);
  EXPECT_EQ(lengths(1209, keys), 4) << "the last would exceed it";
  EXPECT_EQ(lengths(1204, keys), 3) << "and nothing after the first that does, however small";
  EXPECT_EQ(lengths(599, keys), 1);
  EXPECT_EQ(lengths(599, std::span(keys).subspan(1)), 1) << "one at least";
}

TEST_P(StoreTest, LaterChangesOfABatchWin) {
  Write(1, {Put("a", "1"), Put("a", "2"), Put("b", "1"), Delete("b"), Delete("c"), Put("c", "1")});
  EXPECT_EQ(Records(), "a=2@1 c=1@1");
  Write(2, {Delete("a"), Delete("never was")});
  EXPECT_EQ(Records(), "c=1@1");
}

TEST_P(StoreTest, ScansRunBothWaysWithinTheirBounds) {
  const std::string high("\xff\xff", 2), low("\0", 1);
  Write(1, {Put("a", "1"), Put("b", "2"), Put("ba", "3"), Put("c", "4"), Put(high, "5"), Put(low, "0")});
  EXPECT_EQ(Records({"b", "c"}), "b=2@1 ba=3@1");
  EXPECT_EQ(Records({"b", "c"}, true), "ba=3@1 b=2@1");
  EXPECT_EQ(Records({"aa", "bz"}), "b=2@1 ba=3@1");
  EXPECT_EQ(Records({"aa", "bz"}, true), "ba=3@1 b=2@1");
  EXPECT_EQ(Records({"d", "e"}), "");
  EXPECT_EQ(Records({"d", "e"}, true), "");
  EXPECT_EQ(Records({"c", "b"}), "");
  EXPECT_EQ(Records({}, true), high + "=5@1 c=4@1 ba=3@1 b=2@1 a=1@1 " + low + "=0@1");
  int seen = 0;
  ASSERT_TRUE(store().Scan(kAnyTable, {}, [&](auto, auto&) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

TEST_P(StoreTest, ALargeValueFits) {
  const std::string value(1 << 20, 'x');
  Write(1, {Put("large", value)});
  CrashAfterCheckpoint();
  const auto got = store().Get(kAnyTable, "large");
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->value, value);
}

TEST_P(StoreTest, AReadKnowsTheAppliedPositionOfItsSnapshot) {
  SnapshotPosition position{kAnyTablet, Lsn{9}};
  ASSERT_TRUE(store().Get(kAnyTable, "a", &position));
  EXPECT_EQ(position.applied, Lsn{});
  Write(1, {Put("a", "1")});
  Write(2, {Put("a", "2")});
  ASSERT_TRUE(store().Get(kAnyTable, "a", &position));
  EXPECT_EQ(position.applied, Lsn{2});
  position.applied = {};
  const std::string_view keys[] = {"a"};
  ASSERT_TRUE(store().MultiGet(kAnyTable, keys, SIZE_MAX, &position));
  EXPECT_EQ(position.applied, Lsn{2});
  position.applied = {};
  ASSERT_TRUE(store().Scan(kAnyTable, {}, [&](auto, auto&) { return position.applied == Lsn{2}; }, &position).ok());
}

TEST_P(StoreTest, ReadersSeeWholeBatches) {
  Write(1, {Put("a", "1"), Put("z", "1")});
  std::atomic<bool> stop{false};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] {
      const std::string_view keys[] = {"a", "z"};
      while (!stop) {
        SnapshotPosition position{kAnyTablet, {}};
        if (i == 0) {
          std::string values;
          const auto collect = [&](auto, auto& record) {
            values += record.value + " ";
            return true;
          };
          ASSERT_TRUE(store().Scan(kAnyTable, {}, collect, &position).ok());
          const std::string lsn = std::to_string(position.applied.value);
          ASSERT_EQ(values, lsn + " " + lsn + " ");
        } else {
          const auto both = store().MultiGet(kAnyTable, keys, SIZE_MAX, &position);
          ASSERT_TRUE(both);
          ASSERT_EQ((*both)[0]->value, (*both)[1]->value);
          ASSERT_EQ((*both)[0]->version.lsn, position.applied);
        }
        ++reads;
      }
    });
  }
  for (uint64_t lsn = 2; lsn < 300 || reads < 100; ++lsn) {
    Write(lsn, {Put("a", std::to_string(lsn)), Put("z", std::to_string(lsn))});
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

TEST_P(StoreTest, ARangeIsTruncated) {
  Write(1, {Put("a", "1"), Put("b", "2"), Put("ba", "3"), Put("c", "4")});
  ASSERT_TRUE(store().TruncateRange(kAnyTable, {"b", "c"}).ok());
  EXPECT_EQ(Records(), "a=1@1 c=4@1");
  ASSERT_TRUE(store().TruncateRange(kAnyTable, {"b", "c"}).ok());  // nothing there
  ASSERT_TRUE(store().TruncateRange(kAnyTable, {"d", ""}).ok());
  ASSERT_TRUE(store().TruncateRange(kAnyTable, {"", "a"}).ok());
  ASSERT_TRUE(store().TruncateRange(kAnyTable, {"c", "b"}).ok());
  EXPECT_EQ(Records(), "a=1@1 c=4@1");
  ASSERT_TRUE(store().TruncateRange(kAnyTable, {}).ok());
  EXPECT_EQ(Records(), "");
}

TEST_P(StoreTest, ALargeRangeIsTruncatedAndSized) {
  std::vector<Effect> effects;
  for (int i = 0; i < 20'000; ++i) effects.push_back(Put("k" + std::to_string(100'000 + i), std::string(200, 'v')));
  Write(1, effects);
  ASSERT_TRUE(CheckpointNow(store()));
  const KeyRange half{"k110000", "k115000"};
  const auto all = store().EstimateSize(kAnyTable, {});
  const auto part = store().EstimateSize(kAnyTable, half);
  const auto few = store().EstimateSize(kAnyTable, {"k100000", "k100100"});
  ASSERT_TRUE(all && part && few);
  EXPECT_GT(all->records, 12'000);
  EXPECT_LT(all->records, 32'000);
  EXPECT_GT(part->records, 2'000);
  EXPECT_LT(part->records, 10'000);
  EXPECT_EQ(few->records, 100);
  EXPECT_GE(few->bytes, 100 * 207);
  EXPECT_TRUE(few->whole);
  ASSERT_GE(few->sample.size(), 64u);
  EXPECT_EQ(few->sample[few->sample.size() / 2].first.substr(0, 6), "k10005");
  ASSERT_GT(part->sample.size(), 40u);
  for (const auto& [key, bytes] : part->sample) EXPECT_TRUE(half.Contains(key)) << key;
  const auto lower = std::count_if(all->sample.begin(), all->sample.end(),
                                   [](const SampledRow& row) { return row.first < "k110000"; });
  EXPECT_NEAR(static_cast<double>(lower) / static_cast<double>(all->sample.size()), 0.5, 0.25);
  ASSERT_TRUE(store().TruncateRange(kAnyTable, half).ok());
  EXPECT_EQ(store().EstimateSize(kAnyTable, half)->records, 0);
  EXPECT_EQ(Records({"k109999", "k115001"}),
            "k109999=" + std::string(200, 'v') + "@1 k115000=" + std::string(200, 'v') + "@1");
}

TEST_P(StoreTest, AnIntervalIsReplaced) {
  Write(1, {Put("a", "1"), Put("b", "2"), Put("ba", "3"), Put("c", "4")});
  using Records = std::vector<std::pair<std::string, StoredRecord>>;
  const auto record = [](std::string value, uint64_t lsn) {
    StoredRecord record;
    record.value = std::move(value);
    record.version = {Epoch{1}, Lsn{lsn}};
    return record;
  };
  const auto replace = [&](const KeyRange& interval, const Records& records) {
    return store().ReplaceInterval(kAnyTable, interval, records).code();
  };
  EXPECT_EQ(replace({"b", "c"}, {{"b", record("5", 7)}, {"bb", record("6", 8)}}), Code::kOk);
  EXPECT_EQ(this->Records(), "a=1@1 b=5@7 bb=6@8 c=4@1");
  EXPECT_EQ(replace({"b", "c"}, {{"b", record("5", 7)}, {"bb", record("6", 8)}}), Code::kOk);  // again
  EXPECT_EQ(this->Records(), "a=1@1 b=5@7 bb=6@8 c=4@1");
  EXPECT_EQ(replace({"", "bb"}, {}), Code::kOk);
  EXPECT_EQ(this->Records(), "bb=6@8 c=4@1");
  EXPECT_EQ(replace({"a", "b"}, {{"b", record("x", 9)}}), Code::kInvalidArgument);
  EXPECT_EQ(replace({"a", "d"}, {{"b", record("x", 9)}, {"a", record("x", 9)}}), Code::kInvalidArgument);
  EXPECT_EQ(replace({"b", "a"}, {}), Code::kInvalidArgument);
  EXPECT_EQ(this->Records(), "bb=6@8 c=4@1");
  StoredRecord full = record(std::string("\0v", 2), 10);
  full.expires_at = {5};
  full.write_time_ms = -6;
  full.writer = "ts-1";
  EXPECT_EQ(replace({"d", ""}, {{"e", full}}), Code::kOk);
  const auto got = store().Get(kAnyTable, "e");
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->value, full.value);
  EXPECT_EQ((*got)->version, full.version);
  EXPECT_EQ((*got)->expires_at, full.expires_at);
  EXPECT_EQ((*got)->write_time_ms, full.write_time_ms);
  EXPECT_EQ((*got)->writer, full.writer);
  EXPECT_EQ(store().ReplaceInterval(TableId{99}, {}, {}).code(), Code::kNoSuchTable);
}

TEST_P(StoreTest, ALargeIntervalIsReplaced) {
  std::vector<Effect> effects;
  for (int i = 1000; i < 5500; ++i) effects.push_back(Put(std::to_string(i), "v"));
  Write(1, effects);
  StoredRecord record;
  record.value = "w";
  record.version = {Epoch{1}, Lsn{2}};
  const std::vector<std::pair<std::string, StoredRecord>> records = {{"3000", record}};
  ASSERT_TRUE(store().ReplaceInterval(kAnyTable, {"1001", "5499"}, records).ok());
  EXPECT_EQ(Records(), "1000=v@1 3000=w@2 5499=v@1");
}

// ---- timed deletes -------------------------------------------------------------------------------------------------

TEST_P(StoreTest, ATimedDeleteStaysUntilItIsRemoved) {
  Effect timed = Delete("gone");
  timed.write_time_ms = 42;
  timed.writer = "ts-1";
  Write(1, {Put("gone", "v"), Put("here", "v")});
  Write(2, {timed, Delete("never was")});
  CrashAfterCheckpoint();
  const auto read = store().Get(kAnyTable, "gone");
  ASSERT_TRUE(read && read->has_value());
  EXPECT_TRUE((*read)->tombstone);
  EXPECT_EQ((*read)->write_time_ms, 42);
  EXPECT_EQ((*read)->writer, "ts-1");
  EXPECT_EQ((*read)->value, "");
  EXPECT_EQ((*read)->version, (Version{Epoch{1}, Lsn{2}}));
  const auto here = store().Get(kAnyTable, "here");
  ASSERT_TRUE(here && here->has_value());
  EXPECT_FALSE((*here)->tombstone);
  const auto size = store().EstimateSize(kAnyTable, {});
  ASSERT_TRUE(size);
  EXPECT_EQ(size->records, 1);
  EXPECT_EQ(Records(), "gone=@2 here=v@1") << "shown as it is to whoever scans the store";
  Write(3, {Delete("gone")});
  EXPECT_EQ(Records(), "here=v@1");
  Write(4, {timed});
  Write(5, {Put("gone", "back")});
  EXPECT_EQ(Records(), "gone=back@5 here=v@1");
}

// ---- unresolved writes ----------------------------------------------------------------------------------------------

class RollbackTest : public DurableStoreTest {
 protected:
  Status Keep(TabletId tablet, std::vector<LogEntry> entries, TableId table = kAnyTable) {
    std::vector<const LogEntry*> pointers;
    for (const LogEntry& entry : entries) pointers.push_back(&entry);
    return store().PutUnresolved(tablet, table, pointers);
  }
  std::string List(TableId table = {}, const UnresolvedPosition& after = {}, size_t entries_max = 100,
                   size_t bytes_max = SIZE_MAX) {
    const auto listed = store().ListUnresolved(table, after, entries_max, bytes_max);
    if (!listed) return listed.error().ToString();
    std::ostringstream out;
    for (const UnresolvedLogEntry& unresolved : *listed) {
      out << (out.tellp() > 0 ? " " : "") << unresolved.tablet << ":" << unresolved.entry.version;
    }
    return out.str();
  }
};

TEST_P(RollbackTest, AListEndsWhereItIsFull) {
  const std::string large(1 << 20, 'v');
  std::vector<LogEntry> entries;
  for (uint64_t lsn = 3; lsn < 9; ++lsn) entries.push_back(Entry(lsn, {Put("k", large)}));
  ASSERT_TRUE(Keep(kAnyTablet, entries).ok());
  EXPECT_EQ(List(kAnyTable, {}, 100, 2 << 20), "70:1.3 70:1.4");
  EXPECT_EQ(List(kAnyTable, {kAnyTablet, {Epoch{1}, Lsn{4}}}, 100, 2 << 20), "70:1.5 70:1.6");
  EXPECT_EQ(List(kAnyTable, {}, 100, 1), "70:1.3") << "one at least";
}

TEST_P(RollbackTest, WhatIsRolledBackIsKeptAndListed) {
  ASSERT_TRUE(Keep(kOther, {Entry(9)}, TableId{8}).ok());
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(3), Entry(4, {Put("k", "v")})}).ok());
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(4), Entry(300)}).ok());  // 4 again: it stays as it was
  EXPECT_EQ(List(), "70:1.3 70:1.4 70:1.300 71:1.9");
  EXPECT_EQ(List(kAnyTable), "70:1.3 70:1.4 70:1.300");
  EXPECT_EQ(List(TableId{8}), "71:1.9");
  EXPECT_EQ(List({}, {}, 2), "70:1.3 70:1.4");
  EXPECT_EQ(List({}, {kAnyTablet, {Epoch{1}, Lsn{4}}}), "70:1.300 71:1.9");
  EXPECT_EQ(List(TableId{8}, {}, 1), "71:1.9");
  const auto listed = store().ListUnresolved(kAnyTable, {kAnyTablet, {Epoch{1}, Lsn{3}}}, 1, SIZE_MAX);
  ASSERT_TRUE(listed && listed->size() == 1);
  EXPECT_EQ(EncodeLogEntry(listed->front().entry), EncodeLogEntry(Entry(4, {Put("k", "v")})));
  EXPECT_EQ(listed->front().table, kAnyTable);
  EXPECT_EQ(store().health().rolled_back_entries, 4);
  EXPECT_GT(store().health().rolled_back_bytes, 0);
  ASSERT_TRUE(store().DiscardUnresolved(kAnyTablet, {Epoch{1}, Lsn{4}}).ok());
  ASSERT_TRUE(store().DiscardUnresolved(kAnyTablet, {Epoch{1}, Lsn{4}}).ok());  // absent
  EXPECT_EQ(List(), "70:1.3 70:1.300 71:1.9");
  EXPECT_EQ(store().health().rolled_back_entries, 3);
}

TEST_P(RollbackTest, WhatIsRolledBackOutlivesItsReplicaAndACrash) {
  AppendTo(5);
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(4), Entry(5)}).ok());
  ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{4}).ok());
  ASSERT_TRUE(store().ForgetReplica(kAnyTablet).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  const auto bytes = store().health().rolled_back_bytes;
  life->Crash();
  EXPECT_EQ(List(), "70:1.4 70:1.5");
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "");
  EXPECT_EQ(store().health().rolled_back_entries, 2);
  EXPECT_EQ(store().health().rolled_back_bytes, bytes);
}

TEST_P(RollbackTest, WhatIsKeptUnderNoTabletIsCountedApart) {
  ASSERT_TRUE(Keep({}, {Entry(1, {Put("k", "v")}), Entry(2)}).ok());
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(1)}).ok());
  EXPECT_EQ(List(kAnyTable), "0:1.1 0:1.2 70:1.1");
  ASSERT_TRUE(FlushNow(store()).ok());
  for (int life_number = 0; life_number < 2; ++life_number) {
    const auto health = store().health();
    EXPECT_EQ(health.hinted_entries, 2);
    EXPECT_GT(health.hinted_bytes, 0);
    EXPECT_EQ(health.rolled_back_entries, 1);
    life->Crash();
  }
  ASSERT_TRUE(store().DiscardUnresolved({}, {Epoch{1}, Lsn{1}}).ok());
  ASSERT_TRUE(store().DiscardUnresolved({}, {Epoch{1}, Lsn{2}}).ok());
  EXPECT_EQ(store().health().hinted_entries, 0);
  EXPECT_EQ(store().health().hinted_bytes, 0);
  EXPECT_EQ(store().health().rolled_back_entries, 1);
}

// Whatever a crash leaves: what is not in the log any more is kept.
TEST_P(RollbackTest, NothingLeavesTheLogBeforeItIsKept) {
  AppendTo(40);
  ASSERT_TRUE(FlushNow(store()).ok());
  for (uint64_t lsn = 40; lsn > 1; --lsn) {
    ASSERT_TRUE(Keep(kAnyTablet, {Entry(lsn)}).ok());
    ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{lsn}).ok());
  }
  life->Crash();
  const auto log = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{100}, SIZE_MAX);
  const auto unresolved = store().ListUnresolved(kAnyTable, {}, 100, SIZE_MAX);
  ASSERT_TRUE(log && unresolved);
  EXPECT_GE(log->size() + unresolved->size(), 40u);
  if (!unresolved->empty()) {
    EXPECT_LE(unresolved->front().entry.version.lsn.value, log->size() + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RollbackTest,
                         ::testing::Values(StoreKind::kWiredTiger, StoreKind::kMemory, StoreKind::kMemoryWithLog),
                         [](const auto& info) { return NameOf(info.param); });

// ---- tables --------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, AnUnknownTableIsNamed) {
  const TableId unknown{99};
  EXPECT_EQ(store().Get(unknown, "a").error().code(), Code::kNoSuchTable);
  EXPECT_EQ(store().Scan(unknown, {}, [](auto, auto&) { return true; }).code(), Code::kNoSuchTable);
  EXPECT_EQ(store().TruncateRange(unknown, {}).code(), Code::kNoSuchTable);
  EXPECT_EQ(ApplyOne(store(), kAnyTablet, unknown, Entry(1, {Put("a", "b")})).code(), Code::kNoSuchTable);
  EXPECT_TRUE(store().health().status.ok());
}

TEST_P(StoreTest, ATableIsDroppedAndMadeAnew) {
  Write(1, {Put("a", "1")});
  ASSERT_TRUE(life->MakeTable(kAnyTable).ok());  // already there
  EXPECT_EQ(Records(), "a=1@1");
  std::thread([&] { EXPECT_EQ(Records(), "a=1@1"); }).join();
  const auto drop = [&] {
    Status dropped = store().DropTable(kAnyTable);
    while (dropped.code() == Code::kComeAgain) dropped = store().DropTable(kAnyTable);
    return dropped;
  };
  EXPECT_EQ(store().Tables(), std::vector{kAnyTable});
  EXPECT_EQ(drop(), Status());
  EXPECT_TRUE(store().Tables().empty());
  EXPECT_EQ(store().Get(kAnyTable, "a").error().code(), Code::kNoSuchTable);
  EXPECT_EQ(drop(), Status());  // already gone
  ASSERT_TRUE(life->MakeTable(kAnyTable, TableCompression::kZlib).ok());
  EXPECT_EQ(Records(), "");
}

TEST_P(StoreTest, CompressedTablesHoldTheSame) {
  for (const TableCompression compression : {TableCompression::kSnappy, TableCompression::kZlib}) {
    const TableId table{100 + static_cast<uint64_t>(compression)};
    const TabletId tablet{table.value};
    ASSERT_TRUE(life->MakeTable(table, compression).ok());
    AddReplica(tablet, table);
    std::vector<Effect> effects;
    for (int i = 1000; i < 3000; ++i) effects.push_back(Put(std::to_string(i), std::string(1000, 'v')));
    ASSERT_TRUE(ApplyOne(store(), tablet, table, Entry(1, effects)).ok());
    CrashAfterCheckpoint();
    int records = 0;
    const auto count = [&](auto, auto& record) {
      ++records;
      return record.value == std::string(1000, 'v');
    };
    ASSERT_TRUE(store().Scan(table, {}, count).ok());
    EXPECT_EQ(records, 2000);
  }
}

// ---- recovery ------------------------------------------------------------------------------------------------------

TEST_P(DurableStoreTest, ACrashTakesRecordsStateAndDedupWindowBackToOneCheckpoint) {
  Write(1, {Put("a", "1")});
  Write(2, {Put("b", "2")});
  ASSERT_TRUE(CheckpointNow(store()));
  Write(3, {Put("a", "3"), Delete("b")});
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(store().Tables(), std::vector{kAnyTable});
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.2 of [\"\", \"\") log 1.1..1.3 window 9/1 9/2\n");
  EXPECT_EQ(Records(), "a=1@1 b=2@2");
  // Replayed, it is as it was.
  const auto log = store().ReadLog(kAnyTablet, Lsn{3}, Lsn{3}, SIZE_MAX);
  ASSERT_TRUE(log && log->size() == 1);
  ASSERT_TRUE(ApplyOne(store(), kAnyTablet, kAnyTable, log->front()).ok());
  EXPECT_EQ(Records(), "a=3@3");
}

TEST_P(DurableStoreTest, ACleanEndKeepsEverything) {
  Write(1, {Put("a", "1")});
  life->Reopen();
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.1 of [\"\", \"\") log 1.1..1.1 window 9/1\n");
  EXPECT_EQ(Records(), "a=1@1");
}

TEST_P(DurableStoreTest, AReplicaWithoutEntriesHasAnEmptyLog) {
  const auto log = store().ReadLog(kAnyTablet, Lsn{0}, Lsn{UINT64_MAX}, SIZE_MAX);
  ASSERT_TRUE(log);
  EXPECT_TRUE(log->empty());
  Write(1, {Put("a", "1")});
  ASSERT_TRUE(CheckpointNow(store()));
  ASSERT_TRUE(store().TruncateLog(kAnyTablet, Lsn{0}, Lsn{2}).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.1 of [\"\", \"\") log 0.0..0.0 window 9/1\n");
  ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{2}).ok());
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(2)).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.2");
}

TEST_P(StoreTest, ReplicaStatesComeBackWhole) {
  ReplicaState state;
  state.table = kAnyTable;
  state.promised = {5};
  state.led = {4};
  state.longest_lease_ms = 1000;
  state.incomplete = true;
  state.incomplete_range = {"c", "f"};
  state.lineage_epoch = {3};
  state.lineage_lsn = {17};
  state.schema = std::string("\0schema", 7);
  ASSERT_TRUE(store().PutReplicaState(kOther, state).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  const auto replicas = store().Recover();
  ASSERT_TRUE(replicas);
  ASSERT_EQ(replicas->size(), 2u);
  const ReplicaState& found = replicas->back().state;
  EXPECT_EQ(found.table, state.table);
  EXPECT_EQ(found.promised, state.promised);
  EXPECT_EQ(found.led, state.led);
  EXPECT_EQ(found.longest_lease_ms, 1000);
  EXPECT_TRUE(found.incomplete);
  EXPECT_FALSE(found.tombstone);
  EXPECT_EQ(found.incomplete_range, state.incomplete_range);
  EXPECT_EQ(found.lineage_epoch, state.lineage_epoch);
  EXPECT_EQ(found.lineage_lsn, state.lineage_lsn);
  EXPECT_EQ(found.schema, state.schema);
  EXPECT_FALSE(replicas->back().applied);
}

TEST_P(DurableStoreTest, AppliedStatesComeBackWhole) {
  ApplyBatch batch;
  batch.tablet = kAnyTablet;
  batch.table = kAnyTable;
  batch.state.applied = {Epoch{3}, Lsn{12}};
  batch.state.range = {"b", "k"};
  batch.state.time = {99};
  batch.state.dedup_floor = {88};
  batch.state.epoch_starts = {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{7}}};
  DedupRow row;
  row.client = {UINT64_MAX};
  row.sequence = {4};
  row.first_incomplete = {3};
  row.time = {77};
  row.request_digest = UINT64_MAX;
  row.version = {Epoch{3}, Lsn{11}};
  row.level = AckLevel::kPrimary;
  row.outcome = {Code::kConditionFailed, "no", true, {-1, INT64_MAX}, 2};
  batch.dedup_window.put = {row};
  ASSERT_TRUE(store().Apply({&batch, 1}).ok());
  ASSERT_TRUE(CheckpointNow(store()));
  life->Crash();
  const auto replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 1 && replicas->front().applied);
  const AppliedState& state = *replicas->front().applied;
  EXPECT_EQ(state.applied, batch.state.applied);
  EXPECT_EQ(state.range, batch.state.range);
  EXPECT_EQ(state.time, batch.state.time);
  EXPECT_EQ(state.dedup_floor, batch.state.dedup_floor);
  ASSERT_EQ(state.epoch_starts.size(), 2u);
  EXPECT_EQ(state.epoch_starts[1].first, Lsn{7});
  ASSERT_EQ(replicas->front().dedup_window.size(), 1u);
  const DedupRow& found = replicas->front().dedup_window.front();
  EXPECT_EQ(found.client, row.client);
  EXPECT_EQ(found.sequence, row.sequence);
  EXPECT_EQ(found.first_incomplete, row.first_incomplete);
  EXPECT_EQ(found.time, row.time);
  EXPECT_EQ(found.request_digest, row.request_digest);
  EXPECT_EQ(found.version, row.version);
  EXPECT_EQ(found.level, row.level);
  EXPECT_EQ(found.outcome.code, row.outcome.code);
  EXPECT_EQ(found.outcome.message, "no");
  EXPECT_TRUE(found.outcome.wrote);
  EXPECT_EQ(found.outcome.counters, row.outcome.counters);
  EXPECT_EQ(found.outcome.failed_index, 2);
}

// PROTOCOL "Split": the parent shrinks and the child comes to be in one transaction, which a crash takes back whole.
TEST_P(DurableStoreTest, ASplitIsOneTransaction) {
  constexpr TabletId kChild{kAnyTablet.value + 64};
  Write(1, {Put("a", "1"), Put("z", "1")});
  ASSERT_TRUE(CheckpointNow(store()));
  ReplicaState state;
  state.table = kAnyTable;
  state.promised = {1};
  state.lineage_parent = kAnyTablet;
  state.lineage_epoch = {1};
  state.lineage_lsn = {2};
  const auto split = [&] {
    ASSERT_TRUE(store().PutReplicaState(kChild, state).ok());
    std::vector<ApplyBatch> batches(2);
    batches[0].tablet = kAnyTablet;
    batches[1].tablet = kChild;
    batches[0].table = batches[1].table = kAnyTable;
    batches[0].state.applied = batches[1].state.applied = {Epoch{1}, Lsn{2}};
    batches[0].state.range = {"", "m"};
    batches[1].state.range = {"m", ""};
    batches[0].state.last_split = AppliedSplit{kChild, "m", "", {Epoch{1}, Lsn{2}}, "ts-1", {"ts-1"}};
    DedupRow row;
    row.client = {9};
    row.sequence = {1};
    batches[1].dedup_window.put = {row};
    ASSERT_TRUE(store().Apply(batches).ok());
  };
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(2, {}, EntryKind::kSplit)).ok());
  split();
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  auto replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 2);
  EXPECT_EQ((*replicas)[0].applied->range, KeyRange::All()) << "as of the checkpoint";
  EXPECT_FALSE((*replicas)[0].applied->last_split);
  EXPECT_FALSE((*replicas)[1].applied) << "but its state is there, and says whose log brings it back";
  EXPECT_EQ((*replicas)[1].state.lineage_parent, kAnyTablet);
  EXPECT_TRUE((*replicas)[1].dedup_window.empty());
  EXPECT_EQ((*replicas)[0].last_logged, (Version{Epoch{1}, Lsn{2}}));

  split();
  ASSERT_TRUE(CheckpointNow(store()));
  life->Crash();
  replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 2 && (*replicas)[1].applied);
  EXPECT_EQ((*replicas)[0].applied->range, (KeyRange{"", "m"}));
  EXPECT_EQ((*replicas)[0].applied->last_split->child, kChild);
  EXPECT_EQ((*replicas)[1].applied->range, (KeyRange{"m", ""}));
  EXPECT_EQ((*replicas)[1].dedup_window.size(), 1u);
  EXPECT_EQ(Records(), "a=1@1 z=1@1");
}

class StoreMergeTest : public DurableStoreTest {
 protected:
  static constexpr TabletId kMerged{kAnyTablet.value + 64};
  static ApplyBatch BatchOf(TabletId tablet, Version applied, KeyRange range) {
    ApplyBatch batch;
    batch.tablet = tablet;
    batch.table = kAnyTable;
    batch.state.applied = applied;
    batch.state.range = std::move(range);
    DedupRow row;
    row.client = {9};
    row.sequence = {1};
    batch.dedup_window.put = {row};
    return batch;
  }
  // kAnyTablet has a, kOther z, at a checkpoint.
  void FillBoth() {
    AddReplica(kOther);
    const LogEntry left = Entry(1, {Put("a", "1")}), right = Entry(1, {Put("z", "1")});
    std::vector<ApplyBatch> batches{BatchOf(kAnyTablet, left.version, {"", "m"}),
                                    BatchOf(kOther, right.version, {"m", ""})};
    batches[0].records = {{&left.effects[0], left.version}};
    batches[1].records = {{&right.effects[0], right.version}};
    ASSERT_TRUE(AppendOne(store(), kAnyTablet, left).ok());
    ASSERT_TRUE(AppendOne(store(), kOther, right).ok());
    ASSERT_TRUE(store().Apply(batches).ok());
    ASSERT_TRUE(CheckpointNow(store()));
  }
  void Merge() {
    const Version position{Epoch{2}, Lsn{2}}, freeze{Epoch{1}, Lsn{1}};
    ReplicaState state;
    state.table = kAnyTable;
    state.promised = {2};
    state.tombstone = true;
    std::vector<ApplyBatch> batches{BatchOf(kMerged, position, KeyRange::All()), {}, {}};
    for (size_t i : {1, 2}) {
      batches[i].tablet = i == 1 ? kAnyTablet : kOther;
      batches[i].table = kAnyTable;
      batches[i].forget = true;
      ASSERT_TRUE(store().PutReplicaState(batches[i].tablet, state).ok());
    }
    state.tombstone = false;
    state.merged = Merged{{kAnyTablet, {"", "m"}, freeze}, {kOther, {"m", ""}, freeze}, position};
    ASSERT_TRUE(store().PutReplicaState(kMerged, state).ok());
    ASSERT_TRUE(store().Apply(batches).ok());
  }
};

INSTANTIATE_TEST_SUITE_P(All, StoreMergeTest,
                         ::testing::Values(StoreKind::kWiredTiger, StoreKind::kMemory, StoreKind::kMemoryWithLog),
                         [](const auto& info) { return NameOf(info.param); });

// PROTOCOL "Merge": two tablets go and the new one comes to be in one transaction, which a crash takes back whole. No
// record is touched.
TEST_P(StoreMergeTest, AMergeIsOneTransaction) {
  FillBoth();
  Merge();
  SnapshotPosition position{kAnyTablet, Lsn{7}};
  ASSERT_TRUE(store().Get(kAnyTable, "a", &position));
  EXPECT_EQ(position.applied, Lsn{}) << "it has applied nothing any more";
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  auto replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 3);
  EXPECT_EQ((*replicas)[0].applied->range, (KeyRange{"", "m"})) << "as of the checkpoint";
  EXPECT_TRUE((*replicas)[0].state.tombstone);
  EXPECT_EQ((*replicas)[1].dedup_window.size(), 1u);
  EXPECT_FALSE((*replicas)[2].applied) << "but its state is there, and says whose logs bring it back";
  ASSERT_TRUE((*replicas)[2].state.merged);
  EXPECT_EQ((*replicas)[2].state.merged->right.tablet, kOther);
  EXPECT_EQ((*replicas)[0].last_logged, (Version{Epoch{1}, Lsn{1}}));

  Merge();
  const auto checkpoint = CheckpointNow(store());
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(checkpoint->contains(kAnyTablet));
  EXPECT_EQ(checkpoint->at(kMerged), Lsn{2});
  life->Crash();
  replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 3 && (*replicas)[2].applied);
  for (size_t i : {0, 1}) {
    EXPECT_FALSE((*replicas)[i].applied);
    EXPECT_TRUE((*replicas)[i].dedup_window.empty());
    EXPECT_TRUE((*replicas)[i].last_logged) << "its log goes when somebody says so";
  }
  EXPECT_EQ((*replicas)[2].applied->range, KeyRange::All());
  EXPECT_EQ((*replicas)[2].dedup_window.size(), 1u);
  EXPECT_EQ(Records(), "a=1@1 z=1@1");
}

TEST_P(DurableStoreTest, DedupRowsAreErasedByName) {
  Write(1, {});
  Write(2, {});
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(3)).ok());
  ApplyBatch batch;
  batch.tablet = kAnyTablet;
  batch.table = kAnyTable;
  batch.state.applied = {Epoch{1}, Lsn{3}};
  batch.dedup_window.erase = {{ClientId{9}, Sequence{1}}, {ClientId{9}, Sequence{17}}};
  ASSERT_TRUE(store().Apply({&batch, 1}).ok());
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.3 of [\"\", \"\") log 1.1..1.3 window 9/2\n");
}

TEST_P(DurableStoreTest, AForgottenReplicaLeavesItsTombstone) {
  AddReplica(kOther, TableId{8});
  Write(1, {Put("a", "1")});
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(1)).ok());
  ASSERT_TRUE(ApplyOne(store(), kOther, TableId{8}, Entry(1)).ok());
  ReplicaState tombstone;
  tombstone.table = kAnyTable;
  tombstone.promised = {2};
  tombstone.tombstone = true;
  ASSERT_TRUE(store().PutReplicaState(kAnyTablet, tombstone).ok());
  ASSERT_TRUE(store().ForgetReplica(kAnyTablet).ok());
  ASSERT_TRUE(store().ForgetReplica(kAnyTablet).ok());  // again, after an interruption
  ASSERT_TRUE(FlushNow(store()).ok());
  const auto held = CheckpointNow(store());
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->contains(kAnyTablet));
  EXPECT_TRUE(held->contains(kOther));
  life->Crash();
  EXPECT_EQ(DumpReplicas(store()),
            "tablet 70 tombstone promised 2 applied none log 0.0..0.0 window\n"
            "tablet 71 promised 1 applied 1.1 of [\"\", \"\") log 1.1..1.1 window 9/1\n");
}

TEST_P(DurableStoreTest, LogBytesCountFromTheCheckpoint) {
  EXPECT_EQ(store().LogBytesSinceCheckpoint(), 0);
  Write(1, {Put("a", std::string(10'000, 'v'))});
  EXPECT_GT(store().LogBytesSinceCheckpoint(), 10'000);
  ASSERT_TRUE(CheckpointNow(store()));
  EXPECT_EQ(store().LogBytesSinceCheckpoint(), 0);
}

// ---- both at once --------------------------------------------------------------------------------------------------

// One tablet of a table, told the same story twice: by either store.
class Story {
 public:
  Story(uint64_t seed, StoreKind one, StoreKind other) : random_(seed), stores_{MakeStore(one), MakeStore(other)} {
    for (const auto& store : stores_) {
      EXPECT_TRUE(store->MakeTable(kAnyTable, TableCompression::kSnappy).ok());
      EXPECT_TRUE((**store).PutReplicaState(kAnyTablet, state_).ok());
    }
  }

  void Step() {
    switch (random_() % 12) {
      case 0: return Checkpoint();
      case 1: return Truncate();
      case 2: return RemoveSuffix();
      case 3: return Reopen();
      case 4: return Replace();
      default: return random_() % 2 == 0 ? Append() : Apply();
    }
  }
  void Compare() {
    const std::string from = RandomKey(), to = RandomKey();
    EXPECT_EQ(Dump(**stores_[0], kAnyTable, {from, to}), Dump(**stores_[1], kAnyTable, {from, to}));
    EXPECT_EQ(Dump(**stores_[0], kAnyTable, {from, ""}, true), Dump(**stores_[1], kAnyTable, {from, ""}, true));
    EXPECT_EQ(DumpLog(**stores_[0], kAnyTablet), DumpLog(**stores_[1], kAnyTablet));
    if (durable()) {
      EXPECT_EQ(DumpReplicas(**stores_[0]), DumpReplicas(**stores_[1]));
    }
  }

 private:
  bool durable() const { return stores_[0]->KeepsRecords() && stores_[1]->KeepsRecords(); }
  std::string RandomKey() { return std::string(1 + random_() % 3, static_cast<char>('a' + random_() % 5)); }
  void Append() {
    std::vector<Effect> effects;
    for (uint64_t i = random_() % 4; i > 0; --i) {
      effects.push_back(random_() % 3 == 0 ? Delete(RandomKey()) : Put(RandomKey(), std::to_string(random_() % 1000)));
    }
    log_.push_back(Entry(last_.Next().value, std::move(effects)));
    last_ = last_.Next();
    for (const auto& store : stores_) ASSERT_TRUE(AppendOne(**store, kAnyTablet, log_.back()).ok());
  }
  void Apply() {
    if (applied_ == last_) return;
    applied_ = applied_.Next();
    const LogEntry& entry = log_[applied_.value - 1];
    for (const auto& store : stores_) ASSERT_TRUE(ApplyOne(**store, kAnyTablet, kAnyTable, entry).ok());
  }
  void Checkpoint() {
    for (const auto& store : stores_) {
      const auto held = CheckpointNow(**store);
      ASSERT_TRUE(held);
      ASSERT_EQ(held->contains(kAnyTablet) ? held->at(kAnyTablet) : Lsn{}, applied_);
      ASSERT_TRUE((**store).TruncateLog(kAnyTablet, Lsn{0}, Lsn{applied_.value / 2}).ok());
    }
  }
  void Truncate() {
    const KeyRange range{RandomKey(), RandomKey()};
    for (const auto& store : stores_) ASSERT_TRUE((**store).TruncateRange(kAnyTable, range).ok());
  }
  void Replace() {
    const KeyRange interval{RandomKey(), RandomKey()};
    const std::vector<std::pair<std::string, StoredRecord>> records = {{interval.start, {"replaced", {}, {}, 0, {}}}};
    const Status one = (**stores_[0]).ReplaceInterval(kAnyTable, interval, records);
    ASSERT_EQ(one, (**stores_[1]).ReplaceInterval(kAnyTable, interval, records));
    ASSERT_EQ(one.ok(), !interval.Empty());
  }
  void RemoveSuffix() {
    if (applied_ == last_) return;
    last_ = Lsn{applied_.value + random_() % (last_.value - applied_.value)};
    log_.resize(last_.value);
    for (const auto& store : stores_) ASSERT_TRUE((**store).RemoveSuffix(kAnyTablet, last_.Next()).ok());
  }
  void Reopen() {
    if (random_() % 4 != 0 || !durable()) return;
    for (const auto& store : stores_) store->Reopen();
  }

  std::mt19937_64 random_;
  ReplicaState state_{.table = kAnyTable, .promised = {1}, .schema = {}};
  const std::unique_ptr<StoreUnderTest> stores_[2];
  std::vector<LogEntry> log_;  // from lsn 1 to last_
  Lsn last_;
  Lsn applied_;
};

void Tell(Story story, int steps) {
  for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
    story.Step();
    story.Compare();
  }
}

TEST(StoresTest, TellTheSameStory) { Tell(Story(TestSeed(), StoreKind::kWiredTiger, StoreKind::kMemory), 400); }

TEST(StoresTest, TablesInMemoryTellTheSameStory) {
  Tell(Story(TestSeed(), StoreKind::kTablesInMemory, StoreKind::kMemory), 2'000);
}

INSTANTIATE_TEST_SUITE_P(All, StoreTest,
                         ::testing::Values(StoreKind::kWiredTiger, StoreKind::kMemory, StoreKind::kMemoryWithLog,
                                           StoreKind::kTablesInMemory),
                         [](const auto& info) { return NameOf(info.param); });
INSTANTIATE_TEST_SUITE_P(All, DurableStoreTest,
                         ::testing::Values(StoreKind::kWiredTiger, StoreKind::kMemory, StoreKind::kMemoryWithLog),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace ebla::tabletserver::testing

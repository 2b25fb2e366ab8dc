// Every store's behaviour with records and their tables: reads, scans, snapshots, ranges and intervals, tombstones with
// a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

// ---- reads and scans -----------------------------------------------------------------------------------------------

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

TEST_P(StoreTest, AScanEndsWhereItsVisitorSaysInBothDirections) {
  Write(1, {Put("a", "1"), Put("b", "2"), Put("c", "3"), Put("d", "4")});
  const auto first = [&](size_t count, const KeyRange& range, bool reverse) {
    std::string keys;
    const auto visit = [&](std::string_view key, const StoredRecord&) { return (keys += key).size() < count; };
    const Status read = store().Scan(kAnyTable, {range, reverse}, visit);
    return read.ok() ? keys : read.ToString();
  };
  EXPECT_EQ(first(1, {}, false), "a");
  EXPECT_EQ(first(1, {}, true), "d");
  EXPECT_EQ(first(2, {"b", ""}, false), "bc");
  EXPECT_EQ(first(2, {"", "c"}, true), "ba");
  EXPECT_EQ(first(3, {"b", "d"}, false), "bc");
  EXPECT_EQ(first(3, {"b", "d"}, true), "cb");
  EXPECT_EQ(first(1, {"bb", "c"}, true), "");
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

// ---- views ---------------------------------------------------------------------------------------------------------

// A view's records of a range, as key=value words.
std::string Shown(RecordStore::View& view, const ScanBounds& bounds) {
  std::string words;
  const Status read = view.Scan(bounds, [&](std::string_view key, const StoredRecord& record) {
    words += (words.empty() ? "" : " ") + std::string(key) + "=" + record.value;
    return true;
  });
  return read.ok() ? words : read.ToString();
}

std::string Shown(RecordStore::View& view, std::string_view key) {
  const auto record = view.Get(key);
  if (!record) return record.error().ToString();
  return *record ? (*record)->value : "none";
}

TEST_P(StoreTest, AViewReadsAsOftenAsItsBodyWants) {
  Write(1, {Put("a", "1"), Put("b", "2"), Put("c", "3"), Put("d", "4")});
  Write(2, {Delete("b"), Put("d", "5")});
  SnapshotPosition position{kAnyTablet, Lsn{9}};
  int bodies = 0;
  const Status read = store().Read(kAnyTable, &position, [&](RecordStore::View& view) -> Status {
    ++bodies;
    EXPECT_EQ(position.applied, Lsn{2});
    EXPECT_EQ(Shown(view, ScanBounds()), "a=1 c=3 d=5");
    EXPECT_EQ(Shown(view, "a") + Shown(view, "b") + Shown(view, "d"), "1none5") << "after a scan";
    EXPECT_EQ(Shown(view, {.range = {"b", "d"}, .reverse = true}), "c=3");
    int seen = 0;
    EXPECT_TRUE(view.Scan({.reverse = true, .read_once = true}, [&](auto, auto&) { return ++seen < 2; }).ok());
    EXPECT_EQ(seen, 2);
    EXPECT_EQ(Shown(view, {.range = {"d", "b"}}), "");
    EXPECT_EQ(Shown(view, {.reverse = true}), "d=5 c=3 a=1") << "from the end, after a scan that stopped";
    return {};
  });
  EXPECT_EQ(read, Status());
  EXPECT_EQ(bodies, 1);
}

TEST_P(StoreTest, ABodysErrorIsThatOfItsRead) {
  Write(1, {Put("a", "1")});
  const Status fault(Code::kConditionFailed, "the body's own");
  EXPECT_EQ(store().Read(kAnyTable, nullptr, [&](auto& view) { return Shown(view, "a") == "1" ? fault : Status(); }),
            fault);
  const auto none = [](auto&) -> Status {
    ADD_FAILURE() << "there is nothing to read";
    return {};
  };
  SnapshotPosition position{kAnyTablet, {}};
  EXPECT_EQ(store().Read(TableId{99}, &position, none).code(), Code::kNoSuchTable);
  EXPECT_EQ(Records(), "a=1@1") << "and the thread reads on";
}

TEST_P(StoreTest, AViewSeesOneStateWhileBatchesAreApplied) {
  Write(1, {Put("a", "1"), Put("z", "1")});
  std::atomic<bool> done{false};
  std::atomic<int> views{0};
  uint64_t last = 1;
  std::thread writer([&] {
    while (last < 10'000 || views < 20) {
      const uint64_t lsn = ++last;
      const LogEntry entry = Entry(lsn, {Put("a", std::to_string(lsn)), Put("z", std::to_string(lsn))});
      Status applied = ApplyOne(store(), kAnyTablet, kAnyTable, entry);
      while (applied.code() == Code::kOverloaded) applied = ApplyOne(store(), kAnyTablet, kAnyTable, entry);
      EXPECT_EQ(applied, Status());
    }
    done = true;
  });
  for (; !done; ++views) {
    SnapshotPosition position{kAnyTablet, {}};
    const Status read = store().Read(kAnyTable, &position, [&](RecordStore::View& view) -> Status {
      const std::string lsn = std::to_string(position.applied.value);
      for (int times = 0; times < 10; ++times) {
        EXPECT_EQ(Shown(view, "a"), lsn);
        EXPECT_EQ(Shown(view, ScanBounds()), "a=" + lsn + " z=" + lsn);
        EXPECT_EQ(Shown(view, {.reverse = true}), "z=" + lsn + " a=" + lsn);
        EXPECT_EQ(Shown(view, "z"), lsn);
      }
      return {};
    });
    EXPECT_EQ(read, Status());
    std::this_thread::yield();
  }
  writer.join();
  const std::string end = "=" + std::to_string(last) + "@" + std::to_string(last);
  EXPECT_EQ(Records(), "a" + end + " z" + end);
}

// ---- ranges --------------------------------------------------------------------------------------------------------

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
  const auto all = EstimateSize(store(), kAnyTable, {});
  const auto part = EstimateSize(store(), kAnyTable, half);
  const auto few = EstimateSize(store(), kAnyTable, {"k100000", "k100100"});
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
  EXPECT_EQ(EstimateSize(store(), kAnyTable, half)->records, 0);
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

// The first key of an interval is its own, the last one is not; a border need not be a record's key.
TEST_P(StoreTest, AnIntervalIsReplacedWithinItsBoundsAlone) {
  using Records = std::vector<std::pair<std::string, StoredRecord>>;
  StoredRecord record;
  record.value = "new";
  record.version = {Epoch{1}, Lsn{2}};
  const std::string after("b\0", 2);
  Write(1, {Put("a", "1"), Put("b", "2"), Put(after, "3"), Put("c", "4")});
  ASSERT_TRUE(store().ReplaceInterval(kAnyTable, {"b", after}, {}).ok());
  EXPECT_EQ(this->Records(), "a=1@1 " + after + "=3@1 c=4@1") << "a single key";
  ASSERT_TRUE(store().ReplaceInterval(kAnyTable, {"aa", "bz"}, Records{{"aa", record}, {"by", record}}).ok());
  EXPECT_EQ(this->Records(), "a=1@1 aa=new@2 by=new@2 c=4@1");
  ASSERT_TRUE(store().ReplaceInterval(kAnyTable, {"c", ""}, Records{{"d", record}}).ok());
  EXPECT_EQ(this->Records(), "a=1@1 aa=new@2 by=new@2 d=new@2");
  ASSERT_TRUE(store().ReplaceInterval(kAnyTable, {"", "b"}, Records{{"0", record}}).ok());
  EXPECT_EQ(this->Records(), "0=new@2 by=new@2 d=new@2");
  ASSERT_TRUE(store().ReplaceInterval(kAnyTable, {}, Records{{"z", record}}).ok());
  EXPECT_EQ(this->Records(), "z=new@2");
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
  const auto size = EstimateSize(store(), kAnyTable, {});
  ASSERT_TRUE(size);
  EXPECT_EQ(size->records, 1);
  EXPECT_EQ(Records(), "gone=@2 here=v@1") << "shown as it is to whoever scans the store";
  Write(3, {Delete("gone")});
  EXPECT_EQ(Records(), "here=v@1");
  Write(4, {timed});
  Write(5, {Put("gone", "back")});
  EXPECT_EQ(Records(), "gone=back@5 here=v@1");
}

// ---- tables --------------------------------------------------------------------------------------------------------

TEST_P(StoreTest, AnUnknownTableIsNamed) {
  const TableId unknown{99};
  EXPECT_EQ(store().Get(unknown, "a").error().code(), Code::kNoSuchTable);
  EXPECT_EQ(store().Scan(unknown, {}, [](auto, auto&) { return true; }).code(), Code::kNoSuchTable);
  EXPECT_EQ(store().TruncateRange(unknown, {}).code(), Code::kNoSuchTable);
  EXPECT_EQ(ApplyOne(store(), kAnyTablet, unknown, Entry(1, {Put("a", "b")})).code(), Code::kNoSuchTable);
  EXPECT_TRUE(store().health().status.ok());
}

TEST_P(StoreTest, AnApplyThatFailsHasChangedNothing) {
  Write(1, {Put("a", "1")});
  const LogEntry entry = Entry(2, {Put("a", "2")});
  std::vector<ApplyBatch> batches(2);
  batches[0].tablet = kAnyTablet;
  batches[0].table = kAnyTable;
  batches[0].records = {{&entry.effects.front(), entry.version}};
  batches[0].state.applied = entry.version;
  batches[1] = batches[0];
  batches[1].tablet = kOther;
  batches[1].table = TableId{99};
  EXPECT_EQ(store().Apply(batches).code(), Code::kNoSuchTable);
  SnapshotPosition position{kAnyTablet, {}};
  const auto got = store().Get(kAnyTable, "a", &position);
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->value, "1");
  EXPECT_EQ(position.applied, Lsn{1});
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

}  // namespace
}  // namespace ebla::tabletserver::testing

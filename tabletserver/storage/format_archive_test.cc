// Opens the data directories that earlier builds wrote.
#include "tabletserver/storage/testing/format_archive.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tabletserver/storage/testing/store_fixture.h"
#include "test_paths.h"

namespace ebla::tabletserver::testing {

namespace {

constexpr TabletId kPlain{10}, kSnappy{20}, kZlib{30}, kDropped{40};

ReplicaState StateOf(uint64_t table) {
  ReplicaState state;
  state.table = {table};
  state.promised = {3};
  state.led = {2};
  state.longest_lease_ms = 1000;
  state.incomplete_range = {"a", "b"};
  state.lineage_epoch = {1};
  state.lineage_lsn = {2};
  state.schema = "schema of table " + std::to_string(table);
  return state;
}

// One of every kind.
std::vector<LogEntry> EntriesOfEveryKind() {
  std::vector<LogEntry> entries;
  entries.push_back(Entry(1, {}, EntryKind::kBarrier));
  LogEntry write = Entry(2, {Put("key", "value"), Put("timed", "out"), Delete("gone")});
  write.effects[1].expires_at = {123'456'789};
  write.effects[1].write_time_ms = -5;
  write.effects[1].writer = "ts-1";
  write.client = {0x0123456789abcdef};
  write.sequence = {7};
  write.first_incomplete = {6};
  write.request_digest = 0xfedcba9876543210;
  write.level = AckLevel::kPrimary;
  write.outcome = {Code::kOk, "", true, {42, -42}, -1};
  entries.push_back(write);
  LogEntry refusal = Entry(3);
  refusal.outcome = {Code::kConditionFailed, "the key exists", false, {}, 1};
  entries.push_back(refusal);
  entries.push_back(Entry(4, {Delete("expired")}, EntryKind::kPurge));
  entries.push_back(Entry(5, {}, EntryKind::kSplit));
  entries.back().detail = "child";
  entries.push_back(Entry(6, {}, EntryKind::kFreeze));
  entries.back().detail = "merge";
  entries.push_back(Entry(7, {}, EntryKind::kFloor));
  entries.back().floor_time = {99};
  return entries;
}

void Fill(TabletStore& store) {
  const std::pair<TabletId, TableCompression> tablets[] = {
      {kPlain, TableCompression::kNone}, {kSnappy, TableCompression::kSnappy}, {kZlib, TableCompression::kZlib}};
  const std::vector<LogEntry> entries = EntriesOfEveryKind();
  for (const auto& [tablet, compression] : tablets) {
    const TableId table{tablet.value / 10};
    CHECK(store.EnsureTable(table, compression).ok());
    CHECK(store.PutReplicaState(tablet, StateOf(table.value)).ok());
    for (size_t i = 0; i < 4; ++i) {
      CHECK(AppendOne(store, tablet, entries[i]).ok());
      CHECK(ApplyOne(store, tablet, table, entries[i], {"", "zz"}).ok());
    }
  }
  ReplicaState tombstone = StateOf(1);
  tombstone.tombstone = true;
  CHECK(store.PutReplicaState(kDropped, tombstone).ok());
  CHECK(CheckpointNow(store));
  CHECK(store.TruncateLog(kZlib, Lsn{3}).ok());
  for (const auto& [tablet, compression] : tablets) {
    for (size_t i = 4; i < entries.size(); ++i) CHECK(AppendOne(store, tablet, entries[i]).ok());
  }
  CHECK(FlushNow(store).ok());
}

constexpr char kReplicas[] =
    "tablet 10 promised 3 applied 1.4 of [\"\", \"zz\") log 1.1..1.7 window 9/1 9/2 9/3 9/4\n"
    "tablet 20 promised 3 applied 1.4 of [\"\", \"zz\") log 1.1..1.7 window 9/1 9/2 9/3 9/4\n"
    "tablet 30 promised 3 applied 1.4 of [\"\", \"zz\") log 1.3..1.7 window 9/1 9/2 9/3 9/4\n"
    "tablet 40 tombstone promised 3 applied none log 0.0..0.0 window\n";

void CheckContents(TabletStore& store) {
  EXPECT_EQ(DumpReplicas(store), kReplicas);
  for (const TabletId tablet : {kPlain, kSnappy, kZlib}) {
    const TableId table{tablet.value / 10};
    EXPECT_EQ(Dump(store, table), "key=value@2 timed=out@2");
    const auto timed = store.Get(table, "timed");
    ASSERT_TRUE(timed && *timed);
    EXPECT_EQ((*timed)->expires_at, TabletTime{123'456'789});
    EXPECT_EQ((*timed)->write_time_ms, -5);
    EXPECT_EQ((*timed)->writer, "ts-1");
  }
  const auto log = store.ReadLog(kPlain, Lsn{1}, Lsn{100}, SIZE_MAX);
  ASSERT_TRUE(log && log->size() == EntriesOfEveryKind().size());
  for (size_t i = 0; i < log->size(); ++i) {
    EXPECT_EQ(EncodeLogEntry((*log)[i]), EncodeLogEntry(EntriesOfEveryKind()[i])) << i;
  }
  const auto replicas = store.Recover();
  ASSERT_TRUE(replicas);
  EXPECT_EQ(replicas->front().state.led, Epoch{2});
  EXPECT_EQ(replicas->front().state.schema, "schema of table 1");
  EXPECT_EQ(replicas->front().state.lineage_lsn, Lsn{2});
  EXPECT_EQ(replicas->front().dedup_window.front().time, TabletTime{1001});
}

class FormatArchiveTest : public ::testing::TestWithParam<int> {};

TEST_P(FormatArchiveTest, IsOpenedAndGoesOn) {
  const std::string archive =
      std::string(kSourceDir) + "/tests/data/store-format-" + std::to_string(GetParam()) + ".tar.gz";
  TemporaryDirectory directory;
  ASSERT_EQ(std::system(("tar -xzf '" + archive + "' -C '" + directory.path() + "'").c_str()), 0);
  ebla::testing::ThreadExecutor flusher, background;
  for (int life = 0; life < 2; ++life) {
    auto store = WtStore::Open(SmallStore(directory / "store", flusher, background));
    ASSERT_TRUE(store) << store.error();
    std::string format;
    std::getline(std::ifstream(directory / "store/FORMAT") >> std::ws, format);
    EXPECT_EQ(format, "ebla-store " + std::to_string(std::max(3, GetParam())))
        << "older builds are to refuse what this one has opened";
    for (const auto& file : std::filesystem::directory_iterator(directory / "store")) {
      const std::string name = file.path().filename();
      EXPECT_FALSE(name.starts_with("WiredTigerLog") || name == "oplog.wt" || name == "pending.wt") << name;
    }
    if (life == 0) {
      CheckContents(***store);
      ASSERT_TRUE(AppendOne(***store, kPlain, Entry(8, {Put("new", "1")})).ok());
      ASSERT_TRUE(ApplyOne(***store, kPlain, TableId{1}, Entry(8, {Put("new", "1")})).ok());
    } else {
      EXPECT_EQ(Dump(***store, TableId{1}), "key=value@2 new=1@8 timed=out@2");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, FormatArchiveTest, ::testing::Values(1, 2, 3, 4));

}  // namespace

int WriteArchive(const std::string& archive) {
  TemporaryDirectory directory;
  ebla::testing::ThreadExecutor flusher, background;
  WtStoreOptions options = SmallStore(directory / "live", flusher, background);
  options.sorted_tables = true;
  auto store = WtStore::Open(std::move(options));
  CHECK(store) << store.error();
  Fill(***store);
  while (!CopyFiles(directory / "live", directory / "store")) {
  }
  std::filesystem::remove(directory / "store/LOCK");
  const std::string command =
      "tar -czf '" + archive + "' --sort=name --owner=0 --group=0 -C '" + directory.path() + "' store";
  return std::system(command.c_str()) == 0 ? 0 : 1;
}

}  // namespace ebla::tabletserver::testing

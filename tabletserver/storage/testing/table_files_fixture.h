// tabletserver/storage/testing/table_files_fixture.h
// A store of two tables, one of whose files a test damages, and what is to be true of the store then.
// Threads: a test's own, and the store's executors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {

enum class TableKind { kInPlace, kSorted };

// A store of two tables of one tablet each, all of it in files.
class TableFilesFixture : public ::testing::Test {
 protected:
  static constexpr TableId kDamaged{3}, kWhole{4};
  static constexpr TabletId kOfDamaged{30}, kOfWhole{40};
  static constexpr int kRows = 50;
  static bool AtOnce(int64_t) { return true; }

  static std::string KeyOf(int row) { return "key" + std::to_string(1000 + row); }
  static std::string ValueOf(int row) {
    return std::string(400, static_cast<char>('a' + row % 26)) + std::to_string(row);
  }

  Result<std::unique_ptr<WtStore>> TryOpen() {
    WtStoreOptions options = SmallStore(path_, flusher_, background_);
    options.sorted_tables = sorted_;
    return WtStore::Open(std::move(options));
  }
  void Open() {
    store_.reset();
    auto opened = TryOpen();
    ASSERT_TRUE(opened.has_value()) << opened.error();
    store_ = *std::move(opened);
    const auto replicas = (*store_)->Recover();
    ASSERT_TRUE(replicas.has_value()) << replicas.error();
  }
  void Fill() {
    ASSERT_NO_FATAL_FAILURE(Open());
    FillTable(kOfDamaged, kDamaged);
    files_ = TableFiles();
    ASSERT_EQ(files_.size(), 1u);
    FillTable(kOfWhole, kWhole);
  }
  void FillTable(TabletId tablet, TableId table) {
    ASSERT_TRUE((*store_)->EnsureTable(table, TableCompression::kNone).ok());
    ASSERT_TRUE((*store_)->PutReplicaState(tablet, {.table = table, .promised = Epoch{2}}).ok());
    for (int row = 0; row < kRows; ++row)
      Write(tablet, table, static_cast<uint64_t>(row) + 1, KeyOf(row), ValueOf(row));
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
  }
  void Write(TabletId tablet, TableId table, uint64_t lsn, const std::string& key, const std::string& value) {
    const LogEntry entry = Entry(lsn, {Put(key, value)});
    ASSERT_TRUE(AppendOne(**store_, tablet, entry).ok());
    const Status applied = ApplyOne(**store_, tablet, table, entry);
    ASSERT_TRUE(applied.ok()) << applied;
  }
  std::vector<std::filesystem::path> TableFiles() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("data_") || name.starts_with("run_")) files.push_back(entry.path());
    }
    return files;
  }
  std::vector<TableId> DamagedTables() { return (*store_)->damage().tables; }
  std::string Value(TableId table, int row) {
    const auto record = (*store_)->Get(table, KeyOf(row));
    if (!record) return record.error().ToString();
    return record->value_or(StoredRecord{}).value;
  }
  void ExpectAlive() { EXPECT_TRUE((*store_)->health().status.ok()) << (*store_)->health().status; }

  // Every call leaves the store alive, and does not take the table for one that is not there.
  void ExpectDamaged(uint64_t lsn) {
    EXPECT_THAT(DamagedTables(), ::testing::ElementsAre(kDamaged));
    EXPECT_TRUE((*store_)->EnsureTable(kDamaged, TableCompression::kNone).ok());
    EXPECT_TRUE((*store_)->Scrub(AtOnce).ok());
    const std::vector<KeyRange> all(1);
    const auto sizes = (*store_)->EstimateSizes(kDamaged, all);
    EXPECT_TRUE(sizes.has_value() || sizes.error().code() == Code::kUnavailable) << sizes.error();
    const auto compacted = (*store_)->Compact(kDamaged, std::chrono::seconds(1));
    EXPECT_TRUE(compacted.has_value() || compacted.error().code() != Code::kNoSuchTable) << compacted.error();
    ExpectAlive();
    EXPECT_THAT(DamagedTables(), ::testing::ElementsAre(kDamaged));
    EXPECT_EQ(Value(kWhole, 7), ValueOf(7));
    Write(kOfWhole, kWhole, lsn, "another", "value");
    // It may be served by the file that is open; its log has it in any case.
    const LogEntry entry = Entry(lsn, {Put(KeyOf(7), "new")});
    EXPECT_TRUE(AppendOne(**store_, kOfDamaged, entry).ok());
    const Status applied = ApplyOne(**store_, kOfDamaged, kDamaged, entry);
    EXPECT_TRUE(applied.ok() || applied.code() == Code::kUnavailable) << applied;
    EXPECT_TRUE(CheckpointNow(**store_).has_value());
    ExpectAlive();
  }
  // The same as repair does.
  void DropAndMakeAnew() {
    const std::string whole = Value(kWhole, 7);
    const ReplicaState gone{.table = kDamaged, .promised = Epoch{3}, .tombstone = true};
    ASSERT_TRUE((*store_)->PutReplicaState(kOfDamaged, gone).ok());
    ASSERT_TRUE((*store_)->TruncateRange(kDamaged, {}).ok());
    const Status forgotten = (*store_)->ForgetReplica(kOfDamaged);
    ASSERT_TRUE(forgotten.ok()) << forgotten;
    EXPECT_THAT(DamagedTables(), ::testing::ElementsAre());
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
    ASSERT_TRUE((*store_)->EnsureTable(kDamaged, TableCompression::kNone).ok());
    EXPECT_EQ(Dump(**store_, kDamaged), "");
    const TabletId fresh{31};
    ASSERT_TRUE((*store_)->PutReplicaState(fresh, {.table = kDamaged, .promised = Epoch{4}}).ok());
    Write(fresh, kDamaged, 1, KeyOf(0), "made anew");
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
    for (int start = 0; start < 2; ++start) {
      ASSERT_TRUE((*store_)->Scrub(AtOnce).ok());
      EXPECT_THAT(DamagedTables(), ::testing::ElementsAre());
      EXPECT_EQ(Value(kDamaged, 0), "made anew");
      EXPECT_EQ(Value(kWhole, 7), whole);
      ASSERT_NO_FATAL_FAILURE(Open());
    }
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "store";
  bool sorted_ = false;
  ebla::testing::ThreadExecutor flusher_, background_;
  std::unique_ptr<WtStore> store_;
  std::vector<std::filesystem::path> files_;  // of the table that is to be damaged
};

}  // namespace ebla::tabletserver::testing

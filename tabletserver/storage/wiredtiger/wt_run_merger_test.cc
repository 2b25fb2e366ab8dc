// Merges of sorted runs, step by step, on a real database.
#include "tabletserver/storage/wiredtiger/wt_run_merger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "common/base/descriptor.h"
#include "tabletserver/storage/testing/run_merger_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_run_rows.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kTinyRows = 1, kSmallRows = 100, kMediumRows = 600, kLargeRows = 1500;  // of 1 KB

// ---- steps ---------------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, ASmallMergeEndsBeforeALargeOneThatBeganEarlier) {
  Open();
  for (int run = 0; run < 8; ++run) WriteRows(500 * run, kLargeRows);
  Turn();
  EXPECT_THAT(Merges(), ElementsAre(8));
  for (int run = 0; run < 8; ++run) WriteRows(kMediumRows * run, kMediumRows);
  Turn();
  EXPECT_THAT(Merges(), ElementsAre(8, 8));
  for (int run = 0; run < 4; ++run) WriteRows(100 * run, kTinyRows);
  EXPECT_EQ(Runs(), 20u);
  Turn();
  EXPECT_EQ(Runs(), 17u) << "the last of three is the first that ends";
  EXPECT_THAT(Merges(), ElementsAre(8, 8));
  ExpectModel(20);
  Turn();
  EXPECT_EQ(Runs(), 10u);
  EXPECT_THAT(Merges(), ElementsAre(8));
  ExpectModel(20);
  MergeOn();
  EXPECT_THAT(Merges(), IsEmpty());
  EXPECT_EQ(Runs(), 3u);
  ExpectModel(20);
  Checkpoint();
  EXPECT_EQ(Files(), Named());
  Reopen();
  ExpectModel(20);
}

// The inputs stay, and a later merge takes them.
TEST_F(RunMergerTest, AMergeWithoutAFileIsTriedAgain) {
  Open();
  for (int run = 0; run < 3; ++run) WriteRows(10 * run, 20);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const Descriptor lowest(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const rlimit none{static_cast<rlim_t>(lowest.get()) + 1, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto merged = store_->merger.MergeAll(Table());
  ASSERT_TRUE(ApplyRows(100, 5).ok());
  const Status written = store_->sorted.Write(*Table());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(merged.has_value());
  EXPECT_EQ(merged.error().code(), Code::kComeAgain) << merged.error();
  EXPECT_EQ(written.code(), Code::kOverloaded) << written;
  EXPECT_EQ(Runs(), 3u);
  ExpectModel(20);
  EXPECT_TRUE(store_->merger.MergeAll(Table()).value_or(false));
  EXPECT_EQ(Runs(), 1u);
  ExpectModel(20);
}

// Its file is finished by then, so no further step can be taken.
TEST_F(RunMergerTest, AMergeThatCannotEndBeginsAnew) {
  Open();
  for (int run = 0; run < 3; ++run) WriteRows(10 * run, 20);
  auto merge = BeginMerge(0, 3);
  // The merge's last transaction is in conflict with this one for as long as it has patience.
  std::promise<void> changed, done;
  std::thread other([&] {
    const auto session = store_->sessions->ForThisThread();
    ASSERT_TRUE(session) << session.error();
    WT_SESSION* const raw = (*session)->get();
    ASSERT_EQ(raw->begin_transaction(raw, nullptr), 0);
    ASSERT_EQ(RemoveRunRows(**session, kMergedTable, {RunsNow()->runs.front().file->run.number}), 0);
    changed.set_value();
    done.get_future().wait();
    ASSERT_EQ(raw->rollback_transaction(raw, nullptr), 0);
  });
  changed.get_future().wait();
  const Result<bool> stepped = merge->Step(1 << 20);
  done.set_value();
  other.join();
  EXPECT_EQ(stepped.error().code(), Code::kComeAgain);
  merge.reset();
  EXPECT_EQ(Runs(), 3u);
  ExpectModel();
  merge = BeginMerge(0, 3);
  ASSERT_TRUE(merge->Step(1 << 20).value());
  ExpectModel();
  merge.reset();
  Checkpoint();
  EXPECT_EQ(Files(), Named());
}

// Other threads measure files than those that replace runs. A memory checker sees what one of them reads.
TEST_F(RunMergerTest, FilesAreMeasuredWhileRunsAreReplaced) {
  Open();
  constexpr int kRuns = 30, kClears = 300;
  for (int run = 0; run < kRuns; ++run) WriteRows(0, kClears);
  std::atomic<bool> done = false;
  std::thread asking([&] {
    while (!done) EXPECT_GT(store_->sorted.FileBytes(*Table()), 0);
  });
  for (int row = 0; row < kClears - 1; ++row) Clear(Rows(row, row + 1));
  done = true;
  asking.join();
  ExpectModel(20);
}

// ---- reads ---------------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, ReadsInTheMidstOfAMergeAreTheModels) {
  Open();
  std::vector<Effect> all;
  for (int row = 0; row < 20; ++row) all.push_back(PutRow(row));
  WriteRun(all);
  WriteRun({PutRow(0), PutRow(1), PutRow(2), DeleteRow(5), DeleteRow(6), PutRow(12), PutRow(13)});
  WriteRun({DeleteRow(0), PutRow(7), DeleteRow(8), PutRow(9), PutRow(14), DeleteRow(15), PutRow(16)});
  WriteRun({PutRow(3), DeleteRow(19)});
  // The two in the middle, then all.
  for (const auto& [first, count] : {std::pair(1, 2), std::pair(0, 4)}) {
    auto merge = BeginMerge(static_cast<size_t>(first), static_cast<size_t>(count));
    int step = 0;
    for (bool done = false; !done; ++step) {
      switch (step) {
        case 1: ASSERT_TRUE(Apply({PutRow(1), DeleteRow(2), PutRow(14)}).ok()); break;
        case 2: Clear(Rows(6, 8)); break;
        case 3: WriteRun({PutRow(7), PutRow(12)}); break;
        case 4: Clear(Rows(12, 14)); break;
        case 5: WriteRun({PutRow(13)}); break;
        case 6: Checkpoint(); break;
        default: break;
      }
      ExpectModel();
      const auto stepped = merge->Step(1);
      ASSERT_TRUE(stepped) << stepped.error();
      done = *stepped;
      ExpectModel();
    }
    EXPECT_GT(step, 8);
    merge.reset();
    Checkpoint();
    ExpectModel();
    EXPECT_EQ(Files(), Named());
    Reopen();
    ExpectModel();
    Crash();
    ExpectModel();
    ASSERT_GE(Runs(), 4u);
  }
}

// The second merge takes the runs on both sides of the cleared ones.
TEST_F(RunMergerTest, AMergeWhoseInputsAreAllClearedBringsNothingBack) {
  Open();
  WriteRun({PutRow(0), PutRow(11), PutRow(50)});
  WriteRun({PutRow(10), DeleteRow(11)});
  WriteRun({PutRow(20), PutRow(21)});
  WriteRun({PutRow(40), DeleteRow(0)});
  auto cleared = BeginMerge(1, 2);
  ASSERT_FALSE(cleared->Step(1).value());
  Clear(Rows(10, 12));
  Clear(Rows(20, 30));
  EXPECT_EQ(Runs(), 2u);
  WriteRun({PutRow(10)});
  auto others = BeginMerge(0, 3);
  ASSERT_FALSE(others->Step(1).value());
  ExpectModel();
  ASSERT_TRUE(cleared->Step(1 << 20).value());
  ExpectModel();
  EXPECT_EQ(store_->merger.MergeAll(Table()).error().code(), Code::kComeAgain);
  ASSERT_TRUE(others->Step(1 << 20).value());
  ExpectModel();
  cleared.reset();
  others.reset();
  Reopen();
  ExpectModel();
  EXPECT_TRUE(store_->merger.MergeAll(Table()).value());
  EXPECT_EQ(Runs(), 1u);
  ExpectModel();
  Checkpoint();
  EXPECT_EQ(Files(), Named());
}

TEST_F(RunMergerTest, AMergeThatIsAbandonedLeavesNoFile) {
  Open();
  for (int run = 0; run < 8; ++run) WriteRows(500 * run, kLargeRows);
  Turn();
  ASSERT_THAT(Merges(), ElementsAre(8));
  Checkpoint();
  EXPECT_EQ(Files().size(), 9u) << "the merge's own";
  const std::set<std::string> named = Named();
  store_.reset();
  EXPECT_EQ(Files(), named);
  Open();
  ExpectModel(50);
  while (Merges().empty()) Turn();  // tasks of the former store are first
  Checkpoint();
  Crash();
  EXPECT_EQ(Files(), Named());
  EXPECT_EQ(Runs(), 8u);
  ExpectModel(50);
}

// ---- damage --------------------------------------------------------------------------------------------------------

class DamagedRunTest : public RunMergerTest {
 protected:
  // Its data blocks, while the store is closed.
  void Damage(const std::string& file) {
    const std::string path = options_.directory + "/" + file;
    std::fstream bytes(path, std::ios::binary | std::ios::in | std::ios::out);
    ASSERT_TRUE(bytes) << path;
    bytes.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 2));
    bytes << std::string(4096, '\x5a');
  }
  std::string FileOf(size_t run) { return RunFileName({RunsNow()->runs[run].file->run.number}); }
  // Does the same as a merge that has met damage.
  void MarkUnreadable(size_t run) {
    const auto merge = store_->sorted.BeginMerge(
        Table(), [&](std::span<const PlannedRun>) { return std::optional(MergePlan{run, 1}); });
    store_->sorted.AbandonMerge(*merge, RunsNow()->runs[run].file->run.number);
  }
};

TEST_F(DamagedRunTest, OnlyTheRunWithADamagedBlockIsLeftOut) {
  Open();
  for (int run = 0; run < 9; ++run) WriteRows(50 * run, 50);
  const std::string damaged = FileOf(4);
  store_.reset();
  Damage(damaged);
  Open();
  ASSERT_EQ(FileOf(4), damaged);
  MergeOn();
  EXPECT_EQ(Runs(), 9u) << "the merge failed";
  EXPECT_THAT(store_->sessions->damaged().All(), ElementsAre(kMergedTable));
  EXPECT_THAT(Merges(), IsEmpty());
  WriteRows(450, 1);
  MergeOn();
  EXPECT_EQ(Runs(), 3u) << "the newer ones, the damaged one, the older ones";
  EXPECT_EQ(FileOf(1), damaged);
  Checkpoint();
  EXPECT_EQ(Files(), Named());
  ExpectModel(1 << 20, Rows(250, 1000));
  ExpectModel(1 << 20, Rows(0, 200));
  EXPECT_EQ(Scanned({.range = Rows(200, 250)}).error().code(), Code::kUnavailable);
  // The damage counts again after a start.
  Reopen();
  for (int run = 0; run < 4; ++run) WriteRows(460 + run, 1);
  MergeOn();
  WriteRows(470, 1);
  MergeOn();
  EXPECT_EQ(FileOf(Runs() - 2), damaged);
  ExpectModel(1 << 20, Rows(250, 1000));
}

TEST_F(DamagedRunTest, ADamagedRunDoesNotCountAmongThoseThatWritesWaitFor) {
  Open();
  for (int run = 0; run < 48; ++run) WriteRows(run, 1);
  MarkUnreadable(20);
  const auto write = [&] {
    ASSERT_TRUE(ApplyRows(0, 300).ok());
    writer_tasks_.RunFor(Duration(0));
  };
  write();
  EXPECT_EQ(Runs(), 49u);
  write();
  EXPECT_EQ(Runs(), 50u);
}

// No eight whole runs are adjacent, so no merge makes them fewer.
TEST_F(DamagedRunTest, DamagedRunsFarApartDoNotEndWrites) {
  Open();
  for (int run = 0; run < 56; ++run) WriteRows(run, kSmallRows);
  for (size_t run = 6; run < 49; run += 7) MarkUnreadable(run);
  MergeOn();
  ASSERT_EQ(Runs(), 56u) << "there is nothing to merge";
  EXPECT_EQ(store_->merger.MergeAll(Table()).error().code(), Code::kComeAgain);
  for (int run = 0; run < 60; ++run) {
    ASSERT_TRUE(ApplyRows(0, 300).ok()) << run;
    writer_tasks_.RunFor(std::chrono::milliseconds(200));
    MergeOn();
    ASSERT_LT(Table()->buffer.bytes(), 1000) << run;
  }
  ExpectModel(10);
}

// ---- holes ---------------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, TheBytesOfALargeHoleAreGivenBack) {
  Open();
  WriteRows(0, kLargeRows);
  WriteRows(0, kSmallRows);
  MergeOn();
  Checkpoint();
  ASSERT_EQ(Runs(), 2u);
  const int64_t before = store_->sorted.FileBytes(*Table());
  Clear(Rows(200, 800));
  MergeOn();
  Checkpoint();
  EXPECT_EQ(store_->sorted.FileBytes(*Table()), before) << "less than half of it";
  Clear(Rows(800, 1100));
  MergeOn();
  EXPECT_LT(store_->sorted.FileBytes(*Table()), before / 2);
  EXPECT_EQ(Runs(), 2u);
  ExpectModel();
  EXPECT_EQ(Files().size(), 3u) << "the last checkpoint names it";
  EXPECT_GT(store_->sorted.retired_bytes(), 1'000'000);
  Checkpoint();
  EXPECT_EQ(Files(), Named());
  EXPECT_EQ(store_->sorted.retired_bytes(), 0);
  Reopen();
  ExpectModel();
}

// ---- many runs -----------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, ATableOfTooManyRunsWaitsForMerges) {
  options_.buffer_bytes = 64 << 10;
  Open();
  const auto write = [&] {
    const Status applied = ApplyRows(static_cast<int>(lsn_ % 7) * 10, 17);
    writer_tasks_.RunFor(std::chrono::milliseconds(200));
    return applied;
  };
  for (size_t run = 1; run <= 49; ++run) {
    ASSERT_TRUE(write().ok());
    ASSERT_EQ(Runs(), run);
  }
  Status applied;
  for (int more = 0; more < 20 && applied.ok(); ++more) applied = write();
  EXPECT_EQ(applied.code(), Code::kOverloaded);
  EXPECT_EQ(Runs(), 49u);
  EXPECT_GE(store_->sorted.buffer_bytes(), options_.buffer_bytes);
  ExpectModel();
  Checkpoint();
  EXPECT_EQ(store_->sorted.buffer_bytes(), 0);
  const size_t runs = Runs();
  EXPECT_GT(runs, 49u);
  for (int more = 0; more < 20 && write().ok(); ++more) continue;
  EXPECT_EQ(Runs(), runs);
  MergeOn();
  EXPECT_LE(Runs(), 24u);
  writer_tasks_.RunFor(std::chrono::milliseconds(200));
  EXPECT_TRUE(write().ok());
  EXPECT_LT(store_->sorted.buffer_bytes(), options_.buffer_bytes / 2);
  ExpectModel();
  Reopen();
  ExpectModel();
}

// ---- drops ---------------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, ADropEndsTheMergesOfItsTable) {
  Open();
  for (int run = 0; run < 8; ++run) WriteRows(500 * run, kLargeRows);
  Turn();
  ASSERT_THAT(Merges(), ElementsAre(8));
  ASSERT_TRUE(store_->sorted.Drop(Table()).ok());
  ASSERT_EQ(Table(), nullptr);
  Checkpoint();
  EXPECT_EQ(Files().size(), 9u) << "the merge has them";
  MergeOn();
  Checkpoint();
  EXPECT_THAT(Files(), IsEmpty());
  // Another table with the same id.
  model_.clear();
  ASSERT_TRUE(store_->sorted.Ensure(kMergedTable, TableCompression::kNone).ok());
  ExpectModel(100);
  for (int run = 0; run < 4; ++run) WriteRows(run, kTinyRows);
  MergeOn();
  EXPECT_EQ(Runs(), 1u);
  ExpectModel(100);
  Reopen();
  ExpectModel(100);
}

// ---- deleted rows --------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, AStepOverDeletedRowsHasItsBytesToo) {
  Open();
  constexpr int kRows = 1000;
  WriteRows(0, kRows);
  std::vector<Effect> deletes;
  for (int row = 0; row < kRows; ++row) deletes.push_back(DeleteRow(row));
  WriteRun(deletes);
  auto merge = BeginMerge(0, 2);
  ASSERT_GT(merge->bytes(), 1'000'000);
  int64_t left = merge->bytes_left();
  EXPECT_EQ(left, merge->bytes());
  int steps = 0;
  for (bool done = false; !done; ++steps) {
    const Result<bool> stepped = merge->Step(100'000);
    ASSERT_TRUE(stepped) << stepped.error();
    done = *stepped;
    EXPECT_LT(merge->bytes_left(), left);
    EXPECT_GT(merge->bytes_left(), left - 110'000);
    left = merge->bytes_left();
    ExpectModel(100);
  }
  EXPECT_EQ(steps, 11);
  EXPECT_EQ(left, 0);
  EXPECT_EQ(Runs(), 0u);
}

TEST_F(RunMergerTest, DeletedRowsGiveTheirBytesBackAtRest) {
  Open();
  constexpr int kRows = 20'000, kPiece = 500;
  for (int row = 0; row < kRows; row += kPiece) {
    WriteRows(row, kPiece);
    MergeOn();
  }
  merger_tasks_.RunFor(std::chrono::minutes(5));
  Checkpoint();
  ASSERT_GT(store_->sorted.FileBytes(*Table()), 20'000'000);
  DeleteRows(0, kRows - 10);
  merger_tasks_.RunFor(std::chrono::minutes(5));
  Checkpoint();
  EXPECT_LT(store_->sorted.FileBytes(*Table()), 100'000);
  EXPECT_EQ(Runs(), 1u);
  EXPECT_EQ(Files(), Named());
  ExpectModel(200);
  Reopen();
  ExpectModel(200);
}

// ---- room ----------------------------------------------------------------------------------------------------------

TEST_F(RunMergerTest, HolesNeedNoRoomOnTheDisk) {
  int64_t free = int64_t{1} << 40;
  options_.disk_space = [&free](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, int64_t{1} << 41}; };
  Open();
  WriteRows(0, 3000);
  Checkpoint();
  const int64_t before = store_->sorted.FileBytes(*Table());
  free = before / 4;
  store_->reserve.Check();
  Clear(Rows(1, 2700));
  MergeOn();
  Checkpoint();
  EXPECT_LT(store_->sorted.FileBytes(*Table()), before / 4);
  ExpectModel(50);
  // Without holes there is too little room.
  WriteRows(300, 2400);
  EXPECT_EQ(store_->merger.MergeAll(Table()).error().code(), Code::kComeAgain);
  ExpectModel(50);
}

// Deletes and merges are how a full disk gets room again.
TEST_F(RunMergerTest, BelowTheReserveDeletedRowsGiveTheirBytesBack) {
  constexpr int64_t kReserve = int64_t{8} << 20;
  int64_t free = int64_t{1} << 40;
  options_.disk_space = [&free](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, int64_t{1} << 41}; };
  options_.disk_reserve_bytes = kReserve;
  Open();
  constexpr int kRows = 10'000, kPiece = 500;
  for (int row = 0; row < kRows; row += kPiece) {
    WriteRows(row, kPiece);
    MergeOn();
  }
  merger_tasks_.RunFor(std::chrono::minutes(5));
  Checkpoint();
  const int64_t before = store_->sorted.FileBytes(*Table());
  ASSERT_GT(before, kReserve);
  free = kReserve / 2;
  store_->reserve.Check();
  ASSERT_EQ(store_->reserve.room(), DiskRoom::kDeletes);
  EXPECT_EQ(store_->merger.MergeAll(Table()).error().code(), Code::kComeAgain) << "all of its rows would stay";
  free = kReserve / 8;
  store_->reserve.Check();
  ASSERT_EQ(store_->reserve.room(), DiskRoom::kNone);
  DeleteRows(0, kRows - 10);
  merger_tasks_.RunFor(std::chrono::minutes(5));
  Checkpoint();
  EXPECT_GT(store_->sorted.FileBytes(*Table()), before / 2);
  free = kReserve / 2;
  store_->reserve.Check();
  merger_tasks_.RunFor(std::chrono::minutes(5));
  Checkpoint();
  EXPECT_LT(store_->sorted.FileBytes(*Table()), 100'000);
  ExpectModel(200);
}

// Such a merge would wait for room for ever, and the deleted rows' bytes with it.
TEST_F(RunMergerTest, BelowTheReserveAMergeWithoutRoomHoldsNoneBackThatBringsIt) {
  constexpr int64_t kReserve = int64_t{8} << 20;
  int64_t free = int64_t{1} << 40;
  options_.disk_space = [&free](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, int64_t{1} << 41}; };
  options_.disk_reserve_bytes = kReserve;
  Open();
  constexpr int kOldRows = 6000, kNewRows = 400, kNewRuns = 8;
  WriteRows(0, kOldRows);
  for (int run = 0; run < kNewRuns; ++run) WriteRows(kOldRows + run * kNewRows, kNewRows);
  free = kReserve / 2;
  store_->reserve.Check();
  ASSERT_EQ(store_->reserve.room(), DiskRoom::kDeletes);
  MergeOn();
  EXPECT_EQ(Runs(), 1u + kNewRuns) << "the new ones would need all of the reserve";
  DeleteRows(0, kOldRows + kNewRuns * kNewRows - 10);
  Checkpoint();
  EXPECT_LT(store_->sorted.FileBytes(*Table()), 100'000);
  ExpectModel(200);
}

TEST_F(RunMergerTest, BelowTheReserveTheSmallestMergeAloneGoesOn) {
  constexpr int64_t kReserve = int64_t{64} << 20;
  int64_t free = int64_t{1} << 40;
  options_.disk_space = [&free](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, int64_t{1} << 41}; };
  options_.disk_reserve_bytes = kReserve;
  Open();
  for (int run = 0; run < 8; ++run) WriteRows(500 * run, kLargeRows);
  Turn();
  for (int run = 0; run < 8; ++run) WriteRows(kMediumRows * run, kMediumRows);
  Turn();
  ASSERT_THAT(Merges(), ElementsAre(8, 8));
  free = kReserve * 5 / 16;  // half of it is less than the large merge needs
  store_->reserve.Check();
  ASSERT_EQ(store_->reserve.room(), DiskRoom::kDeletes);
  MergeOn();
  EXPECT_THAT(Merges(), IsEmpty());
  EXPECT_EQ(Runs(), 9u) << "the large one is given up";
  EXPECT_EQ(store_->merger.bytes_left(), 0);
  free = int64_t{1} << 40;
  store_->reserve.Check();
  merger_tasks_.RunFor(std::chrono::minutes(1));
  EXPECT_LT(Runs(), 9u);
  ExpectModel(50);
  Checkpoint();
  EXPECT_EQ(Files(), Named());
}

}  // namespace
}  // namespace ebla::tabletserver::testing

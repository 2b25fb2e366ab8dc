// Sorted tables beside checkpoints, merges and drops of other threads.
#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "tabletserver/storage/testing/run_merger_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"
#include "tabletserver/storage/wiredtiger/wt_run_rows.h"

namespace ebla::tabletserver::testing {
namespace {

using namespace std::chrono_literals;

constexpr TableId kInPlace{8};

class SortedTablesTest : public RunMergerTest {
 protected:
  void WriteInPlace(int rows) {
    ASSERT_TRUE(store_->tables.Ensure(kInPlace, TableCompression::kNone).ok());
    const auto session = store_->sessions->ForThisThread();
    ASSERT_TRUE(session) << session.error();
    const int error = RunTransaction(**session, [&]() -> int {
      WtCursor data(**session, kInPlace);
      for (int row = 0; row < rows; ++row) {
        if (const int error = data.Insert(MergedKey(row), Value(10'000))) return error;
      }
      return 0;
    });
    ASSERT_EQ(error, 0);
  }
};

// A checkpoint of a large table in place rests for seconds, and Apply would wait for room meanwhile.
TEST_F(SortedTablesTest, ARunIsWrittenWhileACheckpointRests) {
  Open();
  WriteInPlace(200);
  std::promise<void> resting, release;
  std::atomic<bool> rests = false;
  const std::shared_future<void> released = release.get_future().share();
  std::thread checkpoint([&] {
    const auto session = store_->sessions->ForThisThread();
    ASSERT_TRUE(session) << session.error();
    WT_SESSION* const raw = (*session)->get();
    const PacedSyncs paced([&] {
      if (!rests.exchange(true)) resting.set_value();
      released.wait();
      return false;
    });
    EXPECT_EQ(raw->checkpoint(raw, nullptr), 0);
  });
  resting.get_future().wait();
  ASSERT_TRUE(ApplyRows(0, 10).ok());
  const SortedTablePtr table = Table();
  auto writing = std::async(std::launch::async, [&] { return store_->sorted.Write(*table); });
  EXPECT_EQ(writing.wait_for(20s), std::future_status::ready) << "it waits for the checkpoint";
  release.set_value();
  checkpoint.join();
  EXPECT_TRUE(writing.get().ok());
  ExpectModel();
  Checkpoint();
  Reopen();
  ExpectModel();
}

// Making a file takes the time of several syncs.
TEST_F(SortedTablesTest, AReadOfANewRunWaitsForNoOtherFileThatIsMade) {
  Open();
  WriteRows(0, 10);
  std::promise<void> making, release;
  const std::shared_future<void> released = release.get_future().share();
  std::thread other([&] {
    bool once = false;
    const PacedSyncs paced([&] {
      if (!std::exchange(once, true)) making.set_value();
      released.wait();
      return true;
    });
    EXPECT_TRUE(store_->tables.Ensure(kInPlace, TableCompression::kNone).ok());
  });
  making.get_future().wait();
  auto reading = std::async(std::launch::async, [&] { return store_->records.Get(*Table(), MergedKey(5), nullptr); });
  EXPECT_EQ(reading.wait_for(20s), std::future_status::ready) << "it waits for the other file";
  release.set_value();
  other.join();
  const auto record = reading.get();
  EXPECT_TRUE(record.has_value() && record->has_value());
}

TEST_F(SortedTablesTest, ASecondDropSparesANewTableOfTheSameId) {
  Open();
  const SortedTablePtr first = Table();
  WriteRows(0, 10);
  ASSERT_TRUE(store_->sorted.Drop(first).ok());
  model_.clear();
  ASSERT_TRUE(store_->sorted.Ensure(kMergedTable, TableCompression::kNone).ok());
  WriteRows(0, 10);
  ASSERT_TRUE(store_->sorted.Drop(first).ok());
  ASSERT_NE(Table(), nullptr);
  ExpectModel();
  Checkpoint();
  Reopen();
  ExpectModel();
}

// The session of a merge's thread is in use for a whole step.
TEST_F(SortedTablesTest, ATableInPlaceIsDroppedWhileASessionIsInUse) {
  Open();
  WriteInPlace(10);
  std::promise<void> used, done;
  std::thread other([&] {
    const auto session = store_->sessions->ForThisThread();
    ASSERT_TRUE(session) << session.error();
    used.set_value();
    done.get_future().wait();
  });
  used.get_future().wait();
  const Status dropped = store_->tables.Drop(kInPlace);
  done.set_value();
  other.join();
  EXPECT_TRUE(dropped.ok()) << dropped;
}

TEST_F(SortedTablesTest, ACompactionEndsWhenTheStoreHurries) {
  Open();
  for (int run = 0; run < 3; ++run) WriteRows(10 * run, 20);
  store_->merger.Hurry();
  const Result<bool> merged = store_->merger.MergeAll(Table());
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code(), Code::kComeAgain);
  EXPECT_EQ(Runs(), 3u);
  ExpectModel();
}

}  // namespace
}  // namespace ebla::tabletserver::testing

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

// Its rows are in a run, in a frozen generation and in the latest one, and some in several of them.
TEST_F(SortedTablesTest, AViewKeepsItsMomentWhileRowsAreReplacedWrittenMergedAndCleared) {
  Open();
  WriteRows(0, 8);
  ASSERT_TRUE(ApplyRows(2, 4).ok());
  {
    const SortedTablePtr table = Table();
    const MutexLock lock(table->buffer.write_mutex());
    (void)table->buffer.ToWrite();
  }
  ASSERT_TRUE(Apply({PutRow(4), DeleteRow(5), DeleteRow(6), PutRow(9)}).ok());
  const Model before = model_;
  const auto expect_before = [&](RecordStore::View& view, std::string_view after) {
    Model got, forward, backward;
    const auto into = [](Model& rows) {
      return
          [&rows](std::string_view key, const StoredRecord& record) { return rows.emplace(key, record.value).second; };
    };
    for (int row = 0; row < 12; ++row) {
      const auto record = view.Get(MergedKey(row));
      ASSERT_TRUE(record) << record.error();
      if (*record) got[MergedKey(row)] = (*record)->value;
    }
    EXPECT_TRUE(view.Scan({}, into(forward)).ok());
    EXPECT_TRUE(view.Scan({.reverse = true}, into(backward)).ok());
    EXPECT_TRUE(got == before) << "keys " << after;
    EXPECT_TRUE(forward == before) << "forward " << after;
    EXPECT_TRUE(backward == before) << "backward " << after;
  };
  SnapshotPosition position{kMergedTablet, {}};
  const Status read = store_->records.Read(*Table(), &position, [&](RecordStore::View& view) -> Status {
    EXPECT_EQ(position.applied, Lsn{lsn_});
    expect_before(view, "at first");
    std::thread([&] { ASSERT_TRUE(ApplyRows(0, 12).ok()); }).join();
    expect_before(view, "after all is replaced");
    std::thread([&] { ASSERT_TRUE(Apply({DeleteRow(0), DeleteRow(3), DeleteRow(9)}).ok()); }).join();
    expect_before(view, "after deletes");
    std::thread([&] { WriteBuffer(); }).join();
    expect_before(view, "after the buffer is written");
    std::thread([&] {
      EXPECT_TRUE(store_->merger.MergeAll(Table()).value());
      Clear(Rows(4, 8));
      Checkpoint();
    }).join();
    EXPECT_EQ(Runs(), 1u);
    expect_before(view, "after a merge and a checkpoint");
    return {};
  });
  EXPECT_TRUE(read.ok()) << read;
  ExpectModel();
  Checkpoint();
  EXPECT_EQ(Files(), Named()) << "the view held runs";
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

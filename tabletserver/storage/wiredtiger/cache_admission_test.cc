// Which pages stay in a full cache.
#include "tabletserver/storage/wiredtiger/cache_admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <wiredtiger.h>

#include "tabletserver/storage/testing/run_merger_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr int64_t kCache = 1'000'000;

int KeptOf(const CacheAdmission& admission, int reads) {
  int kept = 0;
  for (int i = 0; i < reads; ++i) kept += admission.ForNextRead() == PageUse::kAgain ? 1 : 0;
  return kept;
}

TEST(CacheAdmissionTest, WithRoomEveryPageStays) {
  CacheAdmission admission(kCache);
  EXPECT_EQ(KeptOf(admission, 1'000), 1'000) << "before the first count";
  admission.NoteUsed(kCache / 2);
  EXPECT_EQ(KeptOf(admission, 1'000), 1'000);
}

TEST(CacheAdmissionTest, InAFullCacheOneInSixteenStays) {
  CacheAdmission admission(kCache);
  admission.NoteUsed(kCache * 8 / 10);
  EXPECT_NEAR(KeptOf(admission, 16'000), 1'000, 150);
  admission.NoteUsed(kCache / 2);
  EXPECT_EQ(KeptOf(admission, 100), 100) << "there is room again";
}

class PagesOfReadsTest : public RunMergerTest {
 protected:
  static constexpr int kRows = 10'000, kRowsOfPage = 8;

  // Reads a row of each page, and returns how many pages were read from the disk.
  int64_t PagesRead() {
    const int64_t before = PagesReadSoFar();
    for (int row = kRowsOfPage / 2; row < kRows; row += kRowsOfPage) {
      const auto record = store_->records.Get(*Table(), MergedKey(row), nullptr);
      EXPECT_TRUE(record && *record) << row;
    }
    return PagesReadSoFar() - before;
  }
  int64_t PagesReadSoFar() {
    const auto session = store_->sessions->ForThisThread();
    CHECK(session);
    return Statistic((*session)->get(), WT_STAT_CONN_CACHE_READ).value();
  }
};

// The cache has room for all, so that WiredTiger itself removes none.
TEST_F(PagesOfReadsTest, LeaveTheCacheWithTheirReaderOnlyWhereItIsFull) {
  options_.cache_bytes = 64 << 20;
  Open();
  WriteRows(0, kRows);
  store_->admission.NoteUsed(options_.cache_bytes);
  const int64_t pages = PagesRead();
  EXPECT_GT(pages, kRows / kRowsOfPage / 2);
  EXPECT_GT(PagesRead(), pages * 3 / 4);
  store_->admission.NoteUsed(0);
  EXPECT_GT(PagesRead(), pages / 2);
  EXPECT_EQ(PagesRead(), 0);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

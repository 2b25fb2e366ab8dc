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

class FullCacheTest : public RunMergerTest {
 protected:
  static constexpr int kRows = 100'000, kRowsOfPage = 8, kHot = 200;

  void ReadRow(int row) {
    const auto record = store_->records.Get(*Table(), MergedKey(row), nullptr);
    ASSERT_TRUE(record) << record.error();
    ASSERT_TRUE(*record) << row;
  }
  void ReadHot() {
    for (int i = 0; i < kHot; ++i) ReadRow(i * (kRows / kHot));
  }
  // Some row of each page, hot ones as well.
  void ReadAll() {
    for (int row = kRowsOfPage / 2; row < kRows; row += kRowsOfPage) ReadRow(row);
  }
  int64_t PagesRead() {
    const auto session = store_->sessions->ForThisThread();
    CHECK(session);
    return Statistic((*session)->get(), WT_STAT_CONN_CACHE_READ).value();
  }
  int64_t HotPagesMissedAfterAllWereRead(int64_t used_bytes) {
    store_->admission.NoteUsed(0);
    ReadHot();
    store_->admission.NoteUsed(used_bytes);
    ReadAll();
    const int64_t before = PagesRead();
    ReadHot();
    return PagesRead() - before;
  }
};

TEST_F(FullCacheTest, PagesThatAreReadOnceRemoveNone) {
  Open();
  for (int first = 0; first < kRows; first += kRows / 10) WriteRows(first, kRows / 10);
  EXPECT_GT(HotPagesMissedAfterAllWereRead(0), kHot / 2) << "where all stay, and the table is six times the cache";
  EXPECT_LT(HotPagesMissedAfterAllWereRead(options_.cache_bytes), kHot / 4);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

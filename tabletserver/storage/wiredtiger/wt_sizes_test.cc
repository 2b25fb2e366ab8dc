// How near WtStore's estimates of sizes and record counts come to what was written.
#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "tabletserver/storage/testing/store_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_store.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TableId kSizedTable{7};
constexpr TabletId kSizedTablet{70};

class WtSizesTest : public ::testing::Test {
 protected:
  WtSizesTest() {
    WtStoreOptions options = SmallStore(directory_ / "store", flusher_, background_);
    options.cache_bytes = 256 << 20;
    auto opened = WtStore::Open(std::move(options));
    CHECK(opened) << opened.error();
    store_ = *std::move(opened);
    CHECK((*store_)->EnsureTable(kSizedTable, TableCompression::kNone).ok());
  }

  static std::string Key(int number) { return "user" + std::to_string(1'000'000'000 + number); }
  // In an order that is not the keys', as most loads are.
  void Write(int records, size_t value_bytes) {
    constexpr int kAtOnce = 500;
    for (int first = 0; first < records; first += kAtOnce) {
      std::vector<Effect> effects;
      for (int i = first; i < std::min(first + kAtOnce, records); ++i) {
        const auto number = static_cast<int>(int64_t{i} * 7'919 % records);
        effects.push_back(Put(Key(number), std::string(value_bytes, static_cast<char>('a' + i % 26))));
      }
      ASSERT_TRUE(ApplyOne(**store_, kSizedTablet, kSizedTable, Entry(++lsn_, std::move(effects))).ok());
    }
  }
  void WriteOne(int number, size_t value_bytes) {
    std::vector<Effect> effects;
    effects.push_back(Put(Key(number), std::string(value_bytes, 'v')));
    ASSERT_TRUE(ApplyOne(**store_, kSizedTablet, kSizedTable, Entry(++lsn_, std::move(effects))).ok());
  }
  double Records(const KeyRange& range = {}) {
    const auto size = EstimateSize(**store_, kSizedTable, range);
    EXPECT_TRUE(size) << size.error();
    return size ? static_cast<double>(size->records) : -1;
  }

  TemporaryDirectory directory_;
  ebla::testing::ThreadExecutor flusher_;
  ebla::testing::ThreadExecutor background_;
  std::unique_ptr<WtStore> store_;
  uint64_t lsn_ = 0;
};

TEST_F(WtSizesTest, ASmallTableIsCounted) {
  Write(20'000, 206);
  EXPECT_EQ(Records(), 20'000) << "in the cache alone";
  WriteOne(10'000, 1 << 20);
  EXPECT_EQ(Records(), 20'000) << "one large value changes nothing";
  ASSERT_TRUE(CheckpointNow(**store_));
  Write(20'000, 206);
  EXPECT_EQ(Records(), 20'000) << "nor do overwrites";
  EXPECT_EQ(Records({Key(5'000), Key(15'000)}), 10'000);
}

TEST_F(WtSizesTest, ALargeTableIsEstimatedWithinATenth) {
  constexpr int kRecords = 60'000;
  constexpr double kTenth = kRecords / 10.0;
  Write(kRecords, 1'000);
  EXPECT_LT(Records(), kRecords + kTenth) << "what no checkpoint has yet may be missing, and nothing counts twice";
  ASSERT_TRUE(CheckpointNow(**store_));
  EXPECT_NEAR(Records(), kRecords, kTenth) << "on the disk";
  for (int round = 0; round < 3; ++round) {
    Write(kRecords, 1'000);
    EXPECT_NEAR(Records(), kRecords, kTenth) << "overwritten, round " << round;
    ASSERT_TRUE(CheckpointNow(**store_));
    EXPECT_NEAR(Records(), kRecords, kTenth) << "and on the disk";
  }
}

// In the cache a small row that was changed takes thrice of what it takes on the disk.
TEST_F(WtSizesTest, SmallRowsThatWereAllChangedDoNotCountTwice) {
  constexpr int kRecords = 300'000;
  constexpr double kTenth = kRecords / 10.0;
  Write(kRecords, 100);
  EXPECT_NEAR(Records(), kRecords, kTenth) << "in the cache alone";
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(CheckpointNow(**store_));
    Write(kRecords, 100);
    EXPECT_NEAR(Records(), kRecords, kTenth) << "overwritten, round " << round;
  }
}

// Each has a page to itself, which is met as often as one of thirty others.
TEST_F(WtSizesTest, AFewLargeValuesAmongManySmallOnesHideNone) {
  constexpr int kRecords = 60'000;
  constexpr double kFifth = kRecords / 5.0;
  Write(kRecords, 1'000);
  for (int i = 0; i < 10; ++i) WriteOne(i * 5'000 + 7, 1 << 20);
  ASSERT_TRUE(CheckpointNow(**store_));
  EXPECT_NEAR(Records(), kRecords, kFifth);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

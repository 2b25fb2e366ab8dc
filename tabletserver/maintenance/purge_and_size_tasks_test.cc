#include "tabletserver/maintenance/purge_and_size_tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TableId kPurged{7};

class AskedRecords final : public FakeRecordStore {
 public:
  using FakeRecordStore::FakeRecordStore;
  Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) override {
    std::vector<std::string>& one = asked.emplace_back();
    for (const KeyRange& range : ranges) one.push_back(range.start);
    return FakeRecordStore::EstimateSizes(table, ranges);
  }
  std::vector<std::vector<std::string>> asked;  // where the ranges of each call begin
};

class PurgeAndSizeTasksTest : public ::testing::Test {
 protected:
  PurgeAndSizeTasksTest() {
    EXPECT_TRUE(store_.EnsureTable(kPurged, {}).ok());
    purge_and_size_tasks_.Start();
  }

  std::shared_ptr<TabletHandle> Add(uint64_t id, const KeyRange& range) {
    auto handle = std::make_shared<TabletHandle>(TabletId{id}, kPurged, 0);
    EXPECT_TRUE(directory_.Add(handle, range).ok());
    Show(*handle, range);
    return handle;
  }
  static void Show(TabletHandle& handle, const KeyRange& range, bool incomplete = false) {
    auto view = std::make_shared<TabletView>();
    view->range = range;
    view->incomplete = incomplete;
    handle.Publish(view);
  }
  void Apply(TabletHandle& handle, uint64_t lsn, const std::string& key, const std::string& value) {
    const Effect effect{.key = key, .value = value};
    ApplyBatch batch{.tablet = handle.tablet, .table = kPurged};
    batch.records.push_back({&effect, {Epoch{1}, Lsn{lsn}}});
    batch.state.applied = {Epoch{1}, Lsn{lsn}};
    handle.RaiseAppliedBound(batch.state.applied);
    EXPECT_TRUE(store_.Apply({&batch, 1}).ok());
  }
  auto AskedWithin(Duration time) {
    asked_->asked.clear();
    scheduler_.RunFor(time);
    return asked_->asked;
  }

  testing::SimScheduler scheduler_{42};
  testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_;
  AskedRecords* asked_ = nullptr;
  SimulatedStore simulated_{disk_, executor_, {.records = [this](SimulatedDisk& disk) {
                              auto records = std::make_unique<AskedRecords>(disk);
                              asked_ = records.get();
                              return records;
                            }}};
  TabletStore& store_ = *simulated_;
  TabletDirectory directory_;
  PurgeAndSizeTasks purge_and_size_tasks_{executor_, store_, directory_, {}, {}};
};

TEST_F(PurgeAndSizeTasksTest, SizesOfATablesTabletsAreEstimatedTogetherWhenTheyHaveChanged) {
  const auto low = Add(1, {"", "m"});
  const auto high = Add(2, {"m", ""});
  Apply(*low, 1, "a", "value");
  EXPECT_THAT(AskedWithin(10s), ElementsAre(ElementsAre("", "m")));
  EXPECT_EQ(low->size_bytes, 6);
  EXPECT_THAT(AskedWithin(10s), IsEmpty());

  Apply(*high, 1, "n", "longer value");
  EXPECT_THAT(AskedWithin(10s), ElementsAre(ElementsAre("m")));
  EXPECT_EQ(high->size_bytes, 13);
  Show(*high, {"p", ""});
  EXPECT_THAT(AskedWithin(10s), ElementsAre(ElementsAre("p")));
  EXPECT_EQ(high->size_bytes, 0);
}

// A copy brings records, and leaves range and applied position as its first chunk found them.
TEST_F(PurgeAndSizeTasksTest, WhatWasCopiedIsEstimatedOnceItIsWhole) {
  const auto tablet = Add(1, {"", ""});
  Show(*tablet, {"", ""}, true);
  EXPECT_EQ(AskedWithin(10s).size(), 1u);
  EXPECT_EQ(tablet->records, 0);
  const std::vector<std::pair<std::string, StoredRecord>> copied = {{"a", {.value = "1"}}, {"b", {.value = "2"}}};
  ASSERT_TRUE(store_.ReplaceInterval(kPurged, {"", ""}, copied).ok());
  EXPECT_EQ(AskedWithin(10s).size(), 1u) << "as long as the copy lasts";
  Show(*tablet, {"", ""}, false);
  EXPECT_EQ(AskedWithin(10s).size(), 1u) << "and once more";
  EXPECT_EQ(tablet->records, 2);
  EXPECT_EQ(AskedWithin(10s).size(), 0u);
}

TEST_F(PurgeAndSizeTasksTest, WhatIsIdleIsEstimatedLessAndLessOften) {
  const auto tablet = Add(1, {"", ""});
  EXPECT_EQ(AskedWithin(60s).size(), 1u);
  EXPECT_EQ(AskedWithin(60s).size(), 1u) << "after one minute";
  EXPECT_EQ(AskedWithin(60s).size(), 0u);
  EXPECT_EQ(AskedWithin(60s).size(), 1u) << "and after two more";
  AskedWithin(3h);
  EXPECT_LE(AskedWithin(10h).size(), 10u);
  EXPECT_GE(AskedWithin(10h).size(), 9u);
  Apply(*tablet, 1, "a", "value");
  AskedWithin(10s);
  EXPECT_EQ(tablet->size_bytes, 6);
}

}  // namespace
}  // namespace ebla::tabletserver

// Tables in place: how they are made beside checkpoints and dropped, and those that earlier builds have left.
#include "tabletserver/storage/wiredtiger/wt_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tabletserver/storage/testing/run_merger_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr TableId kOtherMade{8}, kMadeTable{9};
constexpr char kEntry[] = "table:data_9";
constexpr int kTableRows = 10;

class TablesTest : public RunMergerTest {
 protected:
  // The entries of WiredTiger's metadata that name the table.
  std::vector<std::string> Entries(TableId table) {
    const std::string name = "data_" + std::to_string(table.value);
    const auto session = store_->sessions->ForThisThread();
    WtCursor metadata(**session, "metadata:", nullptr);
    std::vector<std::string> entries;
    const char* key = nullptr;
    while (metadata.Next() == 0 && metadata.get()->get_key(metadata.get(), &key) == 0) {
      if (std::string_view(key).contains(name)) entries.emplace_back(key);
    }
    return entries;
  }
  int Raw(const std::function<int(WT_SESSION*)>& call) {
    const auto session = store_->sessions->ForThisThread();
    return call((*session)->get());
  }
  // Earlier builds did it so.
  void MakeAsBefore() {
    ASSERT_EQ(Raw([](WT_SESSION* raw) { return raw->create(raw, kEntry, "key_format=u,value_format=u"); }), 0);
  }
  Status WriteRows(TableId table) {
    EBLA_ASSIGN(const WtSessions::Use session, store_->sessions->ForThisThread());
    const int error = RunTransaction(*session, [&]() -> int {
      WtCursor rows(*session, table);
      if (rows.error() != 0) return rows.error();
      for (int row = 0; row < kTableRows; ++row) {
        if (const int error = rows.Insert(MergedKey(row), std::string(10'000, 'v'))) return error;
      }
      return 0;
    });
    return store_->sessions->CheckTable(error, table, "writing");
  }
  int CountRows(TableId table) {
    const auto session = store_->sessions->ForThisThread();
    WtCursor rows(**session, table);
    int count = 0;
    while (rows.error() == 0 && rows.Next() == 0) ++count;
    return count;
  }
  void ExpectUsable(TableId table) {
    ASSERT_EQ(store_->tables.Ensure(table, TableCompression::kNone), Status());
    ASSERT_EQ(WriteRows(table), Status());
    EXPECT_EQ(CountRows(table), kTableRows);
    Checkpoint();
    Reopen();
    EXPECT_THAT(store_->tables.Ids(), Contains(table));
    EXPECT_EQ(CountRows(table), kTableRows);
  }
};

// Ends a checkpoint of another thread, which rests until then.
class RestingCheckpoint {
 public:
  explicit RestingCheckpoint(MergedStore& store) {
    std::promise<void> resting;
    thread_ = std::thread([this, &store, &resting] {
      const auto session = store.sessions->ForThisThread();
      WT_SESSION* const raw = (*session)->get();
      bool rests = false;
      const PacedSyncs paced([&] {
        if (!std::exchange(rests, true)) resting.set_value();
        released_.wait();
        return true;
      });
      EXPECT_EQ(raw->checkpoint(raw, nullptr), 0);
    });
    resting.get_future().wait();
  }
  ~RestingCheckpoint() { End(); }
  void End() {
    if (!thread_.joinable()) return;
    release_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> release_;
  const std::shared_future<void> released_ = release_.get_future().share();
  std::thread thread_;
};

// A checkpoint writes the metadata as it is, with a half of what another thread is changing in it.
TEST_F(TablesTest, AProcessThatDiesWhileItMakesATableBesideACheckpointStartsAgain) {
  Open();
  ASSERT_EQ(store_->tables.Ensure(kOtherMade, TableCompression::kNone), Status());
  ASSERT_EQ(WriteRows(kOtherMade), Status());
  const std::string crashed = directory_ / "crashed";
  RestingCheckpoint checkpoint(*store_);
  {
    // The new file is synced before the metadata has all of it.
    bool died = false;
    const PacedSyncs paced([&] {
      if (std::exchange(died, true)) return true;
      checkpoint.End();
      std::filesystem::copy(options_.directory, crashed, std::filesystem::copy_options::recursive);
      return true;
    });
    ASSERT_EQ(store_->tables.Ensure(kMadeTable, TableCompression::kNone), Status());
    ASSERT_TRUE(died);
  }
  store_.reset();
  options_.directory = crashed;
  Open();
  EXPECT_EQ(CountRows(kOtherMade), kTableRows);
  ExpectUsable(kMadeTable);
}

TEST_F(TablesTest, ATableIsOneEntryInTheMetadata) {
  Open();
  ASSERT_EQ(store_->tables.Ensure(kMadeTable, TableCompression::kSnappy), Status());
  EXPECT_THAT(Entries(kMadeTable), ElementsAre("file:data_9.wt"));
  ASSERT_EQ(store_->tables.Drop(kMadeTable), Status());
  EXPECT_THAT(Entries(kMadeTable), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/data_9.wt"));
  ExpectUsable(kMadeTable);
}

// ---- earlier builds ----------------------------------------------------------------------------------------------

// They made three entries, and a crash may have left one or two.
TEST_F(TablesTest, ATableThatAnEarlierBuildHalfMadeIsMadeAgain) {
  Open();
  const auto incomplete = [](WT_SESSION* raw) {
    return raw->create(raw, kEntry, "key_format=u,value_format=u,columns=(key,row),colgroups=(rows)");
  };
  ASSERT_EQ(Raw(incomplete), 0);
  ASSERT_THAT(Entries(kMadeTable), ElementsAre(kEntry));
  Checkpoint();
  Reopen();
  EXPECT_THAT(store_->tables.Ids(), Not(Contains(kMadeTable)));
  ExpectUsable(kMadeTable);
  ASSERT_EQ(store_->tables.Drop(kMadeTable), Status());
  EXPECT_THAT(Entries(kMadeTable), IsEmpty());
  ExpectUsable(kMadeTable);
}

TEST_F(TablesTest, ATableOfAnEarlierBuildIsUsedAndDropped) {
  Open();
  MakeAsBefore();
  ASSERT_THAT(Entries(kMadeTable), ElementsAre("colgroup:data_9", "file:data_9.wt", kEntry));
  ExpectUsable(kMadeTable);
  ASSERT_EQ(store_->tables.Drop(kMadeTable), Status());
  EXPECT_THAT(Entries(kMadeTable), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/data_9.wt"));
}

// A start ensures the table of each replica.
TEST_F(TablesTest, AnEarlierBuildFindsTheRowsOfATableOfThisOne) {
  Open();
  ExpectUsable(kMadeTable);
  MakeAsBefore();
  const auto session = store_->sessions->ForThisThread();
  WtCursor rows(**session, kEntry, nullptr);
  ASSERT_EQ(rows.error(), 0);
  int count = 0;
  while (rows.Next() == 0) ++count;
  EXPECT_EQ(count, kTableRows);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

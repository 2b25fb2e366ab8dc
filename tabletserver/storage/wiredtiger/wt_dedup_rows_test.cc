#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <thread>

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/testing/system_tables_fixture.h"

namespace ebla::tabletserver {
namespace {

constexpr TabletId kLeft{1}, kRight{2};
constexpr uint64_t kKept = 8;  // rows of a tablet's window

class WtDedupRowsTest : public testing::SystemTablesTest {
 protected:
  // Write `sequence` of the tablet: its row, and the one that it makes superfluous.
  static ApplyBatch Batch(TabletId tablet, uint64_t sequence) {
    ApplyBatch batch;
    batch.tablet = tablet;
    DedupRow row;
    row.client = ClientId{9};
    row.sequence = Sequence{sequence};
    batch.dedup_window.put.push_back(row);
    if (sequence > kKept) batch.dedup_window.erase.emplace_back(row.client, Sequence{sequence - kKept});
    return batch;
  }
  // Applies writes of that sequence to the tablets, in one transaction with a row that names it.
  void Apply(const std::vector<TabletId>& tablets, uint64_t sequence) {
    std::vector<ApplyBatch> batches;
    for (const TabletId tablet : tablets) batches.push_back(Batch(tablet, sequence));
    const auto session = sessions_->ForThisThread();
    ASSERT_TRUE(session.has_value());
    WtDedupRows::Change change(rows_, batches);
    ASSERT_EQ(RunTransaction(**session,
                             [&]() -> int {
                               WtCursor applied(**session, SystemTable::kApplied);
                               for (const TabletId tablet : tablets) {
                                 const int error = applied.Insert(TabletKey(tablet), std::to_string(sequence));
                                 if (error != 0) return error;
                               }
                               return change.Write(**session);
                             }),
              0);
    change.Commit();
  }
  // The tablet's rows in the table.
  std::vector<uint64_t> InTable(WtSession& session, TabletId tablet) {
    std::vector<uint64_t> sequences;
    const auto rows = WtDedupRows::Read(*sessions_, session, tablet);
    EXPECT_TRUE(rows.has_value());
    for (const DedupRow& row : rows.value_or(std::vector<DedupRow>())) sequences.push_back(row.sequence.value);
    return sequences;
  }
  std::vector<uint64_t> InTable(TabletId tablet) {
    const auto session = sessions_->ForThisThread();
    return InTable(**session, tablet);
  }
  void WriteOut() {
    const auto session = sessions_->ForThisThread();
    ASSERT_EQ(rows_.WriteOut(**session), 0);
  }
  std::optional<WtDedupRows::WrittenThrough> WriteThrough() {
    const auto session = sessions_->ForThisThread();
    auto through = rows_.WriteThrough(**session);
    EXPECT_TRUE(through.has_value());
    return through ? std::optional(*std::move(through)) : std::nullopt;
  }
  static std::vector<uint64_t> UpTo(uint64_t last) {
    std::vector<uint64_t> kept;
    for (uint64_t i = last > kKept ? last - kKept + 1 : 1; i <= last; ++i) kept.push_back(i);
    return kept;
  }

  WtDedupRows rows_;
};

TEST_F(WtDedupRowsTest, AWritesRowsWaitInMemoryForTheNextCheckpoint) {
  for (uint64_t i = 1; i <= 1000; ++i) Apply({kLeft}, i);
  EXPECT_TRUE(InTable(kLeft).empty());
  WriteOut();
  EXPECT_EQ(InTable(kLeft), UpTo(1000));
  for (uint64_t i = 1001; i <= 1003; ++i) Apply({kLeft}, i);
  EXPECT_EQ(InTable(kLeft), UpTo(1000));
  WriteOut();
  EXPECT_EQ(InTable(kLeft), UpTo(1003)) << "what was in the table is erased there";
}

TEST_F(WtDedupRowsTest, WhileACheckpointMayBeTakenAWriteTakesItsRowsAlong) {
  for (uint64_t i = 1; i <= 20; ++i) Apply({kLeft, kRight}, i);
  auto first = WriteThrough();
  EXPECT_EQ(InTable(kLeft), UpTo(20));
  Apply({kLeft}, 21);
  EXPECT_EQ(InTable(kLeft), UpTo(21));
  {
    const auto second = WriteThrough();  // a compaction meanwhile
    first.reset();
    Apply({kLeft}, 22);
    EXPECT_EQ(InTable(kLeft), UpTo(22));
  }
  Apply({kLeft}, 23);
  EXPECT_EQ(InTable(kLeft), UpTo(22));
  EXPECT_EQ(InTable(kRight), UpTo(20));
}

TEST_F(WtDedupRowsTest, WhatIsForgottenIsNotWrittenLater) {
  Apply({kLeft, kRight}, 1);
  WriteOut();
  Apply({kLeft, kRight}, 2);
  {
    const auto session = sessions_->ForThisThread();
    ASSERT_EQ(rows_.Forget(**session, kLeft), 0);
  }
  ApplyBatch merged;
  merged.tablet = kRight;
  merged.forget = true;
  {
    const auto session = sessions_->ForThisThread();
    WtDedupRows::Change change(rows_, {&merged, 1});
    ASSERT_EQ(RunTransaction(**session, [&] { return change.Write(**session); }), 0);
    change.Commit();
  }
  WriteOut();
  EXPECT_TRUE(InTable(kLeft).empty());
  EXPECT_TRUE(InTable(kRight).empty());
}

// Whatever one moment's snapshot of the database holds while rows are written through, that is what a checkpoint may.
TEST_F(WtDedupRowsTest, ASnapshotHoldsTheRowsOfJustWhatIsApplied) {
  std::atomic<bool> stop = false;
  std::vector<std::jthread> shards;
  for (const std::vector<TabletId>& tablets : {std::vector{kRight, kLeft}, std::vector{TabletId{3}}}) {
    shards.emplace_back([&, tablets] {
      for (uint64_t i = 1; !stop; ++i) Apply(tablets, i);
    });
  }
  uint64_t seen = 0;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (int round = 0; round < 200 || seen < 1000; ++round) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit);
    const auto through = WriteThrough();
    const auto session = sessions_->ForThisThread();
    const int error = RunSnapshot(**session, [&]() -> int {
      for (const TabletId tablet : {kLeft, kRight, TabletId{3}}) {
        std::string_view text;
        uint64_t applied = 0;
        {
          WtCursor cursor(**session, SystemTable::kApplied);
          const int error = cursor.Search(TabletKey(tablet));
          if (error == WT_NOTFOUND) continue;
          if (error != 0 || cursor.GetValue(&text) != 0) return error;
          std::from_chars(text.data(), text.data() + text.size(), applied);
        }
        EXPECT_EQ(InTable(**session, tablet), UpTo(applied)) << "tablet " << tablet.value;
        seen = std::max(seen, applied);
      }
      return 0;
    });
    EXPECT_EQ(error, 0);
  }
  stop = true;
}

}  // namespace
}  // namespace ebla::tabletserver

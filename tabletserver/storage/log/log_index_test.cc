// The places of entries and values, through everything that can happen to a log.
#include "tabletserver/storage/log/log_index.h"

#include <gtest/gtest.h>

namespace ebla::tabletserver {
namespace {

constexpr TabletId kIndexed{5};

LogPlace At(uint64_t segment, int64_t offset) { return {segment, offset, 100}; }

class LogIndexTest : public ::testing::Test {
 protected:
  std::string Runs() const {
    std::string text;
    for (Lsn at{0};;) {
      const LogRun* const run = index_.Find(kIndexed, at);
      if (run == nullptr) return text;
      text += std::to_string(run->first.value) + "-" + std::to_string(run->last.value) + "@" +
              std::to_string(run->place.segment) + "+" + std::to_string(run->skip) + " ";
      at = run->last.Next();
    }
  }
  std::string Live(uint64_t segment) const {
    const LogIndex::Live live = index_.live(segment);
    return std::to_string(live.records) + ", " + std::to_string(live.bytes) + " bytes";
  }

  LogIndex index_;
};

TEST_F(LogIndexTest, CutsTakeWholeRunsAndPartsOfThem) {
  index_.AddEntries(kIndexed, Lsn{1}, 10, At(1, 0));
  index_.AddEntries(kIndexed, Lsn{11}, 10, At(2, 0));
  index_.AddEntries(kIndexed, Lsn{21}, 10, At(2, 100));
  EXPECT_EQ(Runs(), "1-10@1+0 11-20@2+0 21-30@2+0 ");
  index_.CutStart(kIndexed, Lsn{5});
  index_.CutEnd(kIndexed, Lsn{24});
  EXPECT_EQ(Runs(), "5-10@1+4 11-20@2+0 21-23@2+0 ");
  EXPECT_EQ(Live(1), "1, 100 bytes") << "as long as any of it counts";
  EXPECT_EQ(Live(2), "2, 200 bytes");
  index_.CutStart(kIndexed, Lsn{11});
  EXPECT_EQ(Live(1), "0, 0 bytes");
  index_.CutEnd(kIndexed, Lsn{21});
  EXPECT_EQ(Runs(), "11-20@2+0 ");
  index_.CutEnd(kIndexed, Lsn{0});
  EXPECT_EQ(Runs(), "");
  EXPECT_EQ(Live(2), "0, 0 bytes");
  EXPECT_FALSE(index_.Bounds(kIndexed).last);
}

TEST_F(LogIndexTest, WhatIsMovedOnTakesOverAlsoWhereTheOldIsStillThere) {
  index_.AddEntries(kIndexed, Lsn{1}, 10, At(1, 0));
  index_.AddEntries(kIndexed, Lsn{11}, 10, At(2, 0));
  index_.CutStart(kIndexed, Lsn{5});
  index_.AddEntries(kIndexed, Lsn{5}, 6, At(3, 0));
  EXPECT_EQ(Runs(), "5-10@3+0 11-20@2+0 ");
  EXPECT_EQ(Live(1), "0, 0 bytes");
  EXPECT_EQ(index_.RunAt(kIndexed, Lsn{1}, At(1, 0)), nullptr);
  ASSERT_NE(index_.RunAt(kIndexed, Lsn{5}, At(3, 0)), nullptr);
  EXPECT_TRUE(index_.CheckWhole().ok());
}

TEST_F(LogIndexTest, WhatIsMovedOnIsInOrderWhereTheOldIsGone) {
  index_.AddEntries(kIndexed, Lsn{11}, 10, At(2, 0));
  index_.AddEntries(kIndexed, Lsn{5}, 6, At(3, 0));
  EXPECT_EQ(Runs(), "5-10@3+0 11-20@2+0 ");
  EXPECT_TRUE(index_.CheckWhole().ok());
  index_.AddEntries(kIndexed, Lsn{1}, 2, At(3, 100));
  EXPECT_EQ(index_.CheckWhole().message(), "the log of tablet 5 lacks the entries from 3 to 4");
}

TEST_F(LogIndexTest, TheLatestValueOfAKeyCounts) {
  index_.Put("b", At(1, 0));
  index_.Put("a", At(1, 100));
  index_.Put("b", At(2, 0));
  EXPECT_EQ(Live(1), "1, 100 bytes");
  EXPECT_EQ(*index_.Value("b"), At(2, 0));
  EXPECT_EQ(index_.ValueAfter("")->first, "a");
  EXPECT_EQ(index_.ValueAfter("a")->first, "b");
  EXPECT_FALSE(index_.ValueAfter("b"));
  index_.Erase("a");
  index_.Erase("c");
  EXPECT_EQ(index_.Value("a"), nullptr);
  EXPECT_EQ(Live(1), "0, 0 bytes");
}

}  // namespace
}  // namespace ebla::tabletserver

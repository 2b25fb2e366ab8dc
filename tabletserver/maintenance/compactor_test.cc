// Compactions in slices, one table after another, and never beyond their time.
#include "tabletserver/maintenance/compactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/testing/sim_executor.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr TableId kCompacted{7}, kOther{8}, kNone{9};

class CompactorTest : public ::testing::Test {
 protected:
  // A slice takes as long as it may, and gains a MiB.
  Result<bool> Compact(TableId table, Duration limit) {
    slices_.push_back(table);
    scheduler_.RunFor(limit);
    bytes_ -= 1 << 20;
    if (!failure_.ok()) return Error(failure_);
    return slices_.size() >= enough_;
  }
  Result<int64_t> FileBytes(TableId table) const {
    if (table == kNone) return Error(Code::kNoSuchTable, "no such table");
    return bytes_;
  }
  bool Over(TableId table) {
    return scheduler_.RunUntil([&] { return !compactor_.Latest(table)->running; }, 1h);
  }

  ebla::testing::SimScheduler scheduler_{1};
  ebla::testing::SimExecutor executor_{scheduler_};
  std::vector<TableId> slices_;
  size_t enough_ = 3;
  int64_t bytes_ = int64_t{100} << 20;
  Status failure_;
  Compactor compactor_{executor_,
                       {.compact = [this](TableId table, Duration limit) { return Compact(table, limit); },
                        .file_bytes = [this](TableId table) { return FileBytes(table); }}};
};

TEST_F(CompactorTest, GoesOnSliceAfterSliceUntilNothingIsGained) {
  EXPECT_FALSE(compactor_.Latest(kCompacted));
  ASSERT_TRUE(compactor_.Begin(kCompacted, 1h).ok());
  ASSERT_TRUE(compactor_.Begin(kCompacted, 1h).ok()) << "it runs: nothing new is begun";
  EXPECT_TRUE(compactor_.Latest(kCompacted)->running);
  ASSERT_TRUE(Over(kCompacted));
  const auto state = compactor_.Latest(kCompacted);
  EXPECT_TRUE(state->outcome.ok()) << state->outcome;
  EXPECT_EQ(state->bytes_before, int64_t{100} << 20);
  EXPECT_EQ(state->bytes_after, int64_t{97} << 20);
  EXPECT_THAT(slices_, ElementsAre(kCompacted, kCompacted, kCompacted));
}

TEST_F(CompactorTest, EndsWithItsTime) {
  enough_ = 1'000;
  ASSERT_TRUE(compactor_.Begin(kCompacted, 25s).ok());
  ASSERT_TRUE(Over(kCompacted));
  EXPECT_EQ(compactor_.Latest(kCompacted)->outcome.code(), Code::kDeadlineExceeded);
  EXPECT_THAT(slices_, ElementsAre(kCompacted, kCompacted, kCompacted)) << "of 10, 10 and 5 seconds";
  EXPECT_EQ(compactor_.Latest(kCompacted)->age, 25s);
}

TEST_F(CompactorTest, TakesOneTableAfterAnother) {
  enough_ = 2;
  ASSERT_TRUE(compactor_.Begin(kCompacted, 1h).ok());
  ASSERT_TRUE(compactor_.Begin(kOther, 15s).ok()) << "counted from its turn on";
  ASSERT_TRUE(Over(kOther));
  EXPECT_THAT(slices_, ElementsAre(kCompacted, kCompacted, kOther));
  EXPECT_TRUE(compactor_.Latest(kOther)->outcome.ok()) << compactor_.Latest(kOther)->outcome;
}

TEST_F(CompactorTest, SaysWhatCannotBe) {
  EXPECT_EQ(compactor_.Begin(kCompacted, 0s).code(), Code::kInvalidArgument);
  EXPECT_EQ(compactor_.Begin(kCompacted, 25h).code(), Code::kInvalidArgument);
  EXPECT_EQ(compactor_.Begin(kNone, 1h).code(), Code::kNoSuchTable);
  failure_ = Status(Code::kComeAgain, "the table cannot be compacted at present");
  ASSERT_TRUE(compactor_.Begin(kCompacted, 1h).ok());
  ASSERT_TRUE(Over(kCompacted));
  EXPECT_EQ(compactor_.Latest(kCompacted)->outcome, failure_);
  EXPECT_EQ(slices_.size(), 1u);
}

}  // namespace
}  // namespace ebla::tabletserver

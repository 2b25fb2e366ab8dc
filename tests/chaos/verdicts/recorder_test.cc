// Operations that the recorder leaves to the judge after a cut, and operations that it knows to be from before.
#include "tests/chaos/verdicts/recorder.h"

#include <gtest/gtest.h>

#include <utility>

namespace ebla::chaos {
namespace {

using sim::Outcome;
using sim::WritePart;

constexpr Version At(uint64_t lsn) { return {Epoch{1}, Lsn{lsn}}; }

class RecorderTest : public ::testing::Test {
 protected:
  void Write(WritePart part, Version version, std::vector<int64_t> counters = {}) {
    sim::Operation write;
    write.client = "c";
    write.parts = {std::move(part)};
    recorder_.End(recorder_.Begin(write), Outcome::kOk, {}, version, std::move(counters));
  }
  void Add(int64_t sum) {  // whose answer names no version
    Write({.kind = WritePart::Kind::kIncrement, .cell = sim::kCounterCell, .delta = 73}, {}, {sum});
  }
  void Find(int cell, Read read, std::optional<sim::Cell> found) {
    sim::Operation operation;
    operation.client = "c";
    operation.is_read = true;
    operation.read = read;
    operation.cell = cell;
    recorder_.End(recorder_.Begin(operation), Outcome::kOk, std::move(found));
  }
  // An increment that is deleted before a read; then a put, and all is read.
  void LeaveNoCounter(Version put) {
    Add(73);
    Write({.kind = WritePart::Kind::kDelete, .cell = sim::kCounterCell}, {});
    Write({.cell = 1, .value = "b"}, put);
    for (int cell = 0; cell < sim::kCellsPerGroup; ++cell) {
      Find(cell, Read::Strong(), cell == 1 ? std::optional(sim::Cell{"b", put}) : std::nullopt);
    }
    ASSERT_TRUE(recorder_.Cut().problems.empty());
  }

  Recorder recorder_{1};
};

TEST_F(RecorderTest, AWeakReadOfAnIncrementThatNobodyKnewTheVersionOfIsOfBefore) {
  // Below the last version in any answer, and above.
  for (const auto& [put, found] : {std::pair(9, 7), {29, 32}}) {
    LeaveNoCounter(At(static_cast<uint64_t>(put)));
    Find(sim::kCounterCell, Read::Bounded(std::chrono::milliseconds(300)),
         sim::Cell{"73", At(static_cast<uint64_t>(found))});
    const CutVerdict verdict = recorder_.Cut();
    EXPECT_TRUE(verdict.problems.empty()) << verdict.problems.front();
    EXPECT_EQ(verdict.before, 1) << found;
  }
}

TEST_F(RecorderTest, WhatWasMadeSinceIsJudged) {
  LeaveNoCounter(At(9));
  Add(73);
  Find(sim::kCounterCell, Read::Eventual(), sim::Cell{"73", At(12)});
  Find(1, Read::Eventual(), sim::Cell{"what nobody wrote", At(13)});
  const CutVerdict verdict = recorder_.Cut();
  EXPECT_EQ(verdict.before, 0);
  EXPECT_FALSE(verdict.problems.empty());
}

TEST_F(RecorderTest, AStrongReadIsJudgedWhateverItFinds) {
  LeaveNoCounter(At(9));
  Find(sim::kCounterCell, Read::Strong(), sim::Cell{"73", At(7)});
  EXPECT_FALSE(recorder_.Cut().problems.empty());
}

}  // namespace
}  // namespace ebla::chaos

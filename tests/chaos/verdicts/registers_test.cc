// Answers without versions that one order explains, and those that none does.
#include "tests/chaos/verdicts/registers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using sim::Outcome;
using sim::WritePart;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Parts = std::vector<WritePart>;

WritePart Put(int cell, std::string value) {
  WritePart part;
  part.cell = cell;
  part.value = std::move(value);
  return part;
}

class RegistersTest : public ::testing::Test {
 protected:
  size_t Ask(Parts parts) {
    sim::Operation operation;
    operation.client = "c";
    operation.parts = std::move(parts);
    return registers_.Begin(std::move(operation));
  }
  void Do(Parts parts) { registers_.End(Ask(std::move(parts)), Outcome::kOk); }
  void Find(Parts parts) { registers_.End(Ask({}), Outcome::kOk, std::move(parts)); }

  Registers registers_{1};
};

TEST_F(RegistersTest, WhatOneOrderExplains) {
  Do({Put(0, "a1"), Put(1, "b1")});
  const size_t slow = Ask({Put(0, "a2"), Put(1, "b2")});
  Find({Registers::Is(0, "a1")});
  Find({Registers::Is(0, "a2"), Registers::Is(1, "b2")});
  registers_.End(slow, Outcome::kOk);
  EXPECT_THAT(registers_.Judge().problems, IsEmpty());
  EXPECT_THAT(registers_.Judge().undecided, IsEmpty());
}

TEST_F(RegistersTest, AStaleReadShows) {
  Do({Put(0, "a1")});
  Do({Put(0, "a2")});
  Find({Registers::Is(0, "a1")});
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

TEST_F(RegistersTest, HalfATransactionShows) {
  const size_t slow = Ask({Put(0, "a1"), Put(1, "b1")});
  Find({Registers::Is(0, "a1"), Registers::Is(1, std::nullopt)});
  registers_.End(slow, Outcome::kOk);
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

TEST_F(RegistersTest, TwoReadsInATransactionOfDifferentMomentsShow) {
  Do({Put(0, "a1"), Put(1, "b1")});
  const size_t slow = Ask({Put(0, "a2"), Put(1, "b2")});
  Find({Registers::Is(0, "a2"), Registers::Is(1, "b1")});
  registers_.End(slow, Outcome::kOk);
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

TEST_F(RegistersTest, AnUnknownWriteMayHappenLate) {
  registers_.End(Ask({Put(0, "a1")}), Outcome::kUnknown);
  Find({Registers::Is(0, std::nullopt)});
  Find({Registers::Is(0, "a1")});
  EXPECT_THAT(registers_.Judge().problems, IsEmpty());
  Find({Registers::Is(0, std::nullopt)});
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere"))) << "but not be undone";
}

TEST_F(RegistersTest, WhatWasRefusedHasNotHappened) {
  Do({Put(0, "a1")});
  registers_.End(Ask({Put(0, "a2")}), Outcome::kNotExecuted);
  Find({Registers::Is(0, "a2")});
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

TEST_F(RegistersTest, AWatchThatFailsForNothingShows) {
  Do({Put(0, "a1")});
  registers_.End(Ask({Put(1, "b1")}), Outcome::kRefused, {Registers::Is(0, "a0")});
  EXPECT_THAT(registers_.Judge().problems, IsEmpty());
  registers_.End(Ask({Put(1, "b2")}), Outcome::kRefused, {Registers::Is(0, "a1")});
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

TEST_F(RegistersTest, AnIncrementThatHappenedTwiceShows) {
  WritePart part;
  part.kind = WritePart::Kind::kIncrement;
  part.cell = sim::kCounterCell;
  part.delta = 2;
  registers_.End(Ask({part}), Outcome::kOk, {}, {2});
  registers_.End(Ask({part}), Outcome::kUnknown);
  Find({Registers::Is(sim::kCounterCell, "4")});
  EXPECT_THAT(registers_.Judge().problems, IsEmpty());
  Find({Registers::Is(sim::kCounterCell, "6")});
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

}  // namespace
}  // namespace ebla::chaos

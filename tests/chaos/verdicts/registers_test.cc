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

  explicit RegistersTest(bool forgets = false) : registers_(1, forgets) {}
  WritePart Add(int64_t delta) {
    WritePart part;
    part.kind = WritePart::Kind::kIncrement;
    part.cell = sim::kCounterCell;
    part.delta = delta;
    return part;
  }

  Registers registers_;
};

// In a table that evicts.
class ForgettingRegistersTest : public RegistersTest {
 protected:
  ForgettingRegistersTest() : RegistersTest(true) {}
  void ExpectRight(int forgotten) {
    const Registers::Verdict verdict = registers_.Judge();
    EXPECT_THAT(verdict.problems, IsEmpty());
    EXPECT_THAT(verdict.undecided, IsEmpty());
    EXPECT_EQ(verdict.forgotten, forgotten);
  }
  void ExpectWrong() { EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere"))); }
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

TEST_F(RegistersTest, WhatVanishesShowsWhereNothingIsForgotten) {
  Do({Put(0, "a1")});
  Find({Registers::Is(0, std::nullopt)});
  EXPECT_THAT(registers_.Judge().problems, ElementsAre(HasSubstr("fits nowhere")));
}

TEST_F(ForgettingRegistersTest, WhatWasAcknowledgedMayVanishAgainAndAgain) {
  Do({Put(0, "a1"), Put(1, "b1")});
  Find({Registers::Is(0, std::nullopt), Registers::Is(1, "b1")});
  Do({Put(0, "a2")});
  Find({Registers::Is(0, "a2")});
  ExpectRight(1);
  Find({Registers::Is(0, std::nullopt), Registers::Is(1, std::nullopt)});
  ExpectRight(1);
}

TEST_F(ForgettingRegistersTest, NothingIsCalledForgottenThatWasNeverThere) {
  Find({Registers::Is(0, std::nullopt)});
  ExpectRight(0);
}

TEST_F(ForgettingRegistersTest, AnOldValueShows) {
  Do({Put(0, "a1")});
  Do({Put(0, "a2")});
  Find({Registers::Is(0, "a1")});
  ExpectWrong();
}

TEST_F(ForgettingRegistersTest, WhatComesBackShows) {
  Do({Put(0, "a1")});
  Find({Registers::Is(0, std::nullopt)});
  Find({Registers::Is(0, "a1")});
  ExpectWrong();
}

TEST_F(ForgettingRegistersTest, AnOldValueAfterAForgottenOneShows) {
  Do({Put(0, "a1")});
  Do({Put(0, "a2")});
  Find({Registers::Is(0, std::nullopt)});
  Find({Registers::Is(0, "a1")});
  ExpectWrong();
}

TEST_F(ForgettingRegistersTest, HalfATransactionShows) {
  Do({Put(0, "a1"), Put(1, "b1")});
  Do({Put(0, "a2"), Put(1, "b2")});
  Find({Registers::Is(0, std::nullopt), Registers::Is(1, "b1")});
  ExpectWrong();
}

TEST_F(ForgettingRegistersTest, ACounterBeginsAnewFromNothingOnly) {
  registers_.End(Ask({Add(5)}), Outcome::kOk, {}, {5});
  registers_.End(Ask({Add(2)}), Outcome::kOk, {}, {2});
  ExpectRight(1);
  registers_.End(Ask({Add(1)}), Outcome::kOk, {}, {6});  // of what was before
  ExpectWrong();
}

TEST_F(ForgettingRegistersTest, AnIncrementThatWasForgottenIsNotAddedLater) {
  registers_.End(Ask({Add(5)}), Outcome::kOk, {}, {5});
  registers_.End(Ask({Add(2)}), Outcome::kUnknown);
  Find({Registers::Is(sim::kCounterCell, "2")});
  ExpectRight(1);
  Find({Registers::Is(sim::kCounterCell, "7")});
  ExpectWrong();
}

TEST_F(ForgettingRegistersTest, AConditionMayFailAsItsCellIsForgottenButNotHoldOnAnotherValue) {
  Do({Put(0, "a1")});
  registers_.End(Ask({Put(1, "b1")}), Outcome::kRefused, {Registers::Is(0, "a1")});
  ExpectRight(1);
  Do({Put(0, "a2")});
  Do({Registers::Is(0, "a1"), Put(1, "b2")});
  ExpectWrong();
}

}  // namespace
}  // namespace ebla::chaos

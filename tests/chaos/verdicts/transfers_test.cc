// A bank whose answers fit one order of its transfers, and each way in which they do not.
#include "tests/chaos/verdicts/transfers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Transfer Make(int64_t number, int from, int to, int64_t amount, int64_t from_after, int64_t to_after, Span span) {
  return {.span = span,
          .mark = "m.0",
          .from = from,
          .to = to,
          .amount = amount,
          .number = number,
          .from_before = {},
          .from_after = from_after,
          .to_after = to_after};
}

class TransfersTest : public ::testing::Test {
 protected:
  // 10 from 0 to 1, then 5 from 1 to 2.
  void SetUp() override {
    transfers_.Done(Make(1, 0, 1, 10, -10, 10, {1, 4}));
    transfers_.Done(Make(2, 1, 2, 5, 5, 5, {2, 6}));
  }
  std::vector<std::string> Judge(int64_t number = 2, std::vector<int64_t> balances = {-10, 5, 5},
                                 std::map<std::string, int64_t> marks = {}) {
    return transfers_.Judge({{90, 91}, number, std::move(balances)}, marks);
  }
  Transfers transfers_{3};
};

TEST_F(TransfersTest, WhatFitsOneOrder) {
  transfers_.Stated({{3, 5}, 1, {-10, 10, 0}});
  transfers_.Stated({{7, 8}, 2, {-10, 5, 5}});
  transfers_.Read({{2, 5}, 1, 0});
  transfers_.Read({{2, 5}, 1, 10});
  transfers_.Read({{7, 8}, 1, 5});
  EXPECT_THAT(Judge(), IsEmpty());
}

TEST_F(TransfersTest, AStatementOfHalfATransferShows) {
  transfers_.Stated({{7, 8}, 2, {-10, 5, 0}});
  EXPECT_THAT(Judge(), ElementsAre(HasSubstr("shows 0 at account 2, where there were 5")));
}

TEST_F(TransfersTest, AnOldStatementShows) {
  transfers_.Stated({{7, 8}, 1, {-10, 10, 0}});
  EXPECT_THAT(Judge(), ElementsAre(HasSubstr("shows 1 transfers after 2 had been seen")));
}

TEST_F(TransfersTest, AStaleReadShows) {
  transfers_.Read({{7, 8}, 1, 10});
  EXPECT_THAT(Judge(),
              ElementsAre(HasSubstr("account 1 was read as 10, which it never was between transfers 2 and 2")));
}

TEST_F(TransfersTest, AReadOfWhatComesLaterShows) {
  transfers_.Stated({{9, 10}, 2, {-10, 5, 5}});
  transfers_.Done(Make(3, 0, 1, 7, -17, 12, {11, 12}));
  transfers_.Read({{7, 8}, 1, 12});
  EXPECT_THAT(Judge(3, {-17, 12, 5}), ElementsAre(HasSubstr("between transfers 2 and 2")));
}

TEST_F(TransfersTest, ALostTransferShows) {
  EXPECT_THAT(Judge(1, {-10, 10, 0}), Contains(HasSubstr("in the end 1 transfers are there")));
}

TEST_F(TransfersTest, ALostBalanceShows) {
  EXPECT_THAT(Judge(2, {-10, 5, 4}), ElementsAre(HasSubstr("shows 4 at account 2")));
}

TEST_F(TransfersTest, ATransferOfNobodyShows) {
  EXPECT_THAT(Judge(3, {-20, 15, 5}), Contains(HasSubstr("transfers 3 to 3 are nobody's")));
}

TEST_F(TransfersTest, TheSameNumberTwiceShows) {
  transfers_.Done(Make(2, 1, 2, 5, 5, 5, {7, 8}));
  EXPECT_THAT(Judge(), Contains(HasSubstr("has a number that another has, too")));
}

TEST_F(TransfersTest, AnswersOfAnotherOrderShow) {
  transfers_.Done(Make(3, 0, 1, 1, -11, 11, {7, 8}));
  EXPECT_THAT(Judge(3, {-11, 6, 5}), ElementsAre(HasSubstr("was told -11 and 11, where there were -11 and 6")));
}

TEST_F(TransfersTest, ADecisionOnAnOldBalanceShows) {
  Transfer transfer = Make(3, 0, 1, 1, -11, 6, {7, 8});
  transfer.from_before = 0;
  transfers_.Done(transfer);
  EXPECT_THAT(Judge(3, {-11, 6, 5}), ElementsAre(HasSubstr("was decided on a balance of 0, not of -10")));
}

TEST_F(TransfersTest, NumbersAgainstTimeShow) {
  transfers_.Done(Make(3, 0, 1, 1, -11, 6, {9, 10}));
  transfers_.Done(Make(4, 0, 1, 1, -12, 7, {7, 8}));
  EXPECT_THAT(Judge(4, {-12, 7, 5}), ElementsAre(HasSubstr("was called when number 4 had been seen")));
}

TEST_F(TransfersTest, OfAnUnknownTransferItsMarkTells) {
  Transfer unknown = Make(0, 0, 1, 1, 0, 0, {7, 8});
  unknown.mark = "m.1";
  transfers_.Unknown(unknown, 0);
  EXPECT_THAT(transfers_.OpenMarks(), ElementsAre("m.1"));
  EXPECT_THAT(Judge(), IsEmpty());
  EXPECT_THAT(Judge(3, {-11, 6, 5}, {{"m.1", 3}}), IsEmpty());
  EXPECT_THAT(Judge(3, {-11, 6, 5}), Contains(HasSubstr("are nobody's"))) << "its mark does not say that it happened";
  EXPECT_THAT(Judge(2, {-10, 5, 5}, {{"m.1", 3}}), Contains(HasSubstr("in the end 2 transfers")));
}

}  // namespace
}  // namespace ebla::chaos

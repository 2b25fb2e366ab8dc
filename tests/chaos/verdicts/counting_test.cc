// Histories that keep every promise of a counter, and each way to break one.
#include "tests/chaos/verdicts/counting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::chaos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Counting, WhatAllWereToldAddsUp) {
  Counting counting;
  counting.Told({1, 4}, 2, 5);  // two at the same time, the later one first
  counting.Told({2, 3}, 3, 3);
  counting.Told({5, 6}, 0, 5);
  counting.Unknown(4);
  EXPECT_THAT(counting.Judge(5), IsEmpty()) << "what is unknown need not have happened";
  EXPECT_THAT(counting.Judge(9), IsEmpty()) << "and may have";
}

TEST(Counting, ALostStepShows) {
  Counting counting;
  counting.Told({1, 2}, 1, 1);
  counting.Told({3, 4}, 1, 2);
  EXPECT_THAT(counting.Judge(1), ElementsAre(HasSubstr("told 2"), HasSubstr("less than the 2")));
}

TEST(Counting, AStepThatHappenedTwiceShows) {
  Counting counting;
  counting.Told({1, 2}, 1, 1);
  EXPECT_THAT(counting.Judge(2), ElementsAre(HasSubstr("somebody has counted")));
  counting.Unknown(2);
  EXPECT_THAT(counting.Judge(2), ElementsAre(HasSubstr("somebody has counted"))) << "less than the unknown step";
  EXPECT_THAT(counting.Judge(4), ElementsAre(HasSubstr("somebody has counted")));
}

TEST(Counting, TwoThatMadeTheSameStepShow) {
  Counting counting;
  counting.Told({1, 3}, 1, 1);
  counting.Told({2, 4}, 1, 1);
  counting.Unknown(1);
  EXPECT_THAT(counting.Judge(2), ElementsAre(HasSubstr("takes a part that another has counted")));
}

TEST(Counting, AStaleReadShows) {
  Counting counting;
  counting.Told({1, 2}, 1, 1);
  counting.Told({3, 4}, 0, 0);
  EXPECT_THAT(counting.Judge(1), ElementsAre(HasSubstr("a read found 0 after somebody had been told 1")));
}

TEST(Counting, AStepFromBeforeWhatWasReadShows) {
  Counting counting;
  counting.Unknown(5);
  counting.Told({1, 2}, 0, 5);
  counting.Told({3, 4}, 1, 1);
  EXPECT_THAT(counting.Judge(6), ElementsAre(HasSubstr("a step came to 1 after somebody had been told 5")));
}

TEST(Counting, AVersionThatRunsBackShows) {
  Counting counting;
  counting.Told({1, 3}, 0, 900);
  counting.Told({2, 4}, 0, 700);
  EXPECT_THAT(counting.JudgeReads(900), IsEmpty());
  EXPECT_THAT(counting.JudgeReads(std::nullopt), IsEmpty()) << "it has gone";
  EXPECT_THAT(counting.JudgeReads(800), ElementsAre(HasSubstr("a read found 800 after somebody had been told 900")));
}

}  // namespace
}  // namespace ebla::chaos

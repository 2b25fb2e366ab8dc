#include "master/procedures/choose_primary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace ebla::master {
namespace {

FenceAnswer Answer(std::string server, uint64_t epoch, uint64_t lsn) {
  FenceAnswer answer;
  answer.server = std::move(server);
  answer.last = {Epoch{epoch}, Lsn{lsn}};
  return answer;
}

const std::vector<ServerName> kThree = {"a", "b", "c"};

TEST(ChoosePrimaryTest, TheLongestLogOfAMajorityLeads) {
  const auto choice = ChoosePrimary(kThree, {Answer("a", 2, 9), Answer("b", 3, 4)}, false);
  EXPECT_EQ(choice.primary, "b");
  EXPECT_EQ(choice.presumed, (Version{Epoch{3}, Lsn{4}}));
  EXPECT_FALSE(choice.loss_possible);
}

TEST(ChoosePrimaryTest, AMinorityDecidesNothing) {
  EXPECT_FALSE(ChoosePrimary(kThree, {Answer("a", 2, 9)}, false).primary);
  EXPECT_FALSE(ChoosePrimary(kThree, {Answer("a", 2, 9), Answer("stranger", 9, 9)}, false).primary);
}

TEST(ChoosePrimaryTest, AnIncompleteReplicaPromisesButOffersNoLog) {
  FenceAnswer incomplete = Answer("b", 5, 50);
  incomplete.incomplete = true;
  EXPECT_EQ(ChoosePrimary(kThree, {Answer("a", 2, 9), incomplete}, false).primary, "a");
  EXPECT_FALSE(ChoosePrimary({"b"}, {incomplete}, false).primary);
}

TEST(ChoosePrimaryTest, AReplicaThatMayHaveLostWritesMakesNoMajorityUntilAllHaveAnswered) {
  FenceAnswer lossy = Answer("b", 5, 50);
  lossy.may_have_lost_writes = true;
  EXPECT_FALSE(ChoosePrimary(kThree, {Answer("a", 2, 9), lossy}, false).primary);
  FenceAnswer other = Answer("c", 2, 8);
  other.may_have_lost_writes = true;
  const auto choice = ChoosePrimary(kThree, {Answer("a", 2, 9), lossy, other}, false);
  EXPECT_EQ(choice.primary, "b");
  EXPECT_TRUE(choice.loss_possible);
  EXPECT_TRUE(ChoosePrimary({"b"}, {lossy}, false).loss_possible);
}

// Its further entries are not committed, and were perhaps acknowledged at PRIMARY.
TEST(ChoosePrimaryTest, WhereAMajorityIsSureTheLongestLogMayBeOfAReplicaThatMayHaveLostWrites) {
  FenceAnswer lossy = Answer("b", 2, 50);
  lossy.may_have_lost_writes = true;
  auto choice = ChoosePrimary(kThree, {Answer("a", 2, 9), lossy, Answer("c", 2, 8)}, false);
  EXPECT_EQ(choice.primary, "b");
  EXPECT_EQ(choice.presumed, (Version{Epoch{2}, Lsn{50}}));
  EXPECT_FALSE(choice.loss_possible);
  lossy.last = {Epoch{2}, Lsn{9}};
  EXPECT_EQ(ChoosePrimary(kThree, {lossy, Answer("a", 2, 9), Answer("c", 2, 8)}, false).primary, "a")
      << "of equal logs that of one that has lost nothing";
  lossy.last = {Epoch{2}, Lsn{8}};
  EXPECT_EQ(ChoosePrimary(kThree, {lossy, Answer("a", 2, 9), Answer("c", 2, 8)}, false).primary, "a");
}

// b and c are a majority without the entries that b's disk has lost, and a, which led, is away.
TEST(ChoosePrimaryTest, AnAnswerWithLessThanItsDiskHadIsNotBelieved) {
  std::vector<FenceAnswer> answers = {Answer("b", 2, 5), Answer("c", 2, 5)};
  EXPECT_TRUE(ChoosePrimary(kThree, answers, false).primary) << "as nobody knows of a loss";
  DoubtShortLogs({{"b", {Epoch{2}, Lsn{9}}}, {"c", {Epoch{2}, Lsn{5}}}}, answers);
  EXPECT_TRUE(answers[0].may_have_lost_writes);
  EXPECT_FALSE(answers[1].may_have_lost_writes) << "it has all that it had";
  EXPECT_FALSE(ChoosePrimary(kThree, answers, false).primary);
  answers.push_back(Answer("a", 2, 9));
  EXPECT_EQ(ChoosePrimary(kThree, answers, false).primary, "a");
  FenceAnswer copied = Answer("b", 2, 5);
  copied.incomplete = true;
  answers = {copied};
  DoubtShortLogs({{"b", {Epoch{2}, Lsn{9}}}}, answers);
  EXPECT_FALSE(answers[0].may_have_lost_writes) << "its promise counts";
  answers = {Answer("b", 1, 12)};
  DoubtShortLogs({{"b", {Epoch{2}, Lsn{9}}}}, answers);
  EXPECT_TRUE(answers[0].may_have_lost_writes) << "a longer end, of an earlier epoch";
}

FenceAnswer Lost(ServerName server, uint64_t epoch, uint64_t lsn) {  // a part of its log, by its disk
  FenceAnswer answer = Answer(std::move(server), epoch, lsn);
  answer.may_have_lost_writes = answer.lost = true;
  return answer;
}

TEST(ChoosePrimaryTest, WhereALostReplicaIsNeededTheTabletWaitsAndSaysForWhom) {
  auto choice = ChoosePrimary(kThree, {Answer("a", 2, 9), Lost("b", 5, 50)}, false);
  EXPECT_FALSE(choice.primary);
  EXPECT_EQ(choice.reason, "2 of 3 voters answered, 1 sure of their log; b lost part of its log; waits for c");
  choice = ChoosePrimary(kThree, {Answer("a", 2, 9), Lost("b", 5, 50), Answer("c", 2, 8)}, false);
  EXPECT_EQ(choice.primary, "a") << "two are sure";
  EXPECT_FALSE(choice.loss_possible);
  // Unlike replicas of an interval table, no number of these is enough.
  choice = ChoosePrimary(kThree, {Answer("a", 2, 9), Lost("b", 5, 50), Lost("c", 2, 8)}, false);
  EXPECT_FALSE(choice.primary);
  EXPECT_EQ(choice.reason,
            "3 of 3 voters answered, 1 sure of their log; b, c lost part of its log; none is left to wait for: look at "
            "ebla tablet recover");
  EXPECT_FALSE(ChoosePrimary({"b"}, {Lost("b", 5, 50)}, false).primary);
  EXPECT_FALSE(ChoosePrimary({"a", "b"}, {Answer("a", 2, 9), Lost("b", 5, 50)}, false).primary);
}

// A server that has forgotten the tablet answers so, also while every unknown one begins empty.
TEST(ChoosePrimaryTest, WhoMayHaveForgottenTheTabletDoesNotBeginIt) {
  FenceAnswer forgotten = Lost("b", 0, 0);
  forgotten.known = false;
  for (const bool created_empty : {false, true}) {
    EXPECT_FALSE(ChoosePrimary(kThree, {Answer("c", 1, 1), forgotten}, created_empty).primary);
  }
}

FenceAnswer Emptied(ServerName server) {  // by a restart of its process
  FenceAnswer answer = Answer(std::move(server), 0, 0);
  answer.incomplete = answer.may_have_lost_writes = true;
  return answer;
}

TEST(ChoosePrimaryTest, ATabletInMemoryBeginsAnewOnceEveryVoterHasAnsweredAndNoneHasIt) {
  const auto in_memory = [](const std::vector<FenceAnswer>& answers) {
    return ChoosePrimary(kThree, answers, false, MemoryRules());
  };
  EXPECT_FALSE(in_memory({Emptied("a"), Emptied("b")}).primary) << "the silent one may have it";
  const auto anew = in_memory({Emptied("b"), Emptied("a"), Emptied("c")});
  EXPECT_EQ(anew.primary, "b") << "by preference";
  EXPECT_TRUE(anew.anew && anew.loss_possible);
  EXPECT_EQ(anew.presumed, Version());
  EXPECT_FALSE(ChoosePrimary(kThree, {Emptied("a"), Emptied("b"), Emptied("c")}, false).primary)
      << "a table on disk waits";
}

// Its disk has lost promises alone. Once every voter has promised anew, no old one matters.
TEST(ChoosePrimaryTest, ATabletInMemoryWaitsForNoOperatorWhereALogIsLost) {
  FenceAnswer emptied = Emptied("a");
  emptied.lost = true;
  EXPECT_TRUE(ChoosePrimary(kThree, {emptied, Emptied("b"), Emptied("c")}, false, MemoryRules()).anew);
  EXPECT_EQ(ChoosePrimary(kThree, {emptied, Emptied("b"), Answer("c", 2, 9)}, false, MemoryRules()).primary, "c");
  EXPECT_FALSE(ChoosePrimary(kThree, {Lost("a", 2, 9), Emptied("b")}, false, MemoryRules()).primary);
  const auto lost = ChoosePrimary(kThree, {Lost("a", 2, 9), Emptied("b"), Emptied("c")}, false, MemoryRules());
  EXPECT_EQ(lost.primary, "a") << "it was copied since";
  EXPECT_TRUE(lost.loss_possible && lost.loss_accepted);
}

TEST(ChoosePrimaryTest, ATabletInMemoryGoesOnWithWhatOneVoterStillHas) {
  const auto one = ChoosePrimary(kThree, {Emptied("a"), Answer("b", 2, 9), Emptied("c")}, false, MemoryRules());
  EXPECT_EQ(one.primary, "b");
  EXPECT_TRUE(one.loss_possible) << "the other two may have acknowledged more";
  EXPECT_FALSE(one.anew);
  const auto two = ChoosePrimary(kThree, {Emptied("a"), Answer("b", 2, 9), Answer("c", 2, 8)}, false, MemoryRules());
  EXPECT_EQ(two.primary, "b");
  EXPECT_FALSE(two.loss_possible || two.anew);
  EXPECT_FALSE(ChoosePrimary(kThree, {Emptied("a"), Answer("b", 2, 9)}, false, MemoryRules()).primary)
      << "who is silent may have more than that one";
}

TEST(ChoosePrimaryTest, OfATabletInMemoryALearnerThatHasItLeadsBeforeItBeginsAnew) {
  const std::vector<FenceAnswer> voters = {Emptied("a"), Emptied("b"), Emptied("c")};
  const auto with = [&](std::vector<FenceAnswer> learners) {
    std::ranges::copy(voters, std::back_inserter(learners));
    return ChoosePrimary(kThree, learners, false, MemoryRules{.learners = {"d", "e"}});
  };
  EXPECT_FALSE(with({}).primary) << "they are asked, too";
  EXPECT_FALSE(with({Emptied("d")}).primary);
  EXPECT_TRUE(with({Emptied("d"), Emptied("e")}).anew);
  const auto learner = with({Answer("d", 2, 9), Answer("e", 2, 8)});
  EXPECT_EQ(learner.primary, "d");
  EXPECT_EQ(learner.presumed, (Version{Epoch{2}, Lsn{9}}));
  EXPECT_TRUE(learner.loss_possible && learner.sole_log);
  EXPECT_FALSE(learner.anew);
  const auto voter = ChoosePrimary(kThree, {Emptied("a"), Answer("b", 1, 1), Emptied("c"), Answer("d", 2, 9)}, false,
                                   MemoryRules{.learners = {"d"}});
  EXPECT_EQ(voter.primary, "d") << "the voters that are left have less";
  const auto longer = ChoosePrimary(kThree, {Emptied("a"), Answer("b", 2, 9), Emptied("c"), Answer("d", 2, 9)}, false,
                                    MemoryRules{.learners = {"d"}});
  EXPECT_EQ(longer.primary, "b") << "of two that have the same the voter";
}

// A voter was removed, and the primary lost its records before the remaining one had all.
TEST(ChoosePrimaryTest, OfATabletInMemoryALearnerIsWaitedForUnlessAMajorityIsSure) {
  const auto choose = [](std::vector<FenceAnswer> answers) {
    return ChoosePrimary({"a", "b"}, answers, false, MemoryRules{.learners = {"c"}}).primary;
  };
  EXPECT_FALSE(choose({Emptied("a"), Answer("b", 2, 8)})) << "it may have more";
  EXPECT_EQ(choose({Emptied("a"), Answer("b", 2, 8), Answer("c", 2, 9)}), "c");
  EXPECT_EQ(choose({Emptied("a"), Answer("b", 2, 8), Emptied("c")}), "b");
  EXPECT_EQ(choose({Answer("a", 2, 9), Answer("b", 2, 8)}), "a");
}

TEST(ChoosePrimaryTest, OfATabletInMemoryItIsSaidWhetherAnotherVoterHasALog) {
  FenceAnswer copied = Answer("b", 2, 8);
  copied.may_have_lost_writes = true;  // and complete
  EXPECT_TRUE(ChoosePrimary(kThree, {Emptied("a"), Answer("c", 2, 9), Emptied("b")}, false, MemoryRules()).sole_log);
  EXPECT_FALSE(ChoosePrimary(kThree, {Emptied("a"), Answer("c", 2, 9), copied}, false, MemoryRules()).sole_log);
  EXPECT_FALSE(
      ChoosePrimary(kThree, {Answer("a", 2, 9), Answer("b", 2, 9), Emptied("c")}, false, MemoryRules()).sole_log)
      << "nothing is lost";
  const std::vector<ServerName> five = {"a", "b", "c", "d", "e"};
  copied = Answer("d", 2, 8);
  copied.may_have_lost_writes = true;
  EXPECT_TRUE(
      ChoosePrimary(five, {Emptied("a"), Emptied("b"), Emptied("c"), copied, Answer("e", 2, 9)}, false, MemoryRules())
          .sole_log)
      << "two of five commit nothing";
}

TEST(ChoosePrimaryTest, OfATabletInMemoryALogThatEndsItElsewhereIsNone) {
  FenceAnswer other = Answer("c", 2, 9);
  other.fits = false;
  EXPECT_TRUE(ChoosePrimary(kThree, {Emptied("a"), Emptied("b"), other}, false, MemoryRules()).anew);
  EXPECT_EQ(ChoosePrimary(kThree, {Emptied("a"), Answer("b", 2, 8), other}, false, MemoryRules()).primary, "c")
      << "a majority is sure, so that nothing is lost";
}

TEST(ChoosePrimaryTest, OfATabletInMemoryWhatIsStillInItsParentIsWaitedFor) {
  FenceAnswer holds = Answer("c", 0, 0);
  holds.known = false;
  holds.holds_in_parent = true;
  const std::vector<FenceAnswer> answers = {Emptied("a"), Emptied("b"), holds};
  EXPECT_FALSE(ChoosePrimary(kThree, answers, false, MemoryRules()).primary);
  EXPECT_FALSE(ChooseSurvivor(kThree, "", {}, answers, MemoryRules()).primary);
}

TEST(ChoosePrimaryTest, WhoKnowsNoSuchTabletBeginsItOnlyWhereNobodyElseCan) {
  FenceAnswer unknown = Answer("a", 0, 0), copied = Answer("c", 2, 4);
  unknown.known = false;
  copied.incomplete = true;  // because its source failed
  EXPECT_EQ(ChoosePrimary(kThree, {unknown, Emptied("b"), copied}, false, MemoryRules()).primary, "b");
  EXPECT_EQ(ChoosePrimary({"a", "c"}, {copied, unknown}, false, MemoryRules()).primary, "a");
  EXPECT_FALSE(ChoosePrimary({"c"}, {copied}, false, MemoryRules()).primary);
}

TEST(ChoosePrimaryTest, WhoDoesNotKnowTheTabletLeadsOnlyWhatWasJustCreated) {
  FenceAnswer unknown = Answer("a", 0, 0);
  unknown.known = false;
  EXPECT_FALSE(ChoosePrimary({"a"}, {unknown}, false).primary);
  EXPECT_EQ(ChoosePrimary({"a"}, {unknown}, true).primary, "a");
}

TEST(ChoosePrimaryTest, TabletTimeIsTheGreatestAnswered) {
  FenceAnswer a = Answer("a", 1, 1), b = Answer("b", 1, 1);
  a.tablet_time_ms = 7;
  b.tablet_time_ms = 9;
  EXPECT_EQ(ChoosePrimary(kThree, {a, b}, false).tablet_time_ms, 9);
}

TEST(ChooseSurvivorTest, WhoIsNamedOrTheLongestCompleteLogLeadsAlone) {
  const std::vector<ServerName> five = {"a", "b", "c", "d", "e"};
  FenceAnswer incomplete = Answer("stranger", 4, 50);
  incomplete.incomplete = true;
  auto choice = ChooseSurvivor(five, "", {}, {Answer("a", 2, 9), Answer("b", 2, 12), incomplete});
  EXPECT_EQ(choice.primary, "b");
  EXPECT_EQ(choice.presumed, (Version{Epoch{2}, Lsn{12}}));
  EXPECT_TRUE(choice.alone && choice.loss_possible);
  choice = ChooseSurvivor(five, "a", {}, {Answer("a", 2, 9), Answer("b", 2, 12)});
  EXPECT_EQ(choice.primary, "a");
  EXPECT_TRUE(choice.alone);
  EXPECT_FALSE(ChooseSurvivor(five, "c", {}, {Answer("a", 2, 9), Answer("b", 2, 12)}).primary);
}

TEST(ChooseSurvivorTest, ALostReplicaLeadsOnceAnOperatorAcceptsIt) {
  auto choice = ChooseSurvivor({"a"}, "", {}, {Lost("a", 2, 9)});
  EXPECT_EQ(choice.primary, "a");
  EXPECT_TRUE(choice.alone && choice.loss_possible && choice.loss_accepted);
  choice = ChooseSurvivor(kThree, "", {}, {Lost("a", 2, 9), Answer("b", 2, 12)});
  EXPECT_EQ(choice.primary, "b");
  choice = ChooseSurvivor(kThree, "", {}, {Lost("a", 2, 9), Answer("b", 2, 12), Answer("c", 2, 12)});
  EXPECT_FALSE(choice.alone || choice.loss_accepted) << "two are sure";
}

TEST(ChooseSurvivorTest, OfATableInMemoryWhoHasNothingBeginsItWhereNobodyHasMore) {
  auto choice = ChooseSurvivor(kThree, "", {}, {Emptied("b")}, MemoryRules());
  EXPECT_EQ(choice.primary, "b");
  EXPECT_TRUE(choice.anew && choice.alone && choice.loss_possible);
  choice = ChooseSurvivor(kThree, "", {}, {Emptied("b"), Answer("c", 2, 9)}, MemoryRules());
  EXPECT_EQ(choice.primary, "c");
  EXPECT_FALSE(choice.anew);
  EXPECT_FALSE(ChooseSurvivor(kThree, "a", {}, {Emptied("b")}, MemoryRules()).primary);
  EXPECT_FALSE(ChooseSurvivor(kThree, "", {}, {Emptied("b")}).primary) << "nor does a table on disk begin so";
}

TEST(ChooseSurvivorTest, ALogThatLacksASplitIsNotChosen) {
  const Version split{Epoch{2}, Lsn{10}};
  EXPECT_FALSE(ChooseSurvivor(kThree, "", split, {Answer("a", 2, 9)}).primary);
  EXPECT_FALSE(ChooseSurvivor(kThree, "a", split, {Answer("a", 1, 12)}).primary) << "of another history from 10 on";
  EXPECT_EQ(ChooseSurvivor(kThree, "a", split, {Answer("a", 2, 10)}).primary, "a");
}

TEST(ChooseSurvivorTest, WhereAMajorityHasComeBackNothingIsLost) {
  auto choice = ChooseSurvivor(kThree, "a", {}, {Answer("a", 2, 9), Answer("b", 2, 12)});
  EXPECT_EQ(choice.primary, "b");
  EXPECT_FALSE(choice.alone || choice.loss_possible);
  FenceAnswer lossy = Answer("b", 2, 12);
  lossy.may_have_lost_writes = true;
  choice = ChooseSurvivor(kThree, "a", {}, {Answer("a", 2, 9), lossy});
  EXPECT_EQ(choice.primary, "a") << "who may have forgotten makes no majority";
  EXPECT_TRUE(choice.alone);
}

TEST(ChoosePrimaryTest, TheTimeOfDayCountsOnlyWhenEveryAnswererHasRestartedAndThenTheirMedian) {
  FenceAnswer a = Answer("a", 1, 1), b = Answer("b", 1, 1), c = Answer("c", 1, 1);
  a.time_of_day_ms = 9'000'000;  // a clock that is hours ahead
  b.time_of_day_ms = 1'000;
  c.time_of_day_ms = 2'000;
  EXPECT_EQ(ChoosePrimary(kThree, {a, b, c}, false).time_of_day_ms, 2'000);
  EXPECT_EQ(ChoosePrimary(kThree, {a, b}, false).time_of_day_ms, 1'000);
  c.tablet_time_ms = 700;
  EXPECT_EQ(ChoosePrimary(kThree, {a, b, c}, false).time_of_day_ms, 0);
  EXPECT_EQ(ChoosePrimary(kThree, {a, b, c}, false).tablet_time_ms, 700);
}

}  // namespace
}  // namespace ebla::master

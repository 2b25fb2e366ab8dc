// Histories of tablets out of logs that show them twice, late, and in pieces.
#include "tools/backup/archive/tablet_chains.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebla::backup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TableId kTable{7};
constexpr TabletId kLeft{70}, kRight{71}, kChild{72};

class TabletChainsTest : public ::testing::Test {
 protected:
  // Each round is a second long.
  void Begin(const std::vector<TabletId>& listed) {
    now_ms_ += 1'000;
    std::vector<TabletChains::Listed> tablets;
    for (const TabletId tablet : listed) tablets.push_back({tablet, kTable});
    chains_.BeginRound(now_ms_, tablets);
  }
  // An entry of the present primary, by its clock.
  LoggedEntry Entry(TabletId tablet, uint64_t lsn, int64_t at_ms) {
    UnresolvedEffect effect{.key = "key", .is_delete = false, .value = "v", .expires = std::nullopt};
    return {tablet, kTable, {epoch_, Lsn{lsn}}, at_ms + ahead_, {effect}};
  }
  void Take(std::vector<LoggedEntry> entries, std::vector<LoggedStart> starts = {}) {
    LogPage page;
    page.entries = std::move(entries);
    page.starts = std::move(starts);
    chains_.Take(std::move(page));
  }
  void Mark(TabletId tablet, uint64_t applied) {
    LogPage page;
    page.led.push_back({tablet, kTable, applied, now_ms_ + 10 + ahead_, now_ms_ + 10, epoch_});
    chains_.Take(std::move(page));
  }
  // A round in which all tablets have primaries and are applied this far.
  void Round(const std::map<TabletId, uint64_t>& applied) {
    std::vector<TabletId> listed;
    for (const auto& [tablet, lsn] : applied) listed.push_back(tablet);
    Begin(listed);
    for (const auto& [tablet, lsn] : applied) Mark(tablet, lsn);
    EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  }
  // "70:1@1005"
  std::vector<std::string> Left() {
    std::vector<std::string> left;
    for (const ArchivedEntry& entry : chains_.ready())
      left.push_back(std::to_string(entry.tablet.value) + ":" + std::to_string(entry.version.lsn.value) + "@" +
                     std::to_string(entry.at_ms));
    chains_.ClearReady();
    return left;
  }
  void Restart() {
    const TabletChains::State state = chains_.Save();
    chains_ = TabletChains();
    chains_.Load(state);
  }
  int64_t through() const { return chains_.CoverageOf(kTable) ? chains_.CoverageOf(kTable)->span.through_ms : 0; }

  TabletChains chains_;
  int64_t now_ms_ = 0;
  int64_t ahead_ = 500;  // tablet time is, of the time of day
  Epoch epoch_{1};
};

TEST_F(TabletChainsTest, EachEntryLeavesOnceInOrderAndWithItsMoment) {
  Round({{kLeft, 5}});
  EXPECT_EQ(through(), 1'010) << "from its first mark on";
  Begin({kLeft});
  Take({Entry(kLeft, 5, 900), Entry(kLeft, 6, 1'500), Entry(kLeft, 8, 1'700)});
  Take({Entry(kLeft, 6, 1'500), Entry(kLeft, 7, 1'600)});  // another replica's log
  EXPECT_THAT(Left(), IsEmpty()) << "no mark has told when";
  Mark(kLeft, 8);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  EXPECT_THAT(Left(), ElementsAre("70:6@1500", "70:7@1600", "70:8@1700"));
  EXPECT_EQ(through(), 2'000) << "the beginning of the round";
}

TEST_F(TabletChainsTest, AMomentLiesBetweenTheMarksBeforeAndAfter) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  // Entries of a primary with a slow clock, and of a primary with a fast clock.
  Take({Entry(kLeft, 6, 200), Entry(kLeft, 7, 9'000)});
  Mark(kLeft, 7);
  chains_.EndRound(true);
  EXPECT_THAT(Left(), ElementsAre("70:6@1011", "70:7@2010"));
}

TEST_F(TabletChainsTest, EachPrimaryHasAClockOfItsOwn) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  const LoggedEntry of_the_first = Entry(kLeft, 6, 1'500);
  epoch_ = Epoch{2};
  ahead_ = 100;
  Take({of_the_first, Entry(kLeft, 7, 1'700)});
  Mark(kLeft, 7);
  chains_.EndRound(true);
  EXPECT_THAT(Left(), ElementsAre("70:6@1500", "70:7@1700"));
}

TEST_F(TabletChainsTest, NothingIsCoveredBeforeAllOfItHasCome) {
  Round({{kLeft, 5}, {kRight, 5}});
  Round({{kLeft, 7}, {kRight, 5}});
  EXPECT_EQ(through(), 1'010);
  Begin({kLeft, kRight});
  Mark(kLeft, 9);
  Take({Entry(kLeft, 6, 1'500), Entry(kLeft, 7, 1'600)});
  chains_.EndRound(true);
  EXPECT_EQ(through(), 2'000) << "what was asked for then has come, whatever has been written since";
  Begin({kLeft, kRight});
  Take({Entry(kLeft, 8, 1'700), Entry(kLeft, 9, 1'700)});
  Mark(kLeft, 9);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 2'000) << "the right one has no primary that is sure of it";
}

TEST_F(TabletChainsTest, WhatComesLaterIsLaterThanWhatIsCovered) {
  Round({{kLeft, 5}});
  Round({{kLeft, 5}});
  EXPECT_EQ(through(), 2'000);
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'500)});  // accepted long before it was committed
  Mark(kLeft, 6);
  chains_.EndRound(true);
  EXPECT_THAT(Left(), ElementsAre("70:6@2010"));
}

TEST_F(TabletChainsTest, AChildGoesOnWhereItsParentWasSplit) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  // The child's entries come first, from another server.
  Take({Entry(kChild, 8, 1'800)});
  Mark(kChild, 8);
  Take({Entry(kLeft, 7, 1'700)}, {{kChild, kTable, {{kLeft, 7}}, 7}});
  Mark(kLeft, 7);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'010);
  Take({Entry(kLeft, 6, 1'600)});
  Begin({kLeft, kChild});
  Mark(kLeft, 7);
  Mark(kChild, 8);
  chains_.EndRound(true);
  EXPECT_THAT(Left(), ElementsAre("70:6@1600", "70:7@1700", "72:8@1800"));
  EXPECT_EQ(through(), 3'000);
}

// The child's primary may have acknowledged writes that were not read yet.
TEST_F(TabletChainsTest, NothingIsCoveredWhileAChildIsNotListed) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'600)}, {{kChild, kTable, {{kLeft, 6}}, 6}});
  Mark(kLeft, 6);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'010);
  Round({{kLeft, 6}, {kChild, 6}});
  EXPECT_EQ(through(), 3'000);
}

TEST_F(TabletChainsTest, NothingIsCoveredWhileAChildIsNotListedAfterARestartEither) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'600)}, {{kChild, kTable, {{kLeft, 6}}, 6}});
  Mark(kLeft, 6);
  chains_.EndRound(true);
  Restart();
  Round({{kLeft, 6}});
  EXPECT_EQ(through(), 1'010);
  Round({{kLeft, 6}, {kChild, 6}});
  EXPECT_EQ(through(), 4'000);
}

TEST_F(TabletChainsTest, ATabletThatIsLedAndNotListedYetIsAskedForToo) {
  Begin({kLeft});  // which was split a moment ago
  Mark(kLeft, 8);
  Mark(kChild, 9);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'010);
  Begin({kLeft});
  Mark(kLeft, 8);
  Mark(kChild, 10);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'010) << "the child's tenth has not come";
  Begin({kLeft});
  Take({Entry(kChild, 10, 2'500)});
  Mark(kLeft, 8);
  Mark(kChild, 10);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 3'000);
}

// Faster than the catalog tells.
TEST_F(TabletChainsTest, ATableThatIsSplitInEachRoundIsKnownAllTheSame) {
  Round({{kLeft, 5}});
  std::vector<TabletId> listed = {kLeft}, all = {kLeft};
  for (uint64_t round = 1; round <= 20; ++round) {
    Begin(listed);
    const TabletId child{100 + round};
    Take({Entry(kLeft, 5 + round, now_ms_)}, {{child, kTable, {{kLeft, 5 + round}}, 5 + round}});
    listed = all;
    all.push_back(child);
    Mark(kLeft, 5 + round);
    for (uint64_t other = 1; other <= round; ++other) Mark(TabletId{100 + other}, 5 + other);
    EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  }
  EXPECT_GE(through(), now_ms_ - 2'000);
}

TEST_F(TabletChainsTest, AChildWhoseParentOnlyLacksAMarkIsNotGivenUp) {
  Round({{kLeft, 5}});
  for (int round = 0; round < 40; ++round) {
    Begin({kLeft, kChild});
    if (round == 0) Take({Entry(kLeft, 6, 1'600)}, {{kChild, kTable, {{kLeft, 6}}, 6}});
    Mark(kChild, 6);
    EXPECT_THAT(chains_.EndRound(true), IsEmpty()) << round;
  }
  EXPECT_EQ(through(), 1'010);
  Round({{kLeft, 6}, {kChild, 6}});
  EXPECT_EQ(through(), now_ms_);
}

// A server that had it once tells of its making after others have told of its end.
TEST_F(TabletChainsTest, WhatWasMergedIsNotWaitedForAgain) {
  constexpr TabletId kMergedOfTwo{90};
  Begin({kMergedOfTwo});
  Take({}, {{kMergedOfTwo, kTable, {{kChild, 8}, {kRight, 9}}, 10}});
  Take({}, {{kChild, kTable, {{kLeft, 3}}, 3}});
  Mark(kMergedOfTwo, 20);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'010);
}

TEST_F(TabletChainsTest, WhoHasNeverLookedBeginsAtTheMarks) {
  chains_.Load({});
  Round({{kLeft, 50}});
  ASSERT_TRUE(chains_.CoverageOf(kTable).has_value());
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 1'010);
  EXPECT_FALSE(chains_.CoverageOf(kTable)->whole);
}

TEST_F(TabletChainsTest, PatienceDoesNotRunWhileNobodyLooks) {
  Round({{kLeft, 5}});
  for (int look = 0; look < 4; ++look, now_ms_ += 60'000) {
    Begin({kLeft});
    Mark(kLeft, 7);
    EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  }
}

// Entries that arrive in a long first round may have been committed after the round began.
TEST_F(TabletChainsTest, ATableIsKnownFromTheEndOfItsFirstRound) {
  Begin({kLeft});
  Mark(kLeft, 5);
  chains_.EndRound(true, /*ended_ms=*/9'000);
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 9'000);
}

// The earlier question did not cover the child, which has acknowledged writes since.
TEST_F(TabletChainsTest, WhatWasAskedForBeforeASplitWasSeenIsAskedForAgain) {
  Round({{kLeft, 5}});
  Round({{kLeft, 7}});  // and neither the sixth, nor the split, has come
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'600), Entry(kLeft, 7, 1'700)}, {{kChild, kTable, {{kLeft, 6}}, 6}});
  Mark(kLeft, 7);
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'010);
  Round({{kLeft, 7}, {kChild, 6}});
  EXPECT_EQ(through(), 4'000);
}

TEST_F(TabletChainsTest, AMergedTabletGoesOnAfterBoth) {
  Round({{kLeft, 5}, {kRight, 8}});
  Begin({kChild});  // the two are no longer listed, so they get no more marks
  Take({Entry(kChild, 11, 1'900)}, {{kChild, kTable, {{kLeft, 6}, {kRight, 9}}, 10}});
  Take({Entry(kLeft, 6, 1'700)});
  Mark(kChild, 11);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  EXPECT_THAT(Left(), ElementsAre("70:6@1700"));
  Take({Entry(kRight, 9, 1'800)});
  EXPECT_THAT(Left(), ElementsAre("71:9@1800", "72:11@1900"));
  Round({{kChild, 11}});
  EXPECT_EQ(through(), 3'000);
}

TEST_F(TabletChainsTest, ATableThatIsMadeMeanwhileIsWhole) {
  chains_.BeginRound(1'000, {});
  chains_.EndRound(true);
  now_ms_ = 1'000;
  Begin({kLeft});
  Take({Entry(kLeft, 1, 1'500)});
  Mark(kLeft, 1);
  chains_.EndRound(true);
  ASSERT_TRUE(chains_.CoverageOf(kTable).has_value());
  EXPECT_TRUE(chains_.CoverageOf(kTable)->whole);
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 1'000);
  EXPECT_THAT(Left(), ElementsAre("70:1@1500"));
}

// Made between the look into the catalog and the one into the log.
TEST_F(TabletChainsTest, ATableThatTheLogHasBeforeTheCatalogIsWhole) {
  chains_.BeginRound(1'000, {});
  now_ms_ = 1'000;
  Take({Entry(kLeft, 1, 1'005)});
  Mark(kLeft, 1);
  chains_.EndRound(true);
  Begin({kLeft});
  Take({Entry(kLeft, 2, 1'500)});
  Mark(kLeft, 2);
  chains_.EndRound(true);
  ASSERT_TRUE(chains_.CoverageOf(kTable).has_value());
  EXPECT_TRUE(chains_.CoverageOf(kTable)->whole);
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 1'000);
  EXPECT_THAT(Left(), ElementsAre("70:1@1005", "70:2@1500"));
}

TEST_F(TabletChainsTest, ATableThatIsMadeAndSplitBetweenTwoLooksIsWhole) {
  Begin({});
  chains_.EndRound(true);
  Begin({kLeft, kChild});
  std::vector<LoggedEntry> entries;
  for (uint64_t lsn = 1; lsn <= 7; ++lsn) entries.push_back(Entry(kLeft, lsn, 1'500));
  entries.push_back(Entry(kChild, 8, 1'600));
  Take(std::move(entries), {{kChild, kTable, {{kLeft, 7}}, 7}});
  Mark(kLeft, 7);
  Mark(kChild, 8);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  const std::vector<std::string> left = Left();
  ASSERT_EQ(left.size(), 8u);
  EXPECT_EQ(left.back(), "72:8@1600");
  EXPECT_TRUE(chains_.CoverageOf(kTable)->whole);
  EXPECT_EQ(through(), 2'000);
}

TEST_F(TabletChainsTest, WhatLacksForLongIsAGapAndTheTableBeginsAnew) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 7, 1'700)});
  Mark(kLeft, 7);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  for (int64_t waited = 0; waited < TabletChains::kPatienceMs; waited += 1'000) {
    EXPECT_EQ(through(), 1'010);
    Begin({kLeft});
    Mark(kLeft, 7);
    const bool last = waited + 1'000 >= TabletChains::kPatienceMs;
    EXPECT_EQ(chains_.EndRound(true).size(), last ? 1u : 0u) << waited;
  }
  EXPECT_FALSE(chains_.CoverageOf(kTable).has_value());
  Round({{kLeft, 9}});
  ASSERT_TRUE(chains_.CoverageOf(kTable).has_value());
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, now_ms_ + 10);
  Begin({kLeft});
  Take({Entry(kLeft, 10, now_ms_)});
  Mark(kLeft, 10);
  chains_.EndRound(true);
  EXPECT_EQ(Left().size(), 1u);
}

// Given to a replica that lacked some of it, by hand: the lsns come again.
TEST_F(TabletChainsTest, ATabletThatHasLostWhatWasCommittedBeginsAnew) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'500), Entry(kLeft, 7, 1'600)});
  Mark(kLeft, 7);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  epoch_ = Epoch{4};
  Begin({kLeft});
  Take({Entry(kLeft, 6, 2'500)});
  Mark(kLeft, 6);
  EXPECT_THAT(chains_.EndRound(true), ElementsAre(kTable));
}

TEST_F(TabletChainsTest, ATabletThatHasLostWhatWasCommittedBeginsAnewAfterARestartToo) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'500), Entry(kLeft, 7, 1'600), Entry(kLeft, 8, 1'600)});
  Mark(kLeft, 8);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  Restart();
  epoch_ = Epoch{4};
  Begin({kLeft});
  Take({Entry(kLeft, 6, 3'500), Entry(kLeft, 7, 3'500), Entry(kLeft, 8, 3'500), Entry(kLeft, 9, 3'500)});
  Mark(kLeft, 9);
  EXPECT_THAT(chains_.EndRound(true), ElementsAre(kTable));
}

// The entry that the primary had applied when it was asked never arrived; the entry that arrived in its place is
// another.
TEST_F(TabletChainsTest, WhatIsOfALaterEpochThanItsMarkIsNotWhatWasAskedFor) {
  Round({{kLeft, 5}});
  Round({{kLeft, 7}});
  epoch_ = Epoch{4};
  Begin({kLeft});
  Take({Entry(kLeft, 6, 2'500), Entry(kLeft, 7, 2'500)});
  Mark(kLeft, 7);
  EXPECT_THAT(chains_.EndRound(true), ElementsAre(kTable));
}

// It has come again from where others had got further, and its new entries have not been read yet.
TEST_F(TabletChainsTest, APrimaryOfAnotherEpochThanWhatHasComeIsOfAnotherHistory) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'500), Entry(kLeft, 7, 1'500), Entry(kLeft, 8, 1'500)});
  Mark(kLeft, 8);
  EXPECT_THAT(chains_.EndRound(true), IsEmpty());
  epoch_ = Epoch{7};
  Begin({kLeft});
  Mark(kLeft, 7);
  EXPECT_THAT(chains_.EndRound(true), ElementsAre(kTable));
}

TEST_F(TabletChainsTest, ATableBeginsAtItsMarksThoughAStateTellsOfItsMaking) {
  Begin({kLeft, kChild});
  Take({}, {{kChild, kTable, {{kLeft, 3}}, 3}});
  Mark(kLeft, 50);
  Mark(kChild, 1'000);
  chains_.EndRound(true);
  Round({{kLeft, 50}, {kChild, 1'000}});
  EXPECT_EQ(through(), 2'000);
}

// Its logs tell again of a tablet that is long gone.
TEST_F(TabletChainsTest, AStartThatIsForgottenIsNotWaitedForAgain) {
  Round({{kLeft, 5}});
  Take({}, {{kChild, kTable, {{kRight, 3}, {TabletId{99}, 4}}, 5}});
  now_ms_ += TabletChains::kForgottenMs + 1'000;
  Round({{kLeft, 5}});
  EXPECT_TRUE(chains_.Save().starts.empty());
  Round({{kLeft, 5}});
  EXPECT_EQ(through(), now_ms_);
}

TEST_F(TabletChainsTest, NothingIsKnownThatAServersClockHasNotReached) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  LogPage page;
  page.led.push_back({kLeft, kTable, 5, now_ms_ - 700 + ahead_, now_ms_ - 700, epoch_});
  chains_.Take(std::move(page));
  chains_.EndRound(true);
  EXPECT_EQ(through(), 1'299) << "its 1'300th has begun, and more may come in it";
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'300)});
  Mark(kLeft, 6);
  chains_.EndRound(true);
  EXPECT_THAT(Left(), ElementsAre("70:6@1300"));
}

TEST_F(TabletChainsTest, ARecordExpiresByTheWallClock) {
  ahead_ = -7'200'000;  // the primary's machine was suspended for two hours
  Round({{kLeft, 5}});
  Begin({kLeft});
  LoggedEntry entry = Entry(kLeft, 6, now_ms_);
  entry.effects[0].expires = Expiry(std::chrono::milliseconds(now_ms_ + ahead_ + 60'000));
  Take({entry});
  Mark(kLeft, 6);
  chains_.EndRound(true);
  ASSERT_EQ(chains_.ready().size(), 1u);
  EXPECT_EQ(chains_.ready()[0].effects[0].expires, Expiry(std::chrono::milliseconds(now_ms_ + 60'000)));
}

// Which would else live for ever.
TEST_F(TabletChainsTest, AMomentBefore1970IsOneThatHasPassed) {
  ahead_ = 7'200'000;
  Round({{kLeft, 5}});
  Begin({kLeft});
  LoggedEntry entry = Entry(kLeft, 6, now_ms_);
  entry.effects[0].expires = Expiry(std::chrono::milliseconds(1));
  Take({entry});
  Mark(kLeft, 6);
  chains_.EndRound(true);
  ASSERT_EQ(chains_.ready().size(), 1u);
  EXPECT_EQ(chains_.ready()[0].effects[0].expires, Expiry(std::chrono::milliseconds(1)));
}

TEST_F(TabletChainsTest, WhatIsHeldIsBoundedAndTheTableThatHoldsMostBeginsAnew) {
  chains_ = TabletChains(/*held_bytes_max=*/1'000);
  Round({{kLeft, 5}});
  Begin({kLeft});
  for (uint64_t lsn = 7; !chains_.Full(); ++lsn) {
    ASSERT_LT(lsn, 100u);
    Take({Entry(kLeft, lsn, 1'500)});
  }
  EXPECT_THAT(chains_.EndRound(/*all_read=*/false), ElementsAre(kTable));
  EXPECT_FALSE(chains_.Full());
}

TEST_F(TabletChainsTest, WhatIsNoLongerKeptIsNotKnown) {
  Round({{kLeft, 5}});
  Round({{kLeft, 5}});
  chains_.CutBefore(1'500);
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 1'500);
  Restart();
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 1'500);
  EXPECT_EQ(through(), 2'000);
}

TEST_F(TabletChainsTest, WhatIsWrittenAllTheTimeIsAlwaysALittleBehindAndThatIsNoGap) {
  Round({{kLeft, 5}});
  for (uint64_t lsn = 6; lsn < 6 + 3 * TabletChains::kPatienceMs / 1'000; ++lsn) {
    Begin({kLeft});
    Take({Entry(kLeft, lsn, now_ms_)});
    Mark(kLeft, lsn + 1);  // the last one is not on the disk yet
    EXPECT_THAT(chains_.EndRound(true), IsEmpty());
    EXPECT_GE(through(), now_ms_ - 2'000);
  }
}

TEST_F(TabletChainsTest, WhileALogIsNotReadNothingIsGivenUp) {
  Round({{kLeft, 5}});
  for (int64_t waited = 0; waited < 2 * TabletChains::kPatienceMs; waited += 1'000) {
    Begin({kLeft});
    Mark(kLeft, 7);
    EXPECT_THAT(chains_.EndRound(/*all_read=*/false), IsEmpty());
  }
  Take({Entry(kLeft, 6, 1'500), Entry(kLeft, 7, 1'600)});
  EXPECT_EQ(Left().size(), 2u);
}

TEST_F(TabletChainsTest, AfterARestartItGoesOnWithoutAGap) {
  Round({{kLeft, 5}});
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'600), Entry(kLeft, 8, 1'800)});
  Mark(kLeft, 6);
  chains_.EndRound(true);
  EXPECT_EQ(Left().size(), 1u);
  EXPECT_THAT(chains_.HeldRounds(), ElementsAre(2u)) << "the eighth is held, and has to be read again";
  Restart();
  Begin({kLeft});
  Take({Entry(kLeft, 6, 1'600), Entry(kLeft, 7, 1'700), Entry(kLeft, 8, 1'800)});
  Mark(kLeft, 8);
  chains_.EndRound(true);
  EXPECT_THAT(Left(), ElementsAre("70:7@2010", "70:8@2010"));
  EXPECT_EQ(chains_.CoverageOf(kTable)->span.from_ms, 1'010);
  EXPECT_EQ(through(), 3'000);
}

}  // namespace
}  // namespace ebla::backup

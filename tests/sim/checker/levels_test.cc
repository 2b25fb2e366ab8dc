// Judges small histories by the promises of each level.
#include "tests/sim/checker/levels.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/sim/checker/linearizability.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;

Version At(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

// One millisecond passes between events. Operations follow each other unless a test changes their events.
class LeveledHistory {
 public:
  LeveledHistory() { truth_.epochs.starts = {{Epoch{1}, Lsn{1}}}; }

  Operation& Put(const std::string& value, Version version, Ack ack = Ack::kMajority, uint64_t session = 0) {
    Operation& op = Add(session);
    op.ack = ack;
    op.parts = {{.kind = WritePart::Kind::kPut, .value = value}};
    op.version = version;
    return op;
  }
  Operation& Delete(Version version) {
    Operation& op = Add(0);
    op.parts = {{.kind = WritePart::Kind::kDelete}};
    op.version = version;
    return op;
  }
  Operation& Get(Read read, const std::string& value, Version version, uint64_t session = 0) {
    Operation& op = Add(session);
    op.is_read = true;
    op.read = read;
    if (!value.empty()) op.found = Cell{value, version};
    return op;
  }
  Operation& PutMortal(const std::string& value, Version version, milliseconds ttl) {
    Operation& op = Put(value, version);
    op.parts[0].cell = kMortalCell;
    op.parts[0].ttl = ttl;
    return op;
  }
  Operation& GetMortal(Read read, const std::string& value, Version version) {
    Operation& op = Get(read, value, version);
    op.cell = kMortalCell;
    return op;
  }
  Operation& Lost(uint64_t session) {
    Operation& op = Get(Read::InSession(), "", {}, session);
    op.outcome = Outcome::kNotExecuted;
    op.lost_write = true;
    return op;
  }
  void HandOn(uint64_t from, uint64_t to) { history_.handovers[to] = {from, history_.Event(Next())}; }
  EventNumber now() const { return history_.moments.size() - 1; }
  GroupTruth& truth() { return truth_; }

  LevelVerdict Judge() const { return JudgeLevels(history_, 0, truth_); }
  bool Right() const {
    LevelVerdict levels = Judge();
    return levels.problems.empty() && CheckLinearizable(std::move(levels.search)).kind == Verdict::Kind::kRight;
  }

 private:
  Operation& Add(uint64_t session) {
    history_.operations.reserve(100);  // references stay good
    Operation& op = history_.operations.emplace_back();
    op.id = history_.operations.size();
    op.client = "c";
    op.session = session;
    op.outcome = Outcome::kOk;
    op.invoked = history_.Event(Next());
    op.returned = history_.Event(Next());
    return op;
  }
  MonotonicTime Next() { return now_ = now_ + milliseconds(1); }

  MonotonicTime now_{milliseconds(10'000)};
  History history_;
  GroupTruth truth_;
};

TEST(Levels, AnOldStateIsRightForEventualAlone) {
  for (const auto& [read, right] : {std::pair(Read::Eventual(), true), {Read::Strong(), false}}) {
    LeveledHistory story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2));
    story.Get(read, "x", At(1, 1));
    EXPECT_EQ(story.Right(), right);
    story.Get(Read::Eventual(), "", {});
    EXPECT_EQ(story.Right(), right) << "nothing was there once";
  }
  LeveledHistory story;
  story.Get(Read::Eventual(), "x", At(1, 1));
  story.Put("x", At(1, 1));
  EXPECT_FALSE(story.Right()) << "read before it was written";
}

TEST(Levels, ABoundedReadIsNoOlderThanItsBound) {
  for (const auto& [bound, right] : {std::pair(milliseconds(100), true), {milliseconds(3), false}}) {
    LeveledHistory story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2));
    for (int i = 0; i < 5; ++i) story.Get(Read::Strong(), "y", At(1, 2));
    story.Get(Read::Bounded(bound), "x", At(1, 1));
    EXPECT_EQ(story.Right(), right) << bound.count();
  }
}

TEST(Levels, ABoundedReadMayLackWhatIsAcknowledgedAtPrimaryAndNotCommitted) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2), Ack::kPrimary);
  Operation& read = story.Get(Read::Bounded(milliseconds(1)), "x", At(1, 1));
  EXPECT_TRUE(story.Right());
  read.read = Read::Strong();
  EXPECT_FALSE(story.Right()) << "STRONG waits for it";
  read.read = Read::Bounded(milliseconds(1));
  story.Put("z", At(1, 3));
  EXPECT_TRUE(story.Right());
  for (int i = 0; i < 3; ++i) story.Get(Read::Strong(), "z", At(1, 3));
  story.Get(Read::Bounded(milliseconds(1)), "x", At(1, 1));
  EXPECT_FALSE(story.Right()) << "it was committed with z";
}

TEST(Levels, APrimaryWriteIsInTheHistoryOrKept) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2), Ack::kPrimary);
  story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
  story.Get(Read::Strong(), "x", At(1, 1));
  EXPECT_FALSE(story.Right()) << "rolled back, and kept by nobody";
  story.truth().kept = {At(1, 2)};
  EXPECT_TRUE(story.Right());
  story.Get(Read::Eventual(), "y", At(1, 2));
  EXPECT_FALSE(story.Right()) << "shown, though it was never committed";
}

// The write's request arrives twice. A failover rolls back the first execution, so the late request is executed again.
TEST(Levels, ARolledBackPrimaryWriteMayBeExecutedOnceMore) {
  const auto judged = [](Ack ack, Version again) {
    LeveledHistory story;
    story.truth().epochs.starts = {{Epoch{1}, Lsn{1}}, {Epoch{2}, Lsn{5}}};
    story.truth().kept = {At(1, 5)};
    story.Put("x", At(1, 5), ack);
    story.Get(Read::Strong(), "x", again);
    return story.Right();
  };
  EXPECT_TRUE(judged(Ack::kPrimary, At(2, 6)));
  EXPECT_FALSE(judged(Ack::kPrimary, At(1, 3))) << "not before it was acknowledged";
  EXPECT_FALSE(judged(Ack::kMajority, At(2, 6)));
}

// The write's first attempt is only in the log of epoch 1's primary, which is paused. The primary of epoch 2 lacks this
// attempt, executes the retry and answers. Then the master chooses the first log for epoch 3.
TEST(Levels, AnEarlierAttemptOfARolledBackPrimaryWriteMayStand) {
  const auto judged = [](Ack ack, Version answered) {
    LeveledHistory story;
    story.truth().epochs.starts = {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{5}}};
    story.truth().kept = {answered};
    story.Put("x", answered, ack);
    story.Get(Read::Strong(), "x", At(1, 3));
    return story.Right();
  };
  EXPECT_TRUE(judged(Ack::kPrimary, At(2, 4)));
  EXPECT_FALSE(judged(Ack::kPrimary, At(1, 5))) << "the primary that answered had the first attempt";
  EXPECT_FALSE(judged(Ack::kMajority, At(2, 4)));
}

TEST(Levels, AMajorityWriteIsNeverRolledBack) {
  LeveledHistory story;
  story.Put("x", At(1, 2));
  EXPECT_TRUE(story.Right());
  story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
  story.truth().kept = {At(1, 2)};
  EXPECT_FALSE(story.Right());
}

TEST(Levels, ASessionReadsItsWritesAndNothingOlderThanItHasRead) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2), Ack::kMajority, 7);
  Operation& read = story.Get(Read::InSession(), "x", At(1, 1), 8);
  EXPECT_TRUE(story.Right()) << "another session";
  read.session = 7;
  EXPECT_FALSE(story.Right());
  read.found = Cell{"y", At(1, 2)};
  EXPECT_TRUE(story.Right());
  Operation& nothing = story.Get(Read::InSession(), "", {}, 7);
  EXPECT_FALSE(story.Right());
  nothing.read = Read::Eventual();
  story.Delete(At(1, 3));
  story.Get(Read::InSession(), "", {}, 7);
  EXPECT_TRUE(story.Right());
}

TEST(Levels, ASessionIsToldThatItsWriteWasRolledBackBeforeItReadsAnythingNewer) {
  for (const bool told : {false, true}) {
    LeveledHistory story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2), Ack::kPrimary, 7);
    story.Get(Read::InSession(), "y", At(1, 2), 7);
    story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
    story.truth().kept = {At(1, 2)};
    EXPECT_TRUE(story.Right()) << "while it is pending, the session sees it";
    story.Put("z", At(2, 3));
    if (told) story.Lost(7);
    story.Get(Read::InSession(), "z", At(2, 3), 7);
    EXPECT_EQ(story.Right(), told);
  }
}

TEST(Levels, AnotherGroupsLossIsToldOfByNameAlone) {
  const auto right = [](std::vector<Version> named, int group) {
    LeveledHistory story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2), Ack::kPrimary, 7);
    story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
    story.truth().kept = {At(1, 2)};
    story.Put("z", At(2, 3));
    Operation& lost = story.Lost(7);
    lost.group = group;
    lost.lost = std::move(named);
    story.Get(Read::InSession(), "z", At(2, 3), 7);
    return story.Right();
  };
  EXPECT_TRUE(right({}, kGroupsPerTablet - 1)) << "of the same tablet";
  EXPECT_FALSE(right({}, kGroupsPerTablet));
  EXPECT_TRUE(right({At(1, 2)}, kGroupsPerTablet)) << "merged by now, perhaps";
  EXPECT_TRUE(right({At(1, 4)}, kGroupsPerTablet)) << "its last one of that epoch";
  EXPECT_FALSE(right({At(1, 1)}, kGroupsPerTablet));
  EXPECT_FALSE(right({At(2, 2)}, kGroupsPerTablet));
}

TEST(Levels, TheMessageOfALostWriteNamesWhatWasLost) {
  EXPECT_EQ(
      VersionsNamedLost("versions 3.14, 4.2 were rolled back by a failover; the session goes on from 5.20 and waits no "
                        "longer for 3.14, 4.9"),
      (std::vector<Version>{At(3, 14), At(4, 2), At(3, 14), At(4, 9)}));
  EXPECT_TRUE(VersionsNamedLost("the session goes on from 5.20").empty());
}

// ---- what expires ---------------------------------------------------------------------------------------------------

TEST(Levels, WhatExpiresGoesByItselfAndStaysAway) {
  for (const int ttl_ms : {0, 100}) {
    LeveledHistory story;
    story.PutMortal("x", At(1, 1), milliseconds(ttl_ms));
    story.GetMortal(Read::Strong(), "x", At(1, 1));
    story.GetMortal(Read::Strong(), "", {});
    EXPECT_EQ(story.Right(), ttl_ms > 0) << "deleted by nobody";
    story.GetMortal(Read::Strong(), "x", At(1, 1));
    EXPECT_FALSE(story.Right()) << "seen expired, it is there again";
  }
}

TEST(Levels, AnExpiryIsOfTheVeryValueThatExpires) {
  LeveledHistory story;
  story.PutMortal("x", At(1, 1), milliseconds(100));
  story.PutMortal("y", At(1, 2), milliseconds(0));
  Operation& read = story.GetMortal(Read::Strong(), "", {});
  EXPECT_FALSE(story.Right()) << "y does not expire";
  read.found = Cell{"y", At(1, 2)};
  EXPECT_TRUE(story.Right());
}

TEST(Levels, AConditionSeesWhatHasExpired) {
  for (const bool expires : {true, false}) {
    LeveledHistory story;
    story.PutMortal("x", At(1, 1), milliseconds(expires ? 100 : 0));
    story.PutMortal("y", At(1, 2), milliseconds(0)).parts[0].condition = WritePart::Condition::kAbsent;
    EXPECT_EQ(story.Right(), expires);
    story.GetMortal(Read::Strong(), "x", At(1, 1));
    EXPECT_FALSE(story.Right()) << "it was replaced";
  }
}

TEST(Levels, AReplicaMaySeeAnExpiryBeforeItsPrimary) {
  for (const auto& [read, right] :
       {std::pair(Read::Eventual(), true), {Read::Bounded(milliseconds(1)), true}, {Read::Strong(), false}}) {
    LeveledHistory story;
    story.PutMortal("x", At(1, 1), milliseconds(100));
    story.GetMortal(read, "", {});
    story.GetMortal(Read::Strong(), "x", At(1, 1));
    EXPECT_EQ(story.Right(), right);
  }
}

TEST(Levels, ASessionMayFindItsOwnWriteExpired) {
  LeveledHistory story;
  story.PutMortal("x", At(1, 1), milliseconds(100)).session = 7;
  story.GetMortal(Read::InSession(), "", {}).session = 7;
  EXPECT_TRUE(story.Right());
}

// ---- sessions that others continue ----------------------------------------------------------------------------------

TEST(Levels, WhoGoesOnWithASessionKnowsWhatItKnewThen) {
  for (const bool before : {true, false}) {
    LeveledHistory story;
    story.Put("x", At(1, 1));
    if (before) story.HandOn(7, 8);
    story.Put("y", At(1, 2), Ack::kMajority, 7);
    if (!before) story.HandOn(7, 8);
    story.Get(Read::InSession(), "x", At(1, 1), 8);
    EXPECT_EQ(story.Right(), before) << "y was written before it was handed on";
  }
}

TEST(Levels, WhatIsHandedOnIsHandedOnAgain) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2), Ack::kMajority, 7);
  story.HandOn(7, 8);
  story.Put("z", At(1, 3), Ack::kMajority, 7);
  story.HandOn(8, 9);
  Operation& read = story.Get(Read::InSession(), "y", At(1, 2), 9);
  EXPECT_TRUE(story.Right()) << "8 knew nothing of z";
  read.found = Cell{"x", At(1, 1)};
  EXPECT_FALSE(story.Right());
}

// A PRIMARY write of session 7 is rolled back, and session 8 continues session 7. The cases differ in which session
// gets LOST_WRITE, and when.
TEST(Levels, WhoGoesOnWithASessionIsToldWhatItLost) {
  enum class Told { kNobody, kBefore, kMeanwhile, kAfter, kItself };
  for (const Told told : {Told::kNobody, Told::kBefore, Told::kMeanwhile, Told::kAfter, Told::kItself}) {
    LeveledHistory story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2), Ack::kPrimary, 7);
    story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
    story.truth().kept = {At(1, 2)};
    if (told == Told::kBefore) story.Lost(7);
    const EventNumber asked = story.now();
    story.Put("z", At(2, 3));
    story.HandOn(7, 8);
    if (told == Told::kMeanwhile) story.Lost(7).invoked = asked;
    if (told == Told::kAfter) story.Lost(7);
    if (told == Told::kItself) story.Lost(8);
    story.Get(Read::InSession(), "z", At(2, 3), 8);
    const bool right = told != Told::kNobody && told != Told::kAfter;
    EXPECT_EQ(story.Right(), right) << static_cast<int>(told);
  }
}

// ---- what is left out of the search ---------------------------------------------------------------------------------

TEST(Levels, OnlyWhatIsOfTheCommittedHistoryIsSearched) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2), Ack::kPrimary, 7);
  story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
  story.truth().kept = {At(1, 2)};
  story.Get(Read::InSession(), "y", At(1, 2), 7);
  EXPECT_TRUE(story.Right()) << "a session may see what is rolled back afterwards";
  story.Get(Read::Strong(), "x", At(1, 1));
  EXPECT_TRUE(story.Right()) << "and others never";
  Operation& stray = story.Get(Read::InSession(), "w", At(1, 3), 7);
  EXPECT_FALSE(story.Right()) << "which nobody wrote";
  stray.found->value = "y";
  stray.found->version = At(1, 2);
  EXPECT_TRUE(story.Right());
}

TEST(Levels, ASessionMaySeeInTheLogWhatIsRolledBackAndRefusedOnRetry) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  Operation& put = story.Put("y", {});
  put.outcome = Outcome::kRefused;
  put.parts[0].condition = WritePart::Condition::kAbsent;
  Operation& read = story.Get(Read::InSession(), "y", At(1, 2), 7);
  EXPECT_FALSE(story.Right()) << "it is in the history";
  story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
  EXPECT_TRUE(story.Right());
  read.read = Read::Eventual();
  EXPECT_FALSE(story.Right()) << "others see what is committed";
}

TEST(Levels, ASessionMayMissInTheLogWhatARefusedAttemptDeleted) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Get(Read::Strong(), "x", At(1, 1), 7);
  Operation& put = story.Delete({});
  put.outcome = Outcome::kRefused;
  put.parts[0].condition = WritePart::Condition::kAbsent;
  Operation& read = story.Get(Read::InSession(), "", {}, 7);
  EXPECT_TRUE(story.Right());
  put.invoked = put.returned = read.returned + 1;
  EXPECT_FALSE(story.Right()) << "it had not begun";
}

TEST(Levels, AReadIsNotSaidToHaveBegunBeforeWhatItShowsWasWritten) {
  LeveledHistory story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2));
  Operation& read = story.Get(Read::Eventual(), "y", At(1, 2));
  const LevelVerdict verdict = story.Judge();
  EXPECT_EQ(verdict.search.back().invoked, 3u) << "the call that wrote y";
  read.found = Cell{"x", At(1, 1)};
  EXPECT_EQ(story.Judge().search.back().invoked, 1u);
  read.found.reset();
  EXPECT_EQ(story.Judge().search.back().invoked, 0u);
}

}  // namespace
}  // namespace ebla::sim

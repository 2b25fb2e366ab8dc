// What each level promises, judged on small histories.
#include "tests/sim/levels.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/sim/linearizability.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;

Version At(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

// One millisecond passes between events. Operations follow each other unless `during` says otherwise.
class Story {
 public:
  Story() { truth_.epochs.starts = {{Epoch{1}, Lsn{1}}}; }

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
  void Lost(uint64_t session) {
    Operation& op = Get(Read::InSession(), "", {}, session);
    op.outcome = Outcome::kNotExecuted;
    op.lost_write = true;
  }
  GroupTruth& truth() { return truth_; }

  bool Right() {
    LevelVerdict levels = JudgeLevels(history_, 0, truth_);
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
    Story story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2));
    story.Get(read, "x", At(1, 1));
    EXPECT_EQ(story.Right(), right);
    story.Get(Read::Eventual(), "", {});
    EXPECT_EQ(story.Right(), right) << "nothing was there once";
  }
  Story story;
  story.Get(Read::Eventual(), "x", At(1, 1));
  story.Put("x", At(1, 1));
  EXPECT_FALSE(story.Right()) << "read before it was written";
}

TEST(Levels, ABoundedReadIsNoOlderThanItsBound) {
  for (const auto& [bound, right] : {std::pair(milliseconds(100), true), {milliseconds(3), false}}) {
    Story story;
    story.Put("x", At(1, 1));
    story.Put("y", At(1, 2));
    for (int i = 0; i < 5; ++i) story.Get(Read::Strong(), "y", At(1, 2));
    story.Get(Read::Bounded(bound), "x", At(1, 1));
    EXPECT_EQ(story.Right(), right) << bound.count();
  }
}

TEST(Levels, ABoundedReadMayLackWhatIsAcknowledgedAtPrimaryAndNotCommitted) {
  Story story;
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
  Story story;
  story.Put("x", At(1, 1));
  story.Put("y", At(1, 2), Ack::kPrimary);
  story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
  story.Get(Read::Strong(), "x", At(1, 1));
  EXPECT_FALSE(story.Right()) << "undone, and kept by nobody";
  story.truth().kept = {At(1, 2)};
  EXPECT_TRUE(story.Right());
  story.Get(Read::Eventual(), "y", At(1, 2));
  EXPECT_FALSE(story.Right()) << "shown, though it was never committed";
}

TEST(Levels, AMajorityWriteIsNeverUndone) {
  Story story;
  story.Put("x", At(1, 2));
  EXPECT_TRUE(story.Right());
  story.truth().epochs.starts.push_back({Epoch{2}, Lsn{2}});
  story.truth().kept = {At(1, 2)};
  EXPECT_FALSE(story.Right());
}

TEST(Levels, ASessionReadsItsWritesAndNothingOlderThanItHasRead) {
  Story story;
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

TEST(Levels, ASessionIsToldThatItsWriteWasUndoneBeforeItReadsAnythingNewer) {
  for (const bool told : {false, true}) {
    Story story;
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

}  // namespace
}  // namespace ebla::sim

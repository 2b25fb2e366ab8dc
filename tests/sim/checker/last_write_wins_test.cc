// Judges small histories by the promises of a last_write_wins table.
#include "tests/sim/checker/last_write_wins.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace ebla::sim {
namespace {

Version At(uint64_t lsn) { return {Epoch{1}, Lsn{lsn}}; }

// Operations follow each other, ten events apart. A server takes a write of level ANY between its call and its answer.
class MergedHistory {
 public:
  MergedHistory() { truth_.ahead_ms_max = 100; }

  Operation& Put(const std::string& value, uint64_t lsn, Ack ack = Ack::kMajority) {
    Operation& op = Add(ack);
    op.parts = {{.kind = WritePart::Kind::kPut, .value = value}};
    if (lsn > 0) op.version = At(lsn);
    return op;
  }
  Operation& Delete(uint64_t lsn, Ack ack = Ack::kMajority) {
    Operation& op = Put("", lsn, ack);
    op.parts[0].kind = WritePart::Kind::kDelete;
    return op;
  }
  // A write of level ANY that `server` takes at `ms`. Without a value, a delete.
  Operation& Any(const std::string& value, int64_t ms, const std::string& server = "ts-1") {
    Operation& op = value.empty() ? Delete(0, Ack::kAny) : Put(value, 0, Ack::kAny);
    Take(op, ms, server);
    return op;
  }
  void Take(const Operation& op, int64_t ms, const std::string& server) {
    const WritePart& part = op.parts[0];
    truth_.kept.push_back({.value = part.value,
                           .is_delete = part.kind == WritePart::Kind::kDelete,
                           .any = true,
                           .time = {ms, server},
                           .at = op.invoked + 3,
                           .true_ms = ms});
  }
  Operation& Get(const std::string& value, uint64_t lsn, Read read = Read::Strong()) {
    Operation& op = Add(Ack::kDefault);
    op.is_read = true;
    op.read = read;
    if (!value.empty()) op.found = Cell{value, At(lsn)};
    return op;
  }
  void End(const std::string& value, uint64_t lsn, int64_t ms, const std::string& server = "ts-1") {
    truth_.finals[0] = {{ms, server}, At(lsn), value.empty(), value};
  }
  LwwTruth& truth() { return truth_; }
  bool Right() const { return JudgeLastWriteWins(operations_, truth_).empty(); }

 private:
  Operation& Add(Ack ack) {
    operations_.reserve(100);  // references stay good
    Operation& op = operations_.emplace_back();
    op.outcome = Outcome::kOk;
    op.ack = ack;
    op.invoked = now_;
    op.returned = now_ += 8;
    now_ += 2;
    return op;
  }

  EventNumber now_ = 1;
  std::vector<Operation> operations_;
  LwwTruth truth_;
};

TEST(LastWriteWins, TheLatestOfTwoStaysInWhateverOrderTheyCame) {
  for (const auto& [ms, server, right] :
       {std::tuple(1'000, "ts-2", true), {2'000, "ts-1", false}, {1'000, "ts-0", false}, {999, "ts-3", false}}) {
    MergedHistory story;
    story.Any("x", ms == 2'000 ? 2'001 : 1'000, "ts-1");
    story.Any("y", ms, server);
    story.End("y", 2, ms, server);
    EXPECT_EQ(story.Right(), right) << ms << server;
  }
}

TEST(LastWriteWins, NothingIsLost) {
  MergedHistory story;
  story.Any("x", 1'000);
  EXPECT_FALSE(story.Right()) << "and nothing is there";
  story.End("x", 1, 1'000);
  EXPECT_TRUE(story.Right());
  story.Put("z", 5);
  EXPECT_FALSE(story.Right()) << "a later version was acknowledged";
  story.End("z", 5, 1'500);
  EXPECT_TRUE(story.Right());
}

TEST(LastWriteWins, WhatWasDeletedLaterDoesNotLive) {
  MergedHistory story;
  story.Any("x", 1'000);
  story.Any("", 1'500);
  story.End("x", 9, 1'000);
  EXPECT_FALSE(story.Right());
  story.End("", 9, 1'500);
  EXPECT_TRUE(story.Right());
}

TEST(LastWriteWins, TwoWritesOfOneTimeAreOneWrite) {
  MergedHistory story;
  story.Any("x", 1'000);
  story.Any("y", 1'000);
  story.End("y", 2, 1'000);
  EXPECT_FALSE(story.Right());
  MergedHistory other;
  other.Any("x", 1'000);
  other.Put("z", 3);
  other.End("z", 3, 1'000);
  EXPECT_TRUE(other.Right()) << "in the log, it has won";
}

TEST(LastWriteWins, WhatIsAcknowledgedAtAnyWasTakenBeforeAndWhatIsDeniedWasNot) {
  MergedHistory story;
  Operation& op = story.Put("x", 0, Ack::kAny);
  story.End("x", 1, 1'000);
  EXPECT_FALSE(story.Right()) << "taken by nobody";
  story.Take(op, 1'000, "ts-1");
  EXPECT_TRUE(story.Right());
  story.truth().kept[0].at = op.returned + 1;
  EXPECT_FALSE(story.Right()) << "taken after the answer";
  op.outcome = Outcome::kUnknown;
  op.returned = kNever;
  EXPECT_TRUE(story.Right());
  op.outcome = Outcome::kNotExecuted;
  EXPECT_FALSE(story.Right());
}

TEST(LastWriteWins, NoTimeIsAheadOfAllClocks) {
  MergedHistory story;
  story.Any("x", 1'000);
  story.End("x", 1, 1'000);
  story.truth().kept[0].true_ms = 900;
  EXPECT_TRUE(story.Right());
  story.truth().kept[0].true_ms = 899;
  EXPECT_FALSE(story.Right());
}

TEST(LastWriteWins, WhatWasRolledBackIsDelivered) {
  MergedHistory story;
  Operation& op = story.Put("x", 0, Ack::kPrimary);
  op.outcome = Outcome::kUnknown;
  op.returned = kNever;
  story.Take(op, 1'000, "ts-1");
  story.truth().kept[0].any = false;
  story.Put("y", 4);
  story.End("y", 4, 900);
  EXPECT_FALSE(story.Right()) << "and is the later one";
  story.End("x", 5, 1'000);
  EXPECT_TRUE(story.Right());
}

TEST(LastWriteWins, WhatOneDiskAloneHadMayBeLostWithIt) {
  MergedHistory story;
  Operation& any = story.Any("x", 1'000);
  story.truth().kept[0].may_be_lost = true;
  EXPECT_TRUE(story.Right()) << "and nothing is there";
  story.End("y", 1, 900);
  EXPECT_TRUE(story.Right());
  story.Take(any, 1'200, "ts-2");
  EXPECT_FALSE(story.Right()) << "another server took it, too";
  story.truth().kept[1].may_be_lost = true;
  EXPECT_TRUE(story.Right());
  story.truth().kept[1].any = false;
  EXPECT_TRUE(story.Right()) << "rolled back, and delivered by nobody";
  story.truth().kept[0].at = any.returned + 1;
  EXPECT_FALSE(story.Right()) << "acknowledged, and taken by nobody";
}

TEST(LastWriteWins, NoReadGoesBack) {
  for (const bool strong : {true, false}) {
    MergedHistory story;
    story.Put("x", 1);
    story.Put("y", 2);
    Operation& read = story.Get("x", 1);
    if (!strong) read.invoked = 2;  // a weaker level's moment
    story.End("y", 2, 1'000);
    EXPECT_EQ(story.Right(), !strong);
  }
  MergedHistory deleted;
  deleted.Put("x", 1);
  deleted.Get("x", 1);
  deleted.Get("", 0);
  deleted.End("x", 1, 1'000);
  EXPECT_FALSE(deleted.Right()) << "deleted by nobody";
  deleted.Any("", 900).invoked = 2;
  deleted.truth().kept[0].at = 5;
  EXPECT_TRUE(deleted.Right()) << "perhaps by this one";
}

TEST(LastWriteWins, AVersionHasOneValueAndAValueAsManyVersionsAsItWasWrittenTimes) {
  MergedHistory story;
  Operation& any = story.Any("x", 1'000);
  story.Get("x", 3);
  story.End("x", 3, 1'000);
  EXPECT_TRUE(story.Right());
  story.Get("x", 4);
  EXPECT_FALSE(story.Right()) << "delivered twice, it took effect twice";
  story.Take(any, 1'200, "ts-2");
  story.End("x", 4, 1'200, "ts-2");
  EXPECT_TRUE(story.Right()) << "two servers took it";
  story.Any("y", 1'001);
  story.Get("y", 4);
  EXPECT_FALSE(story.Right()) << "version 4 was x";
}

TEST(LastWriteWins, WhatHasNoConditionIsNotRefused) {
  MergedHistory story;
  Operation& op = story.Put("x", 0, Ack::kAny);
  op.outcome = Outcome::kRefused;
  EXPECT_FALSE(story.Right());
  op.parts[0].condition = WritePart::Condition::kAbsent;
  EXPECT_TRUE(story.Right());
}

TEST(LastWriteWins, ADeleteThatWasRolledBackAndExecutedOnRetryIsDeliveredOnceMore) {
  MergedHistory story;
  story.Delete(1, Ack::kPrimary);
  story.Put("x", 2);
  const Operation& read = story.Get("", 0);
  story.End("", 3, 500);
  EXPECT_FALSE(story.Right()) << "its retry stands before what was written";
  story.truth().kept.push_back({.is_delete = true, .time = {500, "ts-1"}, .at = read.returned + 1, .true_ms = 500});
  EXPECT_FALSE(story.Right()) << "it was kept later";
  story.truth().kept[0].at = read.invoked;
  EXPECT_TRUE(story.Right());
}

}  // namespace
}  // namespace ebla::sim

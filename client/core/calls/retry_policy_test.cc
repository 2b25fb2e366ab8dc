#include "client/core/calls/retry_policy.h"

#include <gtest/gtest.h>

#include "client/core/operations/write_sequencer.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = Verdict::Kind;

Attempt Said(Code code) { return {.status = Status(code, "said"), .from_server = true}; }
Attempt Lost(Code code) { return {.status = Status(code, "lost"), .from_server = false}; }

TEST(RetryPolicy, AnswersAreFinal) {
  for (const Code code : {Code::kOk, Code::kNotFound, Code::kConditionFailed, Code::kInvalidArgument, Code::kLostWrite,
                          Code::kTableExists}) {
    RetryPolicy policy(true, seconds(10));
    const Verdict verdict = policy.Decide(Said(code), seconds(9), 1);
    EXPECT_EQ(verdict.kind, Kind::kAnswer);
    EXPECT_EQ(verdict.status.code(), code);
  }
}

TEST(RetryPolicy, AServersOwnFaultLeavesAWriteUnknown) {
  Attempt broken = Said(Code::kInternal);
  EXPECT_EQ(RetryPolicy(true, seconds(10)).Decide(broken, seconds(9), 1).status.code(), Code::kInternal)
      << "the look-up failed: no server had it";
  broken.sent = true;
  EXPECT_EQ(RetryPolicy(false, seconds(10)).Decide(broken, seconds(9), 1).status.code(), Code::kInternal);
  const Verdict verdict = RetryPolicy(true, seconds(10)).Decide(broken, seconds(9), 1);
  EXPECT_EQ(verdict.kind, Kind::kAnswer);
  EXPECT_EQ(verdict.status.code(), Code::kUnknownOutcome);
  EXPECT_NE(verdict.status.message().find("INTERNAL: said"), std::string::npos)
      << "names the cause: " << verdict.status;
}

TEST(RetryPolicy, FollowsHintsAtOnceButNotInCircles) {
  RetryPolicy policy(false, seconds(10));
  Attempt hinted = Said(Code::kWrongTablet);
  hinted.hint_usable = true;
  for (int i = 0; i < kRedirectsAtOnce; ++i) {
    const Verdict verdict = policy.Decide(hinted, seconds(9), 1);
    EXPECT_EQ(verdict.kind, Kind::kRetry);
    EXPECT_EQ(verdict.delay, Duration(0));
  }
  const Verdict circled = policy.Decide(hinted, seconds(9), 1);
  EXPECT_EQ(circled.kind, Kind::kLookUp);
  EXPECT_GT(circled.delay, Duration(0));
  EXPECT_EQ(RetryPolicy(false, seconds(1)).Decide(Said(Code::kNotPrimary), seconds(1), 1).kind, Kind::kLookUp);
}

TEST(RetryPolicy, WaitsAtLeastAsLongAsTheServerAsks) {
  RetryPolicy policy(true, seconds(10));
  Attempt busy = Said(Code::kOverloaded);
  busy.retry_after = milliseconds(700);
  const Verdict verdict = policy.Decide(busy, seconds(9), 1);
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_EQ(verdict.delay, milliseconds(700));
  EXPECT_LT(policy.Decide(busy, milliseconds(100), 1).delay, milliseconds(100)) << "one more attempt before the end";
}

TEST(RetryPolicy, WhatIsFullIsAskedForASecond) {
  RetryPolicy policy(true, seconds(10));
  Attempt full = Said(Code::kOverloaded);
  full.retry_after = milliseconds(50);
  full.full = true;
  EXPECT_EQ(policy.Decide(full, milliseconds(9'000), 1).kind, Kind::kRetry);
  EXPECT_EQ(policy.Decide(full, milliseconds(8'100), 1).kind, Kind::kRetry);
  EXPECT_EQ(policy.Decide(Said(Code::kOverloaded), milliseconds(8'050), 1).kind, Kind::kRetry) << "it is not any more";
  EXPECT_NE(policy.Decide(full, milliseconds(8'000), 1).kind, Kind::kAnswer);
  EXPECT_NE(policy.Decide(full, milliseconds(7'100), 1).kind, Kind::kAnswer);
  const Verdict verdict = policy.Decide(full, milliseconds(7'000), 1);
  EXPECT_EQ(verdict.kind, Kind::kAnswer);
  EXPECT_EQ(verdict.status, full.status);
  RetryPolicy unsure(true, seconds(10));
  Attempt lost = Said(Code::kDeadlineExceeded);
  lost.from_server = false;
  EXPECT_EQ(unsure.Decide(lost, seconds(9), 1).kind, Kind::kLookUp);
  EXPECT_NE(unsure.Decide(full, seconds(8), 1).kind, Kind::kAnswer);
  EXPECT_EQ(unsure.Decide(full, seconds(7), 1).status.code(), Code::kUnknownOutcome);
}

TEST(RetryPolicy, AServersRetryAfterIsTrustedAFewTimes) {
  RetryPolicy policy(true, seconds(10));
  Attempt later = Said(Code::kComeAgain);
  later.retry_after = milliseconds(5);
  int looked_up = 0;
  for (int i = 0; i < kBelieved; ++i) {
    const Verdict verdict = policy.Decide(later, seconds(9), ~uint64_t{0});
    EXPECT_EQ(verdict.delay, milliseconds(5)) << i;
    looked_up += verdict.kind == Kind::kLookUp;
  }
  EXPECT_EQ(looked_up, 2) << "it may have lost the tablet since";
  Duration last{0};
  for (int i = 0; i < 5; ++i) last = policy.Decide(later, seconds(9), ~uint64_t{0}).delay;
  EXPECT_GT(last, milliseconds(32)) << "it is no matter of milliseconds";
}

TEST(RetryPolicy, BackoffDoublesWithJitterUpToItsBound) {
  constexpr int kExpectedMs[] = {4, 8, 16, 32, 64, 128, 128, 128, 128, 128, 128, 128, 128, 128, 256, 500, 500};
  for (int waits = 0; waits < 40; ++waits) {
    for (uint64_t random : {uint64_t{0}, uint64_t{12345}, ~uint64_t{0}}) {
      const Duration delay = Backoff(waits, random);
      const Duration full = milliseconds(kExpectedMs[std::min(waits, 16)]);
      EXPECT_GE(delay, full / 2);
      EXPECT_LE(delay, full);
    }
  }
}

TEST(RetryPolicy, ABrokenConnectionLeavesAWriteUnknownWhenTimeIsOver) {
  RetryPolicy write(true, seconds(10));
  EXPECT_EQ(write.Decide(Lost(Code::kUnknownOutcome), seconds(5), 1).kind, Kind::kLookUp);
  EXPECT_TRUE(write.maybe_happened());
  const Verdict end = write.Decide(Said(Code::kUnavailable), Duration(0), 1);
  EXPECT_EQ(end.kind, Kind::kAnswer);
  EXPECT_EQ(end.status.code(), Code::kUnknownOutcome);
  EXPECT_NE(end.status.message().find("said"), std::string::npos) << "names the last cause: " << end.status;

  RetryPolicy read(false, seconds(10));
  (void)read.Decide(Lost(Code::kUnknownOutcome), seconds(5), 1);
  EXPECT_EQ(read.Decide(Said(Code::kUnavailable), Duration(0), 1).status.code(), Code::kUnavailable);
}

TEST(RetryPolicy, AWriteWasNotExecutedOnlyWhenEveryAttemptWasRefused) {
  const Code refusals[] = {Code::kOverloaded, Code::kUnavailable, Code::kComeAgain,       Code::kNotPrimary,
                           Code::kStaleEpoch, Code::kWrongTablet, Code::kDeadlineExceeded};
  const Attempt silent[] = {Lost(Code::kUnknownOutcome), Lost(Code::kDeadlineExceeded)};
  for (const Code first : refusals) {
    for (const Code last : refusals) {
      RetryPolicy refused(true, seconds(10));
      (void)refused.Decide(Said(first), seconds(5), 1);
      EXPECT_NE(refused.Decide(Said(last), Duration(0), 1).status.code(), Code::kUnknownOutcome);
      // One attempt without an answer, before, between or after them, may be executed late.
      for (const Attempt& lost : silent) {
        for (int at = 0; at < 3; ++at) {
          RetryPolicy policy(true, seconds(10));
          if (at == 0) (void)policy.Decide(lost, seconds(6), 1);
          (void)policy.Decide(Said(first), seconds(5), 1);
          if (at == 1) (void)policy.Decide(lost, seconds(4), 1);
          Verdict end = policy.Decide(Said(last), at == 2 ? Duration(seconds(3)) : Duration(0), 1);
          if (at == 2) end = policy.Decide(lost, Duration(0), 1);
          EXPECT_EQ(end.status.code(), Code::kUnknownOutcome)
              << CodeName(first) << ", " << CodeName(last) << ", " << at;
        }
      }
    }
  }
}

TEST(RetryPolicy, OutOfTimeKeepsTheCauseApart) {
  const auto end_after = [](Attempt attempt) {
    RetryPolicy policy(true, seconds(10));
    (void)policy.Decide(attempt, seconds(5), 1);
    return policy.OutOfTime().code();
  };
  EXPECT_EQ(end_after(Said(Code::kOverloaded)), Code::kOverloaded);
  EXPECT_EQ(end_after(Lost(Code::kUnavailable)), Code::kUnavailable);
  EXPECT_EQ(end_after(Said(Code::kWrongTablet)), Code::kUnavailable) << "inner codes never reach the caller";
  EXPECT_EQ(end_after(Said(Code::kDeadlineExceeded)), Code::kDeadlineExceeded);
  EXPECT_EQ(end_after(Lost(Code::kDeadlineExceeded)), Code::kUnknownOutcome);
  EXPECT_EQ(RetryPolicy(true, seconds(10)).OutOfTime().code(), Code::kDeadlineExceeded);
}

TEST(RetryPolicy, WhatAServerSaidIsMissingIsNotForgottenForALaterSilence) {
  RetryPolicy policy(true, seconds(10));
  Attempt said = Said(Code::kUnknownOutcome);
  said.status = Status(Code::kUnknownOutcome, "still being committed; not yet at ts-3");
  said.sent = true;
  said.retry_after = seconds(1);
  (void)policy.Decide(said, seconds(5), 1);
  (void)policy.Decide(Lost(Code::kDeadlineExceeded), seconds(1), 1);
  const Status end = policy.OutOfTime();
  EXPECT_EQ(end.code(), Code::kUnknownOutcome);
  EXPECT_NE(end.message().find("not yet at ts-3"), std::string::npos) << end;
}

TEST(RetryPolicy, AReadBelowStrongAsksAnotherReplicaAtOnceWhateverItsOwnTroubleWas) {
  for (const Code code :
       {Code::kNotPrimary, Code::kWrongTablet, Code::kComeAgain, Code::kOverloaded, Code::kUnavailable, Code::kInternal,
        Code::kNoSuchTable, Code::kDeadlineExceeded, Code::kUnknownOutcome}) {
    RetryPolicy policy(false, seconds(10));
    Attempt attempt = Said(code);
    attempt.another_replica = true;
    attempt.retry_after = seconds(1);
    for (int i = 0; i < 6; ++i) {
      const Verdict verdict = policy.Decide(attempt, seconds(5), 1);
      EXPECT_EQ(verdict.kind, Kind::kRetry) << i;
      EXPECT_EQ(verdict.delay, Duration(0));
    }
    EXPECT_EQ(policy.Decide(attempt, Duration(0), 1).kind, Kind::kAnswer) << "but not past the deadline";
  }
  RetryPolicy policy(false, seconds(10));
  Attempt lost = Said(Code::kLostWrite);
  lost.another_replica = true;
  EXPECT_EQ(policy.Decide(lost, seconds(5), 1).kind, Kind::kAnswer);
}

TEST(RetryPolicy, ATooOldTimeIsRenewedOnlyWhereNothingCanHaveHappened) {
  RetryPolicy fresh(true, seconds(10));
  EXPECT_EQ(fresh.Decide(Said(Code::kUnknownOutcome), seconds(9), 1).kind, Kind::kRetry);
  EXPECT_EQ(fresh.Decide(Said(Code::kUnknownOutcome), seconds(9), 1).kind, Kind::kAnswer);
  RetryPolicy lost(true, seconds(10));
  (void)lost.Decide(Lost(Code::kUnknownOutcome), seconds(9), 1);
  EXPECT_EQ(lost.Decide(Said(Code::kUnknownOutcome), seconds(9), 1).kind, Kind::kAnswer);
}

TEST(RetryPolicy, ReopensOnce) {
  RetryPolicy policy(false, seconds(10));
  EXPECT_EQ(policy.Decide(Said(Code::kNoSuchTable), seconds(9), 1).kind, Kind::kReopen);
  policy.Reopened();
  EXPECT_EQ(policy.Decide(Said(Code::kNoSuchTable), seconds(9), 1).kind, Kind::kAnswer);
}

TEST(RetryPolicy, OneAttemptLeavesTimeForAnother) {
  RetryPolicy policy(false, seconds(9));
  for (const int expected : {1, 1, 2, 2, 3, 3, 3}) {
    EXPECT_EQ(policy.AttemptTimeout(seconds(9)), Duration(seconds(expected)));
    EXPECT_EQ(policy.Decide(Lost(Code::kDeadlineExceeded), seconds(9), 1).kind, Kind::kLookUp);
  }
  EXPECT_EQ(policy.AttemptTimeout(seconds(2)), Duration(seconds(2)));
  EXPECT_EQ(RetryPolicy(false, milliseconds(600)).AttemptTimeout(milliseconds(600)), Duration(milliseconds(600)));
}

TEST(WriteSequencer, NumbersFromOneAndTracksTheFirstIncomplete) {
  WriteSequencer sequencer;
  const auto one = *sequencer.Begin(8);
  const auto two = *sequencer.Begin(9);
  const auto three = *sequencer.Begin(10);
  EXPECT_EQ(one.sequence.value, 1u);
  EXPECT_EQ(three.sequence.value, 3u);
  EXPECT_EQ(one.client, three.client);
  EXPECT_NE(one.client.value, 0u);
  sequencer.Finish(two);
  EXPECT_EQ(sequencer.FirstIncomplete(three).value, 1u);
  sequencer.Finish(one);
  EXPECT_EQ(sequencer.FirstIncomplete(three).value, 3u);
  sequencer.Finish(three);
  EXPECT_EQ(sequencer.unfinished(), 0u);
  EXPECT_EQ(sequencer.Begin(1)->sequence.value, 4u);
}

TEST(WriteSequencer, OneStuckWriteDoesNotHoldUpOthersAndEverythingIsBounded) {
  WriteSequencer sequencer;
  const auto stuck = *sequencer.Begin(2);
  for (uint64_t i = 1; i < kSequencesAhead; ++i) sequencer.Finish(*sequencer.Begin(1));
  const auto other = *sequencer.Begin(77);
  EXPECT_NE(other.client, stuck.client) << "the first client id has run as far ahead as its server's window goes";
  sequencer.Finish(other);
  sequencer.Finish(stuck);
  EXPECT_EQ(sequencer.Begin(3)->client, stuck.client);
  EXPECT_EQ(sequencer.Begin(3)->client, other.client)
      << "what servers remember of a client id goes with its later writes";
  EXPECT_EQ(sequencer.Begin(3)->client, stuck.client);

  WriteSequencer full;
  for (uint64_t i = 0; i < kSequencesAhead * kClientIdsMax; ++i) {
    const auto ticket = full.Begin(2 * i + 2);
    ASSERT_TRUE(ticket);
    EXPECT_LT(ticket->sequence.value - full.FirstIncomplete(*ticket).value, kSequencesAhead);
  }
  EXPECT_FALSE(full.Begin(1));
}

}  // namespace
}  // namespace ebla::client

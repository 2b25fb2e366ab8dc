// Reads below STRONG on tablets of several replicas: which replica they ask, and what they do when it does not answer.
#include <gtest/gtest.h>

#include <algorithm>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::kMaster1;
using testing::kMaster2;
using testing::kServers;
using testing::kTs1;
using testing::kTs2;
using testing::kTs3;
using testing::LinkState;

const GetOptions kEventual{.read = Read::Eventual()};

// The primary of table "r" is ts-1 below "m", and ts-2 from there on; each of the three servers has a replica of both.
class ReplicaReadsTest : public testing::CoreFixture {
 protected:
  explicit ReplicaReadsTest(ClientLocation location = {}) : CoreFixture(std::move(location)) {
    cluster_.tables()->Add("r", {"m"}, 3);
  }

  std::array<int, 3> Calls() { return {network_.calls(kTs1), network_.calls(kTs2), network_.calls(kTs3)}; }
  // Which servers are called while `work` runs, and how often.
  template <class Work>
  std::array<int, 3> Called(Work work) {
    const auto before = Calls();
    work();
    auto after = Calls();
    for (size_t i = 0; i < 3; ++i) after[i] -= before[i];
    return after;
  }
  std::array<int, 3> CalledBy(int gets, const TablePtr& table, const GetOptions& options) {
    return Called([&] {
      for (int i = 0; i < gets; ++i) EXPECT_TRUE(Get(table, "a", options));
    });
  }
  TablePtr OpenWithRecord() {
    TablePtr table = Open("r");
    EXPECT_TRUE(Put(table, "a", "1"));
    return table;
  }
  void StopMasters() {
    network_.SetLinkState(kMaster1, LinkState::kDown);
    network_.SetLinkState(kMaster2, LinkState::kDown);
  }
};

TEST_F(ReplicaReadsTest, StrongReadsAndWritesGoToThePrimaryAndOthersToAll) {
  const TablePtr table = OpenWithRecord();
  EXPECT_EQ(CalledBy(30, table, {}), (std::array{30, 0, 0}));
  EXPECT_EQ(CalledBy(30, table, {.read = Read::Strong()}), (std::array{30, 0, 0}));
  EXPECT_EQ(Called([&] {
              for (int i = 0; i < 30; ++i) EXPECT_TRUE(Put(table, "a", "1"));
            }),
            (std::array{30, 0, 0}));
  for (const GetOptions& options : {kEventual, GetOptions{.read = Read::Bounded(seconds(2))}}) {
    for (const int calls : CalledBy(300, table, options)) EXPECT_NEAR(calls, 100, 60);
  }
  EXPECT_EQ(cluster_.counts().wrong_place, 0);
}

// Also where answers name their range, as those of a tablet that was split do.
TEST_F(ReplicaReadsTest, APlaceThatAnswersIsDoubtedNoMore) {
  cluster_.tables()->Split("r", "f");
  const TablePtr table = OpenWithRecord();
  StopMasters();
  cluster_.faults()->AnswerNext("ts-1", idl::Code::UNAVAILABLE);
  EXPECT_TRUE(Get(table, "a", {}));
  const uint64_t look_ups = table->router()->look_ups();
  EXPECT_GT(look_ups, 1u) << "it was doubted";
  EXPECT_TRUE(Get(table, "a", {}));
  EXPECT_EQ(table->router()->look_ups(), look_ups);
}

// A follower that has not applied a split shows the keys of both halves: it must hear what the session knows of either.
TEST_F(ReplicaReadsTest, AScanTellsWhatItsSessionKnowsBeyondThePlaceToo) {
  const TablePtr table = OpenWithRecord();
  Session session = SessionAccess::Make(std::make_shared<SessionState>());
  for (const char* key : {"a", "p"}) ASSERT_TRUE(Put(table, key, "1", {.session = &session}));
  for (const bool reverse : {false, true}) {
    const ScanOptions options{.reverse = reverse, .read = Read::InSession(), .session = &session};
    ASSERT_TRUE(Wait<Result<ScanPage>>([&](auto done) { core_.ScanPage(table, options, std::move(done)); }));
    ASSERT_EQ(cluster_.last_header().token.ranges.size(), 2u);
    EXPECT_EQ(cluster_.last_header().token.ranges[1].range.startKey, "m");
  }
}

TEST_F(ReplicaReadsTest, TheTablesDefaultCountsWhereTheReadNamesNoLevel) {
  cluster_.tables()->Named("r").options.__set_defaultReadLevel(idl::ReadLevel::EVENTUAL);
  const TablePtr table = OpenWithRecord();
  for (const int calls : CalledBy(300, table, {})) EXPECT_NEAR(calls, 100, 60);
  EXPECT_EQ(CalledBy(30, table, {.read = Read::Strong()}), (std::array{30, 0, 0}));
  cluster_.tables()->Named("r").options.__set_defaultReadLevel(
      idl::ReadLevel::STRONG);  // altered since: followers refuse, the primary serves
  EXPECT_EQ(CalledBy(30, table, {})[0], 30);
}

TEST_F(ReplicaReadsTest, AWriteAtAnyGoesToAnyReplicaAndOnToTheNextWhenOneDoesNotAnswer) {
  const TablePtr table = OpenWithRecord();
  const auto puts = [&](const TablePtr& to, int count, Ack ack) {
    return Called([&] {
      for (int i = 0; i < count; ++i) {
        const auto put = Put(to, "a", "1", {.ack = ack});
        EXPECT_TRUE(put) << put.error();
      }
    });
  };
  for (const int calls : puts(table, 300, Ack::kAny)) EXPECT_NEAR(calls, 100, 60);
  network_.SetLinkState(kTs1, LinkState::kDown);  // the primary
  network_.SetLinkState(kTs2, LinkState::kSilent);
  const auto calls = puts(table, 100, Ack::kAny);
  EXPECT_LE(calls[0] + calls[1], 10);
  EXPECT_GE(calls[2], 100);
  StopMasters();
  EXPECT_GE(puts(table, 100, Ack::kAny)[2], 100);
  const auto primary = Put(table, "a", "1", {.ack = Ack::kPrimary, .deadline = milliseconds(100)});
  EXPECT_FALSE(primary) << "the other levels need the primary";
}

TEST_F(ReplicaReadsTest, AWriteAtAnyThatNobodyAnswersIsUnknown) {
  const TablePtr table = OpenWithRecord();
  for (const rpc::Endpoint& server : {kTs1, kTs2, kTs3}) network_.SetLinkState(server, LinkState::kSlowAnswer);
  const auto put = Put(table, "a", "2", {.ack = Ack::kAny, .deadline = seconds(3)});
  EXPECT_EQ(put.error().code(), Code::kUnknownOutcome) << put.error();
  for (const rpc::Endpoint& server : {kTs1, kTs2, kTs3}) network_.SetLinkState(server, LinkState::kDown);
  const auto refused = Put(table, "a", "2", {.ack = Ack::kAny, .deadline = seconds(1)});
  EXPECT_EQ(refused.error().code(), Code::kUnavailable) << refused.error();
}

TEST_F(ReplicaReadsTest, TheTablesDefaultCountsWhereTheWriteNamesNoLevel) {
  cluster_.tables()->Named("r").options.__set_defaultWriteLevel(idl::WriteLevel::ANY);
  const TablePtr table = OpenWithRecord();
  for (const int calls : Called([&] {
         for (int i = 0; i < 300; ++i) EXPECT_TRUE(Put(table, "a", "1"));
       })) {
    EXPECT_NEAR(calls, 100, 60);
  }
}

TEST_F(ReplicaReadsTest, LearnersAreNotAsked) {
  cluster_.tables()->Add("two", {}, 2);
  cluster_.tables()->At("two", "").learners.push_back("ts-3");
  const TablePtr table = Open("two");
  ASSERT_TRUE(Put(table, "a", "1"));
  EXPECT_EQ(CalledBy(50, table, kEventual)[2], 0);
}

TEST_F(ReplicaReadsTest, TheLoadedAndTheSlowGetLess) {
  const TablePtr table = OpenWithRecord();
  network_.SetDelay(kTs1, milliseconds(20));
  int answers = 0;
  const auto calls = Called([&] {
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < 10; ++i)
        core_.Get(table, "a", kEventual, [&](Result<Record> got) { answers += got ? 1 : 0; });
      scheduler_.RunFor(milliseconds(1));
    }
    scheduler_.RunFor(seconds(1));
  });
  EXPECT_EQ(answers, 1000);
  EXPECT_LT(calls[0], 100);
  EXPECT_GT(calls[1], 300);
  EXPECT_GT(calls[2], 300);
}

TEST_F(ReplicaReadsTest, ScansAndMultiGetsSpreadToo) {
  const TablePtr table = Open("r");
  for (char c = 'a'; c <= 'z'; ++c) ASSERT_TRUE(Put(table, std::string(1, c), "v"));
  cluster_.faults()->page_rows = 2;
  for (const bool reverse : {false, true}) {
    const auto calls = Called([&] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(Scan(table, {.reverse = reverse, .read = Read::Eventual()})->size(), 52u);
      }
    });
    for (const int count : calls) EXPECT_GT(count, 10);
  }
  const auto calls = Called([&] {
    for (int i = 0; i < 60; ++i) {
      const auto got = MultiGet(table, {"z", "a", "none"}, kEventual);
      EXPECT_TRUE(got[0] && got[1]);
      EXPECT_EQ(got[2].error().code(), Code::kNotFound);
    }
  });
  for (const int count : calls) EXPECT_GT(count, 10);
  // Reads also avoid servers that do not answer.
  network_.SetLinkState(kTs1, LinkState::kDown);
  network_.SetLinkState(kTs2, LinkState::kDown);
  EXPECT_EQ(Scan(table, {.read = Read::Eventual()})->size(), 52u);
  EXPECT_TRUE(MultiGet(table, {"z"}, kEventual)[0]);
}

// ---- what is behind, and what refuses

TEST_F(ReplicaReadsTest, EventualShowsWhatALaggingFollowerHas) {
  const TablePtr table = OpenWithRecord();
  cluster_.faults()->Lag("ts-2");
  ASSERT_TRUE(Put(table, "a", "2"));
  bool old = false;
  for (int i = 0; i < 30; ++i) old = old || Get(table, "a", kEventual)->value == "1";
  EXPECT_TRUE(old);
  EXPECT_EQ(Get(table, "a")->value, "2");
}

TEST_F(ReplicaReadsTest, ASessionAndABoundGoFromALaggingFollowerToThePrimary) {
  const TablePtr table = OpenWithRecord();
  Session session = SessionAccess::Make(std::make_shared<SessionState>());
  cluster_.faults()->Lag("ts-2");
  cluster_.faults()->Lag("ts-3");
  ASSERT_TRUE(Put(table, "a", "2", {.session = &session}));
  for (int i = 0; i < 30; ++i) {
    const auto calls =
        Called([&] { EXPECT_EQ(Get(table, "a", {.read = Read::InSession(), .session = &session})->value, "2"); });
    EXPECT_LE(calls[1] + calls[2], 1) << "one refusal, then the primary";
    EXPECT_EQ(calls[0], 1);
    EXPECT_EQ(Get(table, "a", {.read = Read::Bounded(seconds(2))})->value, "2");
  }
  cluster_.faults()->CatchUp("ts-2");
  cluster_.faults()->CatchUp("ts-3");
  for (const int calls : CalledBy(300, table, {.read = Read::InSession(), .session = &session})) EXPECT_GT(calls, 30);
}

TEST_F(ReplicaReadsTest, ARefusalCostsOneHopAndNoWait) {
  const TablePtr table = OpenWithRecord();
  for (const auto code : {idl::Code::NOT_PRIMARY, idl::Code::COME_AGAIN, idl::Code::UNAVAILABLE, idl::Code::OVERLOADED,
                          idl::Code::INTERNAL, idl::Code::NO_SUCH_TABLE, idl::Code::WRONG_TABLET}) {
    for (const GetOptions& options : {kEventual, GetOptions{.read = Read::Bounded(seconds(2))}}) {
      cluster_.faults()->AnswerNext("ts-2", code, 100, 500);
      cluster_.faults()->AnswerNext("ts-3", code, 100, 500);
      const MonotonicTime start = scheduler_.Now();
      for (int i = 0; i < 20; ++i) EXPECT_EQ(Get(table, "a", options)->value, "1");
      EXPECT_LT(Since(start), milliseconds(20)) << code;
    }
  }
}

TEST_F(ReplicaReadsTest, EventualGoesOnWhereThePrimaryRefuses) {
  const TablePtr table = OpenWithRecord();
  cluster_.faults()->AnswerNext("ts-1", idl::Code::COME_AGAIN, 1000);
  cluster_.faults()->AnswerNext("ts-2", idl::Code::UNAVAILABLE, 1000);
  const MonotonicTime start = scheduler_.Now();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Get(table, "a", kEventual));
  EXPECT_LT(Since(start), milliseconds(20));
}

TEST_F(ReplicaReadsTest, ASessionWaitsAtThePrimaryForWhatItHasNotApplied) {
  const TablePtr table = OpenWithRecord();
  Session session = SessionAccess::Make(std::make_shared<SessionState>());
  ASSERT_TRUE(Put(table, "a", "2", {.session = &session}));
  cluster_.faults()->Lag("ts-2");
  cluster_.faults()->Lag("ts-3");
  cluster_.faults()->AnswerNext("ts-1", idl::Code::COME_AGAIN, 3, 100);
  ASSERT_TRUE(Put(table, "b", "3", {.session = &session}));
  EXPECT_EQ(Get(table, "b", {.read = Read::InSession(), .session = &session})->value, "3");
}

TEST_F(ReplicaReadsTest, ASessionKnowsItsOwnPrimaryWritesAndIsToldWhenOneIsRolledBack) {
  const TablePtr table = OpenWithRecord();
  auto state = std::make_shared<SessionState>();
  Session session = SessionAccess::Make(state);
  const GetOptions in_session{.read = Read::InSession(), .session = &session};
  const Version own = Put(table, "a", "2", {.ack = Ack::kPrimary, .session = &session})->version;
  EXPECT_TRUE(Get(table, "a", in_session));
  ASSERT_TRUE(cluster_.last_header().__isset.token);
  EXPECT_EQ(state->For(table->router()->table(), KeyRange::All())->size(), 1u);
  EXPECT_TRUE(state->For(table->router()->table(), KeyRange::All())->front().pending_primary.empty())
      << "judged: it is applied by now";

  const Version rolled_back = Put(table, "b", "3", {.ack = Ack::kPrimary, .session = &session})->version;
  EXPECT_LT(own, rolled_back);
  cluster_.tables()->Move("r", "a", "ts-2");  // a failover, and a later write
  cluster_.faults()->lost.push_back(rolled_back);
  ASSERT_TRUE(Put(table, "c", "4"));
  const auto got = Get(table, "b", in_session);
  EXPECT_EQ(got.error().code(), Code::kLostWrite);
  EXPECT_NE(got.error().message().find("version " + rolled_back.ToString() + " was rolled back"), std::string::npos)
      << got.error();
  EXPECT_NE(got.error().message().find("waits no longer for " + rolled_back.ToString()), std::string::npos)
      << got.error();
  EXPECT_TRUE(Get(table, "b", in_session)) << "told once; the session goes on";
  EXPECT_EQ(state->For(table->router()->table(), KeyRange::All())->front().applied.epoch, Epoch{2});

  const Version whole = Put(table, "d", "5", {.ack = Ack::kMajority, .session = &session})->version;
  EXPECT_EQ(state->For(table->router()->table(), {"d", "e"})->front(), (TokenRange{{"", "m"}, whole, {}}));
}

// The answer to a retry may come from a later epoch, or from what its tablet was merged to: its position covers the
// write.
TEST_F(ReplicaReadsTest, AWriteIsPendingNowhereOnceItIsApplied) {
  const TablePtr table = OpenWithRecord();
  auto state = std::make_shared<SessionState>();
  Session session = SessionAccess::Make(state);
  for (const Ack ack : {Ack::kDefault, Ack::kPrimary, Ack::kMajority}) {
    network_.Next(kTs1, LinkState::kCutAfter);
    executor_.After(network_.one_way() * 2, [this] {  // it has been executed, and is repeated
      cluster_.tables()->Move("r", "a", "ts-2");
      cluster_.tables()->Move("r", "a", "ts-1");
    });
    const auto put = Put(table, "a", "2", {.ack = ack, .session = &session});
    ASSERT_TRUE(put) << put.error();
    const auto known = state->For(table->router()->table(), {"a", "b"});
    ASSERT_EQ(known->size(), 1u);
    EXPECT_GT(known->front().applied.epoch, put->version.epoch);
    EXPECT_TRUE(known->front().pending_primary.empty());
  }
}

// It was executed before its tablet was split, and one half answers when it is repeated: this proves nothing about the
// keys of the second half.
TEST_F(ReplicaReadsTest, ABatchIsPendingWhereNobodyHasAnswered) {
  cluster_.tables()->Add("whole", {}, 3);
  const TablePtr table = Open("whole");
  ASSERT_TRUE(Put(table, "a", "1"));
  auto state = std::make_shared<SessionState>();
  Session session = SessionAccess::Make(state);
  network_.Next(kTs1, LinkState::kCutAfter);
  executor_.After(network_.one_way() * 2, [this] { cluster_.tables()->Split("whole", "m"); });
  const auto written = Write(table, std::move(Batch().Put("n", "2").Put("b", "2")), {.session = &session});
  ASSERT_TRUE(written) << written.error();
  for (const KeyRange& key : {KeyRange{"b", "c"}, KeyRange{"n", "o"}}) {
    const auto known = state->For(table->router()->table(), key);
    ASSERT_EQ(known->size(), 1u) << key;
    const TokenRange& part = known->front();
    const bool applied = part.applied.epoch == written->version.epoch && part.applied.lsn >= written->version.lsn;
    EXPECT_TRUE(applied || part.pending_primary == std::vector<Version>{written->version}) << key;
  }
}

// ---- partitions

TEST_F(ReplicaReadsTest, EventualGoesOnWhileOneReplicaAnswers) {
  const TablePtr table = OpenWithRecord();
  for (const LinkState state : {LinkState::kDown, LinkState::kSilent}) {
    for (const rpc::Endpoint& alone : {kTs1, kTs2, kTs3}) {
      for (const rpc::Endpoint& server : {kTs1, kTs2, kTs3}) {
        network_.SetLinkState(server, server == alone ? LinkState::kFair : state);
      }
      Duration longest{0};
      const MonotonicTime start = scheduler_.Now();
      int gets = 0;
      for (; Since(start) < seconds(20); ++gets) {
        const MonotonicTime begun = scheduler_.Now();
        EXPECT_EQ(Get(table, "a", kEventual)->value, "1");
        longest = std::max(longest, Since(begun));
        scheduler_.RunFor(milliseconds(1));
      }
      EXPECT_LE(longest, milliseconds(2100)) << "two silent ones, a second each";
      EXPECT_GT(gets, state == LinkState::kDown ? 10'000 : 2000) << "who is away is seldom tried";
    }
  }
}

TEST_F(ReplicaReadsTest, EventualGoesOnWithoutMastersAndWithThePrimaryUnknown) {
  const TablePtr table = OpenWithRecord();
  StopMasters();
  network_.SetLinkState(kTs1, LinkState::kDown);
  // A write makes the client doubt the place, and no master is left to name a better one.
  EXPECT_FALSE(Put(table, "a", "2", {.deadline = seconds(1)}));
  const MonotonicTime start = scheduler_.Now();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Get(table, "a", kEventual)->value, "1");
  EXPECT_LT(Since(start), milliseconds(50));
  EXPECT_TRUE(Get(table, "a", {.read = Read::Bounded(seconds(2))}));
  // The masters come back and know of no primary: nothing changes.
  cluster_.faults()->serving = false;
  network_.SetLinkState(kMaster1, LinkState::kFair);
  scheduler_.RunFor(seconds(5));
  EXPECT_EQ(Get(table, "a", kEventual)->value, "1");
  const TablePtr fresh = Open("r");
  EXPECT_EQ(Get(fresh, "a", kEventual)->value, "1") << "looked up without a primary";
}

TEST_F(ReplicaReadsTest, WhoCameBackIsAskedAgain) {
  const TablePtr table = OpenWithRecord();
  network_.SetLinkState(kTs2, LinkState::kDown);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(Get(table, "a", kEventual));
    scheduler_.RunFor(milliseconds(50));
  }
  network_.SetLinkState(kTs2, LinkState::kFair);
  scheduler_.RunFor(kAwayMax);
  EXPECT_GT(CalledBy(300, table, kEventual)[1], 30);
}

TEST_F(ReplicaReadsTest, AHurriedReadDoesNotTakeItsServerForAway) {
  const TablePtr table = OpenWithRecord();
  network_.SetLinkState(kTs2, LinkState::kSilent);
  const auto away_after = [&](milliseconds deadline) {
    for (const int before = network_.calls(kTs2); network_.calls(kTs2) == before; scheduler_.RunFor(seconds(1))) {
      (void)Get(table, "a", {.read = Read::Eventual(), .deadline = deadline});
      if (network_.calls(kTs2) > before) break;
    }
    return core_.network().GaugeOf(kTs2)->IsAvoided(scheduler_.Now());
  };
  EXPECT_FALSE(away_after(milliseconds(3)));
  EXPECT_TRUE(away_after(seconds(1)));
}

TEST_F(ReplicaReadsTest, WithoutMastersThePrimaryLastKnownGoesOn) {
  const TablePtr table = OpenWithRecord();
  StopMasters();
  network_.Next(kTs1, LinkState::kCutAfter);  // one fault, and the place is doubted
  const MonotonicTime start = scheduler_.Now();
  EXPECT_TRUE(Put(table, "a", "2"));
  EXPECT_LT(Since(start), milliseconds(700));
  const MonotonicTime later = scheduler_.Now();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Value(table, "a"), "2");
  EXPECT_LT(Since(later), milliseconds(10)) << "its answer made it known again";
  EXPECT_EQ(cluster_.counts().writes_executed, 2);
}

TEST_F(ReplicaReadsTest, NobodyThereIsSaidWithAllWhoWereAsked) {
  const TablePtr table = OpenWithRecord();
  for (const rpc::Endpoint& server : {kTs1, kTs2, kTs3}) network_.SetLinkState(server, LinkState::kDown);
  const auto got = Get(table, "a", {.read = Read::Eventual(), .deadline = seconds(1)});
  EXPECT_EQ(got.error().code(), Code::kUnavailable);
  for (const char* name : {"ts-1:1", "ts-2:1", "ts-3:1"}) {
    EXPECT_NE(got.error().message().find(name), std::string::npos) << got.error();
  }
  EXPECT_LT(network_.calls(kTs1), 50) << "with backoff";
}

// ---- routing

TEST_F(ReplicaReadsTest, AFollowersAnswerOfANewerEpochIsNotTakenForAPrimarys) {
  const TablePtr table = OpenWithRecord();
  cluster_.tables()->Move("r", "a", "ts-3");  // a transfer
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(Get(table, "a", kEventual));
  scheduler_.RunFor(milliseconds(10));
  EXPECT_EQ(cluster_.counts().locates, 2) << "looked up in the background, once";
  const int wrong = cluster_.counts().wrong_place;
  EXPECT_TRUE(Put(table, "a", "2"));
  EXPECT_EQ(cluster_.counts().wrong_place, wrong);
}

TEST_F(ReplicaReadsTest, AHintThatNamesThePrimaryAloneKeepsTheReplicas) {
  const TablePtr table = OpenWithRecord();
  cluster_.tables()->Move("r", "a", "ts-2");
  ASSERT_TRUE(Put(table, "a", "2"));
  EXPECT_EQ(cluster_.counts().locates, 1) << "by the hint";
  for (const int calls : CalledBy(300, table, kEventual)) EXPECT_GT(calls, 30);
  cluster_.tables()->Split("r", "f");
  cluster_.tables()->Move("r", "g", "ts-3");
  ASSERT_TRUE(Put(table, "g", "2"));
  const auto calls = Called([&] {
    for (int i = 0; i < 90; ++i) EXPECT_TRUE(Get(table, "g", kEventual));
  });
  for (const int count : calls) EXPECT_GT(count, 5) << "a half inherits those of the whole";
}

class NearReadsTest : public ReplicaReadsTest {
 protected:
  NearReadsTest() : ReplicaReadsTest({"r2", ""}) {
    for (const ServerName& name : kServers) cluster_.masters()->racks[name] = "r" + name.substr(3);
  }
};

TEST_F(NearReadsTest, TheReplicaInTheClientsRackServesUntilItIsAway) {
  const TablePtr table = OpenWithRecord();
  EXPECT_EQ(CalledBy(50, table, kEventual), (std::array{0, 50, 0}));
  EXPECT_EQ(CalledBy(50, table, {.read = Read::Bounded(seconds(2))}), (std::array{0, 50, 0}));
  network_.SetLinkState(kTs2, LinkState::kDown);
  const auto calls = CalledBy(50, table, kEventual);
  EXPECT_EQ(calls[1], 1);
  EXPECT_EQ(calls[0] + calls[2], 50);
  network_.SetLinkState(kTs2, LinkState::kFair);
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(CalledBy(50, table, kEventual), (std::array{0, 50, 0}));
}

}  // namespace
}  // namespace ebla::client

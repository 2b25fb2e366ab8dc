// How the client finds tablets and the leading master, over a pretended cluster in virtual time: look-ups and hints,
// tablets that split, merge and move, masters that are silent or elect.
#include "client/core/routing/router.h"

#include <gtest/gtest.h>

#include "client/testing/core_fixture.h"

namespace ebla::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ClientCoreTest;
using testing::kMaster1;
using testing::kMaster2;
using testing::LinkState;

// ---- tablets -------------------------------------------------------------------------------------------------------

TEST_F(ClientCoreTest, PutsAndGetsOverTabletsWithOneLookUp) {
  const TablePtr table = Open();
  EXPECT_TRUE(Put(table, "a", "1"));
  EXPECT_TRUE(Put(table, "k", "2"));
  EXPECT_TRUE(Put(table, "z", "3"));
  EXPECT_EQ(Value(table, "a") + Value(table, "k") + Value(table, "z"), "123");
  EXPECT_EQ(Get(table, "b").error().code(), Code::kNotFound);
  EXPECT_EQ(cluster_.counts().locates, 1);
  EXPECT_EQ(cluster_.counts().wrong_place, 0);
}

TEST_F(ClientCoreTest, AnUnknownTableIsFinal) {
  EXPECT_EQ(TryOpen("none").error(), Status(Code::kNoSuchTable, "no table \"none\""));
}

TEST_F(ClientCoreTest, ManyCallsShareOneLookUpPerGap) {
  const TablePtr table = Open();
  int answers = 0;
  for (const char* key : {"m", "z", "a", "b", "q", "m"}) {
    core_.Get(table, key, {}, [&](Result<Record>) { ++answers; });
  }
  EXPECT_TRUE(scheduler_.RunUntil([&] { return answers == 6; }, seconds(1)));
  // The first asks from "m" on; the keys below it are found by one more.
  EXPECT_EQ(cluster_.counts().locates, 2);
}

TEST_F(ClientCoreTest, LargeTablesAreLookedUpInPages) {
  std::vector<std::string> splits;
  for (int i = 1; i < 250; ++i) {
    char key[8];
    snprintf(key, sizeof key, "k%04d", i);
    splits.push_back(key);
  }
  cluster_.tables()->Add("large", splits);
  const TablePtr table = Open("large");
  EXPECT_EQ(Scan(table, {.keys_only = true}).value(), "");
  EXPECT_EQ(cluster_.counts().scans, 250);
  EXPECT_EQ(cluster_.counts().locates, 3);
}

TEST_F(ClientCoreTest, AHintCostsOneHopAndNoLookUp) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  cluster_.tables()->Move("t", "a", "ts-3");
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_EQ(cluster_.counts().wrong_place, 1);
  EXPECT_EQ(cluster_.counts().locates, 1);
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_EQ(cluster_.counts().wrong_place, 1) << "the hint is remembered";
}

TEST_F(ClientCoreTest, WithoutAHintItLooksUp) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  cluster_.faults()->hints = false;
  cluster_.tables()->Move("t", "a", "ts-2");
  EXPECT_EQ(Value(table, "a"), "1");
  EXPECT_EQ(cluster_.counts().locates, 2);
}

TEST_F(ClientCoreTest, SplitsAndMergesCostNothingToTheCaller) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  ASSERT_TRUE(Put(table, "g", "2"));
  cluster_.tables()->Split("t", "c");
  cluster_.tables()->Move("t", "g", "ts-3");
  EXPECT_EQ(Value(table, "a") + Value(table, "g"), "12");
  cluster_.tables()->Merge("t", "a");
  EXPECT_EQ(Value(table, "a") + Value(table, "g"), "12");
  EXPECT_EQ(cluster_.counts().wrong_place, 2);
}

// The master completes a split last, so a look-up just before would wait for it.
TEST_F(ClientCoreTest, ASplitIsFollowedWithoutTheMaster) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  ASSERT_TRUE(Put(table, "g", "2"));
  const int before = cluster_.counts().locates;
  cluster_.tables()->Split("t", "c");
  EXPECT_EQ(Value(table, "a") + Value(table, "g") + Value(table, "b") + Value(table, "h"), "12NOT_FOUNDNOT_FOUND");
  EXPECT_EQ(cluster_.counts().locates, before);
}

TEST_F(ClientCoreTest, ServersThatPointAtEachOtherEndAtTheDeadline) {
  const TablePtr table = Open();
  cluster_.faults()->AnswerNext("ts-1", idl::Code::NOT_PRIMARY, 100'000);
  const MonotonicTime start = scheduler_.Now();
  const auto got = Get(table, "a", {.deadline = milliseconds(1500)});
  EXPECT_EQ(got.error().code(), Code::kUnavailable);
  EXPECT_NE(got.error().message().find("NOT_PRIMARY"), std::string::npos) << got.error();
  EXPECT_LE(Since(start), milliseconds(1501));
  EXPECT_LT(cluster_.counts().gets, 50) << "with backoff";
}

TEST_F(ClientCoreTest, ATableMadeAgainUnderItsNameIsFoundByItself) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "old"));
  cluster_.tables()->Drop("t");
  EXPECT_EQ(Get(table, "a").error().code(), Code::kNoSuchTable);
  cluster_.tables()->Add("t", {"c"});
  EXPECT_EQ(Get(table, "a").error().code(), Code::kNotFound);
  EXPECT_TRUE(Put(table, "a", "new"));
  EXPECT_EQ(Value(table, "a"), "new");
}

// ---- masters -------------------------------------------------------------------------------------------------------

TEST_F(ClientCoreTest, FollowsTheLeaderAndRemembersIt) {
  cluster_.masters()->leader = 1;
  const TablePtr table = Open();
  EXPECT_EQ(network_.calls(kMaster1), 1);
  EXPECT_EQ(Value(table, "a"), "NOT_FOUND");
  EXPECT_EQ(network_.calls(kMaster1), 1) << "the leader is remembered";
  cluster_.masters()->leader = 0;
  network_.SetLinkState(kMaster2, LinkState::kDown);
  cluster_.tables()->Add("u", {});
  EXPECT_EQ(Value(Open("u"), "a"), "NOT_FOUND");
}

TEST_F(ClientCoreTest, WaitsOutAnElectionAndASilentMaster) {
  cluster_.masters()->leader = -1;
  executor_.After(seconds(3), [&] { cluster_.masters()->leader = 1; });
  const MonotonicTime start = scheduler_.Now();
  const TablePtr table = Open();
  EXPECT_LT(Since(start), milliseconds(3600));
  network_.SetLinkState(kMaster2, LinkState::kSilent);
  cluster_.masters()->leader = 0;
  EXPECT_EQ(Value(table, "a"), "NOT_FOUND") << "a silent master is passed over within the deadline";
  network_.SetLinkState(kMaster1, LinkState::kDown);
  const auto got = TryOpen("t");
  EXPECT_EQ(got.error().code(), Code::kDeadlineExceeded) << got.error();
  EXPECT_NE(got.error().message().find("master"), std::string::npos) << got.error();
}

TEST_F(ClientCoreTest, KnownTabletsGoOnWithoutAnyMaster) {
  const TablePtr table = Open();
  ASSERT_TRUE(Put(table, "a", "1"));
  network_.SetLinkState(kMaster1, LinkState::kDown);
  network_.SetLinkState(kMaster2, LinkState::kDown);
  EXPECT_TRUE(Put(table, "a", "2"));
  EXPECT_EQ(Value(table, "k"), "NOT_FOUND");
}

TEST_F(ClientCoreTest, ALookUpTellsEachWaiterAtItsOwnDeadline) {
  const TablePtr table = Open();
  network_.SetLinkState(kMaster1, LinkState::kDown);
  network_.SetLinkState(kMaster2, LinkState::kDown);
  std::vector<std::pair<Duration, Code>> ends;
  const MonotonicTime start = scheduler_.Now();
  for (const int ms : {500, 1000, 3000}) {
    core_.Get(table, "a", {.deadline = milliseconds(ms)},
              [&](Result<Record> got) { ends.emplace_back(Since(start), got ? Code::kOk : got.error().code()); });
  }
  executor_.After(seconds(2), [&] { network_.SetLinkState(kMaster1, LinkState::kFair); });
  EXPECT_TRUE(scheduler_.RunUntil([&] { return ends.size() == 3; }, seconds(9)));
  EXPECT_EQ(ends[0], (std::pair{Duration(milliseconds(500)), Code::kUnavailable}));
  EXPECT_EQ(ends[1], (std::pair{Duration(milliseconds(1000)), Code::kUnavailable}));
  EXPECT_EQ(ends[2].second, Code::kNotFound);
}

TEST_F(ClientCoreTest, ATabletWithoutPrimaryIsWaitedFor) {
  cluster_.faults()->serving = false;
  const TablePtr table = Open();
  executor_.After(seconds(2), [&] { cluster_.faults()->serving = true; });
  EXPECT_TRUE(Put(table, "a", "1"));
  cluster_.faults()->serving = false;
  const TablePtr other = Open();
  const auto got = Get(other, "a", {.deadline = seconds(1)});
  EXPECT_NE(got.error().message().find("no primary at present"), std::string::npos) << got.error();
}

}  // namespace
}  // namespace ebla::client

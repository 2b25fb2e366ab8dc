// Splits of whole servers (PROTOCOL 9 to 13, 17, 18): what the two halves serve, which server leads the child, what a
// crash, a drop, a copy or a failover at any moment leaves of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "common/base/planted_bug.h"
#include "tabletserver/testing/lineage_fixture.h"
#include "tabletserver/transport/peer_client.h"

namespace ebla::tabletserver {
namespace {

class ShardSplitTest : public LineageFixture {
 protected:
  void Lead(const std::vector<std::string>& voters) {
    ASSERT_TRUE(Configure(1, {"ts-1", voters, {}}));
    ASSERT_TRUE(Serves("ts-1"));
    ASSERT_EQ(Write("ts-1", {PutOf("a", "1"), PutOf("p", "1")}).header.code, idl::Code::OK);
  }
  // Epoch 1, at "m".
  void SplitHere() {
    const idl::SplitResult split = Split("ts-1", 1, "m", kChild);
    ASSERT_EQ(split.status.code, idl::Code::OK) << split.status.message;
    EXPECT_EQ(split.split.childId, kChild);
    EXPECT_EQ(split.split.primary, "ts-1");
  }
  // A write whose answer is not waited for.
  using Asked = std::shared_ptr<std::optional<idl::WriteReply>>;
  Asked Ask(const std::string& server, int64_t client, int64_t sequence, std::vector<idl::Write> writes,
            int deadline_ms = 0, idl::WriteLevel::type level = idl::WriteLevel::PRIMARY, int64_t believed = 0) {
    const auto time = static_cast<int64_t>(View(server)->time.at.value);
    idl::WriteRequest request = WriteOf(time, client, sequence, std::move(writes), level);
    request.header.tabletId = believed;
    request.header.deadlineMs = deadline_ms;
    request.firstIncomplete = 1;
    auto reply = std::make_shared<std::optional<idl::WriteReply>>();
    at(server).server->tablet_service()->write([reply](const idl::WriteReply& answer) { *reply = answer; }, request);
    return reply;
  }
  // The last entry of the log at the server is SPLIT, and it is not applied there.
  bool HoldsSplitUnapplied(const std::string& server) {
    const auto view = View(server);
    if (view == nullptr || view->applied == view->last_appended) return false;
    const auto log = at(server).store->ReadLog(TabletId{kTablet}, view->applied.lsn.Next(), Lsn{UINT64_MAX}, 1 << 20);
    return log && !log->empty() && log->back().kind == EntryKind::kSplit;
  }
  static constexpr char kBoth[] = "100[\"\", \"m\")* 164[\"m\", \"\")* ";
  static constexpr char kFollowed[] = "100[\"\", \"m\") 164[\"m\", \"\") ";
};

TEST_F(ShardSplitTest, BothHalvesServeAtOnceAndVersionsGoOn) {
  Lead({"ts-1"});
  const Version before = View("ts-1")->applied;
  SplitHere();
  EXPECT_EQ(Ranges("ts-1"), kBoth);
  EXPECT_EQ(Value("ts-1", "a"), "1");
  EXPECT_EQ(Value("ts-1", "p"), "1");
  for (const char* key : {"a", "p"}) {
    const idl::WriteReply reply = Write("ts-1", {PutOf(key, "2")});
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    EXPECT_EQ(reply.version.epoch, 1);
    EXPECT_EQ(static_cast<uint64_t>(reply.version.lsn), before.lsn.value + 2) << "SPLIT, then this one, in each log";
    EXPECT_EQ(Value("ts-1", key), "2");
  }
  const idl::WriteReply across = Write("ts-1", {PutOf("a", "3"), PutOf("p", "3")});
  EXPECT_EQ(across.header.code, idl::Code::INVALID_ARGUMENT) << "a batch lies within one tablet";
  EXPECT_EQ(Split("ts-1", 1, "m", kChild).status.code, idl::Code::OK) << "a repeated SPLIT is a no-op";
  EXPECT_EQ(Ranges("ts-1"), kBoth);
}

TEST_F(ShardSplitTest, OnlyTheEpochsLeaderObeysAndOnlyWhatCanBe) {
  Lead({"ts-1", "ts-2", "ts-3"});
  EXPECT_EQ(Split("ts-2", 1, "m", kChild).status.code, idl::Code::STALE_EPOCH);
  EXPECT_EQ(Split("ts-1", 2, "m", kChild).status.code, idl::Code::STALE_EPOCH);
  EXPECT_EQ(Split("ts-1", 1, std::string(300, 'm'), kChild).status.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Split("ts-1", 1, "m", kChild + 1).status.code, idl::Code::INVALID_ARGUMENT) << "another lineage's id";
  SplitHere();
  EXPECT_EQ(Split("ts-1", 1, "p", kChild + 64).status.code, idl::Code::INVALID_ARGUMENT)
      << "no key of this tablet any more";
}

TEST_F(ShardSplitTest, FollowersHaveTheChildAndItsLeaderALease) {
  Lead({"ts-1", "ts-2", "ts-3"});
  SplitHere();
  EXPECT_EQ(Ranges("ts-1"), kBoth);
  EXPECT_EQ(Value("ts-1", "p"), "1") << "without an error";
  for (const char* name : {"ts-2", "ts-3"}) {
    ASSERT_TRUE(Until([&] { return Ranges(name) == kFollowed; }, 10s)) << Ranges(name);
  }
  EXPECT_TRUE(Until([&] { return View("ts-1", kChild)->lease_until > at("ts-1").executor->Now(); }, 5s));
  ASSERT_EQ(Write("ts-1", {PutOf("p", "2")}).header.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1", kChild); }));
  EXPECT_EQ(Value("ts-2", "p", idl::ReadLevel::EVENTUAL), "2");
}

// PROTOCOL 18, 20: the dedup window is the child's too.
TEST_F(ShardSplitTest, ARetryIsAnsweredFromTheChildsDedupWindow) {
  Lead({"ts-1"});
  const idl::WriteReply first = WriteAs("ts-1", 5, 1, {IncrementOf("zz")});
  ASSERT_EQ(first.header.code, idl::Code::OK);
  SplitHere();
  const idl::WriteReply retry = WriteAs("ts-1", 5, 1, {IncrementOf("zz")});
  ASSERT_EQ(retry.header.code, idl::Code::OK) << retry.header.message;
  EXPECT_EQ(retry.version, first.version);
  EXPECT_EQ(retry.counters, first.counters);
  EXPECT_EQ(WriteAs("ts-1", 5, 2, {IncrementOf("zz")}).counters, std::vector<int64_t>{2});
}

// PROTOCOL 17: what a session notes of an answer is the range that answered.
TEST_F(ShardSplitTest, AnswersNameTheirRange) {
  Lead({"ts-1"});
  EXPECT_FALSE(Get("ts-1", "a", idl::ReadLevel::STRONG).header.__isset.range);
  idl::ScanRequest scan;
  scan.header.tableId = kTable;
  scan.header.tabletId = kTablet;
  scan.header.epoch = 1;
  const auto scanned =
      Await<idl::ScanReply>([&](auto cob) { at("ts-1").server->tablet_service()->scan(std::move(cob), scan); });
  EXPECT_TRUE(scanned.header.__isset.range)
      << "before any split too: a scan may show more than the client takes the tablet for";
  SplitHere();
  const idl::GetReply read = Get("ts-1", "a", idl::ReadLevel::STRONG);
  ASSERT_TRUE(read.header.__isset.range);
  EXPECT_EQ(read.header.range.endKey, "m");
  const idl::WriteReply written = Write("ts-1", {PutOf("a", "2")});
  ASSERT_TRUE(written.header.__isset.range);
  EXPECT_EQ(written.header.range.endKey, "m");
  EXPECT_EQ(written.header.epoch, 1);

  // The child alone would answer with neither, except to a client that believes it is the parent.
  const auto put = [&](int64_t believed, int64_t sequence) {
    const Asked answer = Ask("ts-1", 9, sequence, {PutOf("p", "2")}, 0, idl::WriteLevel::MAJORITY, believed);
    EXPECT_TRUE(Until([&] { return answer->has_value(); }, 5s));
    return answer->value_or(idl::WriteReply());
  };
  EXPECT_FALSE(put(kChild, 1).header.__isset.range);
  const idl::WriteReply mistaken = put(kTablet, 2);
  EXPECT_EQ(mistaken.header.tabletId, kChild);
  EXPECT_EQ(mistaken.header.epoch, 1);
  ASSERT_TRUE(mistaken.header.__isset.range);
  EXPECT_EQ(mistaken.header.range.startKey, "m");
}

// PROTOCOL 11: reads and writes of the child's half wait for the split's commit, which two followers withhold.
TEST_F(ShardSplitTest, TheChildsHalfWaitsForTheCommit) {
  Lead({"ts-1", "ts-2", "ts-3"});
  Cut("ts-1", "ts-2");
  Cut("ts-1", "ts-3");
  std::optional<idl::SplitResult> answer;
  world_.Post([&] { AskSplit("ts-1", 1, "m", kChild, [&](const idl::SplitResult& result) { answer = result; }); });
  ASSERT_TRUE(Until([&] { return HoldsSplitUnapplied("ts-1"); }, 5s));
  const Asked parked = Ask("ts-1", 8, 1, {PutOf("p", "2")});
  const Asked late = Ask("ts-1", 8, 2, {PutOf("q", "2")}, 300);
  const idl::WriteReply answered = WriteAs("ts-1", 9, 2, {PutOf("a", "2")}, idl::WriteLevel::PRIMARY);
  EXPECT_EQ(answered.header.code, idl::Code::OK);
  ASSERT_TRUE(answered.header.__isset.range)
      << "the child knows nothing of it, and a session waits for it there in vain";
  EXPECT_EQ(answered.header.range.endKey, "m");
  EXPECT_EQ(Value("ts-1", "p", idl::ReadLevel::EVENTUAL), "1");
  ASSERT_TRUE(Until([&] { return late->has_value(); }, 5s));
  EXPECT_EQ((*late)->header.code, idl::Code::DEADLINE_EXCEEDED) << "it was not executed, and the client may say so";
  EXPECT_FALSE(parked->has_value());
  EXPECT_FALSE(answer.has_value());
  Heal();
  ASSERT_TRUE(Until([&] { return parked->has_value(); }, 5s));
  EXPECT_EQ((*parked)->header.code, idl::Code::OK) << "it never had to retry";
  EXPECT_EQ((*parked)->header.tabletId, kChild)
      << "whose position it tells: the session must not look for that in the other half";
  EXPECT_EQ(Value("ts-1", "p"), "2");
  EXPECT_EQ(Value("ts-1", "q"), "code " + std::to_string(idl::Code::NOT_FOUND));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status.code, idl::Code::OK);
  EXPECT_EQ(WriteAs("ts-1", 9, 3, {PutOf("p", "2")}).header.code, idl::Code::OK);
  EXPECT_EQ(Ranges("ts-1"), kBoth);
}

// Requests that wait for a split which this primary never sees committed are answered when another leads.
TEST_F(ShardSplitTest, WhatWaitsIsSentOnWhenAnotherLeads) {
  Lead({"ts-1", "ts-2", "ts-3"});
  Cut("ts-1", "ts-2");
  Cut("ts-1", "ts-3");
  world_.Post([&] { AskSplit("ts-1", 1, "m", kChild, [](const auto&) {}); });
  ASSERT_TRUE(Until([&] { return HoldsSplitUnapplied("ts-1"); }, 5s));
  const Asked parked = Ask("ts-1", 8, 1, {PutOf("p", "2")});
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
  ASSERT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2"));
  ASSERT_TRUE(Until([&] { return parked->has_value(); }, 5s));
  EXPECT_EQ((*parked)->header.code, idl::Code::NOT_PRIMARY) << "it was not executed";
  EXPECT_EQ(Value("ts-2", "p"), "1");
}

// Because of a split a client waits for the commit of SPLIT and for one round to the child's followers, or two rounds
// for a read without a lease. No request is rejected. A message takes a millisecond here, and may have been gathered
// before.
TEST_F(ShardSplitTest, NobodyWaitsForLongerThanARoundOrTwoBesideTheCommit) {
  Lead({"ts-1", "ts-2", "ts-3"});
  ASSERT_TRUE(Until([&] { return View("ts-1")->lease_until > at("ts-1").executor->Now() + 500ms; }, 5s));
  int under_way = 0;
  std::map<std::string, Duration> longest;
  std::vector<std::string> sent_away;
  const auto note = [&](const std::string& what, MonotonicTime begun, const idl::ReplyHeader& header) {
    --under_way;
    longest[what] = std::max(longest[what], world_.Now() - begun);
    if (header.code != idl::Code::OK) sent_away.push_back(what + ": " + header.message);
  };
  int64_t client = 100;
  const auto ask = [&] {
    for (const std::string key : {"a", "p"}) {
      ++under_way;
      at("ts-1").server->tablet_service()->get(
          [&, key, begun = world_.Now()](const idl::GetReply& reply) { note("get " + key, begun, reply.header); },
          GetOf(key, idl::ReadLevel::STRONG));
      ++under_way;
      at("ts-1").server->tablet_service()->write(
          [&, key, begun = world_.Now()](const idl::WriteReply& reply) { note("put " + key, begun, reply.header); },
          WriteOf(static_cast<int64_t>(View("ts-1")->time.at.value), ++client, 1, {PutOf(key, "2")}));
    }
  };
  for (int i = 0; i < 200; ++i) {
    world_.After(i * 250us, ask);
    if (i != 40) continue;
    world_.After(i * 250us, [&] { AskSplit("ts-1", 1, "m", kChild, [](const auto&) {}); });
  }
  ASSERT_TRUE(Until([&] { return client == 100 + 400 && under_way == 0; }, 5s));
  EXPECT_EQ(Ranges("ts-1"), kBoth);
  EXPECT_EQ(sent_away, std::vector<std::string>());
  for (const auto& [what, wait] : longest) {
    EXPECT_LE(wait, what.starts_with("put") ? 2 * (2ms + PeerClient::kGather) : 6ms)
        << what << " waited " << wait.count() << " ns";
  }
}

// A write of the child's half that arrives with the split waits for two flushes of a majority, for SPLIT and for
// itself, because the followers' child is stored with its first entries.
TEST_F(ShardSplitTest, TheChildsFirstEntriesShareTheFlushOfItsCreation) {
  Lead({"ts-1", "ts-2", "ts-3"});
  ASSERT_TRUE(Until([&] { return View("ts-1")->lease_until > at("ts-1").executor->Now() + 500ms; }, 5s));
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) at(server).disk.SetLatency(20ms, 20ms);
  const MonotonicTime begun = world_.Now();
  AskSplit("ts-1", 1, "m", kChild, [](const auto&) {});
  scheduler_.RunFor(1ms);
  const Asked put = Ask("ts-1", 7, 1, {PutOf("p", "2")}, 0, idl::WriteLevel::MAJORITY);
  ASSERT_TRUE(Until([&] { return put->has_value(); }, 5s));
  EXPECT_EQ((*put)->header.code, idl::Code::OK);
  EXPECT_LE(world_.Now() - begun, 50ms) << "two flushes of 20 ms, and a few messages of 1 ms";
}

// PROTOCOL 13, at every moment of it: nothing that was acknowledged is lost, and both halves are led again.
TEST_F(ShardSplitTest, ACrashAtAnyMoment) {
  const char* given = std::getenv("EBLA_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::mt19937_64 random(seed);
  Lead({"ts-1"});
  int64_t epoch = 1;
  uint64_t split_rounds = 0;
  std::map<std::string, std::string> acknowledged;
  int64_t child = kTablet;
  std::map<int64_t, std::pair<std::string, std::string>> tablets{{kTablet, {"", ""}}};
  for (int round = 0; round < 25; ++round) {
    SCOPED_TRACE("EBLA_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    child += 64;
    const std::string key = "m" + std::string(static_cast<size_t>(60 - round), 'k');  // each below the one before
    at("ts-1").disk.SetLatency(Duration(0), std::chrono::milliseconds(random() % 4));
    bool done = false;
    AskSplit("ts-1", epoch, key, child, [&](const idl::SplitResult& result) { done = result.__isset.split; });
    if (random() % 3 != 0) Until([&] { return done; }, std::chrono::milliseconds(random() % 30));
    if (done) {
      for (const std::string& at_key : {std::string("a"), key, std::string("z")}) {
        const std::string value = std::to_string(round);
        if (Write("ts-1", {PutOf(at_key, value)}).header.code == idl::Code::OK) acknowledged[at_key] = value;
      }
    }
    if (random() % 4 == 0) {
      at("ts-1").store->Checkpoint(*at("ts-1").executor, [](auto) {});
      scheduler_.RunFor(std::chrono::milliseconds(random() % 10));
    }
    Crash("ts-1", random() % 2 == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine);
    Start("ts-1");
    ++epoch;
    ASSERT_TRUE(Fence(epoch, {"ts-1"}));
    ASSERT_TRUE(Configure(epoch, {"ts-1", {"ts-1"}, {}}, /*fenced=*/true));
    ASSERT_TRUE(Serves("ts-1"));
    ASSERT_TRUE(Until([&] { return View("ts-1")->applied == View("ts-1")->last_appended; }, 5s));
    if (done) {
      ASSERT_NE(View("ts-1", child), nullptr) << "its split was applied";
    }
    if (View("ts-1", child) != nullptr) {
      ++split_rounds;
      tablets[child] = {key, tablets[kTablet].second};
      tablets[kTablet].second = key;
    }
    for (const auto& [id, range] : tablets) {
      if (id == kTablet) continue;
      ASSERT_NE(View("ts-1", id), nullptr) << id;
      ASSERT_TRUE(Fence(epoch, {"ts-1"}, id));
      ASSERT_TRUE(Configure(epoch, {"ts-1", {"ts-1"}, {}, id, range.first, range.second}, /*fenced=*/true)) << id;
      ASSERT_TRUE(Serves("ts-1", id)) << id;
    }
    for (const auto& [at_key, value] : acknowledged) ASSERT_EQ(Value("ts-1", at_key), value) << at_key;
  }
  EXPECT_GT(split_rounds, 3u);
}

// PROTOCOL 12: the parent's next primary does not lead the child in the SPLIT's epoch; the child is fenced for itself.
TEST_F(ShardSplitTest, ThePrimaryDiesWhenTheSplitIsCommitted) {
  Lead({"ts-1", "ts-2", "ts-3"});
  SplitHere();
  ASSERT_EQ(Write("ts-1", {PutOf("p", "2")}).header.code, idl::Code::OK);
  Crash("ts-1");
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
  ASSERT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2"));
  ASSERT_TRUE(Until([&] { return View("ts-2", kChild) != nullptr && View("ts-3", kChild) != nullptr; }, 10s));
  EXPECT_EQ(View("ts-2", kChild)->role, RoleKind::kFollower);
  EXPECT_EQ(View("ts-2", kChild)->primary, "ts-1") << "as SPLIT says";
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}, kChild));
  const auto last2 = View("ts-2", kChild)->last_appended, last3 = View("ts-3", kChild)->last_appended;
  const std::string next = last3 > last2 ? "ts-3" : "ts-2";
  ASSERT_TRUE(Configure(2, {next, {"ts-1", "ts-2", "ts-3"}, {}, kChild, "m", ""}, /*fenced=*/true));
  ASSERT_TRUE(Serves(next, kChild));
  EXPECT_EQ(Value(next, "p"), "2");
  Start("ts-1");
  ASSERT_TRUE(Until([&] { return View("ts-1", kChild) != nullptr; }, 10s));
  ASSERT_TRUE(Configure(2, {next, {"ts-1", "ts-2", "ts-3"}, {}, kChild, "m", ""}, /*fenced=*/true)) << "said again";
  EXPECT_TRUE(Until([&] { return Level("ts-1", next, kChild); }, 10s)) << Ranges("ts-1");
}

// A read of much is found on one thread and read on another, by when its tablet may have been split: its answer must
// not be that keys of another tablet do not exist.
class ShardSplitReadersTest : public ShardSplitTest {
 protected:
  ShardSplitReadersTest() { readers_ = true; }

  using Scanned = std::shared_ptr<std::optional<idl::ScanReply>>;
  Scanned Scan(const std::string& start, bool reverse) {
    idl::ScanRequest request;
    request.header.tableId = kTable;
    request.range.startKey = start;
    request.range.endKey = "z";
    request.reverse = reverse;
    request.options.level = idl::ReadLevel::STRONG;
    request.__isset.options = true;
    auto reply = std::make_shared<std::optional<idl::ScanReply>>();
    at("ts-1").server->tablet_service()->scan([reply](const idl::ScanReply& answer) { *reply = answer; }, request);
    return reply;
  }
  // The keys, and where the next page begins; or the code.
  static std::string Show(const Scanned& scanned) {
    if (!scanned->has_value()) return "unanswered";
    const idl::ScanReply& reply = **scanned;
    if (reply.header.code != idl::Code::OK) return "code " + std::to_string(reply.header.code);
    std::string text;
    for (const idl::ScanRecord& record : reply.records) text += record.key + " ";
    return text + (reply.done ? "." : reply.remaining.startKey + "-" + reply.remaining.endKey);
  }
};

TEST_F(ShardSplitReadersTest, AScanThatWasFoundBeforeASplitAndIsReadAfterIt) {
  Lead({"ts-1"});
  at("ts-1").reader->Pause();
  const Scanned from_parent = Scan("a", false), from_child = Scan("n", false);
  const Scanned back_into_parent = Scan("a", true), back_in_child = Scan("n", true);
  SplitHere();
  ASSERT_EQ(Ranges("ts-1"), kBoth);
  EXPECT_EQ(Show(back_in_child), "unanswered");
  at("ts-1").reader->Resume();
  ASSERT_TRUE(Until([&] { return back_in_child->has_value(); }, 5s));
  const std::string elsewhere = "code " + std::to_string(idl::Code::WRONG_TABLET);
  EXPECT_EQ(Show(from_parent), "a m-z");
  EXPECT_EQ(Show(from_child), elsewhere);
  EXPECT_EQ(Show(back_into_parent), elsewhere);
  EXPECT_EQ(Show(back_in_child), elsewhere);
  const Scanned again = Scan("a", true);
  ASSERT_TRUE(Until([&] { return again->has_value(); }, 5s));
  EXPECT_EQ(Show(again), "p a-m");
}

// PROTOCOL 11: followers hear of a committed SPLIT before it is applied at the primary, so a child may be led by
// another while its parent's primary, under a lease of the parent's, cannot apply what it has told.
class ShardSplitUnappliedTest : public ShardSplitTest {
 protected:
  ~ShardSplitUnappliedTest() override { Plant(PlantedBug::none); }

  // A STRONG read of a key of the child's half, at that primary, while the child has a newer value elsewhere.
  std::shared_ptr<std::optional<idl::GetReply>> ReadWhereItIsUnapplied() {
    auto reply = std::make_shared<std::optional<idl::GetReply>>();
    Lead({"ts-1", "ts-2", "ts-3"});
    EXPECT_TRUE(Until([&] { return View("ts-1")->lease_until > at("ts-1").executor->Now(); }, 5s));
    at("ts-1").disk.RefuseToApply(true);
    world_.Post([&] { AskSplit("ts-1", 1, "m", kChild, [](const auto&) {}); });
    EXPECT_TRUE(Until([&] { return Ranges("ts-2") == kFollowed && Ranges("ts-3") == kFollowed; }, 5s));
    EXPECT_EQ(View("ts-1", kChild), nullptr);
    EXPECT_TRUE(Fence(2, {"ts-2", "ts-3"}, kChild));
    EXPECT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}, kChild, "m", ""}, /*fenced=*/true));
    EXPECT_TRUE(Serves("ts-2", kChild));
    EXPECT_EQ(Write("ts-2", {PutOf("p", "2")}).header.code, idl::Code::OK);
    EXPECT_EQ(Value("ts-1", "a"), "1") << "the parent's half is served all the while";
    idl::GetRequest get = GetOf("p", idl::ReadLevel::STRONG);
    get.header.deadlineMs = 5000;
    at("ts-1").server->tablet_service()->get([reply](const idl::GetReply& answer) { *reply = answer; }, get);
    scheduler_.RunFor(200ms);
    return reply;
  }
};

TEST_F(ShardSplitUnappliedTest, ItsReadsOfTheChildsHalfWait) {
  const auto read = ReadWhereItIsUnapplied();
  EXPECT_FALSE(read->has_value());
  at("ts-1").disk.RefuseToApply(false);
  ASSERT_TRUE(Until([&] { return read->has_value(); }, 10s));
  EXPECT_NE((*read)->header.code, idl::Code::OK) << "the child's primary is elsewhere";
  ASSERT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}, kChild, "m", ""}, /*fenced=*/true)) << "said again";
  EXPECT_TRUE(Until([&] { return Level("ts-1", "ts-2", kChild); }, 10s)) << Ranges("ts-1");
  EXPECT_EQ(Value("ts-2", "p"), "2");
}

TEST_F(ShardSplitUnappliedTest, WithoutTheRuleItReadsWhatTheChildHasOverwritten) {
  Plant(PlantedBug::reads_not_parked);
  const auto read = ReadWhereItIsUnapplied();
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->record.value, "1") << "stale";
}

// PROTOCOL 1: the child's first entries leave before its primary's note that it leads is durable. SPLIT has the content
// of the note. A restarted primary never leads the child's epoch again, before or after it has applied SPLIT anew.
TEST_F(ShardSplitTest, ARestartedPrimaryDoesNotLeadTheChildAgain) {
  const std::vector<std::string> all{"ts-1", "ts-2", "ts-3"};
  Lead(all);
  AskSplit("ts-1", 1, "m", kChild, [](const idl::SplitResult&) {});
  ASSERT_TRUE(Until([&] { return View("ts-1", kChild) != nullptr; }, 5s));
  at("ts-1").disk.SetStalled(true);
  const Asked put = Ask("ts-1", 9, 1, {PutOf("p", "2")}, 0, idl::WriteLevel::MAJORITY);
  ASSERT_TRUE(Until([&] { return put->has_value(); }, 5s)) << "its followers are a majority";
  ASSERT_EQ((*put)->header.code, idl::Code::OK) << (*put)->header.message;
  at("ts-1").disk.SetStalled(false);
  Crash("ts-1");
  Start("ts-1");
  ASSERT_NE(View("ts-1", kChild), nullptr) << "its state was durable before it was created";
  const auto leads_it_again = [&] {
    Configure(1, {"ts-1", all, {}, kChild, "m", ""}, /*fenced=*/true);
    Until([] { return false; }, 3s);
    const auto view = View("ts-1", kChild);
    return view != nullptr && view->role == RoleKind::kPrimary;
  };
  EXPECT_FALSE(leads_it_again());
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
  ASSERT_TRUE(Configure(2, {"ts-2", all, {}}, /*fenced=*/true));
  ASSERT_TRUE(Until([&] { return View("ts-1", kChild) != nullptr; }, 10s));
  EXPECT_FALSE(leads_it_again());
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}, kChild));
  const std::string next = View("ts-3", kChild)->last_appended > View("ts-2", kChild)->last_appended ? "ts-3" : "ts-2";
  ASSERT_TRUE(Configure(2, {next, all, {}, kChild, "m", ""}, /*fenced=*/true));
  ASSERT_TRUE(Serves(next, kChild));
  EXPECT_EQ(Value(next, "p"), "2");
}

// PROTOCOL 6, 13: a server that has not applied SPLIT still promises for the child, and the child starts from that
// promise.
TEST_F(ShardSplitTest, APromiseBeforeTheChildIsCreated) {
  Lead({"ts-1", "ts-2", "ts-3"});
  ASSERT_TRUE(Fence(5, {"ts-3"}, kChild));
  SplitHere();
  ASSERT_TRUE(Until([&] { return View("ts-3", kChild) != nullptr; }, 10s));
  EXPECT_EQ(View("ts-3", kChild)->promised, Epoch{5});
  EXPECT_EQ(View("ts-3", kChild)->epoch, Epoch{}) << "it follows nobody of a lower one";
  EXPECT_TRUE(Until([&] { return View("ts-1", kChild)->refused_for == Epoch{5}; }, 5s));
}

// So does a tombstone: the child is not made, and what it would have is removed.
TEST_F(ShardSplitTest, ATombstoneBeforeTheChildIsCreated) {
  Lead({"ts-1", "ts-2", "ts-3"});
  ASSERT_EQ(TryDrop("ts-3", 2, kChild), idl::Code::OK);
  SplitHere();
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == "100[\"\", \"m\") "; }, 20s)) << Ranges("ts-3");
  EXPECT_FALSE(Records("ts-3").contains("p="));
  Crash("ts-3");
  Start("ts-3");
  EXPECT_EQ(Ranges("ts-3"), "100[\"\", \"m\") ");
}

// PROTOCOL 9: a committed SPLIT that is not applied is, before the parent is dropped.
TEST_F(ShardSplitTest, ADropAppliesACommittedSplitFirst) {
  Lead({"ts-1", "ts-2", "ts-3"});
  bool done = false;
  AskSplit("ts-1", 1, "m", kChild, [&](const auto&) { done = true; });
  ASSERT_TRUE(scheduler_.RunUntil([&] { return HoldsSplitUnapplied("ts-3"); }, 5s));
  Cut("ts-1", "ts-3");
  ASSERT_TRUE(Until([&] { return done; }, 5s));
  ASSERT_TRUE(HoldsSplitUnapplied("ts-3"));
  EXPECT_EQ(TryDrop("ts-3", 2, kTablet, {kChild}), idl::Code::COME_AGAIN);
  ASSERT_TRUE(Until([&] { return View("ts-3", kChild) != nullptr; }, 5s));
  EXPECT_EQ(TryDrop("ts-3", 2, kTablet, {kChild}), idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == "164[\"m\", \"\") "; }, 20s)) << Ranges("ts-3");
  Crash("ts-3");
  Start("ts-3");
  EXPECT_EQ(Ranges("ts-3"), "164[\"m\", \"\") ") << "a checkpoint had it before the parent's log went";
  EXPECT_EQ(Value("ts-3", "p", idl::ReadLevel::EVENTUAL), "1");
}

// The child's state is stored before the split is applied. If it cannot be applied, and the parent is dropped with its
// log, a start must not look for the child.
TEST_F(ShardSplitTest, ADropAfterASplitThatCouldNotBeAppliedLeavesNoChild) {
  Lead({"ts-1", "ts-2", "ts-3"});
  ASSERT_TRUE(Until([&] { return View("ts-3")->applied == View("ts-1")->last_appended; }, 10s));
  at("ts-3").disk.FailRecords(Status(Code::kOverloaded, "no room"));
  SplitHere();
  ASSERT_TRUE(Until([&] { return HoldsSplitUnapplied("ts-3"); }, 10s));
  scheduler_.RunFor(1s);  // some attempts fail
  ASSERT_EQ(TryDrop("ts-3", 2), idl::Code::OK);
  at("ts-3").disk.FailRecords(Status::Ok());
  ASSERT_TRUE(Until([&] { return Ranges("ts-3").empty(); }, 20s)) << Ranges("ts-3");
  Crash("ts-3");
  Start("ts-3");
  EXPECT_EQ(Ranges("ts-3"), "");
}

// A crash between the drop and that checkpoint: the parent is a tombstone, and replayed all the same.
TEST_F(ShardSplitTest, ADroppedParentBringsItsChildBack) {
  Lead({"ts-1", "ts-2", "ts-3"});
  SplitHere();
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == kFollowed; }, 10s));
  scheduler_.RunFor(1s);  // that the child is there is flushed
  at("ts-3").disk.SetStalled(false);
  at("ts-3").disk.SetLatency(200ms, 200ms);  // the checkpoint takes its time
  ASSERT_EQ(TryDrop("ts-3", 2), idl::Code::OK);
  Crash("ts-3");
  at("ts-3").disk.SetLatency(Duration(0), Duration(0));
  Start("ts-3");
  ASSERT_NE(View("ts-3", kChild), nullptr);
  EXPECT_EQ(Value("ts-3", "p", idl::ReadLevel::EVENTUAL), "1");
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == "164[\"m\", \"\") "; }, 20s)) << Ranges("ts-3");
}

// PROTOCOL 9: a copy never crosses a split. It restarts beyond the split; the master makes the child there.
TEST_F(ShardSplitTest, ACopyBeginsAnewBeyondTheSplit) {
  options_.shard.log_retention.entries_max = 5;
  Lead({"ts-1"});
  for (int i = 0; i < 2500; i += 250) {
    std::vector<idl::Write> writes;
    for (int k = i; k < i + 250; ++k)
      writes.push_back(PutOf((k % 2 == 0 ? "b" : "q") + std::to_string(10'000 + k), "first"));
    ASSERT_EQ(Write("ts-1", std::move(writes)).header.code, idl::Code::OK);
  }
  bool checkpointed = false;
  at("ts-1").store->Checkpoint(*at("ts-1").executor, [&](auto result) {
    checkpointed = result.has_value();
    EXPECT_TRUE(at("ts-1").store->TruncateLog(TabletId{kTablet}, View("ts-1")->applied.lsn).ok());
  });
  ASSERT_TRUE(Until([&] { return checkpointed; }, 5s));
  copy_bytes_per_second_ = 20'000;
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1"}, {"ts-2"}}));
  ASSERT_TRUE(Serves("ts-1"));
  ASSERT_TRUE(Until([&] { return View("ts-2") != nullptr && Records("ts-2").size() > 1000; }, 60s));
  ASSERT_EQ(Split("ts-1", 2, "m", kChild).status.code, idl::Code::OK);
  ASSERT_EQ(Write("ts-1", {PutOf("q10001", "of the child")}).header.code, idl::Code::OK);
  copy_bytes_per_second_ = CopyThrottle::kDefaultBytesPerSecond;
  ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1"); }, 60s));
  EXPECT_EQ(Ranges("ts-2"), "100[\"\", \"m\") ");
  EXPECT_FALSE(Records("ts-2").contains("q1"));
  ASSERT_TRUE(Configure(3, {"ts-1", {"ts-1"}, {"ts-2"}, kChild, "m", ""}));
  ASSERT_TRUE(Until([&] { return Level("ts-2", "ts-1", kChild); }, 60s)) << Ranges("ts-2");
  EXPECT_EQ(Records("ts-2"), Records("ts-1"));
}

}  // namespace
}  // namespace ebla::tabletserver

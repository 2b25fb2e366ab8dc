// The traces of a split on a server (PROTOCOL 6, 9, 10, 13, 22): places after crashes, new followers, retries, and
// writes meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "tabletserver/hints/hinted_writes.h"
#include "tabletserver/testing/lineage_fixture.h"

namespace ebla::tabletserver {
namespace {

class ShardSplitAfterTest : public LineageFixture {
 protected:
  static constexpr TabletId kParentId{static_cast<uint64_t>(kTablet)};

  void LeadAndSplit() {
    ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
    ASSERT_TRUE(Serves("ts-1"));
    ASSERT_EQ(Write("ts-1", {PutOf("a", "1"), PutOf("p", "1")}).header.code, idl::Code::OK);
    SplitAt(1);
  }
  void SplitAt(int64_t epoch) {
    const std::string leader = epoch == 1 ? "ts-1" : "ts-2";
    ASSERT_EQ(Split(leader, epoch, "m", kChild).status.code, idl::Code::OK);
    ASSERT_TRUE(Until([&] { return View("ts-2", kChild) != nullptr && View("ts-3", kChild) != nullptr; }, 10s));
  }
  const TabletHandle* Handle(const std::string& server, int64_t tablet) {
    for (const auto& handle : at(server).server->directory().snapshot()->All()) {
      if (handle->tablet.value == static_cast<uint64_t>(tablet)) return handle.get();
    }
    return nullptr;
  }
};

// PROTOCOL 10: between the removal of what it had and the copy's start, a checkpoint has no applied state of the
// replica. Its place after a crash is not that which it had before it was split: the child is there.
TEST_F(ShardSplitAfterTest, ACrashWhileTheParentIsCopiedTo) {
  options_.shard.log_retention.entries_max = 5;
  LeadAndSplit();
  Cut("ts-1", "ts-3");
  Cut("ts-2", "ts-3");
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Write("ts-1", {PutOf("b" + std::to_string(i), std::string(20'000, 'x'))}).header.code, idl::Code::OK);
  }
  Checkpoint("ts-1");
  ASSERT_TRUE(at("ts-1").store->TruncateLog(kParentId, View("ts-1")->applied.lsn).ok());
  Checkpoint("ts-1");
  Crash("ts-1");
  Start("ts-1");
  ASSERT_TRUE(Fence(2, {"ts-1", "ts-2"}));
  ASSERT_TRUE(Configure(2, {"ts-1", {"ts-1", "ts-2"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-1"));
  copy_bytes_per_second_ = 20'000;
  Heal();
  ASSERT_TRUE(Configure(3, {"ts-1", {"ts-1", "ts-2"}, {"ts-3"}}));
  ASSERT_TRUE(Until(
      [&] { return View("ts-3") != nullptr && View("ts-3")->incomplete && View("ts-3")->epoch == Epoch{3}; }, 30s));
  scheduler_.RunFor(2s);
  ASSERT_TRUE(View("ts-3")->incomplete) << "the copy is under way";
  ASSERT_TRUE(at("ts-3").store->ForgetReplica(kParentId).ok());
  Checkpoint("ts-3");
  Crash("ts-3");
  Start("ts-3");
  EXPECT_EQ(Ranges("ts-3"), "100[\"\", \"m\")! 164[\"m\", \"\") ");
  copy_bytes_per_second_ = CopyThrottle::kDefaultBytesPerSecond;
  EXPECT_TRUE(Until([&] { return Level("ts-3", "ts-1"); }, 60s));
  EXPECT_EQ(Get("ts-3", "p", idl::ReadLevel::EVENTUAL).record.value, "1");
}

// A dropped parent may have lost its applied state and still have its log.
TEST_F(ShardSplitAfterTest, ACrashWhileTheParentIsDropped) {
  LeadAndSplit();
  const auto log = at("ts-3").store->ReadLog(kParentId, Lsn{1}, Lsn{UINT64_MAX}, 1 << 20);
  ASSERT_TRUE(log && !log->empty());
  ASSERT_EQ(TryDrop("ts-3", 2), idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Ranges("ts-3") == "164[\"m\", \"\") "; }, 20s)) << Ranges("ts-3");
  AppendBatch again{kParentId, {}};
  for (const LogEntry& entry : *log) again.entries.push_back(&entry);
  ASSERT_TRUE(at("ts-3").store->Append({&again, 1}).ok());
  Checkpoint("ts-3");
  Crash("ts-3");
  Start("ts-3");
  EXPECT_EQ(Ranges("ts-3"), "164[\"m\", \"\") ");
  EXPECT_EQ(Get("ts-3", "p", idl::ReadLevel::EVENTUAL).record.value, "1");
  EXPECT_EQ(TryDrop("ts-3", 1), idl::Code::STALE_EPOCH) << "the tombstone is remembered";
}

// The child's log continues after SPLIT. A follower that applies SPLIT late, or restarts, has that entry, so the
// primary sends the missing entries and copies nothing.
TEST_F(ShardSplitAfterTest, WhoAppliesTheSplitLateIsNotCopiedTheChild) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  ASSERT_EQ(Write("ts-1", {PutOf("p", "1")}).header.code, idl::Code::OK);
  Cut("ts-1", "ts-3");
  ASSERT_EQ(Split("ts-1", 1, "m", kChild).status.code, idl::Code::OK);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Write("ts-1", {PutOf("p", "of the child")}).header.code, idl::Code::OK);
  bool copied = false;
  const auto level = [&] {
    const auto view = View("ts-3", kChild);
    copied = copied || (view != nullptr && view->incomplete);
    return view != nullptr && Level("ts-3", "ts-1", kChild);
  };
  Heal();
  ASSERT_TRUE(Until(level, 20s));
  EXPECT_FALSE(copied) << "when it was created";
  Crash("ts-3");
  ASSERT_EQ(Write("ts-1", {PutOf("p", "later")}).header.code, idl::Code::OK);
  Start("ts-3");
  ASSERT_TRUE(Until(level, 20s));
  EXPECT_FALSE(copied) << "after a start";
}

// A majority's machines crash: in an interval table what they logged may be gone, but not a SPLIT that the master was
// told of.
TEST_F(ShardSplitAfterTest, ASplitOutlivesTheMachinesOfAnIntervalTable) {
  table_options_.__set_durability(idl::Durability::INTERVAL);
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  scheduler_.RunFor(3s);  // what was logged so far has been fsynced
  ASSERT_EQ(Split("ts-1", 1, "m", kChild).status.code, idl::Code::OK);
  const Version split = View("ts-1")->applied;
  Crash("ts-1");
  Start("ts-1");
  ASSERT_TRUE(Until([&] { return View("ts-1") != nullptr; }, 5s));
  EXPECT_GE(View("ts-1")->last_appended, split);
}

// The parent's heartbeats have shown a new follower its primary.
TEST_F(ShardSplitAfterTest, ANewFollowerDoesNotReportItsPrimarySilent) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  scheduler_.RunFor(2s);
  ASSERT_EQ(Split("ts-1", 1, "m", kChild).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Handle("ts-2", kChild) != nullptr; }, 10s));
  const MonotonicTime heard{Duration(Handle("ts-2", kChild)->heard_ns.load())};
  EXPECT_LT(at("ts-2").executor->Now() - heard, 500ms);
}

// PROTOCOL 22: a rolled-back PRIMARY write whose retry ran in the child is marked as repeated.
TEST_F(ShardSplitAfterTest, ARetryInTheChildMarksWhatWasRolledBack) {
  ASSERT_TRUE(Configure(1, {"ts-1", {"ts-1", "ts-2", "ts-3"}, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  Cut("ts-1", "ts-2");
  Cut("ts-1", "ts-3");
  ASSERT_EQ(WriteAs("ts-1", 5, 1, {IncrementOf("zz")}, idl::WriteLevel::PRIMARY).header.code, idl::Code::OK);
  ASSERT_EQ(WriteAs("ts-1", 6, 1, {IncrementOf("zy")}, idl::WriteLevel::PRIMARY).header.code, idl::Code::OK);
  ASSERT_TRUE(Fence(2, {"ts-2", "ts-3"}));
  ASSERT_TRUE(Configure(2, {"ts-2", {"ts-1", "ts-2", "ts-3"}, {}}, /*fenced=*/true));
  ASSERT_TRUE(Serves("ts-2"));
  SplitAt(2);
  ASSERT_EQ(WriteAs("ts-2", 5, 1, {IncrementOf("zz")}).header.code, idl::Code::OK);
  Heal();
  ASSERT_TRUE(Until([&] { return Level("ts-1", "ts-2") && Level("ts-1", "ts-2", kChild); }, 20s));
  ExpectRepeated("ts-1", "zz");
}

// PROTOCOL 13, with three voters: after any crash and under any next primary, all writes that were acknowledged at
// MAJORITY are there, and all replicas become equal.
class SplitCrashesTest : public ShardSplitAfterTest {
 protected:
  struct Half {
    std::string leader, start, end;
    int64_t epoch = 1;
  };
  // The longest of what lives leads the next epoch.
  void Lead(int64_t id, const std::vector<std::string>& living) {
    Half& half = tablets_.at(id);
    half.leader = Elect(++half.epoch, living, id);
    ASSERT_FALSE(half.leader.empty()) << id;
    ASSERT_TRUE(Configure(half.epoch, {half.leader, kAll, {}, id, half.start, half.end}, /*fenced=*/true)) << id;
    ASSERT_TRUE(Serves(half.leader, id)) << id;
  }
  // Orders it, and waits a little; whether it was done by then.
  bool Order(const std::string& key, int64_t child) {
    const Half& parent = tablets_.at(kTablet);
    auto done = std::make_shared<bool>(false);
    AskSplit(parent.leader, parent.epoch, key, child,
             [done](const idl::SplitResult& result) { *done = result.__isset.split; });
    const auto until = scheduler_.Now() + std::chrono::milliseconds(random_() % 40);
    Until([&] { return *done || scheduler_.Now() >= until; }, 1s);
    return *done;
  }
  void Acknowledge(const std::string& key, const std::string& value) {
    if (Write(tablets_.at(kTablet).leader, {PutOf(key, value)}).header.code == idl::Code::OK)
      acknowledged_[key] = value;
  }
  // Whether the Barrier has committed SPLIT; nothing else will.
  bool TakeChild(const std::string& key, int64_t child, int64_t epoch) {
    Half& parent = tablets_.at(kTablet);
    if (View(parent.leader, child) == nullptr) return false;
    tablets_[child] = {"", key, parent.end, epoch};
    parent.end = key;
    return true;
  }
  // A server that was away is told of each tablet, and reaches the level of its peers.
  void BringLevel(const std::string& back) {
    for (const auto& [id, half] : tablets_) {
      Configure(half.epoch, {half.leader, {half.leader, back}, {}, id, half.start, half.end});
      for (const std::string& server : kAll) {
        const auto level = [&, id = id, leader = half.leader] { return server == leader || Level(server, leader, id); };
        ASSERT_TRUE(Until(level, 30s)) << id << " at " << server;
      }
    }
  }
  void CheckRecords() {
    for (const auto& [key, value] : acknowledged_) {
      const auto holder = std::ranges::find_if(tablets_, [&, wanted = key](const auto& item) {
        return KeyRange{item.second.start, item.second.end}.Contains(wanted);
      });
      const auto got = Get(holder->second.leader, key, idl::ReadLevel::STRONG);
      ASSERT_EQ(got.record.value, value) << key << " of tablet " << holder->first << ": " << got.header.code << " "
                                         << got.header.message;
    }
    ASSERT_EQ(Records("ts-1"), Records("ts-2"));
    ASSERT_EQ(Records("ts-1"), Records("ts-3"));
  }

  const std::vector<std::string> kAll{"ts-1", "ts-2", "ts-3"};
  std::mt19937_64 random_;
  std::map<int64_t, Half> tablets_{{kTablet, {"ts-1", "", "", 1}}};
  std::map<std::string, std::string> acknowledged_;
};

TEST_F(SplitCrashesTest, AnyOfThreeCrashesAtAnyMoment) {
  const char* given = std::getenv("EBLA_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  random_.seed(seed);
  ASSERT_TRUE(Configure(1, {"ts-1", kAll, {}}));
  ASSERT_TRUE(Serves("ts-1"));
  int64_t child = kTablet;
  size_t split_rounds = 0;
  for (int round = 0; round < 15; ++round) {
    SCOPED_TRACE("EBLA_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    child += 64;
    const std::string key = "m" + std::string(static_cast<size_t>(60 - round), 'k');  // each below the one before
    const int64_t epoch = tablets_.at(kTablet).epoch;
    for (const std::string& server : kAll)
      at(server).disk.SetLatency(Duration(0), std::chrono::milliseconds(random_() % 4));
    const bool done = Order(key, child);
    for (const std::string& written : {std::string("a"), key}) {
      if (done) Acknowledge(written, std::to_string(round));
    }
    const std::string victim = kAll[random_() % 3];
    if (random_() % 3 == 0) at(victim).store->Checkpoint(*at(victim).executor, [](auto) {});
    scheduler_.RunFor(std::chrono::milliseconds(random_() % 10));
    Crash(victim, random_() % 2 == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine);
    std::vector<std::string> living = kAll;
    random_() % 2 == 0 ? Start(victim) : static_cast<void>(std::erase(living, victim));
    ASSERT_NO_FATAL_FAILURE(Lead(kTablet, living));
    const bool split = TakeChild(key, child, epoch);
    split_rounds += split ? 1 : 0;
    ASSERT_TRUE(split || !done) << "the master was told so";
    for (const auto& [id, half] : tablets_) {
      const auto has = [&, id = id](const std::string& server) { return View(server, id) != nullptr; };
      ASSERT_TRUE(Until([&] { return std::ranges::count_if(living, has) >= 2; }, 10s)) << id;
      if (id == kTablet) continue;
      ASSERT_NO_FATAL_FAILURE(Lead(id, living));
    }
    if (living.size() < 3) Start(victim);
    ASSERT_NO_FATAL_FAILURE(BringLevel(victim));
    ASSERT_NO_FATAL_FAILURE(CheckRecords());
  }
  EXPECT_GT(split_rounds, 3u);
}

// Between the look-up of its tablet and the look at its view, the key was split off: the next attempt finds the child.
TEST(CheckHintedWritesTest, AKeyThatWasJustSplitOffComesAgain) {
  TabletSchema schema;
  schema.last_write_wins = true;
  TabletView view;
  view.range = {"", "m"};
  view.schema = std::make_shared<const TabletSchema>(schema);
  const auto put = [](std::string key) { return tabletserver::Write{.kind = WriteKind::kPut, .key = std::move(key)}; };
  EXPECT_TRUE(CheckHintedWrites({put("a")}, view).ok());
  EXPECT_EQ(CheckHintedWrites({put("p")}, view).code(), ebla::Code::kComeAgain);
  EXPECT_EQ(CheckHintedWrites({put("a"), put("p")}, view).code(), ebla::Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::tabletserver

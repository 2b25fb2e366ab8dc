#include "tabletserver/maintenance/evictor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"
#include "tabletserver/transport/peer_memory.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

constexpr TableId kCache{7};

// A shard that notes what it is to delete, and answers when it is told to.
class NotingShard final : public ReadWaits {
 public:
  struct Batch {
    TabletId tablet;
    std::vector<ExpiredKey> keys;
    Done done;
  };
  void AwaitApplied(std::shared_ptr<TabletHandle>, Lsn, MonotonicTime, size_t, Done) override { ADD_FAILURE(); }
  void TakeLogged(std::shared_ptr<TabletHandle>, KeyRange, Lsn, size_t, size_t, LoggedDone) override { ADD_FAILURE(); }
  void ConfirmLeadership(std::shared_ptr<TabletHandle>, MonotonicTime, size_t, Done) override { ADD_FAILURE(); }
  void PurgeExpired(std::shared_ptr<TabletHandle> handle, std::vector<ExpiredKey> keys, TabletTime, MonotonicTime,
                    size_t, Done done) override {
    batches.push_back({handle->tablet, std::move(keys), std::move(done)});
  }
  size_t Keys(TabletId tablet) const {
    size_t keys = 0;
    for (const Batch& batch : batches) keys += batch.tablet == tablet ? batch.keys.size() : 0;
    return keys;
  }
  std::vector<Batch> batches;
};

class EvictorTest : public ::testing::Test {
 protected:
  static constexpr int kRecordsEach = 1'000;

  void Make(Eviction eviction, int64_t limit) {
    in_memory_.Ensure(kCache, 1, {.limit_bytes = limit, .eviction = eviction});
    evictor_.Start();
  }
  std::shared_ptr<TabletHandle> Add(uint64_t id, const KeyRange& range, RoleKind role, int64_t weight,
                                    const std::vector<ServerName>& followers = {}) {
    auto handle = std::make_shared<TabletHandle>(TabletId{id}, kCache, 0);
    EXPECT_TRUE(directory_.Add(handle, range).ok());
    handle->size_bytes = weight;
    auto view = std::make_shared<TabletView>();
    view->tablet = handle->tablet;
    view->table = kCache;
    view->range = range;
    view->role = role;
    view->barrier_applied = role == RoleKind::kPrimary;
    for (const ServerName& follower : followers) {
      PeerProgress& peer = view->peers.emplace_back();
      peer.peer = follower;
      peer.voter = true;
    }
    handle->Publish(view);
    return handle;
  }
  void Fill(const std::string& prefix, uint64_t tablet) {
    for (int i = 0; i < kRecordsEach; ++i) {
      const Effect effect{.key = prefix + std::to_string(i), .value = std::string(1'000, 'v')};
      ApplyBatch batch;
      batch.tablet = TabletId{tablet};
      batch.table = kCache;
      batch.records = {{&effect, {Epoch{1}, Lsn{++lsn_}}}};
      ASSERT_TRUE(in_memory_.Apply({&batch, 1}).ok());
    }
  }

  ebla::testing::SimScheduler scheduler_{42};
  ebla::testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_;
  InMemoryStore in_memory_;
  SimulatedStore simulated_{disk_, executor_, {.memory = &in_memory_}};
  TabletStore& store_ = *simulated_;
  TabletDirectory directory_;
  NotingShard shard_;
  PeerMemory peers_;
  Evictor evictor_{executor_, store_, directory_, peers_, {&shard_}, {.victims_max = 50}};
  uint64_t lsn_ = 0;
};

TEST_F(EvictorTest, BelowTheLimitNothingGoes) {
  Make(Eviction::kLru, 64 << 20);
  Add(1, {}, RoleKind::kPrimary, 1'000'000);
  Fill("a", 1);
  scheduler_.RunFor(1s);
  EXPECT_TRUE(shard_.batches.empty());
}

// Sizes are estimates, and after a split of old ones.
TEST_F(EvictorTest, OneHandSweepsOverTheTabletsThatAreLedHereWhateverTheyAreThoughtToWeigh) {
  Make(Eviction::kLru, (1 << 20) + (1 << 19));
  Add(3, {"c", ""}, RoleKind::kPrimary, 1);
  Add(1, {"", "b"}, RoleKind::kPrimary, 900'000);
  Add(2, {"b", "c"}, RoleKind::kFollower, 900'000);
  Fill("a", 1);
  Fill("c", 3);
  scheduler_.RunFor(150ms);
  ASSERT_EQ(shard_.batches.size(), 1u) << "the hand waits";
  EXPECT_EQ(shard_.Keys(TabletId{1}), 100u) << "as many as two may give at a time";
  scheduler_.RunFor(150ms);
  ASSERT_EQ(shard_.batches.size(), 2u) << "but not for ever";
  EXPECT_EQ(shard_.Keys(TabletId{3}), 50u);
  for (NotingShard::Batch& batch : shard_.batches) batch.done(Status::Ok());
  scheduler_.RunFor(50ms);
  std::set<std::string> chosen;
  for (const NotingShard::Batch& batch : shard_.batches) {
    for (const ExpiredKey& key : batch.keys) EXPECT_TRUE(chosen.insert(key.key).second) << "it goes on where it was";
  }
  EXPECT_EQ(chosen.size(), 250u);
  for (const NotingShard::Batch& batch : shard_.batches) {
    for (const ExpiredKey& key : batch.keys) {
      EXPECT_TRUE(key.key.starts_with(batch.tablet == TabletId{1} ? "a" : "c")) << key.key;
      EXPECT_TRUE(key.evict);
      EXPECT_TRUE(key.version.lsn);
    }
  }
}

TEST_F(EvictorTest, WhatIsUnderWayIsNotTakenFromOthersOnceMore) {
  Make(Eviction::kLru, 64 << 20);
  Add(1, {"", "b"}, RoleKind::kPrimary, 1);
  Add(3, {"b", ""}, RoleKind::kPrimary, 1);
  Fill("a", 1);
  Fill("c", 3);
  // Above what a table is brought to by twenty records.
  const auto limit = static_cast<int64_t>(static_cast<double>(in_memory_.Uses().front().bytes - 20 * 1'050) / 0.96);
  in_memory_.Ensure(kCache, 2, {.limit_bytes = limit, .eviction = Eviction::kLru});
  scheduler_.RunFor(100ms);
  const size_t chosen = shard_.Keys(TabletId{1}) + shard_.Keys(TabletId{3});
  EXPECT_GT(chosen, 5u);
  EXPECT_LT(chosen, 14u) << "a part of it at a time, and not once more from the other tablet";
}

TEST_F(EvictorTest, TheNextBatchWaitsForTheOneBeforeAndDoneOnesAreCounted) {
  Make(Eviction::kLru, 1 << 19);
  Add(1, {}, RoleKind::kPrimary, 1'000'000);
  Fill("a", 1);
  scheduler_.RunFor(1s);
  ASSERT_EQ(shard_.batches.size(), 1u);
  EXPECT_EQ(in_memory_.Uses().front().evicted, 0);
  shard_.batches[0].done(Status::Ok());
  scheduler_.RunFor(50ms);
  ASSERT_EQ(shard_.batches.size(), 2u);
  EXPECT_EQ(in_memory_.Uses().front().evicted, 50);
  shard_.batches[1].done(Error(Code::kNotPrimary, "it leads no more"));
  EXPECT_EQ(in_memory_.Uses().front().evicted, 50) << "none of these went";
  scheduler_.RunFor(50ms);
  EXPECT_EQ(shard_.batches.size(), 3u);
  scheduler_.RunFor(6s);
  EXPECT_EQ(shard_.batches.size(), 4u) << "a shard that does not answer is not waited for longer than that";
}

TEST_F(EvictorTest, AFollowerThatHasTooMuchIsGivenItsPartOnceForEachTimeItSaysSo) {
  Make(Eviction::kLru, 64 << 20);
  Add(1, {"", "b"}, RoleKind::kPrimary, 1'000'000, {"ts-2", "ts-3"});
  Add(2, {"b", ""}, RoleKind::kPrimary, 1'000'000, {"ts-4"});
  Fill("a", 1);
  Fill("c", 2);
  const auto say = [&](const ServerName& server, double excess) {
    peers_.Learn(server, {{TableId{99}, 1, true}, {kCache, excess, false}}, executor_.Now());
  };
  const auto all_done = [&] {
    for (size_t done = 0; done < shard_.batches.size();) {
      for (; done < shard_.batches.size(); ++done) shard_.batches[done].done(Status::Ok());
      scheduler_.RunFor(20ms);
    }
  };
  say("ts-2", 0.01);
  say("ts-3", 0.1);
  scheduler_.RunFor(50ms);
  all_done();
  EXPECT_NEAR(static_cast<double>(shard_.Keys(TabletId{1})), 100, 10) << "a tenth, by batches of fifty";
  EXPECT_EQ(shard_.Keys(TabletId{2}), 0u) << "it has no replica there";
  scheduler_.RunFor(1s);
  EXPECT_LE(shard_.Keys(TabletId{1}), 110u);
  say("ts-3", 0.1);
  scheduler_.RunFor(50ms);
  EXPECT_GT(shard_.Keys(TabletId{1}), 140u);
  const size_t keys = shard_.Keys(TabletId{1});
  peers_.Learn("ts-2", {}, executor_.Now());
  peers_.Learn("ts-3", {}, executor_.Now());
  scheduler_.RunFor(50ms);
  all_done();
  EXPECT_EQ(shard_.Keys(TabletId{1}), keys) << "it has room again";
}

// Else a table on three servers loses three times as much as it has to.
TEST_F(EvictorTest, OfWhatIsTooMuchHereTheTabletsThatAreLedHereGiveTheirPart) {
  Make(Eviction::kLru, 64 << 20);
  Add(1, {"", "b"}, RoleKind::kPrimary, 1'000'000);
  Add(2, {"b", "c"}, RoleKind::kFollower, 1'000'000);
  Add(3, {"c", ""}, RoleKind::kFollower, 1'000'000);
  Fill("a", 1);
  Fill("b", 2);
  Fill("c", 3);
  // Above what a table is brought to by 120 records, which is much.
  const auto limit = static_cast<int64_t>(static_cast<double>(in_memory_.Uses().front().bytes - 120 * 1'050) / 0.96);
  in_memory_.Ensure(kCache, 2, {.limit_bytes = limit, .eviction = Eviction::kLru});
  scheduler_.RunFor(100ms);
  EXPECT_GT(shard_.Keys(TabletId{1}), 30u);
  EXPECT_LT(shard_.Keys(TabletId{1}), 48u);
}

TEST_F(EvictorTest, WhatEvictsNothingIsLeftAlone) {
  Make(Eviction::kNone, 1 << 19);
  Add(1, {}, RoleKind::kPrimary, 1'000'000);
  Fill("a", 1);
  scheduler_.RunFor(1s);
  EXPECT_TRUE(shard_.batches.empty());
}

}  // namespace
}  // namespace ebla::tabletserver

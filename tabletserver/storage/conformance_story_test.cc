// Two stores are told the same random story of one tablet, and hold the same after every step.
#include <gtest/gtest.h>

#include <random>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

// One tablet of a table, told the same story twice: by either store.
class Story {
 public:
  Story(uint64_t seed, StoreKind one, StoreKind other) : random_(seed), stores_{MakeStore(one), MakeStore(other)} {
    for (const auto& store : stores_) {
      EXPECT_TRUE(store->MakeTable(kAnyTable, TableCompression::kSnappy).ok());
      EXPECT_TRUE((**store).PutReplicaState(kAnyTablet, state_).ok());
    }
  }

  void Step() {
    switch (random_() % 12) {
      case 0: return Checkpoint();
      case 1: return Truncate();
      case 2: return RemoveSuffix();
      case 3: return Reopen();
      case 4: return Replace();
      default: return random_() % 2 == 0 ? Append() : Apply();
    }
  }
  void Compare() {
    const std::string from = RandomKey(), to = RandomKey();
    EXPECT_EQ(Dump(**stores_[0], kAnyTable, {from, to}), Dump(**stores_[1], kAnyTable, {from, to}));
    EXPECT_EQ(Dump(**stores_[0], kAnyTable, {from, ""}, true), Dump(**stores_[1], kAnyTable, {from, ""}, true));
    EXPECT_EQ(DumpLog(**stores_[0], kAnyTablet), DumpLog(**stores_[1], kAnyTablet));
    if (durable()) {
      EXPECT_EQ(DumpReplicas(**stores_[0]), DumpReplicas(**stores_[1]));
    }
  }

 private:
  bool durable() const { return stores_[0]->KeepsRecords() && stores_[1]->KeepsRecords(); }
  std::string RandomKey() { return std::string(1 + random_() % 3, static_cast<char>('a' + random_() % 5)); }
  void Append() {
    std::vector<Effect> effects;
    for (uint64_t i = random_() % 4; i > 0; --i) {
      effects.push_back(random_() % 3 == 0 ? Delete(RandomKey()) : Put(RandomKey(), std::to_string(random_() % 1000)));
    }
    log_.push_back(Entry(last_.Next().value, std::move(effects)));
    last_ = last_.Next();
    for (const auto& store : stores_) ASSERT_TRUE(AppendOne(**store, kAnyTablet, log_.back()).ok());
  }
  void Apply() {
    if (applied_ == last_) return;
    applied_ = applied_.Next();
    const LogEntry& entry = log_[applied_.value - 1];
    for (const auto& store : stores_) ASSERT_TRUE(ApplyOne(**store, kAnyTablet, kAnyTable, entry).ok());
  }
  void Checkpoint() {
    for (const auto& store : stores_) {
      const auto held = CheckpointNow(**store);
      ASSERT_TRUE(held);
      ASSERT_EQ(held->contains(kAnyTablet) ? held->at(kAnyTablet) : Lsn{}, applied_);
      ASSERT_TRUE((**store).TruncateLog(kAnyTablet, Lsn{applied_.value / 2}).ok());
    }
  }
  void Truncate() {
    const KeyRange range{RandomKey(), RandomKey()};
    for (const auto& store : stores_) ASSERT_TRUE((**store).TruncateRange(kAnyTable, range).ok());
  }
  void Replace() {
    const KeyRange interval{RandomKey(), RandomKey()};
    const std::vector<std::pair<std::string, StoredRecord>> records = {{interval.start, {"replaced", {}, {}, 0, {}}}};
    const Status one = (**stores_[0]).ReplaceInterval(kAnyTable, interval, records);
    ASSERT_EQ(one, (**stores_[1]).ReplaceInterval(kAnyTable, interval, records));
    ASSERT_EQ(one.ok(), !interval.Empty());
  }
  void RemoveSuffix() {
    if (applied_ == last_) return;
    last_ = Lsn{applied_.value + random_() % (last_.value - applied_.value)};
    log_.resize(last_.value);
    for (const auto& store : stores_) ASSERT_TRUE((**store).RemoveSuffix(kAnyTablet, last_.Next()).ok());
  }
  void Reopen() {
    if (random_() % 4 != 0 || !durable()) return;
    for (const auto& store : stores_) store->Reopen();
  }

  std::mt19937_64 random_;
  ReplicaState state_{.table = kAnyTable, .promised = {1}, .schema = {}};
  const std::unique_ptr<StoreUnderTest> stores_[2];
  std::vector<LogEntry> log_;  // from lsn 1 to last_
  Lsn last_;
  Lsn applied_;
};

void Tell(Story story, int steps) {
  for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
    story.Step();
    story.Compare();
  }
}

TEST(StoresTest, TellTheSameStory) { Tell(Story(TestSeed(), StoreKind::kWiredTiger, StoreKind::kSimulated), 400); }
TEST(StoresTest, SortedTablesTellTheSameStory) {
  Tell(Story(TestSeed(), StoreKind::kSortedTables, StoreKind::kSimulated), 400);
}

TEST(StoresTest, TablesInMemoryTellTheSameStory) {
  Tell(Story(TestSeed(), StoreKind::kTablesInMemory, StoreKind::kSimulated), 2'000);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

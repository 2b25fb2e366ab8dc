#include "tabletserver/shard/log_retention.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {
namespace {

class LogRetentionTest : public ::testing::Test {
 protected:
  static constexpr TabletId kTablet{9};

  // Entries of about so many bytes each.
  void Append(uint64_t first, uint64_t last, size_t bytes) {
    std::vector<LogEntry> entries;
    for (uint64_t lsn = first; lsn <= last; ++lsn) {
      LogEntry& entry = entries.emplace_back();
      entry.version = {Epoch{1}, Lsn{lsn}};
      Effect& effect = entry.effects.emplace_back();
      effect.key = "key";
      effect.value = std::string(bytes, 'v');
    }
    AppendBatch batch{.tablet = kTablet, .entries = {}};
    for (const LogEntry& entry : entries) batch.entries.push_back(&entry);
    ASSERT_TRUE(store_.Append({&batch, 1}).ok());
    last_ = Lsn{last};
  }
  uint64_t RetainedFrom(uint64_t needed, LogRetention retention) {
    const Result<Lsn> from = tabletserver::RetainedFrom(store_, kTablet, {Lsn{needed}, last_}, retention);
    EXPECT_TRUE(from.has_value());
    return from.has_value() ? from->value : 0;
  }

  testing::SimScheduler scheduler_{1};
  testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_;
  SimulatedStore simulated_{disk_, executor_};
  TabletStore& store_ = *simulated_;
  Lsn last_;
};

TEST_F(LogRetentionTest, WhatSomebodyNeedsIsKept) {
  Append(1, 640, 100);
  EXPECT_EQ(RetainedFrom(1, {.entries_max = 1000, .bytes_max = 1 << 20}), 1u);
  EXPECT_EQ(RetainedFrom(77, {.entries_max = 1000, .bytes_max = 1 << 20}), 77u);
  EXPECT_EQ(RetainedFrom(641, {.entries_max = 1000, .bytes_max = 1 << 20}), 641u);
}

TEST_F(LogRetentionTest, UpToANumberOfEntries) {
  Append(1, 640, 100);
  EXPECT_EQ(RetainedFrom(1, {.entries_max = 100, .bytes_max = 1 << 20}), 541u);
}

TEST_F(LogRetentionTest, UpToANumberOfBytes) {
  Append(1, 640, 10'000);
  // A hundred entries of ten thousand bytes fit, give or take a stretch of twenty.
  const uint64_t from = RetainedFrom(1, {.entries_max = 1000, .bytes_max = 1'050'000});
  EXPECT_GT(from, 540u);
  EXPECT_LE(from, 580u);
  EXPECT_EQ(RetainedFrom(1, {.entries_max = 1000, .bytes_max = 1000}), 641u) << "not even one stretch";
}

TEST_F(LogRetentionTest, LargeEntriesCountWhereTheyStand) {
  Append(1, 320, 10'000);
  Append(321, 640, 10);
  const uint64_t from = RetainedFrom(1, {.entries_max = 1000, .bytes_max = 500'000});
  EXPECT_GT(from, 260u);
  EXPECT_LE(from, 321u);
}

}  // namespace
}  // namespace ebla::tabletserver

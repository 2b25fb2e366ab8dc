#include "tabletserver/replication/replica_log.h"

#include <gtest/gtest.h>

namespace ebla::tabletserver {
namespace {

EntryPtr Entry(uint64_t epoch, uint64_t lsn) {
  auto entry = std::make_shared<LogEntry>();
  entry->version = {Epoch{epoch}, Lsn{lsn}};
  return entry;
}

// The store refuses to replace a suffix when a checkpoint truncates its log: what is first in the store then is about
// to go.
TEST(ReplicaLog, ATruncationBesideAPendingRemovalFindsNoFirstEntry) {
  const auto reader = [](Lsn from, Lsn, size_t) -> Result<std::vector<LogEntry>> {
    LogEntry entry;
    entry.version = {Epoch{1}, from};
    return std::vector{entry};
  };
  ReplicaLog log({Epoch{1}, Lsn{1}}, {Epoch{1}, Lsn{2}}, {Epoch{1}, Lsn{1}}, {}, reader);
  std::vector<EntryPtr> rolled_back;
  ASSERT_TRUE(log.Remove(Lsn{2}, {Epoch{1}, Lsn{1}}, rolled_back).ok());
  log.Append(Entry(2, 2));
  log.BeginFlush(FlushNumber{1}, true);
  log.OnRefused();
  log.Truncated({Epoch{1}, Lsn{2}});
  EXPECT_FALSE(log.first());
  log.BeginFlush(FlushNumber{2}, true);
  log.OnStored();
  EXPECT_EQ(log.first(), (Version{Epoch{2}, Lsn{2}}));
}

LogReader Nothing() {
  return [](Lsn, Lsn, size_t) -> Result<std::vector<LogEntry>> { return std::vector<LogEntry>(); };
}

void Store(ReplicaLog& log, uint64_t flush, EntryPtr entry) {
  log.Append(std::move(entry));
  log.BeginFlush(FlushNumber{flush}, true);
  log.OnStored();
}

// A follower that holds no more than what the log began after is sent the log: it needs no copy.
TEST(ReplicaLog, TheEntryBeforeTheFirstIsWhereLogsMeet) {
  const Version base{Epoch{6}, Lsn{15}};
  ReplicaLog log({}, base, base, {}, Nothing());
  Store(log, 1, Entry(10, 16));
  Store(log, 2, Entry(10, 17));
  EXPECT_EQ(**log.LastUpTo(Lsn{15}, Epoch{6}), base);
  EXPECT_EQ(**log.LastUpTo(Lsn{17}, Epoch{9}), base);
  EXPECT_FALSE(log.LastUpTo(Lsn{15}, Epoch{5})->has_value());
  log.Apply({Epoch{10}, Lsn{17}});
  EXPECT_EQ(**log.EpochAt(Lsn{15}), Epoch{6});
  EXPECT_EQ(**log.LastUpTo(Lsn{15}, Epoch{6}), base);
  EXPECT_FALSE(log.EpochAt(Lsn{14})->has_value());
}

// A split's child continues after the SPLIT, which is in its parent's log.
TEST(ReplicaLog, ALogThatGoesOnFromASplitKnowsItAfterARestart) {
  const Version split{Epoch{3}, Lsn{40}}, first{Epoch{3}, Lsn{41}}, last{Epoch{3}, Lsn{45}};
  ReplicaLog log(first, last, last, split, Nothing());
  EXPECT_EQ(**log.EpochAt(Lsn{40}), Epoch{3});
  log.Truncated({Epoch{3}, Lsn{43}});
  EXPECT_FALSE(log.EpochAt(Lsn{40})->has_value());
}

TEST(ReplicaLog, WhatABaseIsNotNextToTheLogSaysNothing) {
  const Version first{Epoch{3}, Lsn{43}}, last{Epoch{3}, Lsn{45}};
  ReplicaLog log(first, last, last, {Epoch{3}, Lsn{40}}, Nothing());
  EXPECT_FALSE(log.EpochAt(Lsn{40})->has_value());
  log.Reset({Epoch{4}, Lsn{50}});
  EXPECT_FALSE(log.EpochAt(Lsn{42})->has_value());
}

}  // namespace
}  // namespace ebla::tabletserver

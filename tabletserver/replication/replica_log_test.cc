#include "tabletserver/replication/replica_log.h"

#include <gtest/gtest.h>

namespace ebla::tabletserver {
namespace {

EntryPtr Entry(uint64_t epoch, uint64_t lsn) {
  auto entry = std::make_shared<LogEntry>();
  entry->version = {Epoch{epoch}, Lsn{lsn}};
  return entry;
}

// The store refuses to replace a suffix when a checkpoint truncates its log: what is first in the store then is about to go.
TEST(ReplicaLog, ATruncationBesideAPendingRemovalFindsNoFirstEntry) {
  const auto reader = [](Lsn from, Lsn, size_t) -> Result<std::vector<LogEntry>> {
    LogEntry entry;
    entry.version = {Epoch{1}, from};
    return std::vector{entry};
  };
  ReplicaLog log({Epoch{1}, Lsn{1}}, {Epoch{1}, Lsn{2}}, {Epoch{1}, Lsn{1}}, reader);
  std::vector<EntryPtr> undone;
  ASSERT_TRUE(log.Remove(Lsn{2}, {Epoch{1}, Lsn{1}}, undone).ok());
  log.Append(Entry(2, 2));
  log.HandOut(FlushNumber{1}, true);
  log.OnRefused();
  log.Truncated({Epoch{1}, Lsn{2}});
  EXPECT_FALSE(log.first());
  log.HandOut(FlushNumber{2}, true);
  log.OnStored();
  EXPECT_EQ(log.first(), (Version{Epoch{2}, Lsn{2}}));
}

}  // namespace
}  // namespace ebla::tabletserver

// tabletserver/storage/unresolved_writes.h
// The unresolved PRIMARY writes and the ANY writes that this server keeps (PROTOCOL 22): values
// of the log, so that their order with the removal of a log's suffix is that of the calls.
// Threads: any, but one tablet's rows change only from its shard.
#pragma once

#include <atomic>

#include "tabletserver/storage/tablet_log.h"

namespace ebla::tabletserver {

class StoreWatch;

class UnresolvedWrites {
 public:
  struct Count {
    std::atomic<int64_t> entries{0};
    std::atomic<int64_t> bytes{0};
    void Add(int64_t more_entries, int64_t more_bytes) {
      entries += more_entries;
      bytes += more_bytes;
    }
  };

  // The log tells it of writes that the disk has lost. `watch`: null for none.
  explicit UnresolvedWrites(TabletLog& log, StoreWatch* watch = nullptr);
  // Counts what is kept since earlier lives.
  Status Open();

  // Stores entries outside the tablet's data, before they leave its log or without ever being in one. Only Discard
  // removes them. An entry that is stored already stays as it is.
  Status Put(TabletId tablet, TableId table, std::span<const LogEntry* const> entries);
  // Entries of a table, or of all, after a place: `entries_max` at most, and none past those that exceed `bytes_max` in
  // memory.
  Result<std::vector<UnresolvedLogEntry>> List(TableId table, const UnresolvedPosition& after, size_t entries_max,
                                               size_t bytes_max);
  Status Discard(TabletId tablet, Version version);  // an absent one is no error

  const Count& rolled_back() const { return rolled_back_; }  // of tablets' logs
  const Count& hinted() const { return hinted_; }            // under no tablet

 private:
  Count& CountOf(TabletId tablet) { return tablet ? rolled_back_ : hinted_; }

  TabletLog& log_;
  StoreWatch* const watch_;
  Count rolled_back_;
  Count hinted_;
};

}  // namespace ebla::tabletserver

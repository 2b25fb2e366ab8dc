// tabletserver/transport/copy_types.h
// A copy's requests as its target gets them (PROTOCOL 9), translated from Thrift by their handler.
// Place:   service/copy_handler.h makes them, copy_target.h takes them.
// Threads: values.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/replication/replica_types.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

struct CopyOptions {
  size_t chunk_bytes = 1 << 20;
  size_t chunk_records = 1000;
  size_t window_bytes = 4 << 20;                       // of dedup window rows in one request
  Duration begin_patience = std::chrono::seconds(10);  // the peer discards what it has meanwhile
  Duration patience = std::chrono::seconds(5);
  Duration retry_delay = std::chrono::milliseconds(100);  // doubled each time
  int attempts_max = 5;
};

// The beginning of a copy: the source's applied state at its start, and the dedup window of then.
struct CopyBase {
  AppliedState applied;
  std::vector<DedupRow> dedup_window;
};

struct CopyBegin {
  TabletId tablet;
  ReceiveCopy order;  // the shard fills token and now
  CopyBase base;
  size_t rows_before = 0;  // of the dedup window, in earlier requests of this copy
  bool rows_follow = false;
  TabletSchema schema;
};

// Replaces its interval whole.
struct CopyChunk {
  TabletId tablet;
  uint64_t copy = 0;
  KeyRange interval;
  std::vector<std::pair<std::string, StoredRecord>> records;
};

// OK: continue. CONDITION_FAILED: the log here holds the copy's line. COME_AGAIN, OVERLOADED: the same once more, a
//     little later (but a copy that was given up while it began is over). Else the copy has ended.
using CopyDone = std::move_only_function<void(Status)>;

}  // namespace ebla::tabletserver

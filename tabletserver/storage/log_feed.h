// tabletserver/storage/log_feed.h
// The committed entries of a store's log, of all tablets, in its order. Archives are made of them.
// Place:   TabletStore::Follow() returns it; log_feeder.h makes it of a log.
// Threads: values.
#pragma once

#include <set>
#include <vector>

#include "common/base/ids.h"
#include "tabletserver/storage/log/log_entry.h"
#include "tabletserver/storage/log/log_position.h"

namespace ebla::tabletserver {

struct FeedEntry {
  TabletId tablet;
  TableId table;
  LogEntry entry;
};

// A tablet continues the contents of these origins through these places. Its own log begins after `lsn`.
struct FeedStart {
  TabletId tablet;
  TableId table;
  std::vector<std::pair<TabletId, Lsn>> origins;  // one: split off it; two: merged of them
  Lsn lsn;
};

struct FeedRequest {
  LogPosition from;              // none: from about now on
  LogPosition keep_from;         // the reader may come back to this place
  std::set<TabletId> pass_over;  // entries of these that are not known to be committed are left out
  size_t bytes_max = 0;          // about
};

struct FeedPage {
  LogPosition next;
  bool lost = false;                // a frame between the position and `next` is gone or damaged
  bool at_end = false;              // the disk has nothing more
  std::vector<TabletId> waits_for;  // what the frame at `next` has of these is not known to be committed
  std::vector<FeedStart> starts;
  std::vector<FeedEntry> entries;
};

}  // namespace ebla::tabletserver

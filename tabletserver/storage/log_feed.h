// tabletserver/storage/log_feed.h
// What a store's log holds of committed entries, of all tablets, in its order: what an archive is made of.
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

// A tablet goes on with what these held through these places; its own log begins after `lsn`.
struct FeedStart {
  TabletId tablet;
  TableId table;
  std::vector<std::pair<TabletId, Lsn>> origins;  // one: split off it; two: merged of them
  Lsn lsn;
};

struct FeedRequest {
  LogPosition from;              // none: from about now on
  LogPosition keep_from;         // the reader may come back to this place
  std::set<TabletId> pass_over;  // of these, what is not known to be committed is left out
  size_t bytes_max = 0;          // about
};

struct FeedPage {
  LogPosition next;
  bool lost = false;                // something that stood between the position and `next` is gone or damaged
  bool at_end = false;              // the disk has nothing more
  std::vector<TabletId> waits_for;  // what the frame at `next` has of these is not known to be committed
  std::vector<FeedStart> starts;
  std::vector<FeedEntry> entries;
};

}  // namespace ebla::tabletserver

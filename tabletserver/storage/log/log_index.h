// tabletserver/storage/log/log_index.h
// The places of everything in the log that still counts: each tablet's entries, and the latest value of each key. Also
// counts how much of each segment still counts.
// How:        entries that were appended together are one record, and one run here: 48 bytes, however many. The
//             operations are those of the records (log_format.h), in the order of the log. So a start replays the log
//             through the same functions that change it.
// Invariants: 1. A tablet's runs are in order and do not overlap; once replayed they leave no hole.
//             2. live(segment) counts its runs and values. All other records are needed only as long as an older
//                segment exists, and segments are removed from the oldest on.
// Threads:    thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

// The kind of a record.
struct LogPlace {
  uint64_t segment = 0;
  int64_t offset = 0;
  int64_t bytes = 0;
  friend auto operator<=>(const LogPlace&, const LogPlace&) = default;
};

// Consecutive entries of a tablet: those of a record, but for the first `skip` and what lies beyond `last`.
struct LogRun {
  Lsn first;
  Lsn last;
  uint64_t skip = 0;
  LogPlace place;
};

// Both none: there is no entry.
struct LogBounds {
  Lsn first;
  Lsn last;
};

class LogIndex {
 public:
  struct Live {
    int64_t records = 0;
    int64_t bytes = 0;
  };

  // The cleaner moved entries: the index has them at this place from now on.
  void AddEntries(TabletId tablet, Lsn first, uint64_t count, const LogPlace& place);
  void CutEnd(TabletId tablet, Lsn from);
  void CutStart(TabletId tablet, Lsn below);
  void Put(std::string_view key, const LogPlace& place);
  void Erase(std::string_view key);

  LogBounds Bounds(TabletId tablet) const;
  std::vector<TabletId> Tablets() const;  // that have entries, in no order
  // The run that holds the entry, or the first one after it; none: there is none.
  const LogRun* Find(TabletId tablet, Lsn lsn) const;
  // The part that still counts of the record there, whose first entry this is or was; none: no part.
  const LogRun* RunAt(TabletId tablet, Lsn first, const LogPlace& place) const;
  const LogPlace* Value(std::string_view key) const;
  // The first key after this one, and its value's place; none: this was the last.
  std::optional<std::pair<std::string, LogPlace>> ValueAfter(std::string_view key) const;

  // The contents of this segment and older ones that still count, in no order: the beginnings of a tablet's runs, and
  // the keys of values.
  struct Standing {
    std::vector<std::pair<TabletId, LogRun>> runs;
    std::vector<std::pair<std::string, LogPlace>> values;
  };
  Standing StandingThrough(uint64_t segment) const;

  Live live(uint64_t segment) const;
  // INTERNAL where a tablet's runs leave a hole.
  Status CheckWhole() const;

 private:
  using Runs = std::deque<LogRun>;
  void Count(const LogPlace& place, int sign);
  void MakeRoom(Runs& runs, Lsn first, Lsn last);

  std::unordered_map<TabletId, Runs> runs_;
  std::map<std::string, LogPlace, std::less<>> values_;
  std::map<uint64_t, Live> live_;
};

}  // namespace ebla::tabletserver

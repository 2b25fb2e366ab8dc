// tabletserver/storage/log/log_scrub.h
// Finds damage of a log's files while the log is in use, and gets rid of it.
// How:     writes the contents that count of a damaged segment and of older ones again at the end of the log, so that
//          the segments can be removed. Contents that cannot be read are lost. The segments are then removed once those
//          count no more, because their tablet is forgotten. Until then a start finds the damage and refuses.
// Place:   tablet_log.h decides what follows; a friend of shared_log.h.
// Threads: any, beside anything else that is done with the log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/storage/log/shared_log.h"

namespace ebla::tabletserver {

class LogScrub {
 public:
  // Told after each piece how many bytes were read; false: nothing more is to be.
  using Pace = std::function<bool(int64_t bytes)>;

  explicit LogScrub(SharedLog& log) : log_(log) {}

  std::vector<uint64_t> Segments() const;  // in order
  // Reads what the disk has of a segment, past the kernel's cache, and checks each byte that counts. False: it is
  // damaged, or cannot be read. If `pace` ends the call, its result has no meaning.
  bool IsWhole(uint64_t segment, const Pace& pace);
  // The tablets whose entries, and the keys whose values, can be read no more, with the value's place. A value that was
  // put since has another place.
  struct Lost {
    std::vector<TabletId> tablets;
    std::vector<std::pair<std::string, LogPlace>> values;
  };
  // If `pace` ends the call, the rest stays in its place.
  Result<Lost> MoveOff(uint64_t damaged, const Pace& pace);
  // The oldest segment that is known to be damaged, and was not moved off.
  std::optional<uint64_t> Unmoved() const;
  // The place of the key's value that cannot be read; none: it can be read, or there is no value.
  std::optional<LogPlace> LostAt(std::string_view key) const;

 private:
  // Whether the record at a place still counts.
  using Counts = std::function<bool(const LogIndex& index)>;

  // Everything that is written from here on is in a new segment.
  void LeaveSegment() EBLA_REQUIRES(log_.mutex_);
  // False: it counts, and cannot be read.
  Result<bool> Move(const LogPlace& place, const Counts& counts);

  SharedLog& log_;
};

}  // namespace ebla::tabletserver

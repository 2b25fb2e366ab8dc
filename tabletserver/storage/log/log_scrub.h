// tabletserver/storage/log/log_scrub.h
// Finds damage of a log's files while the log is in use, and gets rid of it.
// How:     what counts in a damaged segment and in those before it is written again at the end of the log, so that they
//          can go. What of it cannot be read is lost: they go once that counts no more, as its tablet is forgotten.
//          Until then a start finds the damage, and refuses.
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
  // Reads what the disk has of a segment, past the kernel's cache, and checks each byte that counts. False: it is damaged,
  // or cannot be read. Where `pace` ends it nothing is said of the segment.
  bool IsWhole(uint64_t segment, const Pace& pace);
  // Whose entries, and which keys' values, can be read no more; and where such a value stands: one that was put since is
  // another.
  struct Lost {
    std::vector<TabletId> tablets;
    std::vector<std::pair<std::string, LogPlace>> values;
  };
  // Where `pace` ends it the rest is left where it stands.
  Result<Lost> MoveOff(uint64_t damaged, const Pace& pace);
  // The oldest segment that is known to be damaged, and was not moved off.
  std::optional<uint64_t> Unmoved() const;
  // Where the key's value stands and cannot be read; none: it can be, or there is none.
  std::optional<LogPlace> LostAt(std::string_view key) const;

 private:
  // Whether what stands at a place still counts.
  using Counts = std::function<bool(const LogIndex& index)>;

  // What is written from here on stands in a new segment.
  void LeaveSegment() EBLA_REQUIRES(log_.mutex_);
  // False: it counts, and cannot be read.
  Result<bool> Move(const LogPlace& place, const Counts& counts);

  SharedLog& log_;
};

}  // namespace ebla::tabletserver

// tabletserver/storage/log/log_scrub.h
// Finds damage of a log's files while the log is in use, and gets rid of it.
// How:     what counts in a damaged segment and in those before it is written again at the end of the log, so that they
//          can go. What of it cannot be read is lost: they go once that counts no more, as its tablet is forgotten.
//          Until then a start finds the damage, and refuses.
// Place:   store_log.h decides what follows; a friend of shared_log.h.
// Threads: one at a time, beside anything else that is done with the log.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tabletserver/storage/log/shared_log.h"

namespace ebla::tabletserver {

class LogScrub {
 public:
  explicit LogScrub(SharedLog& log) : log_(log) {}

  std::vector<uint64_t> Segments() const;  // in order
  // Reads what the disk has of a segment, and checks each byte that counts. False: it is damaged. After each piece
  // `pace` is told how much was read; where it says false nothing more is read, and nothing is said of the segment.
  Result<bool> IsWhole(uint64_t segment, const std::function<bool(int64_t bytes)>& pace);
  // Whose entries, and which keys' values, can be read no more.
  struct Lost {
    std::vector<TabletId> tablets;
    std::vector<std::string> keys;
  };
  Result<Lost> MoveOff(uint64_t damaged);

 private:
  // What is written from here on stands in a new segment.
  void LeaveSegment() EBLA_REQUIRES(log_.mutex_);
  // False: it cannot be read.
  Result<bool> Move(const LogPlace& place);

  SharedLog& log_;
};

}  // namespace ebla::tabletserver

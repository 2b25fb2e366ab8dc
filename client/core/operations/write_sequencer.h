// client/core/operations/write_sequencer.h
// Numbers a client's writes so that servers execute each exactly once: client id, sequence, first incomplete sequence.
// Servers remember 1,024 sequences per client from the first incomplete one, so no client may run further ahead of its
// oldest unfinished write. One write that waits long (its tablet's server restarts) would so delay all others. When a
// client id's window is full, writes use another id, up to kClientIdsMax of them. From then on the ids take turns,
// because a server forgets results of an id as later writes of that id arrive. Otherwise it would keep them for ten
// minutes, and copy them at each split.
// Place:      write_admission.h guards it; writes that find no room wait there.
// Invariants: 1. A ticket's (client id, sequence) is never given twice.
//             2. FirstIncomplete never exceeds the sequence of a ticket not yet finished.
// Threads:    thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace ebla::client {

inline constexpr uint64_t kSequencesAhead = 1024;  // what a server's window holds of one client
inline constexpr size_t kClientIdsMax = 16;

class WriteSequencer {
 public:
  struct Ticket {
    ClientId client;
    Sequence sequence;
    uint32_t slot = 0;
  };

  // The next sequence of the next client id that has room; nothing when all are full. `random` makes a new id where one
  // is needed: any bits.
  std::optional<Ticket> Begin(uint64_t random);
  // The write has its final answer, whatever it was.
  void Finish(const Ticket& ticket);
  Sequence FirstIncomplete(const Ticket& ticket) const;

  size_t unfinished() const { return unfinished_; }

 private:
  struct Slot {
    ClientId client;
    uint64_t first = 1;         // the lowest sequence not finished, or the next one to give
    std::deque<bool> finished;  // of first, first + 1, ...; the front is never true
    uint64_t next() const { return first + finished.size(); }
  };

  std::vector<Slot> slots_;
  size_t latest_ = 0;  // the slot of the latest ticket: the one after it is tried first
  size_t unfinished_ = 0;
};

}  // namespace ebla::client

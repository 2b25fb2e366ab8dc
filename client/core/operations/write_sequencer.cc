#include "client/core/operations/write_sequencer.h"

#include <glog/logging.h>

namespace ebla::client {

std::optional<WriteSequencer::Ticket> WriteSequencer::Begin(uint64_t random) {
  const size_t count = slots_.size();
  size_t slot = count;
  for (size_t step = 1; step <= count && slot == count; ++step) {
    const size_t next = (latest_ + step) % count;
    if (slots_[next].finished.size() < kSequencesAhead) slot = next;
  }
  if (slot == kClientIdsMax) return std::nullopt;
  if (slot == count) {
    // Positive, as the wire's integers are signed and 0 means none.
    slots_.push_back({.client = ClientId{(random >> 1) | 1}, .first = 1, .finished = {}});
  }
  latest_ = slot;
  Slot& chosen = slots_[slot];
  const Ticket ticket{chosen.client, Sequence{chosen.next()}, static_cast<uint32_t>(slot)};
  chosen.finished.push_back(false);
  ++unfinished_;
  return ticket;
}

void WriteSequencer::Finish(const Ticket& ticket) {
  CHECK_LT(ticket.slot, slots_.size());
  Slot& slot = slots_[ticket.slot];
  CHECK(ticket.sequence.value >= slot.first && ticket.sequence.value < slot.next()) << "a write finished twice";
  const size_t index = ticket.sequence.value - slot.first;
  CHECK(!slot.finished[index]) << "a write finished twice";
  slot.finished[index] = true;
  --unfinished_;
  while (!slot.finished.empty() && slot.finished.front()) {
    slot.finished.pop_front();
    ++slot.first;
  }
}

Sequence WriteSequencer::FirstIncomplete(const Ticket& ticket) const { return Sequence{slots_[ticket.slot].first}; }

}  // namespace ebla::client

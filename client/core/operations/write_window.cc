#include "client/core/operations/write_window.h"

#include <glog/logging.h>

namespace ebla::client {

std::optional<WriteWindow::Ticket> WriteWindow::Begin(uint64_t random) {
  const size_t count = lanes_.size();
  size_t lane = count;
  for (size_t step = 1; step <= count && lane == count; ++step) {
    const size_t next = (latest_ + step) % count;
    if (lanes_[next].finished.size() < kSequencesAhead) lane = next;
  }
  if (lane == kClientIdsMax) return std::nullopt;
  if (lane == count) {
    // Positive, as the wire's integers are signed and 0 means none.
    lanes_.push_back({.client = ClientId{(random >> 1) | 1}, .first = 1, .finished = {}});
  }
  latest_ = lane;
  Lane& chosen = lanes_[lane];
  const Ticket ticket{chosen.client, Sequence{chosen.next()}, static_cast<uint32_t>(lane)};
  chosen.finished.push_back(false);
  ++unfinished_;
  return ticket;
}

void WriteWindow::Finish(const Ticket& ticket) {
  CHECK_LT(ticket.lane, lanes_.size());
  Lane& lane = lanes_[ticket.lane];
  CHECK(ticket.sequence.value >= lane.first && ticket.sequence.value < lane.next()) << "a write finished twice";
  const size_t index = ticket.sequence.value - lane.first;
  CHECK(!lane.finished[index]) << "a write finished twice";
  lane.finished[index] = true;
  --unfinished_;
  while (!lane.finished.empty() && lane.finished.front()) {
    lane.finished.pop_front();
    ++lane.first;
  }
}

Sequence WriteWindow::FirstIncomplete(const Ticket& ticket) const { return Sequence{lanes_[ticket.lane].first}; }

}  // namespace ebla::client

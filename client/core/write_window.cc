#include "client/core/write_window.h"

#include <glog/logging.h>

namespace ebla::client {

std::optional<WriteWindow::Ticket> WriteWindow::Begin(uint64_t random) {
  const auto full = [this](uint32_t lane) { return lanes_[lane].finished.size() >= kSequencesAhead; };
  const auto count = static_cast<uint32_t>(lanes_.size());
  uint32_t asked = 0;
  while (asked < count && full((turn_ + asked) % count)) ++asked;
  uint32_t lane = count;
  if (asked < count) {
    lane = (turn_ + asked) % count;
  } else if (count < kClientIdsMax) {
    // Positive, as the wire's integers are signed and 0 means none.
    lanes_.push_back({.client = ClientId{(random >> 1) | 1}, .first = 1, .finished = {}});
  } else {
    return std::nullopt;
  }
  turn_ = (lane + 1) % static_cast<uint32_t>(lanes_.size());
  Lane& chosen = lanes_[lane];
  const Ticket ticket{chosen.client, Sequence{chosen.next()}, lane};
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

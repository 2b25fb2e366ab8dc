#include "common/rpc/connection_loop.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "common/rpc/accepted_connection.h"

namespace ebla::rpc {
namespace {}  // namespace

ConnectionLoop::ConnectionLoop(EventLoop& event_loop, Options options, ConnectionCounters& counted)
    : loop(event_loop),
      counters(counted),
      buffers{.socket = std::vector<char>(options.read_bytes), .plain = {}},
      sweep_period_(std::clamp<Duration>(std::min(options.half_sent, options.unread) / 4, std::chrono::milliseconds(10),
                                         std::chrono::seconds(1))),
      half_sent_ticks_(TicksOf(options.half_sent)),
      unread_ticks_(TicksOf(options.unread)),
      buffered_max_(options.buffered_max),
      too_much_(std::move(options.too_much)),
      strangers_max_(std::max(kStrangersMin, options.strangers_max)) {}

void ConnectionLoop::Accept(int fd, std::string peer) {
  if (draining_) {
    close(fd);
    return;
  }
  const std::shared_ptr<AcceptedConnection> connection = Make(fd, std::move(peer));
  connection->index = connections_.size();
  connections_.push_back(connection);
  counters.connections.Add(1);
  connection->Start();
}

void ConnectionLoop::Drain() {
  draining_ = true;
  const auto connections = connections_;  // draining removes
  for (const auto& connection : connections) connection->Drain();
  if (connections.empty() && on_empty) on_empty();
}

void ConnectionLoop::CloseAll() {
  draining_ = true;
  while (!connections_.empty()) {
    const std::shared_ptr<AcceptedConnection> connection = connections_.back();
    connection->Close();
  }
  on_empty = nullptr;
}

void ConnectionLoop::Remove(const AcceptedConnection& connection) {
  const std::shared_ptr<AcceptedConnection> removed = std::move(connections_[connection.index]);
  if (connection.index + 1 < connections_.size()) {
    connections_[connection.index] = std::move(connections_.back());
    connections_[connection.index]->index = connection.index;
  }
  connections_.pop_back();
  counters.connections.Sub(1);
  if (connections_.empty() && draining_ && on_empty) on_empty();
}

void ConnectionLoop::Admit(const std::shared_ptr<AcceptedConnection>& stranger) {
  if (!std::exchange(stranger->admitted, true)) admitted_.push_back(stranger);
  while (!admitted_.empty()) {
    const std::shared_ptr<AcceptedConnection> oldest = admitted_.front().lock();
    const bool still = oldest != nullptr && oldest->stranger_;
    if (still && strangers_ <= strangers_max_) return;
    admitted_.pop_front();
    if (oldest != nullptr) oldest->admitted = false;
    if (still) oldest->Break("too many connections are not authenticated yet, and this one is the oldest");
  }
}

void ConnectionLoop::Watch(bool more) {
  watched_ += more ? 1 : -1;
  if (!more || std::exchange(sweeping_, true)) return;
  loop.After(sweep_period_, [self = shared_from_this()] { self->Sweep(); });
}

void ConnectionLoop::Sweep() {
  ++tick_;
  if (watched_ > 0) {
    const auto connections = connections_;  // a sweep removes
    for (const auto& connection : connections) connection->OnSweep();
  }
  sweeping_ = watched_ > 0;
  if (sweeping_) loop.After(sweep_period_, [self = shared_from_this()] { self->Sweep(); });
}

void ConnectionLoop::BreakLargest(AcceptedConnection& grown) {
  const auto weight = [](const auto& connection) { return connection->expendable_bytes(); };
  const auto largest = std::ranges::max_element(connections_, {}, weight);
  const bool other = weight(*largest) > std::max(grown.expendable_bytes(), kOwnBytes);
  const std::shared_ptr<AcceptedConnection> broken = other ? *largest : grown.shared_from_this();
  if (broken->held_bytes() <= kOwnBytes) return;
  broken->Break(too_much_ + ", most of it for this one: " + std::to_string(broken->held_bytes()) + " bytes");
}

}  // namespace ebla::rpc

#include "gateway/server/server_loop.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "gateway/server/connection.h"

namespace ebla::gateway {
namespace {

constexpr size_t kReadBytes = 128 * 1024;
constexpr size_t kSpareBytesMax = 256 * 1024;
constexpr size_t kSparesMax = 8;
constexpr size_t kOwnBytes = 1 << 20;  // may be held for each connection, however much is held for all

Duration SweepPeriod(const ServerOptions& options) {
  const Duration shortest = std::min(options.unread_timeout, options.half_command_timeout) / 4;
  return std::clamp<Duration>(shortest, std::chrono::milliseconds(10), std::chrono::seconds(1));
}

}  // namespace

ServerLoop::ServerLoop(rpc::EventLoop& event_loop, const ServerOptions& server_options, const ProtocolFactory& factory,
                       LoopStatistics& loop_statistics)
    : loop(event_loop),
      options(server_options),
      make_protocol(factory),
      statistics(loop_statistics),
      buffers{.socket = std::vector<char>(kReadBytes), .plain = {}},
      sweep_period_(SweepPeriod(server_options)) {}

void ServerLoop::Accept(int fd, std::string peer) {
  if (draining_) {
    close(fd);
    return;
  }
  auto connection = std::make_shared<Connection>(shared_from_this(), fd, std::move(peer));
  connection->index = connections_.size();
  connections_.push_back(connection);
  statistics.connections.Add(1);
  connection->Start();
}

void ServerLoop::BreakLargest(Connection& grown) {
  const auto weight = [](const std::shared_ptr<Connection>& connection) { return connection->held_bytes(); };
  const auto largest = std::ranges::max_element(connections_, {}, weight);
  const std::shared_ptr<Connection> broken =
      weight(*largest) > grown.held_bytes() ? *largest : grown.shared_from_this();
  if (broken->held_bytes() <= kOwnBytes) return;
  broken->Break("the gateway holds too much for its clients, most of it for this one: " +
                std::to_string(broken->held_bytes()) + " bytes");
}

void ServerLoop::Remove(Connection& connection) {
  const std::shared_ptr<Connection> removed = std::move(connections_[connection.index]);
  if (connection.index + 1 < connections_.size()) {
    connections_[connection.index] = std::move(connections_.back());
    connections_[connection.index]->index = connection.index;
  }
  connections_.pop_back();
  statistics.connections.Sub(1);
  if (connections_.empty() && draining_ && on_empty) on_empty();
}

void ServerLoop::Drain() {
  draining_ = true;
  const auto connections = connections_;  // draining removes
  for (const auto& connection : connections) connection->Drain();
  if (connections.empty() && on_empty) on_empty();
}

void ServerLoop::CloseAll() {
  draining_ = true;
  while (!connections_.empty()) {
    const std::shared_ptr<Connection> connection = connections_.back();
    connection->Close();
  }
  on_empty = nullptr;
}

void ServerLoop::Answer(std::shared_ptr<Connection> connection, std::shared_ptr<CommandQueue::Entry> entry,
                        Reply reply) {
  if (loop.InThread()) return connection->Complete(*entry, std::move(reply));
  {
    MutexLock lock(mutex_);
    answered_.push_back({std::move(connection), std::move(entry), std::move(reply)});
    if (answered_.size() > 1) return;  // the task that is posted carries it, too
  }
  loop.Post([self = shared_from_this()] { self->Deliver(); });
}

void ServerLoop::Deliver() {
  std::vector<Answered> answered;
  {
    MutexLock lock(mutex_);
    answered.swap(answered_);
  }
  for (Answered& one : answered) one.connection->Complete(*one.entry, std::move(one.reply));
}

std::string ServerLoop::TakeBuffer() {
  if (spares_.empty()) return {};
  std::string buffer = std::move(spares_.back());
  spares_.pop_back();
  return buffer;
}

void ServerLoop::GiveBuffer(std::string buffer) {
  buffer.clear();
  if (buffer.capacity() <= kSpareBytesMax && spares_.size() < kSparesMax) spares_.push_back(std::move(buffer));
}

void ServerLoop::Watch(bool more) {
  watched_ += more ? 1 : -1;
  if (!more || std::exchange(sweeping_, true)) return;
  loop.After(sweep_period_, [self = shared_from_this()] { self->Sweep(); });
}

void ServerLoop::Sweep() {
  ++tick_;
  if (watched_ > 0) {
    const auto connections = connections_;  // a sweep removes
    for (const auto& connection : connections) connection->OnSweep();
  }
  sweeping_ = watched_ > 0;
  if (sweeping_) loop.After(sweep_period_, [self = shared_from_this()] { self->Sweep(); });
}

}  // namespace ebla::gateway

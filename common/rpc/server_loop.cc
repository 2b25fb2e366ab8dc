#include "common/rpc/server_loop.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/rpc/server_connection.h"

namespace ebla::rpc {

namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kSpareBytesMax = 256 * 1024;  // of one spare buffer of a loop
constexpr size_t kSparesMax = 8;               // as many connections as fill their buffers within one turn, about
constexpr size_t kStrangersMin = 16;
constexpr size_t kOwnBytes = 1 << 20;  // held for each connection, however much is held for all

Duration SweepPeriod(const ServerOptions& options) {
  const Duration shortest = std::min(options.half_frame_timeout, options.unread_timeout) / 4;
  return std::clamp<Duration>(shortest, std::chrono::milliseconds(10), std::chrono::seconds(1));
}

}  // namespace

ServerLoop::ServerLoop(EventLoop& event_loop, const ServerOptions& server_options, const Dispatcher& to, size_t loops)
    : loop(event_loop),
      options(server_options),
      dispatcher(to),
      buffers{.socket = std::vector<char>(kReadBytes), .plain = {}},
      strangers_max_(std::max(kStrangersMin, server_options.connections_max / 4 / loops)),
      sweep_period_(SweepPeriod(server_options)),
      buffered_max_(server_options.buffered_bytes_max / loops),
      users_max_(std::max(kStrangersMin, server_options.connections_max / 8 * 5 / loops)) {}

void ServerLoop::Accept(int fd, std::string peer) {
  if (draining_) {
    close(fd);
    return;
  }
  auto connection = std::make_shared<ServerConnection>(shared_from_this(), fd, std::move(peer));
  connection->index = connections_.size();
  connections_.push_back(connection);
  counters.connections.Add(1);
  connection->Start();
  if (connection->is_stranger()) accepted_.push_back(connection);
  CloseOldestStrangers();
}

void ServerLoop::CloseOldestStrangers() {
  while (!accepted_.empty()) {
    const std::shared_ptr<ServerConnection> oldest = accepted_.front().lock();
    const bool stranger = oldest != nullptr && oldest->is_stranger();
    if (stranger && strangers_ <= strangers_max_) return;
    accepted_.pop_front();
    if (stranger) oldest->Break("too many have yet to show who they are, and it was the first of them");
  }
}

void ServerLoop::BreakLargest(ServerConnection& grown) {
  const auto weight = [](const std::shared_ptr<ServerConnection>& connection) {
    return connection->is_process() ? 0 : connection->held_bytes();
  };
  const auto largest = std::ranges::max_element(connections_, {}, weight);
  const bool found = largest != connections_.end() && weight(*largest) > kOwnBytes;
  const std::shared_ptr<ServerConnection> broken = found ? *largest : grown.shared_from_this();
  if (broken->held_bytes() <= kOwnBytes) return;
  broken->Break("the server holds too much for slow clients, most of it for this one: " +
                std::to_string(broken->held_bytes()) + " bytes");
}

void ServerLoop::Remove(ServerConnection& connection) {
  const std::shared_ptr<ServerConnection> removed = std::move(connections_[connection.index]);
  if (connection.index + 1 < connections_.size()) {
    connections_[connection.index] = std::move(connections_.back());
    connections_[connection.index]->index = connection.index;
  }
  connections_.pop_back();
  counters.connections.Sub(1);
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
    const std::shared_ptr<ServerConnection> connection = connections_.back();
    connection->Close();
  }
  on_empty = nullptr;
}

void ServerLoop::Defer(ServerConnection& connection, const std::shared_ptr<LoopShares::User>& user) {
  user->waiting.push_back(connection.weak_from_this());
  List(user);
}

void ServerLoop::List(const std::shared_ptr<LoopShares::User>& user) {
  if (std::exchange(user->listed, true)) return;
  waiting_.push_back(user);
  if (waiting_.size() == 1) loop.Post([self = shared_from_this()] { self->Resume(); });
}

// Each user's connections take turns: one that has had nothing yet stays before those that have, and have more to do.
void ServerLoop::Resume() {
  std::vector<std::shared_ptr<LoopShares::User>> users;
  users.swap(waiting_);
  for (const std::shared_ptr<LoopShares::User>& user : users) {
    user->listed = false;
    for (size_t left = user->waiting.size(); left > 0 && shares.HasTime(*user, loop.phase()); --left) {
      const std::shared_ptr<ServerConnection> connection = user->waiting.front().lock();
      user->waiting.pop_front();
      if (connection != nullptr) connection->Resume();
    }
    if (!user->waiting.empty()) List(user);
  }
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

}  // namespace ebla::rpc

#include "common/rpc/server_loop.h"

#include <algorithm>
#include <utility>

#include "common/rpc/server_connection.h"

namespace ebla::rpc {

namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kStrangersMin = 16;

}  // namespace

ServerLoop::ServerLoop(EventLoop& event_loop, const ServerOptions& server_options, const Dispatcher& to, size_t loops)
    : ConnectionLoop(event_loop, std::min(server_options.half_frame_timeout, server_options.unread_timeout),
                     server_options.buffered_bytes_max / loops, counters.connections),
      options(server_options),
      dispatcher(to),
      buffers{.socket = std::vector<char>(kReadBytes), .plain = {}},
      strangers_max_(std::max(kStrangersMin, server_options.connections_max / 4 / loops)),
      users_max_(std::max(kStrangersMin, server_options.connections_max / 8 * 5 / loops)) {}

void ServerLoop::Accept(int fd, std::string peer) {
  const std::shared_ptr<ServerConnection> connection = Adopt(fd, std::move(peer));
  if (connection == nullptr) return;
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
  const auto largest = std::ranges::max_element(connections(), {}, weight);
  const bool found = largest != connections().end() && weight(*largest) > kOwnBytes;
  const std::shared_ptr<ServerConnection> broken = found ? *largest : grown.shared_from_this();
  if (broken->held_bytes() <= kOwnBytes) return;
  broken->Break("the server holds too much for slow clients, most of it for this one: " +
                std::to_string(broken->held_bytes()) + " bytes");
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

}  // namespace ebla::rpc

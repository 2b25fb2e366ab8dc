#include "common/rpc/server_loop.h"

#include <algorithm>
#include <utility>

#include "common/rpc/server_connection.h"

namespace ebla::rpc {

namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kUsersMin = 16;

}  // namespace

ServerLoop::ServerLoop(EventLoop& event_loop, const ServerOptions& server_options, const Dispatcher& to, size_t loops,
                       std::shared_ptr<CallWindow> call_window)
    : ConnectionLoop(event_loop,
                     {.half_sent = server_options.half_frame_timeout,
                      .unread = server_options.unread_timeout,
                      .buffered_max = server_options.buffered_bytes_max / loops,
                      .too_much = "the server holds too much for slow clients",
                      .read_bytes = kReadBytes,
                      .strangers_max = server_options.connections_max / 4 / loops},
                     counted_),
      options(server_options),
      dispatcher(to),
      window(std::move(call_window)),
      users_max_(std::max(kUsersMin, server_options.connections_max / 8 * 5 / loops)) {}

std::shared_ptr<AcceptedConnection> ServerLoop::Make(int fd, std::string peer) {
  return std::make_shared<ServerConnection>(*this, fd, std::move(peer));
}

void ServerLoop::Defer(std::weak_ptr<ServerConnection> connection, const std::shared_ptr<LoopShares::User>& user,
                       LoopShares::Queue& queue) {
  queue.push_back(std::move(connection));
  List(user);
}

void ServerLoop::List(const std::shared_ptr<LoopShares::User>& user) {
  if (std::exchange(user->listed, true)) return;
  waiting_.push_back(user);
  if (waiting_.size() == 1) loop.Post([this, self = shared_from_this()] { Resume(); });
}

// Each user's connections take turns: one that has had nothing yet stays before those that have, and have more to do.
// Without room the end of a call lists it again; or that of a round, in which calls that wait long no longer count.
void ServerLoop::Resume() {
  std::vector<std::shared_ptr<LoopShares::User>> users;
  users.swap(waiting_);
  BeginTime();
  const auto resume = [](LoopShares::Queue& queue, const auto& may_go, void (ServerConnection::*go)()) {
    for (size_t left = queue.size(); left > 0 && may_go(); --left) {
      const std::shared_ptr<ServerConnection> connection = queue.front().lock();
      queue.pop_front();
      if (connection != nullptr) (connection.get()->*go)();
    }
  };
  for (const std::shared_ptr<LoopShares::User>& user : users) {
    user->listed = false;
    resume(user->sending, [&] { return HasTime(*user); }, &ServerConnection::ResumeSending);
    resume(user->waiting, [&] { return HasTime(*user) && HasRoom(*user); }, &ServerConnection::Resume);
    if (user->waiting.empty() && user->sending.empty()) continue;
    if (user->sending.empty() && !HasRoom(*user)) {
      ListAfter(CallWindow::kRound, &LoopShares::User::resting, user);
    } else if (!shares.HasTimeInSlot(*user) && Yields(*user)) {
      ListAfter(LoopShares::kSlot, &LoopShares::User::pausing, user);
    } else {
      List(user);
    }
  }
}

void ServerLoop::ListAfter(Duration period, bool LoopShares::User::* flag,
                           const std::shared_ptr<LoopShares::User>& user) {
  if (std::exchange((*user).*flag, true)) return;
  loop.After(period - shares.now().time_since_epoch() % period, [this, self = shared_from_this(), flag, user] {
    (*user).*flag = false;
    List(user);
  });
}

}  // namespace ebla::rpc

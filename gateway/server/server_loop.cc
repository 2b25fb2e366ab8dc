#include "gateway/server/server_loop.h"

#include <algorithm>
#include <utility>

#include "gateway/server/connection.h"

namespace ebla::gateway {
namespace {

constexpr size_t kReadBytes = 128 * 1024;
constexpr size_t kOfOneUserMin = 16;

}  // namespace

ServerLoop::ServerLoop(rpc::EventLoop& event_loop, const ServerOptions& server_options, const ProtocolFactory& factory,
                       LoopStatistics& loop_statistics, size_t loops)
    : ConnectionLoop(event_loop,
                     {.half_sent = server_options.half_command_timeout,
                      .unread = server_options.unread_timeout,
                      .buffered_max = server_options.buffered_bytes_max,
                      .too_much = "the gateway holds too much for its clients",
                      .read_bytes = kReadBytes,
                      .strangers_max = server_options.connections_max / 4 / loops},
                     loop_statistics),
      options(server_options),
      make_protocol(factory),
      statistics(loop_statistics),
      of_one_user_max_(std::max(kOfOneUserMin, server_options.connections_max / 2 / loops)) {}

std::shared_ptr<rpc::AcceptedConnection> ServerLoop::Make(int fd, std::string peer) {
  return std::make_shared<Connection>(*this, fd, std::move(peer));
}

// A connection with few bytes may always add some, as in ConnectionLoop's bound.
bool ServerLoop::MaySend(const Connection& connection, size_t more) const {
  const auto& [replies, pushed, given_up] = connection.in_transit;
  return in_transit_bytes_ + more <= options.buffered_bytes_max || replies + pushed + more <= kOwnBytes;
}

void ServerLoop::Answer(Connection& connection, Command& command, Reply reply) {
  const bool too_much = !MaySend(connection, reply.bytes.size());
  if (too_much) std::string().swap(reply.bytes);
  connection.in_transit.replies += reply.bytes.size();
  in_transit_bytes_ += reply.bytes.size();
  Send({.asker = &connection, .command = &command, .reply = std::move(reply), .too_much = too_much});
}

bool ServerLoop::Push(std::shared_ptr<Connection> connection, std::shared_ptr<const std::string> bytes,
                      Sink::Wanted wanted) {
  if (loop.InThread()) return connection->OnPush(*bytes);
  const size_t size = bytes->size();
  Connection::InTransit& to_it = connection->in_transit;
  const size_t waiting = to_it.pushed + size;
  if (to_it.given_up || waiting > options.pushed_bytes_max || !MaySend(*connection, size)) {
    if (!to_it.given_up.exchange(true))
      loop.Post([connection = std::move(connection), waiting] { connection->BreakAsSlow(waiting); });
    return false;
  }
  to_it.pushed += size;
  in_transit_bytes_ += size;
  Send({.pushed_to = std::move(connection), .pushed = std::move(bytes), .wanted = std::move(wanted)});
  return true;
}

void ServerLoop::Send(Answered answered) {
  {
    MutexLock lock(mutex_);
    answered_.push_back(std::move(answered));
    if (answered_.size() > 1) return;  // the task that is posted delivers it, too
  }
  loop.Post([this, self = shared_from_this()] { Deliver(); });
}

void ServerLoop::Deliver() {
  std::vector<Answered> answered;
  {
    MutexLock lock(mutex_);
    answered.swap(answered_);
  }
  for (Answered& one : answered) {
    if (one.command != nullptr) {
      one.asker->in_transit.replies -= one.reply.bytes.size();
      in_transit_bytes_ -= one.reply.bytes.size();
      if (one.too_much) one.asker->Break("the gateway holds too much for its clients");
      one.asker->Complete(*one.command, std::move(one.reply));
    } else {
      one.pushed_to->in_transit.pushed -= one.pushed->size();
      in_transit_bytes_ -= one.pushed->size();
      if (one.wanted == nullptr || *one.wanted) one.pushed_to->OnPush(*one.pushed);
    }
  }
}

}  // namespace ebla::gateway

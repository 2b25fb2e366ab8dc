#include "gateway/server/server_loop.h"

#include <algorithm>
#include <utility>

#include "gateway/server/connection.h"

namespace ebla::gateway {
namespace {

constexpr size_t kReadBytes = 128 * 1024;

}  // namespace

ServerLoop::ServerLoop(rpc::EventLoop& event_loop, const ServerOptions& server_options, const ProtocolFactory& factory,
                       LoopStatistics& loop_statistics)
    : ConnectionLoop(event_loop, std::min(server_options.unread_timeout, server_options.half_command_timeout),
                     server_options.buffered_bytes_max, loop_statistics.connections),
      options(server_options),
      make_protocol(factory),
      statistics(loop_statistics),
      buffers{.socket = std::vector<char>(kReadBytes), .plain = {}} {}

void ServerLoop::Accept(int fd, std::string peer) {
  if (const std::shared_ptr<Connection> connection = Adopt(fd, std::move(peer))) connection->Start();
}

void ServerLoop::BreakLargest(Connection& grown) {
  const auto weight = [](const std::shared_ptr<Connection>& connection) { return connection->held_bytes(); };
  const auto largest = std::ranges::max_element(connections(), {}, weight);
  const std::shared_ptr<Connection> broken =
      weight(*largest) > grown.held_bytes() ? *largest : grown.shared_from_this();
  if (broken->held_bytes() <= kOwnBytes) return;
  broken->Break("the gateway holds too much for its clients, most of it for this one: " +
                std::to_string(broken->held_bytes()) + " bytes");
}

void ServerLoop::Answer(std::shared_ptr<Connection> connection, std::shared_ptr<CommandQueue::Entry> entry,
                        Reply reply) {
  if (loop.InThread()) return connection->Complete(*entry, std::move(reply));
  Bring({std::move(connection), std::move(entry), std::move(reply), nullptr, nullptr});
}

void ServerLoop::Push(std::shared_ptr<Connection> connection, std::shared_ptr<const std::string> bytes,
                      Outlet::Wanted wanted) {
  if (loop.InThread()) return connection->OnPush(*bytes);
  Bring({std::move(connection), nullptr, {}, std::move(bytes), std::move(wanted)});
}

void ServerLoop::Bring(Answered answered) {
  {
    MutexLock lock(mutex_);
    answered_.push_back(std::move(answered));
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
  for (Answered& one : answered) {
    if (one.entry != nullptr) {
      one.connection->Complete(*one.entry, std::move(one.reply));
    } else if (one.wanted == nullptr || *one.wanted) {
      one.connection->OnPush(*one.pushed);
    }
  }
}

}  // namespace ebla::gateway

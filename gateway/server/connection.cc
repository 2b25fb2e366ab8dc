#include "gateway/server/connection.h"

#include <glog/logging.h>

#include <functional>
#include <optional>
#include <utility>

#include "common/base/key_range.h"
#include "common/rpc/socket.h"

namespace ebla::gateway {
namespace {

constexpr size_t kLargeReply = 128 * 1024;   // becomes the buffer that is sent
constexpr size_t kBatchedMax = 127;          // by one command
constexpr size_t kSmallCommand = 16 * 1024;  // half of one may wait for ever, as from a person who types

std::string LocalOf(int fd) {
  const Result<rpc::Endpoint> local = rpc::LocalAddress(fd);
  return local ? local->ToString() : "";
}

}  // namespace

Connection::Connection(ServerLoop& server, int fd, std::string peer)
    : AcceptedConnection(server.shared_from_this(), fd, std::move(peer),
                         server.options.tls == nullptr ? nullptr : server.options.tls->Accept()),
      server_(server),
      local_(LocalOf(fd)),
      fd_shown_(fd) {}

void Connection::Start() {
  protocol_ = server_.make_protocol(server_.loop, peer(), Self());
  NoteProgress();
  UpdateReading();
  UpdateWatch();
  UpdateUser();
}

void Connection::OnClosed() {
  if (user_ != nullptr) server_.users.Leave(*std::exchange(user_, nullptr));
  abandoned_ = commands_.Clear();
  protocol_->OnClosed();
}

void Connection::LogBroken(const std::string& why) const {
  LOG_EVERY_T(WARNING, 1) << "closed the connection from " << peer() << ": " << why;
}

// The client sends nothing more, and with `lost` takes nothing more either. The commands that it has sent still run,
// because a client may send changes and close without waiting for their replies.
void Connection::EndInput(bool lost) {
  if (shut()) return Close();
  if (lost) OnUnsendable();
  if (ending()) {
    UpdateReading();
    return FinishDrain();
  }
  Consume(received().view());
}

// Discards replies from now on. The input that has arrived is still read to its end, and its commands run.
void Connection::OnUnsendable() {
  lost_ = true;
  protocol_->OnClosed();
  GiveUpSending();
  server_.loop.AtTurnEnd(this);
}

bool Connection::HasRoom() const {
  return !commands_.holds_input() && commands_.in_flight() < server_.options.in_flight_max &&
         commands_.held_bytes() + unsent() < server_.options.held_bytes_max;
}

void Connection::UpdateWatch() {
  if (!open()) return;
  const size_t held = received().size() + protocol_->held_bytes() + commands_.held_bytes() + unsent();
  shown_read_.store(begun(), std::memory_order_relaxed);
  shown_unsent_.store(unsent(), std::memory_order_relaxed);
  shown_held_.store(held, std::memory_order_relaxed);
  const bool waits = (!stream().established() && !ended()) || begun() > kSmallCommand;
  Report(held, waits || (protocol_->user() != nullptr && protocol_->user()->empty()));
}

void Connection::UpdateUser() {
  const std::string* const name = protocol_->user();
  if (name == nullptr || !open()) return;
  const size_t flow = std::hash<std::string>{}(*name);
  if (user_ == nullptr ? !name->empty() : name->empty() || user_->flow != flow) {
    if (user_ != nullptr) server_.users.Leave(*std::exchange(user_, nullptr));
    if (!name->empty()) user_ = server_.users.Join(flow);
  }
  if (user_ != nullptr && !server_.HasPlaceFor(*user_))
    return Break("user \"" + EscapeBytes(*name) + "\" has " + std::to_string(user_->connections - 1) +
                 " connections here already");
  SetStranger(name->empty());
}

std::optional<std::string> Connection::Overdue() const {
  if (!server_.IsHalfSentTooLong(progress_tick())) return std::nullopt;
  if (!stream().established()) return "it did not finish the TLS handshake in time";
  if (begun() > kSmallCommand && reading())
    return "it did not finish a command in time (" + std::to_string(begun()) + " bytes came)";
  return std::nullopt;
}

void Connection::OnReadable() {
  const auto alive = shared_from_this();
  const auto came = Receive();
  if (!came.has_value() && stream().secure()) NoteBroken(came.error().message());
  if (!came.has_value() || !came->has_value()) return EndInput(!came.has_value());
  const std::string_view bytes = **came;
  if (bytes.empty() || shut()) return UpdateWatch();
  server_.counters.bytes_in.Add(bytes.size());
  NoteProgress();
  Consume(received().Join(bytes));
}

// Cuts the whole commands at the beginning of `bytes` (those kept, or the loop's scratch), and keeps the rest.
void Connection::Consume(std::string_view bytes) {
  const size_t used = CutCommands(bytes);
  if (!open()) return;
  if (ended() && HasRoom()) BeginEnding();  // what is left is no whole command
  received().Keep(bytes, ending() ? bytes.size() : used, 0);
  if (commands_.size() > 0 || ending()) server_.loop.AtTurnEnd(this);
  UpdateReading();
  UpdateWatch();
}

size_t Connection::CutCommands(std::string_view bytes) {
  ++moment_;
  const SteadyTime now = server_.Now();
  size_t used = 0;
  while (open() && !ending() && HasRoom() && used < bytes.size()) {
    Protocol::Taken taken = protocol_->Take(bytes.substr(used));
    used += taken.bytes;
    if (!taken.fault.empty()) NoteBroken(std::string(taken.fault));
    if (taken.end) BeginEnding();
    if (taken.command == nullptr) {
      if (taken.bytes == 0) break;
      continue;
    }
    if (taken.command->ends_connection()) BeginEnding();
    commands_.Add(std::move(taken.command), now, moment_);
    RunCommands();
  }
  return used;
}

// A command may answer at once, and let others run: one of these loops serves them all. While too much waits for the
// client, none begins; while it waits for the oldest command, that one may.
void Connection::RunCommands() {
  if (std::exchange(running_, true)) return;
  const size_t most = server_.options.held_bytes_max;
  while (unsent() < most) {
    const bool crowded = commands_.reply_bytes() + unsent() >= most;
    Command* const command = commands_.TakeRunnable(crowded);
    if (command == nullptr) break;
    if (!crowded) BatchFollowers(*command);
    Await(*command);
    command->Run();
  }
  running_ = false;
}

void Connection::BatchFollowers(Command& leader) {
  Command* last = &leader;
  for (size_t batched = 0; batched < kBatchedMax; ++batched) {
    const Command* const next = commands_.Follower(*last);
    if (next == nullptr || !leader.MayBatch(*next)) return;
    last = &commands_.TakeFollower(*last);
    Await(*last);
    leader.AddToBatch(*last);
  }
}

void Connection::Await(Command& command) {
  if (awaited_++ == 0) self_ = Self();
  server_.statistics.in_flight.Add(1);
  command.Expect(*this, server_.PhaseNow());
}

void Connection::OnReply(Command& command, Reply reply) {
  if (server_.loop.InThread()) return Complete(command, std::move(reply));
  const std::shared_ptr<rpc::ConnectionLoop> kept = home();  // this may be gone before the call ends
  server_.Answer(*this, command, std::move(reply));
}

void Connection::Complete(Command& command, Reply reply) {
  const std::shared_ptr<Connection> last_held = --awaited_ == 0 ? std::move(self_) : nullptr;
  server_.statistics.in_flight.Sub(1);
  server_.statistics.Count(command.kind(), reply, server_.PhaseNow() - command.arrived());
  if (!open()) {
    std::erase_if(abandoned_, [&command](const auto& one) { return one.get() == &command; });
    // RunCommands() is on the stack and uses this connection, so a task keeps it until then.
    if (running_ && last_held != nullptr) server_.loop.Post([last_held] {});
    return;
  }
  if (reply.last) {
    BeginEnding();
    commands_.FinishLast(command, std::move(reply.bytes));
  } else {
    commands_.Finish(command, std::move(reply.bytes));
    UpdateWatch();  // many may get theirs in one turn
    if (open()) RunCommands();
  }
  if (open()) server_.loop.AtTurnEnd(this);
}

void Connection::CollectReplies() {
  while (std::optional<std::string> reply = commands_.TakeReply()) {
    if (reply->empty() || lost_) continue;
    if (reply->size() > kLargeReply) {
      AppendLarge(*std::move(reply));
    } else {
      Outgoing().append(*reply);
    }
  }
}

bool Connection::Push(std::shared_ptr<const std::string> bytes, Wanted wanted) {
  return server_.Push(Self(), std::move(bytes), std::move(wanted));
}

void Connection::End() {
  server_.loop.Post([self = shared_from_this()] { self->Close(); });
}

ConnectionVitals Connection::vitals() const {
  return {fd_shown_, local_, shown_read_.load(std::memory_order_relaxed), shown_unsent_.load(std::memory_order_relaxed),
          shown_held_.load(std::memory_order_relaxed)};
}

bool Connection::OnPush(std::string_view bytes) {
  if (!open() || lost_ || shut()) return false;
  CollectReplies();
  Outgoing().append(bytes);
  const ServerOptions& options = server_.options;
  const MonotonicTime now = server_.loop.Now();
  if (unsent() > options.pushed_bytes_soft && !crowded_since_) crowded_since_ = now;
  if (unsent() > options.pushed_bytes_max || (crowded_since_ && now - *crowded_since_ > options.pushed_soft_for)) {
    BreakAsSlow(unsent());
    return false;
  }
  server_.loop.AtTurnEnd(this);
  UpdateWatch();  // many may get something in one turn
  return open();
}

void Connection::BreakAsSlow(size_t waiting) {
  Break("it takes its messages more slowly than they come (" + std::to_string(waiting) + " bytes wait)");
}

void Connection::OnTurnEnd() {
  const auto alive = shared_from_this();
  UpdateUser();  // before it is told that it is in
  if (!open()) return;
  CollectReplies();
  Flush();
  if (!open()) return;
  if (unsent() <= server_.options.pushed_bytes_soft) crowded_since_.reset();
  RunCommands();
  if (ending()) {
    received().Drop(0);
    FinishDrain();
  } else if ((ended() || (!received().empty() && !reading())) && HasRoom()) {
    Consume(received().view());  // reads again when they leave room
  }
  UpdateReading();
  UpdateWatch();
}

}  // namespace ebla::gateway

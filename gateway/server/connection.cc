#include "gateway/server/connection.h"

#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "common/rpc/buffer.h"
#include "common/rpc/socket.h"

namespace ebla::gateway {
namespace {

constexpr size_t kLargeReply = 128 * 1024;  // becomes the buffer that is sent
constexpr size_t kCarriedMax = 127;         // by one command
constexpr Duration kLinger = std::chrono::milliseconds(250);
constexpr size_t kSmallCommand = 16 * 1024;  // half of one may wait for ever, as from somebody who types

std::string LocalOf(int fd) {
  const Result<rpc::Endpoint> local = rpc::LocalAddress(fd);
  return local ? local->ToString() : "";
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerLoop> server, int fd, std::string peer)
    : server_(std::move(server)),
      peer_(std::move(peer)),
      local_(LocalOf(fd)),
      fd_shown_(fd),
      fd_(fd),
      stream_(fd, server_->options.tls == nullptr ? nullptr : server_->options.tls->Accept()) {
  event_assign(
      &read_event_, server_->loop.base(), fd, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Connection*>(self)->OnReadable(); }, this);
  event_assign(
      &write_event_, server_->loop.base(), fd, EV_WRITE,
      [](evutil_socket_t, short, void* self) {
        const auto alive = static_cast<Connection*>(self)->shared_from_this();
        alive->OnTurnEnd();
      },
      this);
}

Connection::~Connection() { CHECK_EQ(fd_, -1) << "a connection went without being closed"; }

void Connection::Start() {
  protocol_ = server_->make_protocol(server_->loop, peer_, weak_from_this());
  came_tick_ = server_->tick();
  UpdateReading();
  UpdateWatch();
}

void Connection::Close() {
  if (fd_ < 0) return;
  const auto alive = shared_from_this();
  event_del(&read_event_);
  event_del(&write_event_);
  server_->loop.Withdraw(this);
  close(std::exchange(fd_, -1));
  if (std::exchange(watched_, false)) server_->Watch(false);
  server_->Account(std::exchange(accounted_, 0), 0);
  std::string().swap(in_);
  std::string().swap(out_);
  out_sent_ = 0;
  commands_.Clear();
  protocol_->OnClosed();
  server_->Remove(*this);
}

void Connection::NoteBroken(const std::string& why) {
  server_->statistics.broken.Add(1);
  LOG_EVERY_T(WARNING, 1) << "closed the connection from " << peer_ << ": " << why;
}

void Connection::Break(const std::string& why) {
  if (fd_ < 0) return;
  NoteBroken(why);
  Close();
}

// The client sends no more, and with `lost` takes no more either. What it has sent runs, as somebody may have sent
// changes whose answers nobody wants, and closed.
void Connection::EndInput(bool lost) {
  if (shut_) return Close();
  ended_ = true;
  if (lost) Lose();
  if (ending_) {
    UpdateReading();
    return FinishDrain();
  }
  Consume(in_);
}

// Nothing can be sent any more: replies are thrown away from now on. What has come is still read up to its end, but for
// TLS, of which nothing more can be understood.
void Connection::Lose() {
  lost_ = true;
  protocol_->OnClosed();
  ended_ = ended_ || stream_.secure();
  event_del(&write_event_);
  std::string().swap(out_);
  out_sent_ = 0;
  server_->loop.AtTurnEnd(this);
}

void Connection::Drain() {
  ending_ = true;
  std::string().swap(in_);
  UpdateReading();
  FinishDrain();
}

// Everything answered and sent: says so to the client, and waits a little for it to close, as closing at once with
// bytes unread would destroy replies that are still under way.
void Connection::FinishDrain() {
  if (fd_ < 0 || !ending_ || shut_ || commands_.size() > 0 || unsent() > 0) return;
  if (ended_) return Close();  // nothing of it is unread
  shut_ = true;
  shutdown(fd_, SHUT_WR);
  UpdateReading();
  server_->loop.After(kLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Close();
  });
}

bool Connection::Full() const {
  return commands_.holds_input() || commands_.in_flight() >= server_->options.in_flight_max ||
         commands_.held_bytes() + unsent() >= server_->options.held_bytes_max;
}

void Connection::UpdateReading() {
  const bool want = fd_ >= 0 && !ended_ && (ending_ ? shut_ : !Full());
  if (want == reading_ || fd_ < 0) return;
  reading_ = want;
  if (want) {
    event_add(&read_event_, nullptr);
    came_tick_ = server_->tick();  // while it was not read, the client could not go on
  } else {
    event_del(&read_event_);
  }
}

void Connection::UpdateWatch() {
  if (fd_ < 0) return;
  const bool want = unsent() > 0 || (!stream_.established() && !ended_) || begun() > kSmallCommand;
  if (want != watched_) {
    watched_ = want;
    server_->Watch(want);
  }
  const size_t held = in_.size() + protocol_->held_bytes() + commands_.held_bytes() + unsent(),
               before = std::exchange(accounted_, held);
  shown_read_.store(begun(), std::memory_order_relaxed);
  shown_unsent_.store(unsent(), std::memory_order_relaxed);
  shown_held_.store(held, std::memory_order_relaxed);
  if (held != before && server_->Account(before, held) && held > before) server_->BreakLargest(*this);
}

void Connection::OnSweep() {
  if (!watched_) return;
  const uint32_t tick = server_->tick();
  const uint32_t patience = server_->TicksOf(server_->options.half_command_timeout);
  if (unsent() > 0 && tick - sent_tick_ > server_->TicksOf(server_->options.unread_timeout)) {
    Break("it does not read its replies (" + std::to_string(unsent()) + " bytes wait)");
  } else if (!stream_.established() && tick - came_tick_ > patience) {
    Break("it did not finish the TLS handshake in time");
  } else if (begun() > kSmallCommand && reading_ && tick - came_tick_ > patience) {
    Break("it did not finish a command in time (" + std::to_string(begun()) + " bytes came)");
  }
}

void Connection::OnReadable() {
  const auto alive = shared_from_this();
  const auto received = stream_.Receive(server_->buffers);
  if (!received.has_value() && stream_.secure()) NoteBroken(received.error().message());
  if (!received.has_value() || !received->has_value()) return EndInput(!received.has_value());
  if (stream_.pending() > 0) event_add(&write_event_, nullptr);
  const std::string_view bytes = **received;
  if (bytes.empty() || shut_) return UpdateWatch();
  server_->statistics.bytes_in.Add(bytes.size());
  came_tick_ = server_->tick();
  if (in_.empty()) {
    Consume(bytes);
  } else {
    in_.append(bytes);
    Consume(in_);
  }
}

// Cuts the whole commands at the beginning of `bytes` (in_, or the loop's scratch), and keeps the rest in in_.
void Connection::Consume(std::string_view bytes) {
  const size_t used = CutCommands(bytes);
  if (fd_ < 0) return;
  if (ended_ && !Full()) ending_ = true;  // what is left is no whole command
  if (ending_ || used == bytes.size()) {
    std::string().swap(in_);
  } else if (bytes.data() != in_.data()) {
    in_.assign(bytes.substr(used));
  } else if (used > 0) {
    in_.erase(0, used);
  }
  if (commands_.size() > 0 || ending_) server_->loop.AtTurnEnd(this);
  UpdateReading();
  UpdateWatch();
}

size_t Connection::CutCommands(std::string_view bytes) {
  ++moment_;
  const MonotonicTime now = server_->Now();
  size_t used = 0;
  while (fd_ >= 0 && !ending_ && !Full() && used < bytes.size()) {
    Protocol::Taken taken = protocol_->Take(bytes.substr(used));
    used += taken.bytes;
    ending_ = taken.end;
    if (taken.command == nullptr) {
      if (taken.bytes == 0) break;
      continue;
    }
    ending_ = ending_ || taken.command->ends_connection();
    commands_.Add(std::move(taken.command), now, moment_);
    RunCommands();
  }
  return used;
}

// A command may answer at once, and let others run: one of these loops serves them all. While too much waits for the
// client, none begins; while it waits for the oldest command, that one may.
void Connection::RunCommands() {
  if (std::exchange(running_, true)) return;
  const size_t most = server_->options.held_bytes_max;
  while (unsent() < most) {
    const bool crowded = commands_.reply_bytes() + unsent() >= most;
    std::shared_ptr<CommandQueue::Entry> entry = commands_.TakeRunnable(crowded);
    if (entry == nullptr) break;
    if (!crowded) CarryFollowers(*entry);
    entry->command->Run(DoneOf(entry));
  }
  running_ = false;
}

void Connection::CarryFollowers(CommandQueue::Entry& carrier) {
  CommandQueue::Entry* last = &carrier;
  for (size_t carried = 0; carried < kCarriedMax; ++carried) {
    const CommandQueue::Entry* const next = commands_.Follower(*last);
    if (next == nullptr || !carrier.command->Carries(*next->command)) return;
    std::shared_ptr<CommandQueue::Entry> follower = commands_.TakeFollower(*last);
    last = follower.get();
    carrier.command->Carry(*last->command, DoneOf(std::move(follower)));
  }
}

Command::Done Connection::DoneOf(std::shared_ptr<CommandQueue::Entry> entry) {
  server_->statistics.in_flight.Add(1);
  return [server = server_, self = shared_from_this(), entry = std::move(entry)](Reply reply) mutable {
    ServerLoop& loop = *server;
    loop.Answer(std::move(self), std::move(entry), std::move(reply));
  };
}

void Connection::Complete(CommandQueue::Entry& entry, Reply reply) {
  server_->statistics.in_flight.Sub(1);
  server_->statistics.Count(entry.command->kind(), reply, server_->PhaseNow() - entry.arrived);
  if (fd_ < 0) return;
  if (reply.last) {
    ending_ = true;
    commands_.FinishLast(entry, std::move(reply.bytes));
  } else {
    commands_.Finish(entry, std::move(reply.bytes));
    RunCommands();
  }
  server_->loop.AtTurnEnd(this);
}

void Connection::CollectReplies() {
  while (std::optional<std::string> reply = commands_.TakeReply()) {
    if (reply->empty() || lost_) continue;
    if (out_.empty() && reply->size() > kLargeReply) {
      sent_tick_ = server_->tick();
      out_.swap(*reply);
    } else {
      TakeForSending(*reply);
    }
  }
}

void Connection::TakeForSending(std::string_view bytes) {
  if (unsent() == 0) sent_tick_ = server_->tick();
  if (out_.empty()) out_ = server_->TakeBuffer();
  out_.append(bytes);
}

void Connection::Push(std::shared_ptr<const std::string> bytes, Wanted wanted) {
  server_->Push(shared_from_this(), std::move(bytes), std::move(wanted));
}

void Connection::End() {
  server_->loop.Post([self = shared_from_this()] { self->Close(); });
}

ConnectionVitals Connection::vitals() const {
  return {fd_shown_, local_, shown_read_.load(std::memory_order_relaxed), shown_unsent_.load(std::memory_order_relaxed),
          shown_held_.load(std::memory_order_relaxed)};
}

void Connection::OnPush(std::string_view bytes) {
  if (fd_ < 0 || lost_ || shut_) return;
  CollectReplies();
  TakeForSending(bytes);
  const ServerOptions& options = server_->options;
  const MonotonicTime now = server_->loop.Now();
  if (unsent() > options.pushed_bytes_soft && !crowded_since_) crowded_since_ = now;
  if (unsent() > options.pushed_bytes_max || (crowded_since_ && now - *crowded_since_ > options.pushed_soft_for))
    return Break("it takes its messages more slowly than they come (" + std::to_string(unsent()) + " bytes wait)");
  server_->loop.AtTurnEnd(this);
  UpdateWatch();  // many may get something in one turn
}

void Connection::Flush() {
  if (fd_ < 0 || unsent() == 0) return;
  const size_t before = unsent();
  const Result<size_t> sent = stream_.Send(std::string_view(out_).substr(out_sent_));
  if (!sent.has_value()) return Lose();
  out_sent_ += *sent;
  server_->statistics.bytes_out.Add(*sent);
  if (unsent() <= server_->options.pushed_bytes_soft) crowded_since_.reset();
  if (unsent() < before) sent_tick_ = server_->tick();  // TLS may send what it took before, and take nothing
  if (out_sent_ == out_.size()) {
    out_sent_ = 0;
    server_->GiveBuffer(std::exchange(out_, {}));
    if (stream_.pending() == 0) return;
  } else if (out_sent_ > out_.size() / 2) {
    out_.erase(0, out_sent_);
    out_sent_ = 0;
  }
  event_add(&write_event_, nullptr);
}

void Connection::OnTurnEnd() {
  const auto alive = shared_from_this();
  CollectReplies();
  if (!event_pending(&write_event_, EV_WRITE, nullptr)) Flush();
  if (fd_ < 0) return;
  RunCommands();
  if (ending_) {
    std::string().swap(in_);
    FinishDrain();
  } else if ((ended_ || (!in_.empty() && !reading_)) && !Full()) {
    Consume(in_);  // reads again when they leave room
  }
  UpdateReading();
  UpdateWatch();
}

}  // namespace ebla::gateway

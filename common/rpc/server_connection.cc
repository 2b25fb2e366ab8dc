#include "common/rpc/server_connection.h"

#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "common/base/mutex.h"
#include "common/rpc/buffer.h"

namespace ebla::rpc {
namespace {

constexpr size_t kFlushBytes = 128 * 1024;  // replies are sent at the turn's end, or when they come to this much
constexpr Duration kLinger = std::chrono::milliseconds(250);
constexpr int kInternalError = 6;                // of TApplicationException
constexpr size_t kUnknownFrameMax = 16 << 10;    // of who has yet to log in: that takes less
constexpr size_t kInputRetainedMax = 16 * 1024;  // a larger buffer is not kept once it is empty

// Which log lines about broken connections to let through: ten at once, then five a second. A hostile client cannot
// fill the disk with them.
class LineBudget {
 public:
  // How many lines were held back since the last one let through; none when this one is to be held back.
  std::optional<uint64_t> Take(MonotonicTime now) {
    MutexLock lock(mutex_);
    const double elapsed = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    tokens_ = std::min(10.0, tokens_ + elapsed * 5);
    if (tokens_ < 1) {
      ++held_;
      return std::nullopt;
    }
    tokens_ -= 1;
    return std::exchange(held_, 0);
  }

 private:
  Mutex mutex_;
  double tokens_ EBLA_GUARDED_BY(mutex_) = 10;
  uint64_t held_ EBLA_GUARDED_BY(mutex_) = 0;
  MonotonicTime last_ EBLA_GUARDED_BY(mutex_);
};

void LogBroken(MonotonicTime now, const std::string& peer, const std::string& why) {
  static LineBudget budget;
  const std::optional<uint64_t> held = budget.Take(now);
  if (!held.has_value()) return;
  LOG(WARNING) << "closed the connection from " << peer << ": " << why
               << (*held > 0 ? " (" + std::to_string(*held) + " such lines left out)" : "");
}

void AppendFrame(std::string& out, std::string_view message) {
  const uint32_t size = static_cast<uint32_t>(message.size());
  const char header[4] = {static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                          static_cast<char>(size)};
  out.append(header, 4);
  out.append(message);
}

int32_t FrameSize(std::string_view bytes) {
  uint32_t size = 0;
  for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(bytes[i]);
  return static_cast<int32_t>(size);
}

}  // namespace

ServerConnection::ServerConnection(std::shared_ptr<ServerLoop> server, int fd, std::string peer)
    : server_(std::move(server)),
      peer_(std::move(peer)),
      fd_(fd),
      accepted_tick_(server_->tick()),
      stream_(fd, server_->options.tls == nullptr ? nullptr
                                                  : server_->options.tls->Accept(server_->options.password_logins)) {
  event_assign(
      &read_event_, server_->loop.base(), fd, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<ServerConnection*>(self)->OnReadable(); }, this);
  event_assign(
      &write_event_, server_->loop.base(), fd, EV_WRITE,
      [](evutil_socket_t, short, void* self) {
        const auto alive = static_cast<ServerConnection*>(self)->shared_from_this();
        alive->OnTurnEnd();
      },
      this);
}

ServerConnection::~ServerConnection() { CHECK_EQ(fd_, -1) << "a connection went without being closed"; }

void ServerConnection::Start() {
  Shake();
  UpdateReading();
  UpdateWatch();
}

void ServerConnection::Shake() {
  if (session_ || !stream_.established()) return;
  session_.emplace();
  session_->identity = stream_.peer();
  session_->peer = peer_;
  session_->may_log_in = server_->options.password_logins;
  JoinUser();
}

void ServerConnection::Close() {
  if (fd_ < 0) return;
  const auto alive = shared_from_this();
  event_del(&read_event_);
  event_del(&write_event_);
  server_->loop.Withdraw(this);
  close(std::exchange(fd_, -1));
  if (std::exchange(stranger_, false)) server_->CountStranger(false);
  if (std::exchange(counted_user_, false)) server_->CountUser(false);
  if (user_ != nullptr) server_->shares.Leave(*std::exchange(user_, nullptr));
  if (std::exchange(watched_, false)) server_->Watch(false);
  server_->Account(std::exchange(accounted_, 0), 0);
  ClearBuffer(in_, kInputRetainedMax);
  std::string().swap(out_);
  out_sent_ = 0;
  ForgetHeld();
  server_->Remove(*this);
}

void ServerConnection::Break(const std::string& why) {
  if (fd_ < 0) return;
  server_->counters.connections_broken.Add(1);
  LogBroken(server_->loop.Now(), peer_, why);
  Close();
}

void ServerConnection::Drain() {
  draining_ = true;
  in_.clear();
  UpdateReading();
  FinishDrain();
}

// Everything answered and sent: says so to the client, and waits a little for it to close, as closing at once with
// requests unread would destroy replies that are still under way. Idle clients may never notice: they are not waited
// for.
void ServerConnection::FinishDrain() {
  if (fd_ < 0 || !draining_ || shut_ || in_flight_ > 0 || unsent() > 0) return;
  shut_ = true;
  shutdown(fd_, SHUT_WR);
  UpdateReading();
  server_->loop.After(kLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Close();
  });
}

bool ServerConnection::Full() const {
  return in_flight_ >= server_->options.in_flight_max || unsent() >= server_->options.unsent_bytes_max;
}

void ServerConnection::UpdateReading() {
  const bool want = fd_ >= 0 && (draining_ ? shut_ : !Full() && !deferred_);
  if (want == reading_ || fd_ < 0) return;
  reading_ = want;
  if (want) {
    event_add(&read_event_, nullptr);
    frame_tick_ = server_->tick();  // while it was not read, the client could not go on
  } else {
    event_del(&read_event_);
  }
}

void ServerConnection::UpdateWatch() {
  if (fd_ < 0) return;
  if (stranger_ != unknown()) server_->CountStranger(stranger_ = unknown());
  const bool want = unsent() > 0 || unknown() || (!in_.empty() && reading_);
  if (want != watched_) {
    watched_ = want;
    server_->Watch(want);
  }
  const size_t held = in_.size() + unsent(), before = std::exchange(accounted_, held);
  if (held != before && server_->Account(before, held) && held > before) server_->BreakLargest(*this);
}

void ServerConnection::OnSweep() {
  if (!watched_) return;
  const uint32_t tick = server_->tick();
  if (unsent() > 0 && tick - sent_tick_ > server_->TicksOf(server_->options.unread_timeout)) {
    Break("it does not read its replies (" + std::to_string(unsent()) + " bytes wait)");
  } else if (unknown() && tick - accepted_tick_ > server_->TicksOf(server_->options.half_frame_timeout)) {
    Break(session_ ? "it did not log in in time" : "it did not finish the TLS handshake in time");
  } else if (!in_.empty() && reading_ && tick - frame_tick_ > server_->TicksOf(server_->options.half_frame_timeout)) {
    Break("it did not finish a frame in time (" + std::to_string(in_.size()) + " bytes came)");
  }
}

void ServerConnection::OnReadable() {
  if (!HasTime()) {
    unread_ = true;
    return Defer();
  }
  const auto alive = shared_from_this();
  server_->shares.Begin();
  const auto received = stream_.Receive(server_->buffers);
  if (!received.has_value()) return stream_.secure() ? Break(received.error().message()) : Close();
  if (!received->has_value()) {
    if (!in_.empty() && !draining_) return Break("it ended within a frame");
    return Close();
  }
  Shake();
  if (fd_ < 0) return;
  if (stream_.pending() > 0) event_add(&write_event_, nullptr);
  const std::string_view bytes = **received;
  if (bytes.empty()) return UpdateWatch();
  server_->counters.bytes_in.Add(bytes.size());
  if (shut_) return;
  if (in_.empty()) {
    frame_tick_ = server_->tick();
    Consume(bytes);
  } else {
    in_.append(bytes);
    Consume(in_);
  }
  SendShared();
}

// Handles the whole frames at the beginning of `bytes` (in_, or the loop's scratch), and keeps the rest in in_.
void ServerConnection::Consume(std::string_view bytes) {
  const size_t used = CutFrames(bytes);
  if (fd_ < 0) return;
  if (bytes.data() != in_.data()) {
    in_.assign(bytes.substr(used));
  } else if (used == in_.size()) {
    ClearBuffer(in_, kInputRetainedMax);
  } else if (used > 0) {
    in_.erase(0, used);
  }
  if (used > 0) frame_tick_ = server_->tick();
  UpdateReading();
  UpdateWatch();
}

void ServerConnection::JoinUser() {
  const size_t flow = session_->identity.flow();
  if (user_ != nullptr && user_->flow == flow) return;
  if (user_ != nullptr) server_->shares.Leave(*user_);
  user_ = server_->shares.Join(flow);
  const bool is_user = session_->identity.kind == security::Identity::Kind::kUser;
  if (counted_user_ != is_user) server_->CountUser(counted_user_ = is_user);
  if (counted_user_ && !server_->HasPlaceFor(*user_))
    Break("user \"" + session_->identity.name + "\" has " + std::to_string(user_->connections - 1) +
          " connections here already, or all users too many");
}

void ServerConnection::SpendTime() {
  if (shared()) LoopShares::Spend(*user_, server_->shares.Lap(), server_->loop.phase());
}

void ServerConnection::Defer() {
  if (std::exchange(deferred_, true)) return;
  server_->Defer(*this, user_);
  UpdateReading();
}

void ServerConnection::Resume() {
  const auto alive = shared_from_this();
  deferred_ = false;
  GoOn(true);
  if (std::exchange(unread_, false) && fd_ >= 0 && reading_) OnReadable();
}

size_t ServerConnection::CutFrames(std::string_view bytes) {
  if (session_) JoinUser();
  size_t used = 0;
  while (fd_ >= 0 && !Full() && !draining_ && !deferred_ && bytes.size() - used >= 4) {
    const std::string_view rest = bytes.substr(used);
    const int32_t size = FrameSize(rest);
    const size_t most = unknown() ? kUnknownFrameMax : server_->options.frame_bytes_max;
    if (size <= 0 || static_cast<size_t>(size) > most) {
      const bool tls = rest.starts_with("\x16\x03");
      Break(tls ? "it speaks TLS, and this server has no certificate: give it --tls_dir"
                : "it announced a frame of " + std::to_string(size) + " bytes" +
                      (unknown() ? " before it logged in" : ""));
      return used;
    }
    if (rest.size() - 4 < static_cast<size_t>(size)) break;
    if (!HasTime()) {
      Defer();
      return used;
    }
    used += 4 + static_cast<size_t>(size);
    HandleMessage(rest.substr(4, static_cast<size_t>(size)));
    SpendTime();
  }
  return used;
}

void ServerConnection::HandleMessage(std::string_view message) {
  const Result<MessageHead> head = ParseMessageHead(message);
  if (!head.has_value()) return Break("it sent " + head.error().message());
  if (!std::exchange(protocol_known_, true)) protocol_ = head->protocol;
  if (head->protocol != protocol_) return Break("it changed its protocol");
  if (head->type != MessageType::kCall) return Break("it sent a message that is not a call");

  auto call = std::make_unique<Call>();
  call->connection = shared_from_this();
  call->sequence = head->sequence;
  call->protocol = head->protocol;
  Insert(call.get());
  server_->counters.requests.Add(1);
  server_->dispatcher.Dispatch(
      *head, message, *session_,
      [call = std::move(call)](Result<std::string_view> reply) mutable { Answer(std::move(call), std::move(reply)); });
}

void ServerConnection::Insert(Call* call) {
  if (buckets_ == nullptr) buckets_ = std::make_unique<std::array<Call*, kBuckets>>();
  Call** tail = &Bucket(call->sequence);
  while (*tail != nullptr) tail = &(*tail)->next;
  *tail = call;
  ++in_flight_;
  server_->counters.in_flight.Add(1);
}

void ServerConnection::Unlink(Call* call) {
  Call** place = &Bucket(call->sequence);
  while (*place != call) place = &(*place)->next;
  *place = call->next;
  --in_flight_;
  server_->counters.in_flight.Sub(1);
}

ServerConnection::Call* ServerConnection::Oldest(int32_t sequence) {
  Call* call = Bucket(sequence);
  while (call != nullptr && call->sequence != sequence) call = call->next;
  return call;
}

// Held replies will not be sent any more.
void ServerConnection::ForgetHeld() {
  if (buckets_ == nullptr) return;
  for (Call* call : *buckets_) {
    while (call != nullptr) {
      Call* const next = call->next;
      if (const std::unique_ptr<Call> owned = std::move(call->self)) Unlink(owned.get());
      call = next;
    }
  }
}

void ServerConnection::Answer(std::unique_ptr<Call> call, Result<std::string_view> reply) {
  EventLoop& loop = call->connection->server_->loop;
  if (loop.InThread()) {
    const auto connection = std::move(call->connection);  // outlives its call
    return connection->Complete(std::move(call), std::move(reply));
  }
  Result<std::string> copy;
  if (reply.has_value()) {
    copy = std::string(*reply);
  } else {
    copy = std::unexpected(reply.error());
  }
  loop.Post([call = std::move(call), copy = std::move(copy)]() mutable {
    const auto connection = std::move(call->connection);
    Result<std::string_view> view;
    if (copy.has_value()) {
      view = std::string_view(*copy);
    } else {
      view = std::unexpected(std::move(copy.error()));
    }
    connection->Complete(std::move(call), std::move(view));
  });
}

void ServerConnection::Complete(std::unique_ptr<Call> call, Result<std::string_view> reply) {
  if (!reply.has_value()) {
    Break("it sent a request that cannot be read: " + reply.error().message());
    reply = std::string_view();
  }
  const int32_t sequence = call->sequence;
  std::string too_large;
  if (reply->size() > server_->options.frame_bytes_max) {
    const MessageHead head{.protocol = call->protocol, .sequence = sequence};
    too_large = EncodeException(head, kInternalError,
                                "the reply of " + std::to_string(reply->size()) + " bytes is larger than a frame");
    reply = std::string_view(too_large);
  }
  if (fd_ >= 0 && Oldest(sequence) != call.get()) {
    Call* const waiting = call.get();
    waiting->held.assign(*reply);
    waiting->self = std::move(call);
    return;
  }
  Send(*reply);
  Unlink(call.get());
  // The younger ones that waited for it, up to the next without an answer.
  for (Call* next; (next = Oldest(sequence)) != nullptr && next->self != nullptr;) {
    const std::unique_ptr<Call> owned = std::move(next->self);
    Send(owned->held);
    Unlink(owned.get());
  }
  if (fd_ >= 0 && (!reading_ || draining_)) server_->loop.AtTurnEnd(this);
}

void ServerConnection::Send(std::string_view message) {
  if (fd_ < 0) return;
  if (out_.empty()) {
    out_ = server_->TakeBuffer();
    sent_tick_ = server_->tick();
  }
  AppendFrame(out_, message);
  if (unsent() >= kFlushBytes && !event_pending(&write_event_, EV_WRITE, nullptr)) {
    Flush();
  } else {
    server_->loop.AtTurnEnd(this);
  }
}

// Beside other users, what sending takes is its user's time too, and nobody's reply waits for another's to be sent.
void ServerConnection::SendShared() {
  if (!shared()) return;
  FlushUnlessBlocked();
  SpendTime();
}

void ServerConnection::FlushUnlessBlocked() {
  if (!event_pending(&write_event_, EV_WRITE, nullptr)) Flush();
}

void ServerConnection::Flush() {
  if (fd_ < 0 || unsent() == 0) return;
  const Result<size_t> sent = stream_.Send(std::string_view(out_).substr(out_sent_));
  if (!sent.has_value()) return Close();
  if (*sent > 0) {
    out_sent_ += *sent;
    server_->counters.bytes_out.Add(*sent);
    sent_tick_ = server_->tick();
  }
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

void ServerConnection::OnTurnEnd() {
  if (deferred_) return;
  if (HasTime()) {
    GoOn(!reading_);
  } else {
    Defer();
  }
}

void ServerConnection::GoOn(bool requests_wait) {
  const auto alive = shared_from_this();
  server_->shares.Begin();
  FlushUnlessBlocked();
  if (fd_ >= 0 && draining_) FinishDrain();
  if (fd_ >= 0 && !draining_ && requests_wait && !Full()) {
    Consume(in_);  // reads again when they leave room
    SendShared();
  }
  SpendTime();
  UpdateWatch();
}

}  // namespace ebla::rpc

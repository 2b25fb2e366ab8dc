#include "common/rpc/server_connection.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "common/base/mutex.h"
#include "common/rpc/buffer.h"

namespace ebla::rpc {
namespace {

constexpr size_t kFlushBytes = 128 * 1024;       // replies are sent at the turn's end, or when they come to this much
constexpr int kInternalError = 6;                // of TApplicationException
constexpr size_t kUnknownFrameMax = 16 << 10;    // before the login, which takes less
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

void AppendFrame(std::string& out, std::string_view message) {
  const uint32_t size = static_cast<uint32_t>(message.size());
  const char header[4] = {static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                          static_cast<char>(size)};
  out.append(header, 4);
  out.append(message);
}

}  // namespace

ServerConnection::ServerConnection(ServerLoop& server, int fd, std::string peer)
    : AcceptedConnection(
          server.shared_from_this(), fd, std::move(peer),
          server.options.tls == nullptr ? nullptr : server.options.tls->Accept(server.options.password_logins)),
      server_(server) {}

void ServerConnection::Start() {
  ContinueHandshake();
  UpdateReading();
  UpdateWatch();
}

void ServerConnection::ContinueHandshake() {
  if (session_ || !stream().established()) return;
  session_.emplace();
  session_->identity = stream().peer();
  session_->peer = peer();
  session_->may_log_in = server_.options.password_logins;
  JoinUser();
}

void ServerConnection::OnClosed() {
  if (counted()) server_.CountUser(*user_, false);
  if (user_ != nullptr) server_.shares.Leave(*std::exchange(user_, nullptr));
  ForgetHeld();
}

void ServerConnection::LogBroken(const std::string& why) const {
  static LineBudget budget;
  const std::optional<uint64_t> held = budget.Take(server_.loop.Now());
  if (!held.has_value()) return;
  LOG(WARNING) << "closed the connection from " << peer() << ": " << why
               << (*held > 0 ? " (" + std::to_string(*held) + " such lines left out)" : "");
}

bool ServerConnection::Full() const {
  return in_flight_ >= server_.options.in_flight_max || unsent() >= server_.options.unsent_bytes_max;
}

void ServerConnection::UpdateWatch() {
  if (!open()) return;
  Report(received().size() + unsent(), unknown() || (!received().empty() && reading()));
  SetStranger(unknown());
}

std::optional<std::string> ServerConnection::Overdue() const {
  if (!received().empty() && reading() && server_.IsHalfSentTooLong(progress_tick()))
    return "it did not finish a frame in time (" + std::to_string(received().size()) + " bytes came)";
  return std::nullopt;
}

void ServerConnection::OnReadable() {
  server_.BeginTime();
  if (!shut() && (!MayHandle() || (user_ != nullptr && server_.WaitsBehind(*user_)))) {
    unread_ = true;
    return DeferRequests(1);
  }
  Read();
}

void ServerConnection::Read() {
  const auto alive = shared_from_this();
  const auto came = Receive();
  if (!came.has_value()) return stream().secure() ? Break(came.error().message()) : Close();
  if (!came->has_value()) {
    if (!received().empty() && !ending()) return Break("it ended within a frame");
    return Close();
  }
  ContinueHandshake();
  if (!open()) return;
  const std::string_view bytes = **came;
  if (bytes.empty()) return UpdateWatch();
  server_.counters.bytes_in.Add(bytes.size());
  if (shut()) return;
  if (received().empty()) NoteProgress();
  Consume(received().Join(bytes));
  SendShared();
}

// Handles the whole frames at the beginning of `bytes` (those kept, or the loop's scratch), and keeps the rest.
void ServerConnection::Consume(std::string_view bytes) {
  const size_t used = CutFrames(bytes);
  if (!open()) return;
  received().Keep(bytes, used, kInputRetainedMax);
  if (used > 0) NoteProgress();
  UpdateReading();
  UpdateWatch();
}

void ServerConnection::JoinUser() {
  const size_t flow = session_->identity.flow();
  if (user_ != nullptr && user_->flow == flow) return;
  if (counted()) server_.CountUser(*user_, false);
  if (user_ != nullptr) server_.shares.Leave(*user_);
  user_ = server_.shares.Join(flow);
  user_->counted = session_->identity.kind == security::Identity::Kind::kUser;
  if (!counted()) return;
  server_.CountUser(*user_, true);
  if (!server_.HasPlaceFor(*user_))
    Break("user \"" + session_->identity.name + "\" has " + std::to_string(user_->connections - 1) +
          " connections here already, or all users too many");
}

void ServerConnection::SpendTime() {
  if (user_ != nullptr && server_.crowded()) server_.shares.Spend(*user_, server_.loop.phase());
}

void ServerConnection::Defer() {
  if (std::exchange(deferred_, true)) return;
  server_.Defer(Self(), user_, user_->waiting);
  UpdateReading();
}

void ServerConnection::DeferRequests(size_t calls) {
  server_.window->NoteWaiting(user_->calls, user_->waiting.size() + calls);
  Defer();
}

void ServerConnection::ResumeSending() {
  sends_later_ = false;
  Continue(!reading() && !deferred_);
}

void ServerConnection::Resume() {
  const auto alive = shared_from_this();
  deferred_ = false;
  Continue(true);
  if (!std::exchange(unread_, false) || !open() || !reading()) return;
  if (MayHandle()) return Read();
  unread_ = true;
  DeferRequests(1);
}

size_t ServerConnection::CutFrames(std::string_view bytes) {
  if (session_) JoinUser();
  size_t used = 0;
  while (open() && !Full() && !ending() && !deferred_ && bytes.size() - used >= 4) {
    const std::string_view rest = bytes.substr(used);
    const auto size = static_cast<int32_t>(BigEndian(rest));
    const size_t most = unknown() ? kUnknownFrameMax : server_.options.frame_bytes_max;
    if (size <= 0 || static_cast<size_t>(size) > most) {
      const bool tls = rest.starts_with("\x16\x03");
      Break(tls ? "it speaks TLS, and this server has no certificate: give it --tls_dir"
                : "it announced a frame of " + std::to_string(size) + " bytes" +
                      (unknown() ? " before it logged in" : ""));
      return used;
    }
    if (rest.size() - 4 < static_cast<size_t>(size)) break;
    if (!MayHandle()) {
      DeferRequests(CallWindow::kMost);  // it does not wait for answers
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
  call->connection = Self();
  call->sequence = head->sequence;
  call->protocol = head->protocol;
  Insert(call.get());
  server_.requests.Add(1);
  server_.dispatcher.Dispatch(
      *head, message, *session_,
      [call = std::move(call)](Result<std::string_view> reply) mutable { Answer(std::move(call), std::move(reply)); });
}

void ServerConnection::Insert(Call* call) {
  if (buckets_ == nullptr) buckets_ = std::make_unique<std::array<Call*, kBuckets>>();
  Call** tail = &Bucket(call->sequence);
  while (*tail != nullptr) tail = &(*tail)->next;
  *tail = call;
  if (counted()) call->counted = server_.window->Begin(user_->flow, user_->calls, server_.shares.now());
  ++in_flight_;
  server_.counters.in_flight.Add(1);
}

void ServerConnection::Unlink(Call* call) {
  Call** place = &Bucket(call->sequence);
  while (*place != call) place = &(*place)->next;
  *place = call->next;
  server_.EndCall(user_, call->counted);
  --in_flight_;
  server_.counters.in_flight.Sub(1);
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
  EventLoop& loop = call->connection->server_.loop;
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
  const bool modest = call->counted.modest;
  std::string too_large;
  if (reply->size() > server_.options.frame_bytes_max) {
    const MessageHead head{.protocol = call->protocol, .sequence = sequence};
    too_large = EncodeException(head, kInternalError,
                                "the reply of " + std::to_string(reply->size()) + " bytes is larger than a frame");
    reply = std::string_view(too_large);
  }
  if (open() && Oldest(sequence) != call.get()) {
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
  if (modest) Flush();  // there is little that it could be sent with, and much that it would wait for
  if (open() && (!reading() || ending())) server_.loop.AtTurnEnd(this);
}

void ServerConnection::Send(std::string_view message) {
  if (!open()) return;
  AppendFrame(Outgoing(), message);
  if (unsent() < kFlushBytes || !Flush()) server_.loop.AtTurnEnd(this);
}

// Beside other users, sending counts as its user's time, too, so that no reply waits for another user's to be sent.
void ServerConnection::SendShared() {
  if (!server_.shares.several()) return;
  Flush();
  SpendTime();
}

// Replies do not wait for room.
void ServerConnection::OnTurnEnd() {
  if (HasTime()) return Continue(!reading() && !deferred_);
  if (!std::exchange(sends_later_, true)) server_.Defer(Self(), user_, user_->sending);
}

void ServerConnection::Continue(bool requests_wait) {
  const auto alive = shared_from_this();
  server_.BeginTime();
  Flush();
  if (open() && ending()) FinishDrain();
  if (open() && !ending() && requests_wait && !Full()) {
    Consume(received().view());  // reads again when they leave room
    SendShared();
  }
  SpendTime();
  UpdateWatch();
}

}  // namespace ebla::rpc

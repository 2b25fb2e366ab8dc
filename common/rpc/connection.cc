#include "common/rpc/connection.h"

#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "common/base/mutex.h"
#include "common/rpc/buffer.h"
#include "common/rpc/message.h"

namespace ebla::rpc {
namespace {

constexpr size_t kBufferRetainedMax = 64 * 1024;
constexpr Duration kTimeoutMax = std::chrono::hours(24 * 365);  // "for ever" must not overflow the clock

void PutBigEndian(char* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (24 - 8 * i));
}

}  // namespace

ConnectionShared::~ConnectionShared() {
  if (resolver == nullptr) return;
  // It holds events of the loop: freed there, or here once the loop has no thread (the task is then destroyed unrun).
  auto free = [](evdns_base* base) { evdns_base_free(base, /*fail_requests=*/0); };
  loop.Post([owned = std::unique_ptr<evdns_base, decltype(free)>(resolver, free)] {});
}

Connection::Connection(std::shared_ptr<ConnectionShared> shared, Endpoint endpoint, Executor& executor)
    : shared_(std::move(shared)),
      loop_(shared_->loop),
      endpoint_(std::move(endpoint)),
      executor_(executor),
      inline_(&executor == &shared_->loop),
      backoff_(shared_->options.reconnect_min) {}

Connection::~Connection() {
  loop_.Cancel(deadline_timer_);
  CloseSocket();
}

// ---- calls ----

void Connection::Submit(EncodedCall call, Duration timeout, Channel::Done done) {
  Submission submission{std::move(call), loop_.Now() + std::min(timeout, kTimeoutMax), std::move(done)};
  if (loop_.InThread()) return Add(std::move(submission));
  bool full, post = false;
  {
    MutexLock lock(mutex_);
    full = submissions_.size() >= shared_->options.in_flight_max;
    if (!full) {
      submissions_.push_back(std::move(submission));
      post = !std::exchange(drain_posted_, true);
    }
  }
  if (post) loop_.Post([self = shared_from_this()] { self->DrainSubmissions(); });
  if (full) {
    // NOLINTNEXTLINE(bugprone-use-after-move): what was full took nothing
    executor_.Post([done = std::move(submission.done)]() mutable {
      done(Error(Code::kOverloaded, "too many calls are waiting to be sent"));
    });
  }
}

void Connection::DrainSubmissions() {
  std::vector<Submission> submissions;
  {
    MutexLock lock(mutex_);
    submissions.swap(submissions_);
    drain_posted_ = false;
  }
  for (Submission& submission : submissions) Add(std::move(submission));
}

void Connection::Add(Submission submission) {
  const ChannelOptions& options = shared_->options;
  if (state_ == State::kIdle) {
    if (loop_.Now() < retry_at_)
      return Refuse(std::move(submission.done), last_failure_.code(), last_failure_.message());
    Connect();
  }
  if (in_flight_ >= options.in_flight_max || unsent() >= options.unsent_bytes_max) {
    return Refuse(std::move(submission.done), Code::kOverloaded,
                  "too many calls to " + endpoint_.ToString() + " are in flight");
  }
  uint32_t index;
  if (free_slots_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.taken = true;
  slot.done = std::move(submission.done);
  slot.deadline = deadlines_.Push(submission.deadline, index);
  ++in_flight_;
  if (waiting_++ == 0) self_ = shared_from_this();

  std::string& message = submission.call.message;
  PutBigEndian(message.data() + submission.call.sequence_offset, static_cast<uint32_t>(slot.use) << 16 | index);
  char header[4];
  PutBigEndian(header, static_cast<uint32_t>(message.size()));
  out_.append(header, 4);
  out_.append(message);
  slot.end = stream_base_ + out_.size();
  if (submission.deadline < deadline_armed_) ArmDeadline();
  if (state_ == State::kUp) loop_.AtTurnEnd(this);
}

void Connection::FreeSlot(uint32_t index) {
  Slot& slot = slots_[index];
  slot.taken = false;
  slot.use = (slot.use + 1) & 0x7fff;  // a sequence id stays positive
  free_slots_.push_back(index);
  --in_flight_;
}

void Connection::ArmDeadline() {
  loop_.Cancel(deadline_timer_);
  deadline_armed_ = deadlines_.next();
  if (deadlines_.empty()) return;
  deadline_timer_ = loop_.After(deadline_armed_ - loop_.Now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnDeadline();
  });
}

void Connection::OnDeadline() {
  const MonotonicTime now = loop_.Now();
  bool timed_out = false;
  while (deadlines_.next() <= now) {
    Slot& slot = slots_[deadlines_.PopTop()];
    slot.deadline = 0;
    timed_out = true;
    Complete(slot, Error(Code::kDeadlineExceeded, "no reply from " + endpoint_.ToString() + " in time"));
  }
  deadline_armed_ = MonotonicTime::Max();
  ArmDeadline();
  if (timed_out && state_ == State::kUp && now - last_heard_ > shared_->options.silence_max) {
    Break(endpoint_.ToString() + " has been silent for too long");
  }
  Deliver();
}

// ---- connecting ----

void Connection::Connect() {
  state_ = State::kConnecting;
  served_ = false;
  connect_timer_ = loop_.After(shared_->options.connect_timeout, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->Break("cannot connect to " + self->endpoint_.ToString() + " in time");
      self->Deliver();
    }
  });
  if (const auto address = SocketAddress::FromNumeric(endpoint_)) {
    OpenSocket(*address);
  } else {
    Resolve();
  }
}

void Connection::Resolve() {
  state_ = State::kResolving;
  if (shared_->resolver == nullptr) {
    shared_->resolver =
        evdns_base_new(loop_.base(), EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (shared_->resolver == nullptr) {
      // No name server is configured: /etc/hosts may still know the name.
      shared_->resolver = evdns_base_new(loop_.base(), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
      evdns_base_load_hosts(shared_->resolver, "/etc/hosts");
    }
  }
  evutil_addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  // It may answer at once, before it has returned; nothing may happen to a call inside Submit: hence the post.
  auto* answered = new std::function<void(int, evutil_addrinfo*)>(
      [weak = weak_from_this(), attempt = ++attempt_](int error, evutil_addrinfo* addresses) {
        auto owned = std::unique_ptr<evutil_addrinfo, decltype(&evutil_freeaddrinfo)>(addresses, &evutil_freeaddrinfo);
        const std::shared_ptr<Connection> self = weak.lock();
        if (self == nullptr || self->attempt_ != attempt) return;
        self->resolving_ = nullptr;
        self->loop_.Post([self, attempt, error, owned = std::move(owned)] {
          if (self->attempt_ == attempt) self->OnResolved(error, owned.get());
        });
      });
  const auto trampoline = [](int error, evutil_addrinfo* addresses, void* context) {
    auto* callback = static_cast<std::function<void(int, evutil_addrinfo*)>*>(context);
    (*callback)(error, addresses);
    delete callback;
  };
  evdns_getaddrinfo_request* request =
      evdns_getaddrinfo(shared_->resolver, endpoint_.host.c_str(), nullptr, &hints, trampoline, answered);
  if (request != nullptr) resolving_ = request;
}

void Connection::OnResolved(int error, evutil_addrinfo* addresses) {
  if (state_ != State::kResolving) return;
  if (error != 0 || addresses == nullptr) {
    Break("cannot resolve \"" + endpoint_.host + "\": " + evutil_gai_strerror(error));
    return Deliver();
  }
  // Servers listen on v4 unless told otherwise: such an address first.
  const evutil_addrinfo* chosen = addresses;
  while (chosen->ai_family != AF_INET && chosen->ai_next != nullptr) chosen = chosen->ai_next;
  if (chosen->ai_family != AF_INET) chosen = addresses;
  SocketAddress address;
  address.size = static_cast<socklen_t>(chosen->ai_addrlen);
  std::memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
  auto* port = address.storage.ss_family == AF_INET6 ? &reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port
                                                     : &reinterpret_cast<sockaddr_in&>(address.storage).sin_port;
  *port = htons(endpoint_.port);
  OpenSocket(address);
}

// A failure here ends in the write event's handler, like a later one, never inside Submit.
void Connection::OpenSocket(const SocketAddress& address) {
  state_ = State::kConnecting;
  const Result<int> fd = StartConnecting(address);
  if (!fd) {
    loop_.Post(
        [self = shared_from_this(), why = "cannot connect to " + endpoint_.ToString() + ": " + fd.error().message()] {
          if (self->state_ != State::kConnecting || self->fd_ >= 0) return;
          self->Break(why);
          self->Deliver();
        });
    return;
  }
  fd_ = *fd;
  const auto& tls = shared_->options.tls;
  stream_.emplace(fd_, tls == nullptr ? nullptr : tls->Connect(endpoint_.host));
  event_assign(
      &read_event_, loop_.base(), fd_, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Connection*>(self)->OnReadable(); }, this);
  event_assign(
      &write_event_, loop_.base(), fd_, EV_WRITE,
      [](evutil_socket_t, short, void* self) { static_cast<Connection*>(self)->OnWritable(); }, this);
  event_add(&write_event_, nullptr);
}

// The socket can be written: the attempt to connect has ended, or there is room again.
void Connection::OnWritable() {
  const auto alive = shared_from_this();
  if (state_ != State::kConnecting || FinishConnecting()) Flush();
  Deliver();
}

bool Connection::FinishConnecting() {
  if (const Status connected = ConnectOutcome(fd_); !connected.ok()) {
    Break("cannot connect to " + endpoint_.ToString() + ": " + connected.message());
    return false;
  }
  state_ = State::kShaking;
  event_add(&read_event_, nullptr);
  if (const Status started = stream_->Start(); !started.ok()) {
    Break("cannot connect to " + endpoint_.ToString() + ": " + started.message());
    return false;
  }
  if (stream_->established()) Established();
  return true;
}

void Connection::Established() {
  if (stream_->peer().kind == security::Identity::Kind::kGateway)
    return Break("what answers at " + endpoint_.ToString() + " is a gateway, and shows its certificate");
  if (shared_->options.login == nullptr) return OnConnected();
  state_ = State::kLoggingIn;
  login_.emplace(shared_->options.login);
  SendLogin(login_->Begin());
}

void Connection::SendLogin(std::string_view message) {
  char header[4];
  PutBigEndian(header, static_cast<uint32_t>(message.size()));
  login_out_.append(header, 4);
  login_out_.append(message);
}

bool Connection::OnLoginReply(std::string_view message) {
  Result<std::optional<std::string>> next = login_->OnReply(message);
  if (!next.has_value()) {
    Break("cannot log in at " + endpoint_.ToString() + ": " + next.error().message(), next.error().code());
    return false;
  }
  if (next->has_value()) {
    SendLogin(**next);
  } else {
    login_.reset();
    OnConnected();
  }
  return true;
}

void Connection::OnConnected() {
  state_ = State::kUp;
  last_heard_ = loop_.Now();
  loop_.Cancel(connect_timer_);
}

void Connection::CloseSocket() {
  loop_.Cancel(connect_timer_);
  loop_.Withdraw(this);
  ++attempt_;
  if (resolving_ != nullptr) evdns_getaddrinfo_cancel(std::exchange(resolving_, nullptr));
  if (fd_ < 0) return;
  event_del(&read_event_);
  event_del(&write_event_);
  stream_.reset();
  close(std::exchange(fd_, -1));
}

void Connection::Break(const std::string& why, Code code) {
  const uint64_t sent = stream_base_ + out_sent_;
  const bool was_up = state_ == State::kUp;
  CloseSocket();
  state_ = State::kIdle;
  last_failure_ = Status(code, why);
  if (was_up && served_) {
    backoff_ = shared_->options.reconnect_min;
    retry_at_ = {};
  } else {
    const double jitter = 0.5 + static_cast<double>(loop_.Random() % 1024) / 1024;
    retry_at_ = loop_.Now() + std::chrono::duration_cast<Duration>(backoff_ * jitter);
    backoff_ = std::min(backoff_ * 2, shared_->options.reconnect_max);
  }
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (!slot.taken) continue;
    deadlines_.Remove(slot.deadline);
    if (slot.done) Complete(slot, Error(slot.end <= sent ? Code::kUnknownOutcome : code, why));
    FreeSlot(index);
  }
  stream_base_ += out_.size();
  ClearBuffer(out_, kBufferRetainedMax);
  in_.Drop(kBufferRetainedMax);
  out_sent_ = 0;
  login_.reset();
  login_out_.clear();
}

// ---- sending and receiving ----

void Connection::OnTurnEnd() {
  const auto alive = shared_from_this();
  if (state_ == State::kUp && !event_pending(&write_event_, EV_WRITE, nullptr)) Flush();
  Deliver();
}

void Connection::Flush() {
  if (!login_out_.empty()) {
    const Result<size_t> sent = stream_->Send(login_out_);
    if (!sent.has_value())
      return Break("the connection to " + endpoint_.ToString() + " broke: " + sent.error().message());
    login_out_.erase(0, *sent);
    if (!login_out_.empty() || stream_->pending() > 0) event_add(&write_event_, nullptr);
  }
  if (state_ == State::kLoggingIn) return;
  if (unsent() == 0 && stream_->pending() == 0) return;
  const Result<size_t> sent = stream_->Send(std::string_view(out_).substr(out_sent_));
  if (!sent.has_value()) {
    return Break("the connection to " + endpoint_.ToString() + " broke: " + sent.error().message());
  }
  out_sent_ += *sent;
  if (unsent() == 0 || out_sent_ > out_.size() / 2) {
    stream_base_ += out_sent_;
    out_.erase(0, out_sent_);
    out_sent_ = 0;
    if (out_.empty()) ClearBuffer(out_, kBufferRetainedMax);
  }
  // Before it is up, waiting calls are sent once the handshake is over.
  if (stream_->pending() > 0 || (unsent() > 0 && state_ == State::kUp)) event_add(&write_event_, nullptr);
}

void Connection::OnReadable() {
  const auto alive = shared_from_this();
  const auto received = stream_->Receive(shared_->buffers);
  if (!received.has_value() || !received->has_value()) {
    Break("the connection to " + endpoint_.ToString() +
          " broke: " + (received.has_value() ? "closed by the server" : received.error().message()));
    return Deliver();
  }
  const bool came_up = state_ == State::kShaking && stream_->established();
  if (came_up) Established();
  if (came_up || stream_->pending() > 0) Flush();
  if (state_ == State::kIdle || (*received)->empty()) return Deliver();
  last_heard_ = loop_.Now();
  const std::string_view bytes = in_.Join(**received);
  const bool logging_in = state_ == State::kLoggingIn;
  const size_t used = CutReplies(bytes);
  if (logging_in && state_ != State::kIdle) Flush();
  if (state_ == State::kUp || state_ == State::kLoggingIn) in_.Keep(bytes, used, kBufferRetainedMax);
  Deliver();
}

// Completions gather while the bytes are cut; none runs before Deliver, so nothing here changes under the loop.
size_t Connection::CutReplies(std::string_view bytes) {
  size_t used = 0;
  while (bytes.size() - used >= 4) {
    const uint32_t size = BigEndian(bytes.substr(used));
    if (size == 0 || size > shared_->options.frame_bytes_max) {
      Break(endpoint_.ToString() + " announced a reply of " + std::to_string(size) + " bytes");
      return used;
    }
    if (bytes.size() - used - 4 < size) break;
    if (state_ == State::kLoggingIn) {
      if (!OnLoginReply(bytes.substr(used + 4, size))) return used;
    } else if (!OnReply(bytes.substr(used + 4, size))) {
      Break(endpoint_.ToString() + " sent a reply to no call");
      return used;
    }
    used += 4 + size;
  }
  return used;
}

bool Connection::OnReply(std::string_view message) {
  const Result<MessageHead> head = ParseMessageHead(message);
  if (!head.has_value()) return false;
  const uint32_t sequence = static_cast<uint32_t>(head->sequence);
  const uint32_t index = sequence & 0xffff;
  if (index >= slots_.size() || !slots_[index].taken || slots_[index].use != sequence >> 16) return false;
  Slot& slot = slots_[index];
  served_ = true;
  deadlines_.Remove(slot.deadline);
  if (slot.done) Complete(slot, std::string(message));
  FreeSlot(index);
  return true;
}

// ---- completing ----

void Connection::Complete(Slot& slot, Result<std::string> result) {
  completions_.push_back({std::exchange(slot.done, nullptr), std::move(result)});
  --waiting_;
}

// Ends a call that has no slot. Inside Submit nothing may be delivered, and a caller that at once tries again must not
// keep the loop from its sockets: hence a task.
void Connection::Refuse(Channel::Done done, Code code, std::string why) {
  completions_.push_back({std::move(done), Error(code, std::move(why))});
  if (completions_.size() == 1) loop_.Post([self = shared_from_this()] { self->Deliver(); });
}

void Connection::Deliver() {
  std::vector<Completion> completions;
  completions.swap(completions_);
  if (!completions.empty()) {
    auto run = [completions = std::move(completions)]() mutable {
      for (Completion& completion : completions) completion.done(std::move(completion.result));
    };
    if (inline_) {
      run();
    } else {
      executor_.Post(std::move(run));
    }
  }
  CloseIfReleased();
}

void Connection::Release() {
  constexpr Duration kLongerThanAnyCall = std::chrono::hours(24);
  released_ = true;
  CloseIfReleased();
  if (self_ == nullptr) return;
  // No call is answered once the loop has stopped. Then the task is destroyed, with the waiting calls.
  struct Ending {
    std::weak_ptr<Connection> connection;
    ~Ending() {
      if (const auto still = connection.lock()) still->Abandon();
    }
  };
  end_timer_ = loop_.After(kLongerThanAnyCall, [ending = std::make_unique<Ending>(weak_from_this())] {});
}

void Connection::Abandon() {
  const std::shared_ptr<Connection> alive = std::exchange(self_, nullptr);
  // Letting go of a caller may run its code: with nothing here half done.
  std::vector<Channel::Done> waiting;
  for (Slot& slot : slots_) waiting.push_back(std::exchange(slot.done, nullptr));
  waiting_ = 0;
  std::vector<Submission> submissions;
  {
    MutexLock lock(mutex_);
    submissions.swap(submissions_);
  }
  std::vector<Completion> completions;
  completions.swap(completions_);
}

void Connection::CloseIfReleased() {
  if (waiting_ > 0) return;
  if (released_ && state_ != State::kIdle) Break("closed by its owner");
  self_ = nullptr;  // the caller holds another
  if (released_) loop_.Cancel(end_timer_);
}

}  // namespace ebla::rpc

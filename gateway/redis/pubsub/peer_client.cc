#include "gateway/redis/pubsub/peer_client.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/base/key_range.h"
#include "common/rpc/socket.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {

PeerClient::PeerClient(rpc::EventLoop& loop, rpc::Endpoint endpoint, std::shared_ptr<security::TlsCredentials> tls,
                       rpc::ReadBuffers& buffers)
    : loop_(loop), endpoint_(std::move(endpoint)), tls_(std::move(tls)), buffers_(buffers) {}

PeerClient::~PeerClient() { CHECK_EQ(fd_, -1) << "a client was destroyed while open"; }

void PeerClient::Start(Greeting greeting, std::shared_ptr<void> starting) {
  greeting_ = std::move(greeting);
  starting_ = std::move(starting);
  if (const Status status = Connect(); !status.ok()) return Fail(status.message());
  Watch();
}

// In the clear, any program may answer, also on this machine. The password is for a peer that shows a certificate.
void PeerClient::Greet() {
  const auto& [user, password] = greeting_.login;
  if (tls_ != nullptr) {
    const security::Identity peer = stream_->peer();
    if (peer.kind != security::Identity::Kind::kGateway)
      return Fail(std::string("its certificate is of the ") + UnitOf(peer.kind) + " \"" + EscapeBytes(peer.name) +
                  "\", not of a gateway: make one with ebla cert create-server NAME --gateway");
    if (!user.empty()) Say(Reply().Array(3).Bulk("AUTH").Bulk(user).Bulk(password).Take(), nullptr);
  }
  Say(Reply().Array(2).Bulk("EBLA.PEER").Bulk(greeting_.own).Take(), nullptr);
}

Status PeerClient::Connect() {
  const auto address = rpc::SocketAddress::FromNumeric(endpoint_);
  if (!address) return Status(Code::kInvalidArgument, "its address is no number");
  EBLA_ASSIGN(fd_, rpc::StartConnecting(*address));
  stream_.emplace(fd_, tls_ == nullptr ? nullptr : tls_->Connect(endpoint_.host));
  event_assign(
      &read_event_, loop_.base(), fd_, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<PeerClient*>(self)->OnReadable(); }, this);
  event_assign(
      &write_event_, loop_.base(), fd_, EV_WRITE,
      [](evutil_socket_t, short, void* self) { static_cast<PeerClient*>(self)->OnWritable(); }, this);
  event_add(&write_event_, nullptr);
  return {};
}

void PeerClient::Send(std::string_view request, Done done) {
  if (up_) return Say(request, std::move(done));
  if (done) done(0);
}

void PeerClient::Say(std::string_view request, Done done) {
  out_ += request;
  waiting_.push_back({loop_.Now() + kPatience, std::move(done)});
  loop_.AtTurnEnd(this);
}

void PeerClient::Close() {
  if (gone()) return;
  const auto alive = shared_from_this();
  event_del(&read_event_);
  event_del(&write_event_);
  loop_.Withdraw(this);
  stream_.reset();
  close(std::exchange(fd_, -1));
  up_ = false;
  starting_ = nullptr;
  out_ = {};
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    if (waiting.done) waiting.done(0);
  }
}

void PeerClient::Fail(const std::string& why) {
  LOG_EVERY_T(WARNING, 10) << "messages do not reach the gateway at " << endpoint_.ToString() << ": " << why;
  Close();
}

// Looks after its patience whether it is up, and what was asked for long enough ago is answered.
void PeerClient::Watch() {
  loop_.After(kPatience, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->gone()) return;
    if (!self->up_ || (!self->waiting_.empty() && self->waiting_.front().until <= self->loop_.Now()))
      return self->Fail("it does not answer");
    self->Watch();
  });
}

void PeerClient::OnWritable() {
  const auto alive = shared_from_this();
  if (!connected_) {
    if (const Status connected = rpc::ConnectOutcome(fd_); !connected.ok()) return Fail(connected.message());
    connected_ = true;
    event_add(&read_event_, nullptr);
    if (const Status status = stream_->Start(); !status.ok()) return Fail(status.message());
    if (stream_->established()) Greet();
  }
  Flush();
}

void PeerClient::Flush() {
  if (gone() || !connected_) return;
  const auto sent = stream_->Send(stream_->established() ? std::string_view(out_) : std::string_view());
  if (!sent) return Fail(sent.error().message());
  out_.erase(0, *sent);
  if (stream_->pending() > 0 || (!out_.empty() && stream_->established())) event_add(&write_event_, nullptr);
}

void PeerClient::OnReadable() {
  const auto alive = shared_from_this();
  const bool was_established = stream_->established();
  const auto received = stream_->Receive(buffers_);
  if (!received) return Fail(received.error().message());
  if (!was_established && stream_->established()) Greet();
  if (gone()) return;
  if (!*received) return Fail("it has closed the connection");
  Take(**received);
  Flush();  // a handshake may have ended
}

// Answers of one line each.
void PeerClient::Take(std::string_view bytes) {
  constexpr size_t kLineMax = 4'096;
  in_ += bytes;
  size_t at = 0;
  for (size_t end = in_.find("\r\n"); end != in_.npos; end = in_.find("\r\n", at)) {
    const std::string_view line = std::string_view(in_).substr(at, end - at);
    at = end + 2;
    if (waiting_.empty()) return Fail("it sent a reply to no request");
    if (!up_ && !line.starts_with('+'))
      return Fail("it is no gateway of this kind: " + EscapeBytes(line.substr(0, 100)));
    int64_t subscribers = 0;
    if (line.starts_with(':')) std::from_chars(line.data() + 1, line.data() + line.size(), subscribers);
    subscribers = std::clamp<int64_t>(subscribers, 0, 1'000'000'000);
    Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    if (!up_ && waiting_.empty()) {
      up_ = true;
      starting_ = nullptr;
    }
    if (waiting.done) waiting.done(subscribers);
    if (gone()) return;
  }
  in_.erase(0, at);
  if (in_.size() > kLineMax) Fail("its answer is too long");
}

}  // namespace ebla::gateway::redis

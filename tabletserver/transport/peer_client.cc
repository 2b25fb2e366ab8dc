#include "tabletserver/transport/peer_client.h"

#include <glog/logging.h>

#include <utility>

#include "common/base/number_limits.h"
#include "common/rpc/stubs.h"
#include "tabletserver/transport/peer_translate.h"

namespace ebla::tabletserver {

void PeerClient::Put(TabletId tablet, PeerMessage message) {
  Peer& peer = peers_[message.peer];
  if (!std::exchange(peer.waiting, true)) waiting_.push_back(message.peer);
  std::visit([&](const auto& body) { Add(peer, tablet, message, body); }, message.body);
  if (peer.appends.bytes >= kMessageBytes) SendAppends(message.peer, peer);
}

void PeerClient::Add(Peer& peer, TabletId tablet, const PeerMessage& message, const AppendMessage& append) {
  idl::TabletAppend one = ToIdl(tablet, append);
  size_t bytes = 0;
  for (const EntryPtr& entry : append.entries) {
    one.entries.push_back(Encoded(entry));
    bytes += one.entries.back().size();
  }
  if (bytes >= kMuch && peer.appends.bytes < kMuch && !peer.appends.sent.empty()) SendAppends(message.peer, peer);
  if (peer.appends.sent.empty()) peer.appends.meant = peer.incarnation;
  peer.appends.request.appends.push_back(std::move(one));
  peer.appends.sent.push_back({tablet, message.number, message.sent});
  peer.appends.bytes += bytes;
}

void PeerClient::Add(Peer& peer, TabletId tablet, const PeerMessage& message, const HeartbeatMessage& heartbeat) {
  if (peer.heartbeats.sent.empty()) peer.heartbeats.meant = peer.incarnation;
  peer.heartbeats.request.tablets.push_back(ToIdl(tablet, heartbeat));
  peer.heartbeats.sent.push_back({tablet, message.number, message.sent});
}

const std::string& PeerClient::Encoded(const EntryPtr& entry) {
  auto found = encoded_.find(entry.get());
  if (found == encoded_.end()) found = encoded_.emplace(entry.get(), EncodeLogEntry(*entry)).first;
  return found->second;
}

void PeerClient::Flush() {
  if (waiting_.empty()) return;
  const MonotonicTime now = ports_.executor.Now();
  MonotonicTime next = MonotonicTime::Max();
  for (const ServerName& name : std::exchange(waiting_, {})) {
    Peer& peer = peers_[name];
    if (const MonotonicTime due = DueOf(peer); due > now) {
      next = std::min(next, due);
      waiting_.push_back(name);
      continue;
    }
    peer.waiting = false;
    if (!peer.heartbeats.sent.empty()) SendHeartbeats(name, peer);
    if (!peer.appends.sent.empty()) SendAppends(name, peer);
  }
  encoded_.clear();
  FlushAt(next, now);
}

// Heartbeats never wait, and take along what was there before them.
MonotonicTime PeerClient::DueOf(const Peer& peer) const {
  if (!peer.heartbeats.sent.empty() || peer.answered || peer.appends.bytes >= kMuch) return {};
  return peer.last_sent + kGather;
}

void PeerClient::FlushAt(MonotonicTime due, MonotonicTime now) {
  if (due >= due_) return;
  ports_.executor.Cancel(timer_);
  due_ = due;
  timer_ = ports_.executor.After(due - now, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    due_ = MonotonicTime::Max();
    ports_.flush_soon();
  });
}

// ---- reaching a peer ------------------------------------------------------------------------------------------------

bool PeerClient::Reach(const ServerName& name, Peer& peer) {
  const std::optional<PeerBook::Peer> known = ports_.book.Find(name);
  if (!known) return false;
  if (peer.stub == nullptr || peer.endpoint != known->endpoint) {
    peer.endpoint = known->endpoint;
    peer.stub = rpc::MakeReplicationStub(ports_.connector.Connect(peer.endpoint, ports_.executor), options_.timeout);
  }
  if (known->incarnation > peer.incarnation) Counts(name, static_cast<int64_t>(known->incarnation.value));
  return true;
}

void PeerClient::FillHeader(const ServerName& name, const Peer& peer, idl::PeerHeader& header) const {
  header.clusterId = ports_.cluster_id();
  header.fromServer = options_.self;
  header.fromIncarnation = static_cast<int64_t>(options_.incarnation.value);
  header.toServer = name;
  header.toIncarnation = static_cast<int64_t>(peer.incarnation.value);
}

std::shared_ptr<idl::ReplicationServiceCobSvIf> PeerClient::Stub(const ServerName& server, idl::PeerHeader& header) {
  Peer& peer = peers_[server];
  if (!Reach(server, peer)) return nullptr;
  FillHeader(server, peer, header);
  return peer.stub;
}

// Notes nothing of a server that the book lacks.
void PeerClient::NoteIncarnation(const ServerName& name, Incarnation incarnation) {
  const std::optional<PeerBook::Peer> known = ports_.book.Find(name);
  if (known && known->incarnation) Counts(name, static_cast<int64_t>(incarnation.value));
}

bool PeerClient::Counts(const ServerName& name, int64_t incarnation) {
  const Incarnation said{static_cast<uint64_t>(incarnation)};
  Peer& peer = peers_[name];
  if (said < peer.incarnation || !said) return false;
  if (said > peer.incarnation) {
    const std::optional<PeerBook::Peer> known = ports_.book.Find(name);
    const Incarnation least = std::max(peer.incarnation, known ? known->incarnation : Incarnation());
    if (least && said.value > least.value && said.value - least.value > limits::kIncarnationLeapMax) {
      ports_.refusals.Count(
          name, Error(Code::kInvalidArgument, "start " + std::to_string(said.value) + " of it, where start " +
                                                  std::to_string(least.value) + " is known"));
      return false;
    }
    const bool first = !peer.incarnation;
    peer.incarnation = said;
    if (!first) ports_.on_restart(name);
  }
  return true;
}

void PeerClient::Lose(const ServerName& name, std::vector<Sent> sent) {
  const MonotonicTime now = ports_.executor.Now();
  for (const Sent& one : sent) ports_.on_reply(one.tablet, {name, one.number, one.sent, now, {}});
  ports_.flush_soon();
}

// ---- messages -------------------------------------------------------------------------------------------------------

template <class Request>
bool PeerClient::ReachFor(const ServerName& name, Peer& peer, Batch<Request>& batch) {
  if (Reach(name, peer) && (!batch.meant || batch.meant == peer.incarnation)) return true;
  // Not now: the cores would have their answer inside their own round.
  ports_.executor.Post([this, alive = std::weak_ptr(alive_), name, sent = std::move(batch.sent)]() mutable {
    if (!alive.expired()) Lose(name, std::move(sent));
  });
  return false;
}

namespace {

// Whether a reply has an answer for each tablet of the request, in order.
template <class Reply>
bool Whole(const Reply& reply, size_t asked, size_t said) {
  return reply.status.code == idl::Code::OK && said == asked;
}

}  // namespace

template <class Answer>
PeerReply PeerClient::ReplyOf(const ServerName& name, const Sent& sent, MonotonicTime now, Result<Answer> answer) {
  PeerReply reply{name, sent.number, sent.sent, now, {}};
  if (answer.has_value()) {
    reply.body = *std::move(answer);
  } else {
    ports_.refusals.Count(name, answer.error());
  }
  return reply;
}

void PeerClient::SendAppends(const ServerName& name, Peer& peer) {
  Batch<idl::AppendRequest> batch = std::exchange(peer.appends, {});
  if (!ReachFor(name, peer, batch)) return;
  FillHeader(name, peer, batch.request.header);
  peer.answered = false;
  peer.last_sent = ports_.executor.Now();
  auto done = [this, alive = std::weak_ptr(alive_), name, message = ++peer.messages,
               sent = std::move(batch.sent)](const idl::AppendReply& reply) {
    if (alive.expired()) return;
    if (Peer& peer = peers_[name]; message == peer.messages) peer.answered = true;
    // A refusal, too, names the peer's start.
    if (!Counts(name, reply.incarnation) || !Whole(reply, sent.size(), reply.replies.size())) return Lose(name, sent);
    const MonotonicTime now = ports_.executor.Now();
    for (size_t i = 0; i < sent.size(); ++i) {
      ports_.on_reply(sent[i].tablet, ReplyOf(name, sent[i], now, FromIdl(reply.replies[i])));
    }
    ports_.flush_soon();
  };
  peer.stub->append(std::move(done), batch.request);
}

void PeerClient::TakeMemory(const ServerName& name, const idl::PeerHeartbeatReply& reply) {
  if (!ports_.on_memory) return;
  if (const auto pressures = FromIdl(reply.memory)) {
    ports_.on_memory(name, *pressures);
  } else {
    ports_.refusals.Count(name, pressures.error());
  }
}

void PeerClient::SendHeartbeats(const ServerName& name, Peer& peer) {
  Batch<idl::PeerHeartbeatRequest> batch = std::exchange(peer.heartbeats, {});
  if (!ReachFor(name, peer, batch)) return;
  FillHeader(name, peer, batch.request.header);
  auto done = [this, alive = std::weak_ptr(alive_), name,
               sent = std::move(batch.sent)](const idl::PeerHeartbeatReply& reply) {
    if (alive.expired()) return;
    if (!Counts(name, reply.incarnation) || !Whole(reply, sent.size(), reply.tablets.size())) return Lose(name, sent);
    TakeMemory(name, reply);
    const MonotonicTime now = ports_.executor.Now();
    for (size_t i = 0; i < sent.size(); ++i) {
      ports_.on_reply(sent[i].tablet, ReplyOf(name, sent[i], now, FromIdl(reply.tablets[i])));
    }
    ports_.flush_soon();
  };
  peer.stub->peerHeartbeat(std::move(done), batch.request);
}

}  // namespace ebla::tabletserver

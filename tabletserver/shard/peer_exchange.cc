#include "tabletserver/shard/peer_exchange.h"

#include <glog/logging.h>

#include <utility>

#include "tabletserver/shard/client_requests.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/transport/peer_memory.h"

namespace ebla::tabletserver {
namespace {

// The answer of a server whose replica is leaving, or that has none.
PeerAnswer UnknownHere(const PeerCall& call, Epoch promised) {
  PeerAnswer answer;
  if (const auto* append = std::get_if<AppendMessage>(&call.body)) {
    answer.body = AppendAnswer{.epoch = append->epoch, .result = AppendResult::kUnknown, .promised = promised};
  } else {
    const auto& heartbeat = std::get<HeartbeatMessage>(call.body);
    answer.body =
        HeartbeatAnswer{.epoch = heartbeat.epoch, .round = heartbeat.round, .promised = promised, .known = false};
  }
  return answer;
}

}  // namespace

PeerClient PeerExchange::MakeClient() {
  const ShardPorts& ports = shard_.ports;
  PeerClient::Ports client{ports.executor, ports.connector, ports.peers, ports.cluster_id, {}, {}, {}, ports.refusals};
  client.on_reply = [this](TabletId tablet, PeerReply reply) { OnReply(tablet, reply); };
  client.on_restart = [this](const ServerName& peer) { OnRestart(peer); };
  client.on_memory = [this](const ServerName& peer, const std::vector<MemoryPressure>& pressures) {
    shard_.ports.peer_memory.Learn(peer, pressures, shard_.Now());
  };
  client.flush_soon = [this] { shard_.tablets.WantRounds(); };
  return {PeerClient::Options{shard_.options.self, shard_.options.incarnation}, std::move(client)};
}

// ---- what peers ask -------------------------------------------------------------------------------------------------

void PeerExchange::Receive(ServerName from, Incarnation incarnation, std::vector<PeerCall> calls) {
  shard_.executor().Post([this, from = std::move(from), incarnation, calls = std::move(calls)]() mutable {
    const MonotonicTime now = shard_.Now();
    client_.NoteIncarnation(from, incarnation);
    for (PeerCall& call : calls) {
      if (shard_.tablets.Find(call.tablet) == nullptr) {
        early_.push_back({from, std::move(call)});
      } else {
        ReceiveOne(from, std::move(call), now);
      }
    }
    shard_.tablets.WantRounds();  // the early calls, too, are answered after these
  });
}

void PeerExchange::ReceiveEarly(const std::function<bool(TabletId)>& wanted) {
  for (EarlyCall& early : std::exchange(early_, {})) {
    if (wanted(early.call.tablet)) {
      ReceiveOne(early.from, std::move(early.call), shard_.Now());
    } else {
      early_.push_back(std::move(early));
    }
  }
}

void PeerExchange::ReceiveOne(const ServerName& from, PeerCall call, MonotonicTime now) {
  const auto tablet = shard_.tablets.FindStaying(call.tablet);
  if (tablet == nullptr) return call.done(UnknownHere(call, shard_.tablets.PromisedByDeparted(call.tablet)));
  const RequestToken token = shard_.requests.NextToken();
  calls_.emplace(token, std::move(call.done));
  shard_.tablets.Step(tablet, PeerRequest{token, from, std::move(call.body), now});
  const int64_t heard_ns = tablet->core->replica().followed().last_contact().since_boot.count();
  if (tablet->handle != nullptr && heard_ns != 0) tablet->handle->heard_ns.store(heard_ns, std::memory_order_relaxed);
}

void PeerExchange::Answer(const std::vector<PeerAnswer>& answers) {
  for (const PeerAnswer& answer : answers) {
    auto waiting = calls_.extract(answer.token);
    CHECK(!waiting.empty()) << "a peer was answered twice";
    waiting.mapped()(answer);
  }
}

// ---- what is asked of them ------------------------------------------------------------------------------------------

void PeerExchange::Send(std::span<TakenOutput> taken) {
  for (TakenOutput& one : taken) {
    for (PeerMessage& message : one.output.replica.messages) client_.Put(one.tablet->id, std::move(message));
  }
  client_.Flush();
}

void PeerExchange::OnReply(TabletId id, const PeerReply& reply) {
  const auto tablet = shard_.tablets.Find(id);
  if (tablet != nullptr) shard_.tablets.Step(tablet, reply);
}

void PeerExchange::OnRestart(const ServerName& peer) {
  for (const auto& [id, tablet] : shard_.tablets.all()) shard_.tablets.Step(tablet, PeerRestarted{peer});
}

}  // namespace ebla::tabletserver

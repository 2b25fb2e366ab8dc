// tabletserver/shard/peer_exchange.h
// What one shard says to its peers and hears from them: their messages go into the cores, the cores' answers go back,
// and the cores' own messages leave through the peer client.
// Early calls: a message may name a tablet that is not here yet. A split's child is created when its parent hears, in
//             that very message, that the SPLIT is committed; so the child takes its calls at its creation, and answers
//             after the same flush. Who is not here once all that had come is done is answered so.
// Place:      service/replication_service.h hands in what peers sent; each round sends and answers (round_driver.h).
// Invariants: 1. A peer's call is answered once, or destroyed uncalled with its core.
// Threads:    Receive from any; the rest on the shard's executor.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"
#include "tabletserver/transport/peer_client.h"

namespace ebla::tabletserver {

class PeerExchange {
 public:
  explicit PeerExchange(const ShardContext& shard) : shard_(shard), client_(MakeClient()) {}

  void Receive(ServerName from, Incarnation incarnation, std::vector<PeerCall> calls);

  // ---- executor only ----
  // Those early calls whose tablet is wanted.
  void ReceiveEarly(const std::function<bool(TabletId)>& wanted);
  void Send(std::span<TakenOutput> taken);
  // What was gathered may be due, though nothing else is to be sent.
  void Flush() { client_.Flush(); }
  void Answer(const std::vector<PeerAnswer>& answers);
  // As PeerClient::Stub.
  std::shared_ptr<idl::ReplicationServiceCobSvIf> Stub(const ServerName& peer, idl::PeerHeader& header) {
    return client_.Stub(peer, header);
  }

 private:
  struct EarlyCall {
    ServerName from;
    PeerCall call;
  };
  PeerClient MakeClient();
  void ReceiveOne(const ServerName& from, PeerCall call, MonotonicTime now);
  void OnReply(TabletId tablet, const PeerReply& reply);
  void OnRestart(const ServerName& peer);

  const ShardContext shard_;
  PeerClient client_;
  std::unordered_map<RequestToken, std::move_only_function<void(const PeerAnswer&)>> calls_;
  std::vector<EarlyCall> early_;
};

}  // namespace ebla::tabletserver

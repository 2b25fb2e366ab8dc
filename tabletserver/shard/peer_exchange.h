// tabletserver/shard/peer_exchange.h
// The exchange of one shard with its peers. Passes their messages to the cores, returns the cores' answers, and sends
// the cores' own messages through the peer client.
// Early calls: a message may name a tablet that is not here yet. A split's child is created when its parent learns,
//             from that very message, that the SPLIT is committed. The child takes its calls at its creation, and
//             answers after the same flush. If the tablet is still missing when all that has arrived is done, the peer
//             is told so.
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
  // Takes the early calls whose tablet is wanted.
  void ReceiveEarly(const std::function<bool(TabletId)>& wanted);
  void Send(std::span<TakenOutput> taken);
  // Sends the gathered messages that are due, even if no others follow.
  void Flush() { client_.Flush(); }
  void Answer(const std::vector<PeerAnswer>& answers);
  // See PeerClient::Stub.
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

// tabletserver/service/replication_service.h
// The request handler for peers: checks the addressed server, gives each tablet's part to its shard, and answers a
// message once every tablet in it has answered. peer_client.h is the other end.
// Errors:  in the reply's status; no part of the message was executed then. INVALID_ARGUMENT: another cluster or
//          version; COME_AGAIN: another server or start is addressed, so the sender's address book is out of date.
// Threads: any.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/lineage.h"
#include "common/base/refusals.h"
#include "idl/ReplicationService.h"
#include "tabletserver/service/copy_handler.h"
#include "tabletserver/shard/shard_types.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class PeerExchange;

class ReplicationService final : public idl::ReplicationServiceCobSvIf {
 public:
  struct Ports {
    ServerName name;
    Incarnation incarnation;
    std::function<std::string()> cluster_id;  // empty: not known yet
    std::vector<PeerExchange*> shards;
    std::vector<CopyTarget*> copy_targets;  // of the same shards
    TabletStore& store;
    Executor& background;
    Refusals& refusals;
  };
  explicit ReplicationService(Ports ports)
      : ports_(std::move(ports)), copies_({ports_.incarnation, ports_.store, ports_.background, ports_.copy_targets}) {}

  template <class Reply>
  using Cob = std::function<void(const Reply&)>;
  void append(Cob<idl::AppendReply> cob, const idl::AppendRequest& request) override;
  void peerHeartbeat(Cob<idl::PeerHeartbeatReply> cob, const idl::PeerHeartbeatRequest& request) override;
  void copy(Cob<idl::CopyReply> cob, const idl::CopyRequest& request) override;

 private:
  Status CheckHeader(const idl::PeerHeader& header) const;
  int64_t LatestTime() const;
  // The number of this start for an answer, also for a refusal; 0 if the message is for another server.
  int64_t IncarnationFor(const idl::PeerHeader& header) const;
  void SubmitToShards(const idl::PeerHeader& header, std::vector<std::vector<PeerCall>> calls);
  std::vector<std::vector<PeerCall>> PerShard() const {
    return std::vector<std::vector<PeerCall>>(ports_.shards.size());
  }
  size_t ShardOf(int64_t tablet) const {
    return ShardOfLineage(TabletId{static_cast<uint64_t>(tablet)}, ports_.shards.size());
  }

  const Ports ports_;
  CopyHandler copies_;
};

}  // namespace ebla::tabletserver

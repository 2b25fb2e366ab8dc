// tabletserver/service/copy_handler.h
// The request handler of a copy's target: checks and decodes requests (a chunk's checksum too), and passes them to the
// tablet's shard.
// Place:   replication_service.h passes copy() on to it, once the request's header is found to be for this server.
// Errors:  a damaged chunk is COME_AGAIN: it is sent again; what is malformed otherwise is INVALID_ARGUMENT.
// Threads: Take from any; decoding runs on `background`, the reply leaves on the shard's executor or there.
#pragma once

#include <functional>
#include <vector>

#include "common/base/lineage.h"
#include "idl/ReplicationService.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/transport/copy_types.h"

namespace ebla::tabletserver {

class CopyTarget;

class CopyHandler {
 public:
  struct Ports {
    Incarnation incarnation;
    TabletStore& store;
    Executor& background;
    std::vector<CopyTarget*> shards;
  };
  using Cob = std::function<void(const idl::CopyReply&)>;

  explicit CopyHandler(Ports ports) : ports_(std::move(ports)) {}

  void Take(Cob cob, const idl::CopyRequest& request);

 private:
  // On `background`. `done` is called where this is OK, and not otherwise.
  Status Decode(const idl::CopyRequest& request, CopyDone done);
  CopyTarget& TargetOf(TabletId tablet) const { return *ports_.shards[ShardOfLineage(tablet, ports_.shards.size())]; }

  const Ports ports_;
};

// For tests too.
Result<CopyBegin> DecodeBegin(const idl::CopyRequest& request);
Result<CopyChunk> DecodeChunk(const idl::CopyRequest& request);

}  // namespace ebla::tabletserver

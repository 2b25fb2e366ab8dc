// tabletserver/shard/shard_context.h
// The state that the classes of one shard share: its options, its ports, its tablets and its requests.
// Place:   shard.h owns them all. Each class of the shard holds a copy of the context, and besides it references to
//          those classes alone that it calls.
// Threads: only the ports and options may be used off the shard's executor.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/refusals.h"
#include "common/base/turn_end.h"
#include "common/rpc/channel.h"
#include "tabletserver/shard/shard_types.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/day_clock.h"

namespace ebla::tabletserver {

class ClientRequests;
class CopyThrottle;
class PartLender;
class PeerBook;
class PeerMemory;
class ShardTablets;
class TabletDirectory;

struct ShardPorts {
  Executor& executor;      // this shard's
  TurnEnd* turn_end;       // of that executor; null: a turn is one task
  Executor& background;    // slow work on the store: tables made, ranges truncated
  Executor& housekeeping;  // slower, and no request waits for it
  TabletStore& store;
  TabletDirectory& directory;
  ShardCounters& counters;
  std::vector<LoopMailbox*> loops;  // where replies go, by the loop index of the request
  SchemaDecoder decode_schema;
  rpc::Connector& connector;  // to peers; its replies run on this shard's executor
  const PeerBook& peers;
  std::function<std::string()> cluster_id;
  std::function<PartLender&(TabletId)> part_lender_of;  // of this server: two that merge may be on different shards
  CopyThrottle& copy_throttle;
  Refusals& refusals;
  PeerMemory& peer_memory;
  DayClock& day_clock;
};

struct ShardContext {
  const ShardOptions& options;
  const ShardPorts& ports;
  ShardTablets& tablets;
  ClientRequests& requests;

  Executor& executor() const { return ports.executor; }
  TabletStore& store() const { return ports.store; }
  MonotonicTime Now() const { return ports.executor.Now(); }
};

}  // namespace ebla::tabletserver

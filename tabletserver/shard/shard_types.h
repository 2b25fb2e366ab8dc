// tabletserver/shard/shard_types.h
// A shard's options, its counters, and the requests that handlers pass to it.
// Place:   code that configures or calls a shard includes this; code that makes one includes shard.h.
// Threads: values; ShardCounters from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "common/base/functions.h"
#include "common/base/mailbox.h"
#include "common/base/split_key.h"
#include "tabletserver/reads/tablet_handle.h"
#include "tabletserver/replication/leadership.h"
#include "tabletserver/replication/replica_types.h"
#include "tabletserver/shard/log_retention.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/dedup_window.h"
#include "tabletserver/tablet/tablet_types.h"
#include "tabletserver/transport/copy_types.h"

namespace ebla::tabletserver {

// The part of a table's encoded schema that the host needs. The request handler knows the encoding.
struct DecodedSchema {
  TabletSchema tablet;
  ReadLevel default_read_level = ReadLevel::kStrong;
  Duration default_bounded{};
  TableCompression compression = TableCompression::kNone;
  int64_t split_bytes = 0;  // 0: not said
  MemoryBounds memory;      // of a table in memory
};
using SchemaDecoder = std::function<Result<DecodedSchema>(const std::string& encoded)>;

// Figures of all shards together. Threads: any.
struct ShardCounters {
  std::atomic<int64_t> unapplied_bytes{0};
  std::atomic<uint64_t> rounds{0};
  std::atomic<uint64_t> appended_entries{0};
  std::atomic<uint64_t> writes_refused{0};  // for want of room
};

struct ShardOptions {
  ServerName self;
  size_t index = 0;
  size_t meter_slot = 0;  // for LoadMeter
  DedupLimits dedup_window;
  size_t unapplied_bytes_max = 64 << 20;           // per tablet
  int64_t server_unapplied_bytes_max = 512 << 20;  // all tablets of all shards
  size_t queue_items_max = 16'384;
  size_t queue_bytes_max = 128 << 20;
  size_t awaiting_max = 16'384;  // reads that wait for an entry to be applied
  // Logs are truncated for so long at a stretch; zero: a piece at a time.
  Duration truncation_slice = std::chrono::milliseconds(1);
  Duration tick = std::chrono::milliseconds(100);
  Incarnation incarnation;
  bool machine_crashed = false;  // under the process before this one
  LeaseTerms lease;
  Duration heartbeat = std::chrono::milliseconds(150);       // to peers
  LogRetention log_retention;                                // for replicas that are behind
  LogRetention memory_log_retention{.bytes_max = 16 << 20};  // the same, of tables in memory
  // In memory a log takes room from the records, and a copy takes none. For a replica that has been silent for so long,
  // the log keeps no more than this part of the records' bytes, but always so many bytes.
  Duration memory_log_patience = std::chrono::seconds(10);
  uint64_t memory_log_part = 8;
  uint64_t memory_log_bytes_least = 4 << 20;
  Duration tombstone_retention = std::chrono::hours(24);  // in last_write_wins tables
  // of PRIMARY writes that were rolled back and are still unresolved; beyond it PRIMARY is OVERLOADED
  int64_t rolled_back_bytes_max = 256 << 20;
  CopyOptions copy;                            // of copies that begin here
  std::shared_ptr<const Functions> functions;  // that writes may apply; null: none
};

// Where replies go: each event loop has one.
using LoopMailbox = TaskMailbox;
using WriteDone = std::move_only_function<void(WriteReply)>;
using ControlDone = std::move_only_function<void(ControlReply)>;

// A client's batch of writes.
struct WriteCall {
  std::shared_ptr<TabletHandle> handle;
  WriteRequest request;  // the shard gives it its token
  size_t bytes = 0;      // of keys and values
  size_t loop = 0;
  size_t flow = 0;  // the connection that it belongs to, among all that share the shard
  WriteDone done;   // runs on that loop
};

// A peer's message for one tablet.
struct PeerCall {
  TabletId tablet;
  std::variant<AppendMessage, HeartbeatMessage> body;
  // Runs on the shard's executor; destroyed uncalled when the replica is removed meanwhile.
  std::move_only_function<void(const PeerAnswer&)> done;
};

// A write as its client names it, and the version that it was given.
struct WriteName {
  ClientId client;
  Sequence sequence;
  Version version;
};

}  // namespace ebla::tabletserver

// tabletserver/hints/hinted_writes.h
// Writes of level ANY (PROTOCOL 22): unconditional puts and deletes of last_write_wins tables that any replica's server
// takes, also where it reaches neither primary nor master. Each gets its time here, goes into the store's `pending`
// table, under no tablet and a version made of this server's start and a count, and is answered once durable; from
// there hint delivery (hint_delivery.h) brings it to whoever leads.
// Time:       tablet time as the replica here knows it, or the time of day where it knows none; later than what the
//             replica shows of the key, and than what this server took for the key before, since its start or as long
//             as that waits to be delivered. So who reads here and then writes here is not surprised, two writes in
//             sequence are delivered in it whatever the clock does, and no two of these writes of one key have
//             the same stamp. One that a primary here logs in the same millisecond may have it: then that one stays.
// Place:      the clients' edge admits, on its loops; everything else runs on the hint delivery's executor.
// Bounds:     the mailbox; bytes and entries stored; times remembered by key (stamps_max). Beyond the first two, and
//             below the disk reserve: OVERLOADED.
// Threads:    Recover before all else; Admit from any thread; the rest on the executor. Destroyed when that runs
//             nothing any more.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tabletserver/shard/shard_types.h"

namespace ebla::tabletserver {

// What is wrong with a batch at level ANY, whatever the records are: it is no unconditional put or delete, or its keys
// lie beyond the replica's range. CheckBatch has passed.
Status CheckHintedWrites(const std::vector<Write>& writes, const TabletView& view);

class HintedWrites {
 public:
  struct Options {
    size_t queue_items_max = 16'384;
    size_t queue_bytes_max = 64 << 20;
    int64_t bytes_max = 256 << 20;
    int64_t entries_max = 1'000'000;
    size_t stamps_max = 65'536;
  };
  struct Ports {
    Executor& executor;
    TabletStore& store;
    std::vector<LoopMailbox*> loops;  // where answers go, by the loop index of the call
    std::function<void()> on_stored;  // there is something to deliver
  };
  HintedWrites(ServerName self, Incarnation incarnation, Options options, Ports ports);

  // Learns what this server took before its start and keeps still: what it takes from now on is later.
  Status Recover();
  // Of a table whose view here says last_write_wins. OVERLOADED: nothing was taken, `call` is as it was.
  Status Admit(WriteCall& call);

 private:
  void Take(std::vector<WriteCall> calls);
  Result<LogEntry> EntryOf(const WriteCall& call, const TabletView& view);
  void Remember(TableId table, const std::string& key, int64_t stamp_ms);
  int64_t StampOf(TableId table, const std::string& key, int64_t now_ms, int64_t least_ms);
  void Answer(WriteCall& call, Status status);

  const ServerName self_;
  const Incarnation incarnation_;
  const Options options_;
  const Ports ports_;
  Mailbox<WriteCall> calls_;

  // Executor only.
  uint64_t count_ = 0;  // of this start's
  // The times that were given. Beyond stamps_max keys they are forgotten, and every later one is later than all of
  // them: where a clock has passed them, as it mostly has, that asks for nothing.
  struct Given {
    int64_t floor_ms = 0;
    std::unordered_map<std::string, int64_t> by_key;
  };
  std::map<TableId, Given> given_;
  size_t remembered_ = 0;  // keys, of all tables
};

}  // namespace ebla::tabletserver

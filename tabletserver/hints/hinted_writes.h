// tabletserver/hints/hinted_writes.h
// Writes of level ANY (PROTOCOL 22): unconditional puts and deletes of last_write_wins tables that any replica's server
// accepts, even if it reaches neither primary nor master. Each write gets its time here and is stored in the store's
// `pending` table, under no tablet and a version made of this server's start and a count. The server answers once it is
// durable; from there hint delivery (hint_delivery.h) sends it to the primary.
// Time:       the local replica's tablet time, or if it knows none the time of day that this server believes
//             (day_clock.h). It is later than the replica's record of the key, and than this server's earlier writes of
//             the key, since its start or until they are delivered. So a client that reads and then writes here wins
//             over the record it read, two writes in sequence are delivered in sequence whatever the clock does, and no
//             two of these writes of one key have the same stamp. A write that a primary here logs in the same
//             millisecond may have the same stamp, and then wins. A lifetime counts
//             from the same time. In a doubt it counts from the machine's clock if that shows more, so that no record
//             expires early.
// Place:      the clients' request handler admits, on its loops; everything else runs on the hint delivery's executor.
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
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/day_clock.h"

namespace ebla::tabletserver {

// Checks a batch at level ANY, independent of records: an error if a write is no unconditional put or delete, or if its
// keys lie beyond the replica's range. CheckBatch has passed.
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
    const DayClock& day_clock;
    std::function<void()> on_stored;  // there is something to deliver
  };
  HintedWrites(ServerName self, Incarnation incarnation, Options options, Ports ports);

  // Reads the stored writes from before this start, so that later ones get later times.
  Status Recover();
  // An error: nothing was accepted, `call` is unchanged.
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
  // The assigned times. Beyond stamps_max keys they are forgotten, and every later time is above all of them, as the
  // clock mostly ensures already.
  struct Given {
    int64_t floor_ms = 0;
    std::unordered_map<std::string, int64_t> by_key;
  };
  std::map<TableId, Given> given_;
  size_t remembered_ = 0;  // keys, of all tables
};

}  // namespace ebla::tabletserver

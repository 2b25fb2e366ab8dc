// tabletserver/shard/shard.h
// Owns some of the server's tablets on one executor and drives their cores: everything that writes goes through here.
// Rounds:     What arrived is stepped into the cores, of peers and flushes all that has been posted by then; then, for
//             all tablets with output at once: replica states and one store.Append, one store.Flush per durability, one
//             store.Apply, views published, replies handed back.
//             A flush under way holds nothing up: the next round appends and asks for the next one, and the store's
//             flusher groups what has gathered.
// Place:      shard.cc the door, shard_rounds.cc the rounds, shard_copy.cc copies, shard_split.cc splits,
//             shard_merge.cc merges, shard_removal.cc what a drop leaves. Event loops put
//             writes into its mailbox; replies travel back through the loops' mailboxes, one wake-up for a batch.
// Invariants: 1. A tablet's core is stepped on the shard's executor only; its contract (tablet_core.h) is kept here.
//             2. A view is published before the replies that it explains; the applied bound before the store shows it.
//             3. A dropped replica's data is removed only when no reader holds a view of it (PROTOCOL 8).
// Bounds:     the mailbox, the unapplied writes of all tablets together, the reads that wait for an entry to be applied; beyond
//             them OVERLOADED with a time to come back.
// Threads:    Admit, Await, Purge and the control calls from any thread; the rest on its executor. Destroyed when its
//             executor runs nothing any more.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/mailbox.h"
#include "common/base/split_key.h"
#include "tabletserver/reads/read_waits.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/shard/log_retention.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/tablet_core.h"
#include "tabletserver/transport/copy_throttle.h"
#include "tabletserver/transport/copy_types.h"
#include "tabletserver/transport/peer_client.h"

namespace ebla::tabletserver {

// What the host needs of a table's encoded schema; the edge knows the encoding.
struct DecodedSchema {
  TabletSchema tablet;
  ReadLevel default_read_level = ReadLevel::kStrong;
  Duration default_bounded{};
  TableCompression compression = TableCompression::kNone;
  KeyGroupRule key_group;
  int64_t split_bytes = 0;  // 0: not said
};
using SchemaDecoder = std::function<Result<DecodedSchema>(const std::string& encoded)>;

using LoopMailbox = TaskMailbox;
using WriteDone = std::move_only_function<void(WriteReply)>;
using ControlDone = std::move_only_function<void(ControlReply)>;

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
  // For so long at a stretch logs are truncated; zero: a piece at a time.
  Duration truncation_slice = std::chrono::milliseconds(1);
  Duration tick = std::chrono::milliseconds(100);
  Incarnation incarnation;
  bool machine_crashed = false;  // under the process before this one
  LeaseTerms lease;
  Duration heartbeat = std::chrono::milliseconds(150);    // to peers
  LogRetention log_retention;                             // for replicas that are behind
  Duration tombstone_retention = std::chrono::hours(24);  // in last_write_wins tables
  // kept of PRIMARY writes that were rolled back; then PRIMARY is OVERLOADED
  int64_t rolled_back_bytes_max = 256 << 20;
  CopyOptions copy;  // of copies that begin here
};

class Shard final : public ReadWaits {
 public:
  struct Ports {
    Executor& executor;      // this shard's
    Executor& background;    // slow work on the store: tables made, ranges truncated
    Executor& housekeeping;  // slower, and nobody waits for it
    TabletStore& store;
    TabletDirectory& directory;
    ShardCounters& counters;
    std::vector<LoopMailbox*> loops;  // where replies go, by the loop index of the request
    SchemaDecoder decode_schema;
    rpc::Connector& connector;  // to peers; its replies run on this shard's executor
    const PeerBook& peers;
    std::function<std::string()> cluster_id;
    std::function<Shard&(TabletId)> shard_of;  // of this server: two that are merged may be on different ones
    CopyThrottle& copy_throttle;
  };

  Shard(ShardOptions options, Ports ports);
  ~Shard() override;

  // Before anything else, on the constructing thread: a replica, or what is left of one, that the store recovered.
  Status Recover(RecoveredReplica replica);
  void Start();
  // No write is admitted any more; `idle` runs on the executor once all that was has been answered.
  void Drain(std::move_only_function<void()> idle);

  // ---- from event loops ----
  struct WriteCall {
    std::shared_ptr<TabletHandle> handle;
    WriteRequest request;  // its token is given here
    size_t bytes = 0;      // of keys and values
    size_t loop = 0;
    WriteDone done;  // runs on that loop
  };
  // OVERLOADED: nothing was taken, `call` is as it was.
  Status Admit(WriteCall& call);
  void AwaitApplied(std::shared_ptr<TabletHandle> handle, Lsn upto, MonotonicTime deadline, size_t loop,
                    Done done) override;
  void TakeLogged(std::shared_ptr<TabletHandle> handle, KeyRange range, Lsn upto, size_t records_max, size_t loop,
                  LoggedDone done) override;
  void PurgeExpired(std::shared_ptr<TabletHandle> handle, std::vector<ExpiredKey> keys, TabletTime reached,
                    MonotonicTime deadline, size_t loop, Done done) override;
  void ConfirmLeadership(std::shared_ptr<TabletHandle> handle, MonotonicTime deadline, size_t loop, Done done) override;

  // Which of these writes the dedup window of the tablet, or of what was split off it, knows here under another version than
  // theirs; `done` runs on the executor.
  struct WriteName {
    ClientId client;
    Sequence sequence;
    Version version;
  };
  void FindRepeated(TabletId tablet, std::vector<WriteName> writes,
                    std::move_only_function<void(std::vector<bool>)> done);

  // ---- from peers; `done` runs on the executor ----
  struct PeerCall {
    TabletId tablet;
    std::variant<AppendMessage, HeartbeatMessage> body;
    std::move_only_function<void(const PeerAnswer&)> done;  // destroyed uncalled when the replica goes meanwhile
  };
  void Receive(ServerName from, Incarnation incarnation, std::vector<PeerCall> calls);

  // Of a copy to this server; one after the other, each after the answer to the one before (copy_source.h).
  void TakeCopyBegin(CopyBegin begin, CopyDone done);
  void TakeCopyChunk(CopyChunk chunk, CopyDone done);
  void TakeCopyEnd(TabletId tablet, uint64_t copy, Lsn upto, CopyDone done);

  // ---- the master's orders; `done` runs on the executor ----
  // The table is in the store already.
  void Configure(TabletId tablet, ConfigureTablet input, ControlDone done);
  void Fence(TabletId tablet, Epoch epoch, ControlDone done);
  void Drop(TabletId tablet, Epoch epoch, std::vector<TabletId> splits, ControlDone done);
  void Split(TabletId tablet, Epoch epoch, std::string key, TabletId child, ControlDone done);
  void Freeze(TabletId tablet, Epoch epoch, TabletId into, ControlDone done);
  void Transfer(TabletId tablet, Epoch epoch, ServerName target, Duration patience, ControlDone done);
  // For each replica of the table here.
  void Alter(TabletSchema schema, std::move_only_function<void(Status)> done);

  // ---- from the shard of a tablet that is to be made of two (shard_merge.cc); `done` runs on this executor ----
  struct FrozenPart {
    FrozenTablet tablet;
    std::shared_ptr<TabletHandle> handle;
  };
  // Says once the part can be lent: OK; or that it never can.
  void AwaitPart(MergedTablet part, TabletId into, std::move_only_function<void(Status)> done);
  // From then on nothing obeys or changes it here, until it is given back, or has become part of another.
  void LendPart(MergedTablet part, TabletId into, std::move_only_function<void(Result<FrozenPart>)> done);
  void GiveBackPart(TabletId part);
  void FinishPart(TabletId part, TabletId into, Version position);

  // A finished checkpoint has no need of each tablet's log up to and including these.
  void TruncateLogs(const TabletStore::CheckpointResult& covered);

  Executor& executor() const { return ports_.executor; }

 private:
  struct Tablet;
  struct Taken;
  struct FlushOrder {
    std::shared_ptr<Tablet> tablet;
    FlushNumber number;
  };
  struct Awaiting {
    MonotonicTime deadline;
    size_t loop = 0;
    std::move_only_function<void(Status)> done;
  };
  struct PendingWrite {
    std::shared_ptr<Tablet> tablet;
    size_t bytes = 0;
    size_t loop = 0;
    WriteDone done;
  };
  struct PendingConfirm {
    MonotonicTime deadline;
    size_t loop = 0;
    std::move_only_function<void(Status)> done;
  };
  struct OutgoingCopy;
  struct IncomingCopy;
  struct GatheredDedupRows;
  struct PendingCopy {
    CopyDone done;
    std::shared_ptr<const CopyBase> base;  // of one that begins; shared with the work in the background
  };
  struct PendingPurge {
    size_t loop = 0;
    std::move_only_function<void(Status)> done;
  };

  // shard.cc
  void OnCalls(std::vector<WriteCall> calls);
  struct Room {
    bool disk_full = false;
    bool conflicts_full = false;
  };
  void OnCall(WriteCall call, MonotonicTime now, Room room);
  void OnTick();
  std::shared_ptr<Tablet> Find(TabletId tablet) const;
  std::shared_ptr<Tablet> FindOrMake(TabletId tablet);
  void MakeCore(Tablet& tablet, RecoveredReplica replica, TabletSchema schema);
  Status Place(Tablet& tablet, TableId table, const KeyRange& range);
  void Unplace(Tablet& tablet);
  void ConfigureHere(TabletId tablet, ConfigureTablet input, ControlDone done);
  RequestToken Expect(ControlDone done);
  void Answer(size_t loop, Task task);
  void Touch(const std::shared_ptr<Tablet>& tablet);
  void SignalIdle();

  // shard_rounds.cc
  void Pump();
  void PumpSoon();
  void PumpAll();  // and answers what came for tablets that are not here
  void PumpNow();  // in this turn, whatever has to leave first
  void Round(std::vector<Taken>& taken);
  void StoreOutputs(std::vector<Taken>& taken);
  Status PutState(Tablet& tablet, const ReplicaState& state);
  // What takes as long as a write and can wait for a tick.
  void EndLogs();
  void LogNewSplits();
  Status StoreBeforeEntries(Tablet& tablet, const TabletOutput& output);
  void AppendAll(std::span<Taken*> taken);
  void BeginFlushes(std::vector<Taken>& taken);
  void OnFlushed(const std::vector<FlushOrder>& orders, const Status& status);
  void ApplyAll(std::span<Taken*> taken);
  void Publish(Tablet& tablet, const std::shared_ptr<const TabletView>& view);
  void ReplyAll(Taken& taken);
  void OnControlReply(const std::shared_ptr<Tablet>& tablet, ControlReply reply);
  void WakeAwaiting(Tablet& tablet);
  void ExpireAwaiting(Tablet& tablet, MonotonicTime now);
  void EndAwaiting(Awaiting one, Status status);
  void CountUnapplied(Tablet& tablet);

  // Other servers (shard_peers.cc).
  PeerClient MakePeerClient();
  void ReceiveOne(const ServerName& from, PeerCall call, MonotonicTime now);
  void ReceiveEarly(const std::function<bool(TabletId)>& wanted);
  void SendToPeers(std::vector<Taken>& taken);
  void AnswerPeers(Taken& taken);
  void OnPeerReply(TabletId tablet, const PeerReply& reply);
  void OnPeerRestart(const ServerName& peer);
  void OnHeartbeatTimer();
  void ExpireConfirms(MonotonicTime now);
  void WakeAt(MonotonicTime at);

  // Splits (shard_split.cc).
  struct ChildCreation {
    std::shared_ptr<Tablet> child;
    std::shared_ptr<const SplitChild> split_child;
    Taken* parent = nullptr;
  };
  Status PrepareChild(Taken& parent, std::vector<ChildCreation>& creations);
  Status PrepareChildren(std::span<Taken*> taken, std::vector<ApplyBatch>& batches,
                         std::vector<ChildCreation>& creations);
  void CreateChild(ChildCreation& creation);
  void TouchSoon(const std::shared_ptr<Tablet>& child, Duration after);
  bool SplitIsCheckpointed(const Tablet& tablet);
  bool KeepsPlace(const std::shared_ptr<Tablet>& tablet);
  void OnCheckpointed(const TabletStore::CheckpointResult& covered);

  // Merges (shard_merge.cc).
  struct Merging;
  bool ToBeMerged(const Tablet& tablet, const ConfigureTablet& input) const;
  void Merge(TabletId id, ConfigureTablet input, ControlDone done);
  static void AnswerMerging(Merging& merging);
  void AskPart(TabletId id, bool right);
  void TakePart(TabletId id, bool right);
  void AbandonMerge(TabletId id, const Status& why);
  void CommitMerge(TabletId id);
  Status StoreMerge(Tablet& tablet, const MergeResult& merge_result, const FrozenTablet& left,
                    const FrozenTablet& right);
  void CreateMerged(const std::shared_ptr<Tablet>& tablet, const std::shared_ptr<const MergeResult>& merge_result,
                    const FrozenPart& left, const FrozenPart& right);
  void WakeParts(Tablet& tablet);
  bool RefuseLent(TabletId id, ControlDone& done) const;
  Status Gone(TabletId id) const;
  void ForgetParts(const std::function<bool(TabletId part, TabletId into, Lsn position)>& covered);
  void OnPartForgotten(const std::shared_ptr<Tablet>& tablet, const Status& status);
  void DropCheckpointedParts(const TabletStore::CheckpointResult& covered);

  // Copies (shard_copy.cc).
  void BeginCopies(const std::shared_ptr<Tablet>& tablet, const std::vector<StartCopy>& copies);
  void CancelOutdatedCopies(Tablet& tablet);
  void OnCopyNews(TabletId tablet, const ServerName& peer, uint64_t copy, CopyNews::Kind kind);
  RequestToken ExpectCopy(CopyDone done, std::shared_ptr<const CopyBase> base);
  static bool GatherDedupRows(Tablet& tablet, CopyBegin& begin);
  void CarryCopies(Taken& taken);
  void Prepare(const std::shared_ptr<Tablet>& tablet, const ReceiveCopy& order);
  void ContinuePreparations();
  void OnInstalled(const std::shared_ptr<Tablet>& tablet, uint64_t copy, const Status& status);
  void GoOnAfterWork(const std::shared_ptr<Tablet>& tablet);
  void CheckpointCopy(const std::shared_ptr<Tablet>& tablet, uint64_t copy);
  void AbandonCopies(const std::shared_ptr<Tablet>& tablet);

  // What a checkpoint makes of the logs (shard_logs.cc).
  struct Truncation {
    std::weak_ptr<Tablet> tablet;
    Lsn recoverable;  // a start needs nothing below it
    Lsn next, below;  // what is still to go; none: yet to be found
  };
  void ContinueTruncations();
  void StopTruncation(TabletId tablet);
  Result<bool> TruncateSome(const Tablet& tablet, Truncation& truncation);
  Status BeginTruncation(const Tablet& tablet, Truncation& truncation);

  // What a drop leaves behind (shard_removal.cc).
  void BeginRemoval(const std::shared_ptr<Tablet>& tablet);
  void ContinueRemovals();
  void OnTruncated(const std::shared_ptr<Tablet>& tablet, const Status& truncated);
  void CheckpointRemovals();
  void Depart(Tablet& tablet);

  const ShardOptions options_;
  const Ports ports_;
  Mailbox<WriteCall> calls_;

  // Executor only.
  std::unordered_map<TabletId, std::shared_ptr<Tablet>> tablets_;  // shared with flushes and removals under way
  std::unordered_map<TabletId, ReplicaState> departed_;            // tombstones, and promises for replicas not here
  std::vector<std::shared_ptr<Tablet>> dirty_;                     // may have output
  std::unordered_map<RequestToken, PendingWrite> writes_;
  std::unordered_map<RequestToken, PendingPurge> purges_;
  std::unordered_map<RequestToken, ControlDone> controls_;
  std::unordered_map<RequestToken, PendingConfirm> confirms_;
  std::unordered_map<RequestToken, std::move_only_function<void(const PeerAnswer&)>> peer_calls_;
  std::unordered_map<RequestToken, PendingCopy> copy_orders_;
  // For tablets unknown here: a split's child comes to be when its parent hears, in this very message, that the SPLIT
  // is committed. It takes them at its creation, and answers after the same flush.
  struct EarlyCall {
    ServerName from;
    PeerCall call;
  };
  std::vector<EarlyCall> early_;
  PeerClient peer_client_;
  std::map<TabletId, Truncation> truncations_;  // a slice is to come if there are any
  bool truncations_late_ = false;               // a checkpoint has come while the one before it had some left
  TabletId truncated_last_;                     // of them
  uint64_t truncated_piece_ = 256;              // entries at once, by how long the last took
  // for a copy: until nobody reads, then until its start is installed
  std::vector<std::shared_ptr<Tablet>> preparing_;
  std::vector<std::shared_ptr<Tablet>> removals_;  // until nobody reads, then until the range is truncated
  std::vector<std::shared_ptr<Tablet>> removed_;   // until a checkpoint begun from now on is done
  std::unordered_map<TabletId, std::shared_ptr<Merging>> mergings_;  // that this shard is to make
  std::unordered_map<TabletId, std::shared_ptr<Tablet>> lent_;       // to another shard, or to this one
  struct Part {
    std::shared_ptr<Tablet> tablet;
    TabletId into;
    Lsn position;
  };
  std::vector<Part> parts_;  // of others by now: until a checkpoint has that
  size_t awaiting_ = 0;      // of all tablets
  RequestToken next_token_;
  TimerId tick_;
  std::vector<std::shared_ptr<const SplitChild>> unlogged_splits_;  // splits that the server's log does not name yet
  TimerId heartbeat_;
  TimerId wake_;
  MonotonicTime wake_at_ = MonotonicTime::Max();  // when wake_ fires
  bool pumping_ = false;
  bool turn_ends_ = false;  // no more rounds before what was sent has left
  int gathered_ = 0;        // since the last round
  bool pump_posted_ = false;
  bool draining_ = false;
  bool checkpointing_ = false;  // for removed_
  bool covering_ = false;       // a checkpoint for splits is under way
  std::move_only_function<void()> idle_;
};

}  // namespace ebla::tabletserver

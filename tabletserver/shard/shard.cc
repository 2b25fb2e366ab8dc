#include "tabletserver/shard/shard.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/lineage.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kShardFullRetryMs = 20;
constexpr int64_t kMergedRetryMs = 2;

WriteReply RefusedWrite(Code code, std::string message, int64_t retry_after_ms = -1) {
  WriteReply reply;
  reply.status = Status(code, std::move(message));
  reply.retry_after_ms = retry_after_ms;
  return reply;
}

}  // namespace

Shard::Shard(ShardOptions options, Ports ports)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      calls_(ports_.executor, {options_.queue_items_max, options_.queue_bytes_max},
             [this](std::vector<WriteCall> calls) { OnCalls(std::move(calls)); }),
      peer_client_(MakePeerClient()) {}

Shard::~Shard() = default;

void Shard::Start() {
  ports_.executor.Post([this] {
    Pump();
    OnTick();
    OnHeartbeatTimer();
  });
}

void Shard::Drain(std::move_only_function<void()> idle) {
  ports_.executor.Post([this, idle = std::move(idle)]() mutable {
    draining_ = true;
    idle_ = std::move(idle);
    SignalIdle();
  });
}

void Shard::SignalIdle() {
  if (!draining_ || !idle_ || !writes_.empty() || !purges_.empty()) return;
  std::exchange(idle_, nullptr)();
}

// ---- tablets --------------------------------------------------------------------------------------------------------

std::shared_ptr<Shard::Tablet> Shard::Find(TabletId tablet) const {
  const auto found = tablets_.find(tablet);
  return found == tablets_.end() ? nullptr : found->second;
}

void Shard::MakeCore(Tablet& tablet, RecoveredReplica replica, TabletSchema schema) {
  TabletOptions options;
  options.tablet = tablet.id;
  options.self = options_.self;
  options.dedup_window = options_.dedup_window;
  options.unapplied_bytes_max = options_.unapplied_bytes_max;
  options.tombstone_retention_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.tombstone_retention).count();
  options.lease = options_.lease;
  options.started = ports_.executor.Now();
  options.may_have_lost_writes =
      options_.machine_crashed && schema.durability == FlushMode::kInterval && replica.state.table;
  TabletReaders readers;
  // The core dies before its tablet.
  readers.record = [this, &tablet](std::string_view key) { return ports_.store.Get(tablet.table, key); };
  readers.log = [this, id = tablet.id](Lsn from, Lsn last, size_t bytes_max) {
    return ports_.store.ReadLog(id, from, last, bytes_max);
  };
  tablet.table = replica.state.table;
  tablet.core =
      std::make_unique<TabletCore>(std::move(options), std::move(replica), std::move(schema), std::move(readers));
}

std::shared_ptr<Shard::Tablet> Shard::FindOrMake(TabletId id) {
  if (auto found = Find(id)) return found;
  RecoveredReplica blank;
  blank.tablet = id;
  if (const auto departed = departed_.find(id); departed != departed_.end()) {
    blank.state = departed->second;
    departed_.erase(departed);
  }
  auto tablet = std::make_shared<Tablet>(id);
  MakeCore(*tablet, std::move(blank), {});
  tablets_.emplace(id, tablet);
  return tablet;
}

Status Shard::Place(Tablet& tablet, TableId table, const KeyRange& range) {
  auto handle = std::make_shared<TabletHandle>(tablet.id, table, options_.index);
  EBLA_TRY(ports_.directory.Add(handle, range));
  tablet.table = table;
  tablet.placed_range = range;
  tablet.handle = std::move(handle);
  return Status::Ok();
}

void Shard::Unplace(Tablet& tablet) {
  if (tablet.handle != nullptr) ports_.directory.Remove(*tablet.handle);
  tablet.handle.reset();
  tablet.schema.reset();
}

Status Shard::Recover(RecoveredReplica replica) {
  const TabletId id = replica.tablet;
  const bool remains = replica.applied.has_value() || replica.last_logged;
  const bool absent = !replica.state.present();
  // Without an applied state a tombstone has no records either, as both are of one checkpoint: it needs no place. The
  // one that its state names may be another's by now, where the tablet was split.
  if (absent && !replica.applied) {
    if (remains && replica.replayed) {
      // It became part of another, at this start: its log goes once a checkpoint has that.
      auto tablet = std::make_shared<Tablet>(id);
      MakeCore(*tablet, std::move(replica), {});
      tablet->removing = true;
      tablets_.emplace(id, tablet);
      parts_.push_back({tablet, {}, {}});
      return Status::Ok();
    }
    if (remains) EBLA_TRY(ports_.store.ForgetReplica(id));
    departed_.emplace(id, std::move(replica.state));
    return Status::Ok();
  }
  DecodedSchema schema;
  if (!absent) {
    EBLA_ASSIGN(schema, ports_.decode_schema(replica.state.schema));
  }
  const KeyRange range = replica.applied ? replica.applied->range : replica.state.incomplete_range;
  const Version applied = replica.applied ? replica.applied->applied : Version();
  auto tablet = std::make_shared<Tablet>(id);
  if (replica.replayed) {
    tablet->uncheckpointed = applied.lsn;
    tablet->log_open = true;  // the crash may have come before a tick
  }
  EBLA_TRY(Place(*tablet, replica.state.table, range));
  tablet->handle->RaiseAppliedBound(applied);
  MakeCore(*tablet, std::move(replica), std::move(schema.tablet));
  tablets_.emplace(id, tablet);
  if (absent) {
    BeginRemoval(tablet);  // a crash cut the removal short
  } else {
    Touch(tablet);
  }
  return Status::Ok();
}

void Shard::Touch(const std::shared_ptr<Tablet>& tablet) {
  if (!std::exchange(tablet->dirty, true)) dirty_.push_back(tablet);
}

void Shard::Answer(size_t loop, Task task) { ports_.loops[loop]->Put(std::move(task), 0); }

// ---- writes ---------------------------------------------------------------------------------------------------------

Status Shard::Admit(WriteCall& call) {
  // In memory: a batch of a thousand tiny writes is more than its keys and values.
  const size_t bytes = sizeof(WriteCall) + call.request.writes.size() * sizeof(Write) + call.bytes;
  if (calls_.Put(std::move(call), bytes)) return Status::Ok();
  ports_.counters.writes_refused.fetch_add(1, std::memory_order_relaxed);
  return Error(Code::kOverloaded, "too many writes wait on this server");
}

void Shard::OnCalls(std::vector<WriteCall> calls) {
  const MonotonicTime begun = ports_.executor.Now();
  std::vector<std::pair<std::shared_ptr<TabletHandle>, size_t>> done;
  done.reserve(calls.size());
  const TabletStore::Health health = ports_.store.health();
  const Room room{health.writes_refused, health.rolled_back_bytes >= options_.rolled_back_bytes_max};
  for (WriteCall& call : calls) {
    done.emplace_back(call.handle, call.bytes);
    call.handle->load.OfferWrite(options_.meter_slot,
                                 [&writes = call.request.writes](uint64_t draw) -> std::string_view {
                                   return writes.empty() ? std::string_view() : writes[draw % writes.size()].key;
                                 });
    OnCall(std::move(call), begun, room);
  }
  Pump();
  const Duration share = (ports_.executor.Now() - begun) / static_cast<int64_t>(done.size());
  for (const auto& [handle, bytes] : done) handle->load.CountWrites(options_.meter_slot, 1, bytes, share);
}

void Shard::OnCall(WriteCall call, MonotonicTime now, Room room) {
  const auto refuse = [&](WriteReply reply) {
    Answer(call.loop, [done = std::move(call.done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  };
  if (now >= call.request.deadline) {
    return refuse(RefusedWrite(Code::kDeadlineExceeded, "the deadline passed before the write was executed"));
  }
  if (draining_) return refuse(RefusedWrite(Code::kComeAgain, "the server is shutting down", 200));
  const std::shared_ptr<Tablet> tablet = Find(call.handle->tablet);
  if (tablet == nullptr || tablet->removing) {
    const Status gone = Gone(call.handle->tablet);
    return refuse(RefusedWrite(gone.code(), gone.message(), gone.code() == Code::kComeAgain ? kMergedRetryMs : -1));
  }
  if (ports_.counters.unapplied_bytes.load(std::memory_order_relaxed) >= options_.server_unapplied_bytes_max) {
    ports_.counters.writes_refused.fetch_add(1, std::memory_order_relaxed);
    return refuse(
        RefusedWrite(Code::kOverloaded, "too much is written and not yet applied on this server", kShardFullRetryMs));
  }
  call.request.token = next_token_ = next_token_.Next();
  writes_.emplace(next_token_, PendingWrite{tablet, call.bytes, call.loop, std::move(call.done)});
  tablet->core->Step(AdmitWrite{std::move(call.request), now, room.disk_full, room.conflicts_full});
  Touch(tablet);
}

void Shard::AwaitApplied(std::shared_ptr<TabletHandle> handle, Lsn upto, MonotonicTime deadline, size_t loop,
                         std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, handle = std::move(handle), upto, deadline, loop, done = std::move(done)]() mutable {
    const auto tablet = Find(handle->tablet);
    if (tablet == nullptr || tablet->removing) {
      return Answer(loop, [done = std::move(done), gone = Gone(handle->tablet)]() mutable { done(std::move(gone)); });
    }
    if (awaiting_ >= options_.awaiting_max) {
      return Answer(loop, [done = std::move(done)]() mutable {
        done(Error(Code::kOverloaded, "too many reads of this server wait for a write to be applied"));
      });
    }
    ++awaiting_;
    tablet->awaiting.emplace(upto, Awaiting{deadline, loop, std::move(done)});
    WakeAwaiting(*tablet);
  });
}

void Shard::TakeLogged(std::shared_ptr<TabletHandle> handle, KeyRange range, Lsn upto, size_t records_max, size_t loop,
                       LoggedDone done) {
  ports_.executor.Post([this, handle = std::move(handle), range = std::move(range), upto, records_max, loop,
                        done = std::move(done)]() mutable {
    const auto tablet = Find(handle->tablet);
    Result<LoggedSlice> slice = std::unexpected(Gone(handle->tablet));
    if (tablet != nullptr && !tablet->removing) slice = tablet->core->Logged(range, upto, records_max);
    Answer(loop, [done = std::move(done), slice = std::move(slice)]() mutable {
      if (!slice) return done(Error(slice.error()));
      done(std::make_shared<const LoggedSlice>(*std::move(slice)));
    });
  });
}

void Shard::FindRepeated(TabletId id, std::vector<WriteName> writes,
                         std::move_only_function<void(std::vector<bool>)> done) {
  ports_.executor.Post([this, id, writes = std::move(writes), done = std::move(done)]() mutable {
    std::vector<bool> repeated(writes.size());
    const auto tablet = Find(id);
    for (const auto& [other, one] : tablets_) {
      // A retry goes by key: to what was split off since, or off that.
      const bool descends = other > id && tablet != nullptr && one->table == tablet->table && SameLineage(other, id);
      if (one != tablet && !descends) continue;
      for (size_t i = 0; i < writes.size(); ++i) {
        const Version known = one->core->Remembered(writes[i].client, writes[i].sequence);
        repeated[i] = repeated[i] || (known && known != writes[i].version);
      }
    }
    done(std::move(repeated));
  });
}

void Shard::PurgeExpired(std::shared_ptr<TabletHandle> handle, std::vector<ExpiredKey> keys, TabletTime reached,
                         MonotonicTime deadline, size_t loop, std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, handle = std::move(handle), keys = std::move(keys), reached, deadline, loop,
                        done = std::move(done)]() mutable {
    const auto tablet = Find(handle->tablet);
    const MonotonicTime now = ports_.executor.Now();
    Status refusal;
    if (tablet == nullptr || tablet->removing) refusal = Gone(handle->tablet);
    if (now >= deadline) refusal = Error(Code::kDeadlineExceeded, "the deadline passed before an expiry was confirmed");
    if (draining_) refusal = Error(Code::kComeAgain, "the server is shutting down");
    if (!refusal.ok()) {
      if (done) Answer(loop, [done = std::move(done), refusal]() mutable { done(std::move(refusal)); });
      return;
    }
    Purge purge{.token = {}, .reached = reached, .keys = std::move(keys), .now = now, .deadline = deadline};
    if (done) {
      purge.token = next_token_ = next_token_.Next();
      purges_.emplace(next_token_, PendingPurge{loop, std::move(done)});
    }
    tablet->core->Step(purge);
    Touch(tablet);
    Pump();
  });
}

// ---- the master's orders --------------------------------------------------------------------------------------------

RequestToken Shard::Expect(ControlDone done) {
  next_token_ = next_token_.Next();
  controls_.emplace(next_token_, std::move(done));
  return next_token_;
}

void Shard::Configure(TabletId tablet, ConfigureTablet input, ControlDone done) {
  ports_.executor.Post([this, tablet, input = std::move(input), done = std::move(done)]() mutable {
    ConfigureHere(tablet, std::move(input), std::move(done));
  });
}

void Shard::ConfigureHere(TabletId id, ConfigureTablet input, ControlDone done) {
  if (RefuseLent(id, done)) return;
  const auto tablet = FindOrMake(id);
  if (ToBeMerged(*tablet, input)) return Merge(id, std::move(input), std::move(done));
  if (tablet->handle == nullptr) {
    if (Status placed = Place(*tablet, input.schema.table, input.replica.range); !placed.ok()) {
      ControlReply reply;
      reply.status = std::move(placed);
      reply.promised = tablet->core->replica().state().promised;
      return done(std::move(reply));
    }
  }
  input.replica.token = Expect(std::move(done));
  input.now = ports_.executor.Now();
  if (input.time_of_day_ms <= 0) input.time_of_day_ms = ports_.executor.TimeOfDayMs();
  tablet->core->Step(input);
  Touch(tablet);
  Pump();
}

void Shard::Fence(TabletId id, Epoch epoch, ControlDone done) {
  ports_.executor.Post([this, id, epoch, done = std::move(done)]() mutable {
    if (RefuseLent(id, done)) return;
    PumpNow();  // what came before it counts for the log that it reports
    const auto tablet = FindOrMake(id);
    tablet->core->Step(FenceReplica{.token = Expect(std::move(done)), .epoch = epoch, .now = ports_.executor.Now()});
    Touch(tablet);
    Pump();
  });
}

void Shard::Drop(TabletId id, Epoch epoch, std::vector<TabletId> splits, ControlDone done) {
  ports_.executor.Post([this, id, epoch, splits = std::move(splits), done = std::move(done)]() mutable {
    if (RefuseLent(id, done)) return;
    const auto tablet = FindOrMake(id);
    tablet->core->Step(DropReplica{.token = Expect(std::move(done)), .epoch = epoch, .splits = std::move(splits)});
    Touch(tablet);
    Pump();
  });
}

void Shard::Transfer(TabletId id, Epoch epoch, ServerName target, Duration patience, ControlDone done) {
  ports_.executor.Post([this, id, epoch, target = std::move(target), patience, done = std::move(done)]() mutable {
    if (RefuseLent(id, done)) return;
    const auto tablet = FindOrMake(id);
    tablet->core->Step(
        TransferReplica{Expect(std::move(done)), epoch, std::move(target), ports_.executor.Now() + patience});
    Touch(tablet);
    Pump();
  });
}

void Shard::Alter(TabletSchema schema, std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, schema = std::move(schema), done = std::move(done)]() mutable {
    // Answered when the last of them has answered; the first failure is what it says.
    struct Gather {
      explicit Gather(std::move_only_function<void(Status)> then) : done(std::move(then)) {}
      ~Gather() { done(std::move(status)); }
      std::move_only_function<void(Status)> done;
      Status status;
    };
    auto gather = std::make_shared<Gather>(std::move(done));
    if (!lent_.empty()) gather->status = Error(Code::kComeAgain, "a tablet is being merged");
    for (const auto& [id, tablet] : tablets_) {
      if (tablet->table != schema.table || tablet->handle == nullptr || tablet->removing) continue;
      tablet->core->Step(AlterTablet{Expect([gather](ControlReply reply) {
                                       if (!reply.status.ok() && gather->status.ok()) gather->status = reply.status;
                                     }),
                                     schema});
      Touch(tablet);
    }
    Pump();
  });
}

void Shard::OnTick() {
  const MonotonicTime now = ports_.executor.Now();
  for (const auto& [id, tablet] : tablets_) {
    tablet->core->Step(Tick{now});
    Touch(tablet);
    WakeAwaiting(*tablet);
    ExpireAwaiting(*tablet, now);
    WakeParts(*tablet);
  }
  ExpireConfirms(now);
  ContinuePreparations();
  ContinueRemovals();
  EndLogs();
  LogNewSplits();
  Pump();
  tick_ = ports_.executor.After(options_.tick, [this] { OnTick(); });
}

}  // namespace ebla::tabletserver

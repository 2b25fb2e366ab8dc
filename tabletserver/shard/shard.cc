#include "tabletserver/shard/shard.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/lineage.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/transport/peer_memory.h"

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

bool TakesMemory(const WriteRequest& request) {
  return std::ranges::any_of(request.writes, [](const Write& write) {
    return write.kind != WriteKind::kDelete && write.kind != WriteKind::kCheck;
  });
}

}  // namespace

Shard::Shard(ShardOptions options, ShardPorts ports)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      calls_(ports_.executor, {options_.queue_items_max, options_.queue_bytes_max},
             [this](std::vector<WriteCall> calls) { OnCalls(std::move(calls)); }),
      tablets_(options_, ports_, [this] { rounds_.Want(); }),
      requests_(ports_.loops),
      context_{options_, ports_, tablets_, requests_},
      reads_(context_),
      peers_(context_),
      outgoing_copies_(context_, peers_),
      checkpoints_(context_),
      copy_target_(context_, checkpoints_),
      part_lender_(context_, {reads_, outgoing_copies_, copy_target_, checkpoints_}),
      truncator_(context_, checkpoints_, part_lender_),
      remover_(context_, {reads_, part_lender_, outgoing_copies_, copy_target_, checkpoints_}),
      splitter_(context_, peers_, remover_),
      merger_(context_),
      orders_(context_, {merger_, remover_, copy_target_}),
      timers_(context_),
      rounds_(context_, {peers_, reads_, orders_, splitter_, part_lender_, outgoing_copies_, copy_target_, timers_},
              *this) {}

// ---- life -----------------------------------------------------------------------------------------------------------

Status Shard::Recover(RecoveredReplica replica) {
  const bool absent = !replica.state.present();
  if (absent && !replica.applied) return RecoverAbsent(std::move(replica));
  DecodedSchema schema;
  if (!absent) {
    EBLA_ASSIGN(schema, ports_.decode_schema(replica.state.schema));
  }
  const KeyRange range = replica.applied ? replica.applied->range : replica.state.incomplete_range;
  const Version applied = replica.applied ? replica.applied->applied : Version();
  const bool replayed = replica.replayed;
  const TableId table = replica.state.table;
  const auto tablet = tablets_.Make(std::move(replica), std::move(schema.tablet));
  if (replayed) tablet->uncheckpointed = applied.lsn;
  EBLA_TRY(tablets_.Place(*tablet, table, range));
  tablet->handle->RaiseAppliedBound(applied);
  tablets_.Add(tablet);
  if (absent) {
    remover_.Begin(tablet);  // a crash cut the removal short
  }
  return Status::Ok();
}

// A tombstone without an applied state needs no place, because its records are served to no client. It usually has
// none, because both belong to one checkpoint. Rows in a damaged file remain until the file is dropped, or until a copy
// replaces them. After a split the place that its state names may belong to another tablet.
Status Shard::RecoverAbsent(RecoveredReplica replica) {
  const TabletId id = replica.tablet;
  if (replica.last_logged && replica.replayed) {
    // This start has made it part of another tablet. Its log is removed once a checkpoint has the merge.
    part_lender_.AddRecovered(tablets_.Make(std::move(replica), {}));
    return Status::Ok();
  }
  if (replica.last_logged) EBLA_TRY(ports_.store.ForgetReplica(id));
  tablets_.AddDeparted(id, std::move(replica.state));
  return Status::Ok();
}

void Shard::Start() {
  ports_.executor.Post([this] {
    OnTick();
    timers_.Heartbeat();
  });
}

void Shard::Drain(std::move_only_function<void()> idle) {
  ports_.executor.Post([this, idle = std::move(idle)]() mutable { requests_.Drain(std::move(idle)); });
}

void Shard::OnTick() {
  const MonotonicTime now = ports_.executor.Now();
  for (const auto& [id, tablet] : tablets_.all()) {
    tablets_.Step(tablet, Tick{now});
    reads_.Wake(*tablet);
    reads_.Expire(*tablet, now);
    part_lender_.Wake(*tablet);
  }
  reads_.ExpireConfirms(now);
  copy_target_.Continue();
  remover_.Continue();
  splitter_.LogNew();
  orders_.RaiseTimes();
  ports_.executor.After(options_.tick, [this] { OnTick(); });
}

// Tells the parts what others have put out for them in this turn, and runs the rounds.
// Every write of the turn counts an equal share of what their admission and the rounds took. The rounds also serve
// tablets that are led elsewhere. Their time is counted here too, because no other operation of the turn counts it, so
// that the sum over all tablets is the shard's time.
void Shard::OnTurnEnd() {
  const MonotonicTime begun = ports_.executor.Now();
  for (const LineageCheckpoints::Covered& covered : checkpoints_.TakeFinished())
    part_lender_.ForgetCheckpointed(covered);
  if (tablets_.TakeLookAgain()) {
    copy_target_.Continue();
    remover_.Continue();
  }
  rounds_.Run();
  if (served_.empty()) return;
  const Duration took = std::exchange(admitting_, {}) + (ports_.executor.Now() - begun);
  const Duration share = took / static_cast<int64_t>(served_.size());
  for (const Served& one : served_) one.handle->load.CountWrites(options_.meter_slot, 1, one.bytes, share);
  served_.clear();
}

// ---- writes ---------------------------------------------------------------------------------------------------------

Status Shard::Admit(WriteCall& call) {
  // In memory: a batch of a thousand tiny writes is more than its keys and values.
  const size_t bytes = sizeof(WriteCall) + call.request.writes.size() * sizeof(Write) + call.bytes;
  const size_t flow = call.flow;
  const bool brief = call.handle->in_memory.load(std::memory_order_relaxed);
  if (calls_.Put(std::move(call), bytes, flow, brief)) return Status::Ok();
  ports_.counters.writes_refused.fetch_add(1, std::memory_order_relaxed);
  return Error(Code::kOverloaded, "too many writes wait on this server");
}

void Shard::OnCalls(std::vector<WriteCall> calls) {
  const MonotonicTime begun = ports_.executor.Now();
  const TabletStore::Health health = ports_.store.health();
  const Room room{.disk = health.room, .rolled_back_full = health.rolled_back_bytes >= options_.rolled_back_bytes_max};
  for (WriteCall& call : calls) {
    served_.push_back({call.handle, call.bytes});
    call.handle->load.OfferWrite(options_.meter_slot,
                                 [&writes = call.request.writes](uint64_t draw) -> std::string_view {
                                   return writes.empty() ? std::string_view() : writes[draw % writes.size()].key;
                                 });
    OnCall(std::move(call), begun, room);
  }
  admitting_ += ports_.executor.Now() - begun;
  tablets_.WantRounds();  // the turn's end counts what was refused, too
}

void Shard::OnCall(WriteCall call, MonotonicTime now, Room room) {
  const auto refuse = [&](WriteReply reply) {
    requests_.Answer(call.loop,
                     [done = std::move(call.done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  };
  if (now >= call.request.deadline) {
    return refuse(RefusedWrite(Code::kDeadlineExceeded, "the deadline passed before the write was executed"));
  }
  if (requests_.draining()) return refuse(RefusedWrite(Code::kComeAgain, "the server is shutting down", 200));
  const ShardTabletPtr tablet = tablets_.FindStaying(call.handle->tablet);
  if (tablet == nullptr) {
    const Status gone = tablets_.WhyGone(call.handle->tablet);
    return refuse(RefusedWrite(gone.code(), gone.message(), gone.code() == Code::kComeAgain ? kMergedRetryMs : -1));
  }
  if (ports_.counters.unapplied_bytes.load(std::memory_order_relaxed) >= options_.server_unapplied_bytes_max) {
    ports_.counters.writes_refused.fetch_add(1, std::memory_order_relaxed);
    return refuse(
        RefusedWrite(Code::kOverloaded, "too many logged writes of this server wait to be applied", kShardFullRetryMs));
  }
  call.request.token = requests_.ExpectWrite(call.loop, call.flow, std::move(call.done));
  if (tablet->schema != nullptr && tablet->schema->in_memory && TakesMemory(call.request)) {
    room.memory = FindMemory(*tablet);
    room.evicts = !room.memory.ok() && ports_.store.memory_tables()->Evicts(tablet->table);
  }
  tablets_.Step(tablet, AdmitWrite{.request = std::move(call.request), .now = now, .room = std::move(room)});
}

// A follower takes what its primary admits.
Status Shard::FindMemory(const ShardTablet& tablet) const {
  EBLA_TRY(ports_.store.memory_tables()->Admit(tablet.table));
  const std::vector<ServerName>& voters = tablet.core->replica().standing().voters();
  const ServerName full = ports_.peer_memory.WorstOf(tablet.table, voters, ports_.executor.Now()).full;
  if (full.empty()) return {};
  return Error(Code::kOverloaded, "server " + full + ", which has a replica, has no memory left for the table: see " +
                                      "its limit there, and --memory_tables_mb");
}

void Shard::FindRepeated(TabletId id, std::vector<WriteName> writes,
                         std::move_only_function<void(std::vector<bool>)> done) {
  ports_.executor.Post([this, id, writes = std::move(writes), done = std::move(done)]() mutable {
    std::vector<bool> repeated(writes.size());
    const auto tablet = tablets_.Find(id);
    for (const auto& [other, one] : tablets_.all()) {
      // A retry is routed by key, so it may reach a tablet that was split off since, or a descendant of it.
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

}  // namespace ebla::tabletserver

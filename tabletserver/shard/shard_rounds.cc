#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {
namespace {

constexpr int kRoundsPerTurn = 8;
constexpr int kGatheredMax = 16;  // messages and the like; of peers' up to some 256 KB each

// Leaves anything that is to be purged one day.
bool AnyExpires(const ApplyBatch& batch) {
  return std::any_of(batch.records.begin(), batch.records.end(), [](const RecordChange& change) {
    return change.effect->expires_at || (change.effect->is_delete && change.effect->timed());
  });
}

}  // namespace

void Shard::Pump() {
  if (pumping_) return;    // the round under way goes on until nothing is left
  if (turn_ends_) return;  // the next turn of the loop goes on
  pumping_ = true;
  gathered_ = 0;
  std::vector<Taken> taken;
  for (int rounds = 0; !dirty_.empty() && !turn_ends_ && rounds < kRoundsPerTurn; ++rounds) {
    taken.clear();
    for (std::shared_ptr<Tablet>& tablet : std::exchange(dirty_, {})) {
      tablet->dirty = false;
      if (!tablet->core->HasOutput()) continue;
      TabletOutput output = tablet->core->TakeOutput();
      if (!output.copies.empty()) BeginCopies(tablet, output.copies);
      turn_ends_ |= output.split_next;
      taken.push_back({std::move(tablet), std::move(output)});
    }
    if (!taken.empty()) Round(taken);
  }
  pumping_ = false;
  peer_client_.Flush();  // what was gathered may be due, though nothing else is to be sent
  if (turn_ends_) {
    // Sockets are written to when a turn of the loop ends: a task may run in this one still, a timer does not.
    ports_.executor.After(Duration{0}, [this] {
      turn_ends_ = false;
      PumpAll();
    });
  } else if (!dirty_.empty()) {
    PumpSoon();  // a replay may take long: what else has arrived for this shard comes in between
  }
  SignalIdle();
}

// After what else has arrived by now, so that all of it shares rounds and a flush; but one transaction takes no more
// than some MB.
void Shard::PumpSoon() {
  if (++gathered_ >= kGatheredMax) Pump();
  if (std::exchange(pump_posted_, true)) return;
  ports_.executor.Post([this] {
    pump_posted_ = false;
    PumpAll();
  });
}

// Who is not here once all that had come is done is not created by it: it is answered so.
void Shard::PumpAll() {
  Pump();
  if (turn_ends_) return;
  ReceiveEarly([](TabletId) { return true; });
  Pump();
}

void Shard::PumpNow() {
  do {
    turn_ends_ = false;
    Pump();
  } while (turn_ends_);
}

void Shard::Round(std::vector<Taken>& taken) {
  ports_.counters.rounds.fetch_add(1, std::memory_order_relaxed);
  StoreOutputs(taken);
  SendToPeers(taken);
  BeginFlushes(taken);
  std::vector<Taken*> applying;
  for (Taken& one : taken) {
    if (one.output.apply) applying.push_back(&one);
  }
  if (!applying.empty()) ApplyAll(applying);
  for (Taken& one : taken) {
    if (one.output.view == nullptr) continue;
    Publish(*one.tablet, one.output.view);
    // Not before: a reader that is woken looks at the view again.
    WakeAwaiting(*one.tablet);
  }
  for (Taken& one : taken) {
    ReplyAll(one);
    AnswerPeers(one);
    CarryCopies(one);
    WakeAt(one.tablet->core->replica().wake_at());
    CountUnapplied(*one.tablet);
    WakeParts(*one.tablet);
    Touch(one.tablet);  // what was applied may have answers, and a replay its next batch
  }
}

// ---- log ------------------------------------------------------------------------------------------------------------

void Shard::StoreOutputs(std::vector<Taken>& taken) {
  std::vector<Taken*> appending;
  for (Taken& one : taken) {
    if (Status status = StoreBeforeEntries(*one.tablet, one.output); !status.ok()) {
      one.failed = true;
      one.tablet->core->Step(StoreFailed{std::move(status)});
    } else if (!one.output.append.empty()) {
      appending.push_back(&one);
    } else if (one.output.state || !one.output.rolled_back.empty() || one.output.remove_from) {
      one.tablet->core->Step(Stored{});
    }
  }
  if (!appending.empty()) AppendAll(appending);
}

Status Shard::PutState(Tablet& tablet, const ReplicaState& state) {
  EBLA_TRY(ports_.store.PutReplicaState(tablet.id, state));
  tablet.log_open = state.present();
  return Status::Ok();
}

void Shard::EndLogs() {
  int left = 8;  // some 70 us each, while clients wait
  for (const auto& [id, tablet] : tablets_) {
    if (!tablet->log_open || tablet->handle == nullptr || tablet->removing) continue;
    if (tablet->core->replica().role() == RoleKind::kAbsent) continue;
    if (left-- == 0 || !ports_.store.EndLog(id).ok()) return;  // the next tick
    tablet->log_open = false;
  }
}

void Shard::LogNewSplits() {
  for (const auto& split_child : std::exchange(unlogged_splits_, {})) {
    LOG(INFO) << "tablet " << split_child->parent << " is split at \"" << EscapeBytes(split_child->split.key)
              << "\": tablet " << split_child->split.child << " begins there"
              << (split_child->lead ? ", led here" : "");
  }
}

// In the order of tablet_core.h: nothing leaves the log before it is kept (PROTOCOL 22); nor is a state stored by which
// a start would take the log for worthless, a tombstone or one that says incomplete.
Status Shard::StoreBeforeEntries(Tablet& tablet, const TabletOutput& output) {
  if (!output.rolled_back.empty()) {
    std::vector<const LogEntry*> entries;
    for (const EntryPtr& entry : output.rolled_back) entries.push_back(entry.get());
    EBLA_TRY(ports_.store.PutUnresolved(tablet.id, tablet.table, entries));
    LOG(WARNING) << "tablet " << tablet.id << ": " << entries.size()
                 << " acknowledged PRIMARY writes are rolled back and kept";
  }
  if (output.state) EBLA_TRY(PutState(tablet, *output.state));
  if (output.remove_from) EBLA_TRY(ports_.store.RemoveSuffix(tablet.id, output.remove_from));
  return Status::Ok();
}

void Shard::AppendAll(std::span<Taken*> taken) {
  std::vector<AppendBatch> batches;
  batches.reserve(taken.size());
  size_t entries = 0;
  for (Taken* one : taken) {
    AppendBatch& batch = batches.emplace_back();
    batch.tablet = one->tablet->id;
    batch.entries.reserve(one->output.append.size());
    for (const EntryPtr& entry : one->output.append) batch.entries.push_back(entry.get());
    entries += batch.entries.size();
  }
  Status status = ports_.store.Append(batches);
  if (!status.ok() && taken.size() > 1) {
    // One tablet's refusal is not the others': a barrier is taken where a client's write is not.
    for (Taken*& one : taken) AppendAll({&one, 1});
    return;
  }
  if (status.ok()) ports_.counters.appended_entries.fetch_add(entries, std::memory_order_relaxed);
  for (Taken* one : taken) {
    one->failed = !status.ok();
    if (status.ok()) {
      one->tablet->core->Step(Stored{});
    } else {
      one->tablet->core->Step(StoreFailed{status});
    }
  }
}

void Shard::BeginFlushes(std::vector<Taken>& taken) {
  for (const FlushMode mode : {FlushMode::kInterval, FlushMode::kSync}) {
    std::vector<FlushOrder> orders;
    for (const Taken& one : taken) {
      if (one.failed || !one.output.flush || one.output.flush->mode != mode) continue;
      orders.push_back({one.tablet, one.output.flush->number});
    }
    if (orders.empty()) continue;
    ports_.store.Flush(mode, ports_.executor,
                       [this, orders = std::move(orders)](Status status) { OnFlushed(orders, status); });
  }
}

void Shard::OnFlushed(const std::vector<FlushOrder>& orders, const Status& status) {
  for (const FlushOrder& order : orders) {
    if (status.ok()) {
      order.tablet->core->Step(Flushed{order.number});
    } else {
      order.tablet->core->Step(StoreFailed{status});
    }
    Touch(order.tablet);
  }
  PumpSoon();
}

// ---- records --------------------------------------------------------------------------------------------------------

void Shard::ApplyAll(std::span<Taken*> taken) {
  std::vector<ApplyBatch> batches;
  std::vector<ChildCreation> creations;
  for (Taken* one : taken) {
    TabletHandle& handle = *one->tablet->handle;
    if (AnyExpires(*one->output.apply)) handle.may_expire.store(true, std::memory_order_relaxed);
    handle.RaiseAppliedBound(one->output.apply->state.applied);  // before the store can show it
    batches.push_back(*std::move(one->output.apply));
  }
  Status status = PrepareChildren(taken, batches, creations);
  if (status.ok()) status = ports_.store.Apply(batches);
  if (!status.ok() && taken.size() > 1) {
    for (size_t i = 0; i < taken.size(); ++i) {
      taken[i]->output.apply = std::move(batches[i]);
      ApplyAll(taken.subspan(i, 1));
    }
    return;
  }
  for (size_t i = 0; i < taken.size(); ++i) {
    TabletCore& core = *taken[i]->tablet->core;
    if (status.ok()) {
      core.Step(Applied{batches[i].state.applied});
    } else {
      core.Step(ApplyFailed{status, std::move(batches[i])});
    }
  }
  if (!status.ok()) return;
  for (ChildCreation& creation : creations) CreateChild(creation);
}

// In order of what they wait for, so that each round looks at those alone that it answers.
void Shard::WakeAwaiting(Tablet& tablet) {
  const bool leads = tablet.core->replica().Leads();
  const auto served = tablet.awaiting.upper_bound(tablet.core->applied_state().applied.lsn);
  for (auto at = tablet.awaiting.begin(); at != served; at = tablet.awaiting.erase(at)) {
    EndAwaiting(std::move(at->second), Status::Ok());
  }
  if (leads) return;
  for (auto& [upto, one] : std::exchange(tablet.awaiting, {})) {
    EndAwaiting(std::move(one), Error(Code::kNotPrimary, "the replica does not lead the tablet any more"));
  }
}

void Shard::ExpireAwaiting(Tablet& tablet, MonotonicTime now) {
  for (auto at = tablet.awaiting.begin(); at != tablet.awaiting.end();) {
    if (now < at->second.deadline) {
      ++at;
      continue;
    }
    EndAwaiting(std::move(at->second),
                Error(Code::kDeadlineExceeded, "what the read waits for was not applied in time"));
    at = tablet.awaiting.erase(at);
  }
}

void Shard::EndAwaiting(Awaiting one, Status status) {
  --awaiting_;
  Answer(one.loop, [done = std::move(one.done), status = std::move(status)]() mutable { done(std::move(status)); });
}

// ---- views and replies ----------------------------------------------------------------------------------------------

void Shard::Publish(Tablet& tablet, const std::shared_ptr<const TabletView>& view) {
  if (tablet.handle == nullptr || tablet.removing) return;
  if (view->role == RoleKind::kAbsent) return;  // being made, or refused, or dropped: its control reply settles it
  // One that is being copied keeps the place that it had: until the checkpoint that ends the copy, a crash brings back
  // what it was (PROTOCOL 10).
  if (view->range != tablet.placed_range && !view->incomplete) {
    if (Status status = ports_.directory.ChangeRange(*tablet.handle, view->range); !status.ok()) {
      LOG(ERROR) << "tablet " << tablet.id << " cannot take its range: " << status;
      return;
    }
    tablet.placed_range = view->range;
  }
  if (view->schema != tablet.schema) {
    tablet.schema = view->schema;
    if (auto decoded = ports_.decode_schema(view->schema->encoded)) {
      tablet.handle->default_bounded.store(decoded->default_bounded, std::memory_order_relaxed);
      tablet.handle->default_read_level.store(decoded->default_read_level, std::memory_order_relaxed);
    }
  }
  tablet.view = view;
  tablet.handle->SetSplitAt(view->split_at());
  tablet.handle->Publish(view);
}

void Shard::ReplyAll(Taken& taken) {
  for (WriteReply& reply : taken.output.writes) {
    auto waiting = writes_.extract(reply.token);
    CHECK(!waiting.empty()) << "a write was answered twice";
    Answer(waiting.mapped().loop,
           [done = std::move(waiting.mapped().done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  }
  for (PurgeReply& reply : taken.output.purges) {
    auto waiting = purges_.extract(reply.token);
    CHECK(!waiting.empty()) << "a purge was answered twice";
    Answer(waiting.mapped().loop, [done = std::move(waiting.mapped().done),
                                   status = std::move(reply.status)]() mutable { done(std::move(status)); });
  }
  for (ControlReply& reply : taken.output.controls) OnControlReply(taken.tablet, std::move(reply));
}

void Shard::OnControlReply(const std::shared_ptr<Tablet>& tablet, ControlReply reply) {
  auto waiting = controls_.extract(reply.token);
  CHECK(!waiting.empty()) << "an order of the master was answered twice";
  if (!tablet->removing && tablet->handle != nullptr && !reply.known) {
    if (reply.dropped && reply.status.ok()) {
      // Unless it has been made anew while the answer waited for its flush.
      if (tablet->core->replica().state().tombstone) BeginRemoval(tablet);
    } else if (tablet->core->replica().role() == RoleKind::kAbsent) {
      Unplace(*tablet);  // the configuration that was to make it was refused
    }
  }
  waiting.mapped()(std::move(reply));
}

void Shard::CountUnapplied(Tablet& tablet) {
  const size_t bytes = tablet.core->unapplied_bytes();
  ports_.counters.unapplied_bytes.fetch_add(
      static_cast<int64_t>(bytes) - static_cast<int64_t>(tablet.counted_unapplied_bytes), std::memory_order_relaxed);
  tablet.counted_unapplied_bytes = bytes;
}

}  // namespace ebla::tabletserver

#include "tabletserver/shard/round_driver.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/shard/client_requests.h"
#include "tabletserver/shard/copy_target.h"
#include "tabletserver/shard/core_timers.h"
#include "tabletserver/shard/outgoing_copies.h"
#include "tabletserver/shard/part_lender.h"
#include "tabletserver/shard/peer_exchange.h"
#include "tabletserver/shard/read_waiters.h"
#include "tabletserver/shard/shard_tablets.h"
#include "tabletserver/shard/splitter.h"
#include "tabletserver/shard/tablet_orders.h"

namespace ebla::tabletserver {
namespace {

constexpr int kRoundsPerTurn = 8;

// Leaves anything that is to be purged one day.
bool AnyExpires(const ApplyBatch& batch) {
  return std::any_of(batch.records.begin(), batch.records.end(), [](const RecordChange& change) {
    return change.effect->expires_at || (change.effect->is_delete && change.effect->timed());
  });
}

}  // namespace

// ---- when -----------------------------------------------------------------------------------------------------------

void RoundDriver::Want() {
  if (state_ != State::kIdle) return;
  state_ = State::kDue;
  AskForTurnEnd();
}

void RoundDriver::AskForTurnEnd() {
  TurnEnd* const own = shard_.ports.turn_end;
  (own == nullptr ? posted_turn_end_ : *own).AtTurnEnd(&turn_);
}

void RoundDriver::Run() {
  CHECK(state_ == State::kDue) << "rounds run within rounds, or unasked";
  state_ = State::kRunning;
  bool pause = RunRounds();
  if (!pause && !shard_.tablets.AnyTouched()) {
    // All that had come is done and has not created the tablet: the peer is told that it is not here.
    parts_.peers.ReceiveEarly([](TabletId) { return true; });
    pause = RunRounds();
  }
  parts_.peers.Flush();
  if (pause) {
    state_ = State::kDue;
    AskForTurnEnd();
  } else if (shard_.tablets.AnyTouched()) {
    state_ = State::kDue;
    shard_.executor().Post([this] { AskForTurnEnd(); });
  } else {
    state_ = State::kIdle;
  }
  shard_.requests.SignalIdle();
}

// False: no tablet has output any more, or the turn has had its rounds. True: to pause.
bool RoundDriver::RunRounds() {
  bool pause = false;
  for (int rounds = 0; shard_.tablets.AnyTouched() && !pause && rounds < kRoundsPerTurn; ++rounds) {
    pause = Take();
    if (!taken_.empty()) Round();
    taken_.clear();
  }
  return pause;
}

// Whether the rounds are to pause after this one.
bool RoundDriver::Take() {
  bool pause = false;
  for (ShardTabletPtr& tablet : shard_.tablets.TakeTouched()) {
    if (!tablet->core->HasOutput()) continue;
    const TabletOutput& output = taken_.emplace_back(tablet, tablet->core->TakeOutput()).output;
    if (!output.replica.copies.empty()) parts_.outgoing_copies.Begin(tablet, output.replica.copies);
    pause |= output.split_next;
  }
  return pause;
}

// ---- a round --------------------------------------------------------------------------------------------------------

void RoundDriver::Round() {
  shard_.ports.counters.rounds.fetch_add(1, std::memory_order_relaxed);
  StoreOutputs();
  parts_.peers.Send(taken_);
  BeginFlushes();
  std::vector<TakenOutput*> applying;
  for (TakenOutput& one : taken_) {
    if (one.output.apply) applying.push_back(&one);
  }
  if (!applying.empty()) ApplyAll(applying);
  for (TakenOutput& one : taken_) {
    if (one.output.view == nullptr) continue;
    shard_.tablets.Publish(*one.tablet, one.output.view);
    // Not before: a reader that is woken looks at the view again.
    parts_.reads.Wake(*one.tablet);
  }
  for (TakenOutput& one : taken_) {
    Reply(one);
    parts_.outgoing_copies.CancelOutdated(*one.tablet);
    parts_.copy_target.Execute(one);
    parts_.timers.WakeAt(one.tablet->core->replica().wake_at());
    shard_.tablets.CountUnapplied(*one.tablet);
    parts_.part_lender.Wake(*one.tablet);
    NotifyFlushed(one);
    shard_.tablets.Touch(one.tablet);  // what was applied may have answers, and a replay its next batch
  }
}

void RoundDriver::Reply(TakenOutput& taken) {
  TabletOutput& output = taken.output;
  shard_.requests.Reply(output.writes);
  shard_.requests.Reply(output.purges);
  for (ControlReply& reply : output.replica.replies) parts_.orders.Reply(taken.tablet, std::move(reply));
  parts_.peers.Answer(output.replica.answers);
  parts_.reads.Confirm(output.replica.confirms);
}

// ---- the log --------------------------------------------------------------------------------------------------------

void RoundDriver::StoreOutputs() {
  std::vector<TakenOutput*> appending;
  for (TakenOutput& one : taken_) {
    if (Status status = StoreBeforeEntries(*one.tablet, one.output); !status.ok()) {
      one.failed = true;
      one.tablet->core->Step(StoreFailed{std::move(status)});
    } else if (!one.output.replica.append.empty()) {
      appending.push_back(&one);
    } else if (one.output.replica.state || !one.output.replica.rolled_back.empty() || one.output.replica.remove_from) {
      one.tablet->core->Step(Stored{});
    }
  }
  if (!appending.empty()) AppendAll(appending);
}

// Keeps the order of tablet_core.h. No entry leaves the log before it is stored as unresolved (PROTOCOL 22). The same
// holds for states after which a start ignores the log: a tombstone, or an incomplete replica.
Status RoundDriver::StoreBeforeEntries(ShardTablet& tablet, const TabletOutput& output) {
  if (!output.replica.rolled_back.empty()) {
    std::vector<const LogEntry*> entries;
    for (const EntryPtr& entry : output.replica.rolled_back) entries.push_back(entry.get());
    EBLA_TRY(shard_.store().unresolved().Put(tablet.id, tablet.table, entries));
    LOG(WARNING) << "tablet " << tablet.id << ": " << entries.size()
                 << " acknowledged PRIMARY writes are rolled back and stored as unresolved";
  }
  if (output.replica.state) EBLA_TRY(shard_.tablets.PutState(tablet, *output.replica.state));
  if (output.replica.remove_from) EBLA_TRY(shard_.store().RemoveSuffix(tablet.id, output.replica.remove_from));
  return Status::Ok();
}

void RoundDriver::AppendAll(std::span<TakenOutput*> taken) {
  std::vector<AppendBatch> batches;
  batches.reserve(taken.size());
  size_t entries = 0;
  for (TakenOutput* one : taken) {
    AppendBatch& batch = batches.emplace_back();
    batch.tablet = one->tablet->id;
    batch.admitted = one->tablet->core->replica().Leads();
    batch.entries.reserve(one->output.replica.append.size());
    for (const EntryPtr& entry : one->output.replica.append) batch.entries.push_back(entry.get());
    entries += batch.entries.size();
  }
  // A crash may leave only the first entries of many MiB, as of two rounds: no entry is acknowledged before its flush.
  Status status = shard_.store().Append(batches);
  if (!status.ok() && taken.size() > 1) {
    // A refusal concerns one tablet alone, because the store accepts a barrier where it refuses a client's write.
    for (TakenOutput*& one : taken) AppendAll({&one, 1});
    return;
  }
  if (status.ok()) shard_.ports.counters.appended_entries.fetch_add(entries, std::memory_order_relaxed);
  for (TakenOutput* one : taken) {
    one->failed = !status.ok();
    if (status.ok()) {
      one->tablet->core->Step(Stored{});
    } else {
      one->tablet->core->Step(StoreFailed{status});
    }
  }
}

void RoundDriver::BeginFlushes() {
  const auto wants = [](const TakenOutput& one, FlushMode mode) {
    return !one.failed && one.output.replica.flush && one.output.replica.flush->mode == mode;
  };
  std::optional<Status> at_once;
  if (std::ranges::any_of(taken_, [&](const auto& one) { return wants(one, FlushMode::kInterval); }))
    at_once = shard_.store().FlushAtOnce();
  for (TakenOutput& one : taken_) {
    if (wants(one, FlushMode::kMemory)) one.flushed = Status();
    if (wants(one, FlushMode::kInterval)) one.flushed = at_once;
  }
  for (const FlushMode mode : {FlushMode::kInterval, FlushMode::kSync}) {
    std::vector<FlushOrder> orders;
    for (const TakenOutput& one : taken_) {
      if (wants(one, mode) && !one.flushed) orders.push_back({one.tablet, one.output.replica.flush->number});
    }
    if (orders.empty()) continue;
    shard_.store().Flush(mode, shard_.executor(), [this, orders = std::move(orders)](const Status& status) {
      for (const FlushOrder& order : orders) NotifyFlushed(order, status);
    });
  }
}

// A flush within the round needs no turn of its own.
void RoundDriver::NotifyFlushed(const TakenOutput& taken) {
  if (taken.flushed) NotifyFlushed({taken.tablet, taken.output.replica.flush->number}, *taken.flushed);
}

void RoundDriver::NotifyFlushed(const FlushOrder& order, const Status& status) {
  if (status.ok()) {
    shard_.tablets.Step(order.tablet, Flushed{order.number});
  } else {
    shard_.tablets.Step(order.tablet, StoreFailed{status});
  }
}

// ---- the records ----------------------------------------------------------------------------------------------------

void RoundDriver::ApplyAll(std::span<TakenOutput*> taken) {
  std::vector<ApplyBatch> batches;
  std::vector<Splitter::Creation> creations;
  for (TakenOutput* one : taken) {
    TabletHandle& handle = *one->tablet->handle;
    if (AnyExpires(*one->output.apply)) handle.may_expire.store(true, std::memory_order_relaxed);
    handle.RaiseAppliedBound(one->output.apply->state.applied);  // before the store can show it
    batches.push_back(*std::move(one->output.apply));
  }
  Status status = parts_.splitter.Prepare(taken, batches, creations);
  if (status.ok()) status = shard_.store().Apply(batches);
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
  for (Splitter::Creation& creation : creations) {
    status.ok() ? parts_.splitter.Create(creation) : parts_.splitter.Withdraw(creation);
  }
}

}  // namespace ebla::tabletserver

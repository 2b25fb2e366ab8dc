#include "tabletserver/tablet/applier.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace ebla::tabletserver {

namespace {

// A merged tablet's first epoch began where the two were merged; and splits that are logged again stand before the
// Barrier.
void BeginEpochAt(Version first, AppliedState& state) {
  if (!state.epoch_starts.empty() && state.epoch_starts.back().epoch == first.epoch) return;
  state.epoch_starts.push_back({first.epoch, first.lsn});
  if (state.epoch_starts.size() <= kEpochStartsMax) return;
  state.epoch_starts.erase(state.epoch_starts.begin());
  state.former.reset();  // it is older still
}

}  // namespace

bool Applier::CanApply() const {
  const Lsn applied = common_.applied_lsn();
  return common_.failure().ok() && !out_ && !stalled_ && !split_.Holds(applied.Next()) &&
         applied < common_.replica.applicable() && common_.replica.may_apply();
}

Result<std::optional<ApplyBatch>> Applier::TakeBatch() {
  if (refused_.has_value()) {
    out_ = true;
    split_.JudgeLeadAgain();
    return std::exchange(refused_, std::nullopt);
  }
  ApplyBatch batch;
  batch.tablet = common_.options.tablet;
  batch.table = common_.schema->table;
  batch.state = common_.applied;
  if (Status status = Gather(batch); !status.ok()) {
    entries_.clear();
    return std::unexpected(std::move(status));
  }
  if (entries_.empty()) return std::nullopt;
  batch.dedup_window = common_.dedup_window.TakeChange();
  batch.state.dedup_floor = common_.dedup_window.floor();
  split_.BequeathFloor();
  state_ = batch.state;
  out_ = true;
  return batch;
}

Status Applier::Gather(ApplyBatch& batch) {
  size_t bytes = 0;
  for (Lsn lsn = common_.applied_lsn().Next();
       lsn <= common_.replica.applicable() && bytes < common_.options.apply_bytes_max; lsn = lsn.Next()) {
    Result<EntryPtr> next = NextEntry(lsn);
    if (!next && next.error().code() == Code::kUnavailable && !entries_.empty()) return {};  // those before it first
    EBLA_ASSIGN(EntryPtr entry, std::move(next));
    const bool splits = entry->kind == EntryKind::kSplit;
    if (splits && (split_.Holds(*entry) || !entries_.empty() || split_.TellsFirst(*entry))) {
      read_ahead_.push_front(std::move(entry));
      return {};
    }
    EBLA_TRY(Add(*entry, batch));
    bytes += entry->ApproximateBytes();
    entries_.push_back(std::move(entry));
    if (splits) return {};
  }
  return {};
}

Result<EntryPtr> Applier::NextEntry(Lsn lsn) {
  if (EntryPtr held = common_.replica.log().Held(lsn)) return held;
  while (!read_ahead_.empty() && read_ahead_.front()->version.lsn < lsn) read_ahead_.pop_front();
  if (read_ahead_.empty()) {
    EBLA_ASSIGN(std::vector<LogEntry> entries,
                common_.readers.log(lsn, common_.replica.applicable(), common_.options.apply_bytes_max));
    for (LogEntry& entry : entries) read_ahead_.push_back(std::make_shared<const LogEntry>(std::move(entry)));
  }
  if (read_ahead_.empty() || read_ahead_.front()->version.lsn != lsn) {
    return Error(Code::kInternal, "the log lacks entry " + std::to_string(lsn.value));
  }
  EntryPtr entry = std::move(read_ahead_.front());
  read_ahead_.pop_front();
  return entry;
}

Status Applier::Add(const LogEntry& entry, ApplyBatch& batch) {
  switch (entry.kind) {
    case EntryKind::kWrite:
    case EntryKind::kPurge:
    case EntryKind::kFloor: break;
    case EntryKind::kBarrier:
      if (rules::BarrierThaws()) batch.state.freeze.reset();
      BeginEpochAt(entry.version, batch.state);
      break;
    case EntryKind::kSplit:
      BeginEpochAt(entry.version, batch.state);
      EBLA_TRY(split_.Apply(entry, batch));
      break;
    case EntryKind::kFreeze: EBLA_TRY(freeze_.Apply(entry, batch)); break;
  }
  for (const Effect& effect : entry.effects) batch.records.push_back({&effect, entry.version});
  common_.dedup_window.Apply(entry);
  batch.state.applied = entry.version;
  batch.state.time = std::max(batch.state.time, entry.time);
  split_.Bequeath(batch.state);
  return {};
}

void Applier::OnApplied(const Applied& input) {
  CHECK(out_ && input.upto == state_.applied) << "applied " << input.upto << " is not the batch offered";
  out_ = false;
  common_.applied = std::move(state_);
  common_.replica.Step(input);
  common_.unapplied.RemoveUpTo(input.upto.lsn);
  entries_.clear();
}

void Applier::OnFailed(std::optional<ApplyBatch> again) {
  CHECK(out_);
  out_ = false;
  if (!again) return;
  refused_ = std::move(again);
  stalled_ = true;
}

void Applier::Reset() {
  CHECK(!out_);
  read_ahead_.clear();
  entries_.clear();
  refused_.reset();
}

}  // namespace ebla::tabletserver

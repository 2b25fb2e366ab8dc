#include "tabletserver/replication/replica_log.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver {

ReplicaLog::ReplicaLog(Version first, Version last, Version applied, Version base, LogReader reader)
    : reader_(std::move(reader)),
      first_(first),
      base_(first && applied.lsn.Next() == first.lsn ? applied
            : first && base.lsn.Next() == first.lsn  ? base
                                                     : Version{}),
      stored_(std::max(last, applied)),
      handed_out_(stored_),
      applied_(applied) {}

Result<std::optional<Epoch>> ReplicaLog::EpochAt(Lsn lsn) const {
  if (!lsn) return Epoch{};
  if (lsn > last().lsn) return std::nullopt;
  if (lsn == last().lsn) return last().epoch;
  if (lsn == applied_.lsn) return applied_.epoch;
  if (lsn == base_.lsn) return base_.epoch;
  if (const EntryPtr held = Held(lsn)) return held->version.epoch;
  if (!first_ || lsn < first_.lsn) return std::nullopt;
  if (lsn == first_.lsn) return first_.epoch;
  EBLA_ASSIGN(const std::vector<LogEntry> entries, reader_(lsn, lsn, 1));
  if (entries.empty() || entries.front().version.lsn != lsn) {
    return Error(Code::kInternal, "the log lacks entry " + std::to_string(lsn.value));
  }
  return entries.front().version.epoch;
}

// Epochs never fall along the log, so halving finds it: some twenty reads at most.
Result<std::optional<Version>> ReplicaLog::LastUpTo(Lsn lsn, Epoch epoch) const {
  Lsn low = base_ ? base_.lsn : first_ ? first_.lsn : applied_.lsn;
  if (!low) low = last().lsn;
  Lsn high = std::min(lsn, last().lsn);
  if (!high || high < low) return std::nullopt;
  EBLA_ASSIGN(std::optional<Epoch> at_low, EpochAt(low));
  if (!at_low || *at_low > epoch) return std::nullopt;
  Version found{*at_low, low};
  while (low < high) {
    const Lsn middle{low.value + (high.value - low.value + 1) / 2};
    EBLA_ASSIGN(const std::optional<Epoch> at, EpochAt(middle));
    if (!at) return Error(Code::kInternal, "the log has a hole at " + std::to_string(middle.value));
    if (*at <= epoch) {
      found = {*at, middle};
      low = middle;
    } else {
      high = Lsn{middle.value - 1};
    }
  }
  return found;
}

// Epochs never fall along a log, so an entry of a later epoch at or below what is applied is of another history.
Status ReplicaLog::CheckHistory(Version entry) const {
  const bool other = entry.lsn == applied_.lsn ? entry.epoch != applied_.epoch
                                               : entry.lsn < applied_.lsn && entry.epoch > applied_.epoch;
  if (!other) return {};
  return Error(Code::kInternal, "the primary's log has " + entry.ToString() + ", and through " + applied_.ToString() +
                                    " another history is applied here");
}

EntryPtr ReplicaLog::Held(Lsn lsn) const {
  if (held_.empty() || lsn < held_.front()->version.lsn || lsn > held_.back()->version.lsn) return nullptr;
  return held_[lsn.value - held_.front()->version.lsn.value];
}

Result<std::vector<EntryPtr>> ReplicaLog::Read(Lsn from, size_t bytes_max) const {
  std::vector<EntryPtr> entries;
  size_t bytes = 0;
  const auto take = [&](EntryPtr entry) {
    bytes += entry->ApproximateBytes();
    entries.push_back(std::move(entry));
  };
  if (from <= last().lsn && Held(from) == nullptr) {
    const Lsn last_stored{held_.empty() ? last().lsn.value : held_.front()->version.lsn.value - 1};
    EBLA_ASSIGN(std::vector<LogEntry> stored, reader_(from, last_stored, bytes_max));
    if (stored.empty() || stored.front().version.lsn != from) {
      return Error(Code::kInternal, "the log lacks entry " + std::to_string(from.value));
    }
    for (LogEntry& entry : stored) take(std::make_shared<const LogEntry>(std::move(entry)));
    return entries;  // the rest with the next message
  }
  for (Lsn lsn = from; bytes < bytes_max; lsn = lsn.Next()) {
    EntryPtr held = Held(lsn);
    if (held == nullptr) break;
    take(std::move(held));
  }
  return entries;
}

// ---- changes --------------------------------------------------------------------------------------------------------

void ReplicaLog::Append(EntryPtr entry) {
  CHECK(entry->version.lsn == last().lsn.Next() && entry->version.epoch >= last().epoch)
      << entry->version << " does not follow " << last();
  held_bytes_ += entry->ApproximateBytes();
  held_.push_back(std::move(entry));
}

Status ReplicaLog::Remove(Lsn from, Version before, std::vector<EntryPtr>& rolled_back) {
  CHECK(from > applied_.lsn && before.lsn.Next() == from) << "what is applied is never removed: " << from;
  const auto keep = [&](EntryPtr entry) {
    if (entry->kind == EntryKind::kWrite && entry->level == AckLevel::kPrimary && entry->outcome.wrote) {
      rolled_back.push_back(std::move(entry));
    }
  };
  // Entries that were never handed to the store were never acknowledged.
  const Lsn in_store = std::min(stored_.lsn, last().lsn);
  uint64_t lost = 0;
  Lsn at = from;
  while (at <= in_store) {
    const Result<std::vector<EntryPtr>> entries = Read(at, 4 << 20);
    if (!entries && entries.error().code() != Code::kUnavailable) return entries.error();
    if (!entries) {  // the disk has lost it: it can be kept nowhere
      ++lost;
      at = at.Next();
      continue;
    }
    for (const EntryPtr& entry : *entries) {
      if (entry->version.lsn <= in_store) keep(entry);
    }
    at = entries->back()->version.lsn.Next();
  }
  LOG_IF(ERROR, lost > 0) << "of the entries that are rolled back the disk has lost " << lost;
  while (!held_.empty() && held_.back()->version.lsn >= from) {
    held_bytes_ -= held_.back()->ApproximateBytes();
    held_.pop_back();
  }
  if (from <= stored_.lsn) {
    remove_from_ = remove_from_ ? std::min(remove_from_, from) : from;
    stored_ = handed_out_ = before;
  }
  const Lsn limit{from.value - 1};
  flushed_ = std::min(flushed_, limit);
  for (PendingFlush& flush : flushes_) flush.upto = std::min(flush.upto, limit);
  if (first_.lsn >= from) first_ = base_ = {};
  return {};
}

void ReplicaLog::DropUnstored() {
  while (!held_.empty() && held_.back()->version > stored_) {
    held_bytes_ -= held_.back()->ApproximateBytes();
    held_.pop_back();
  }
}

void ReplicaLog::Apply(Version upto) {
  applied_ = std::max(applied_, upto);
  while (!held_.empty() && held_.front()->version.lsn <= applied_.lsn && held_.front()->version <= stored_) {
    held_bytes_ -= held_.front()->ApproximateBytes();
    held_.pop_front();
  }
}

void ReplicaLog::HoldAtMost(size_t bytes) {
  while (held_bytes_ > bytes && !held_.empty() && held_.front()->version <= stored_) {
    held_bytes_ -= held_.front()->ApproximateBytes();
    held_.pop_front();
  }
}

void ReplicaLog::Truncated(Version first) {
  if (remove_from_ && first.lsn >= remove_from_) first = {};
  if (first != first_) base_ = first && applied_.lsn.Next() == first.lsn ? applied_ : Version{};
  first_ = first;
}

void ReplicaLog::Reset(Version start) {
  first_ = base_ = {};
  stored_ = handed_out_ = applied_ = start;
  flushed_ = {};
  remove_from_ = {};
  held_.clear();
  held_bytes_ = 0;
  for (PendingFlush& flush : flushes_) flush.upto = {};
}

// ---- the store's round ----------------------------------------------------------------------------------------------

std::deque<EntryPtr>::const_iterator ReplicaLog::FirstUnstored() const {
  return std::ranges::upper_bound(held_, stored_, {}, [](const EntryPtr& entry) { return entry->version; });
}

std::vector<EntryPtr> ReplicaLog::Unstored() const { return {FirstUnstored(), held_.end()}; }

void ReplicaLog::BeginFlush(FlushNumber number, bool entries) {
  entries_handed_out_ = entries;
  handed_out_ = entries ? last() : stored_;
  flushes_.push_back({number, handed_out_.lsn});
}

void ReplicaLog::OnStored() {
  if (!first_ && handed_out_ > stored_) {
    first_ = (*FirstUnstored())->version;
    base_ = stored_;
  }
  if (entries_handed_out_) remove_from_ = {};
  stored_ = handed_out_;
  Apply(applied_);
}

void ReplicaLog::OnRefused() {
  flushes_.pop_back();
  handed_out_ = stored_;
}

void ReplicaLog::OnFlushed(FlushNumber number) {
  while (!flushes_.empty() && flushes_.front().number <= number) {
    flushed_ = std::max(flushed_, flushes_.front().upto);
    flushes_.pop_front();
  }
}

}  // namespace ebla::tabletserver

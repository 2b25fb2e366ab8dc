#include "tabletserver/testing/crashing_store.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver::testing {

RecoveredReplica CrashingStore::Recover() const {
  RecoveredReplica recovered;
  recovered.state = state_;
  recovered.applied = data_.applied;
  if (!log_.empty()) {
    recovered.first_logged = DecodeLogEntry(log_.begin()->second)->version;
    recovered.last_logged = DecodeLogEntry(log_.rbegin()->second)->version;
  }
  for (const auto& [key, row] : data_.dedup_window) recovered.dedup_window.push_back(row);
  return recovered;
}

TabletReaders CrashingStore::Readers() const {
  TabletReaders readers;
  // Reads one record at a time, though more were asked for.
  readers.records.get = [this](std::span<const std::string_view> keys) {
    const auto found = data_.records.find(std::string(keys.front()));
    return std::vector{found == data_.records.end() ? std::nullopt : std::optional(found->second)};
  };
  readers.records.scan = [this](const ScanBounds& bounds, const RecordStore::Visitor& visitor) {
    std::vector<const std::pair<const std::string, StoredRecord>*> rows;
    for (const auto& row : data_.records) {
      if (bounds.range.Contains(row.first)) rows.push_back(&row);
    }
    if (bounds.reverse) std::ranges::reverse(rows);
    for (const auto* row : rows) {
      if (!visitor(row->first, row->second)) break;
    }
    return Status::Ok();
  };
  readers.log = [this](Lsn from, Lsn last, size_t bytes_max) -> Result<std::vector<LogEntry>> {
    std::vector<LogEntry> entries;
    size_t bytes = 0;
    for (auto at = log_.lower_bound(from); at != log_.end() && at->first <= last; ++at) {
      if (!entries.empty() && bytes >= bytes_max) break;
      if (at->first == failures.lost) {
        if (entries.empty()) return Error(Code::kUnavailable, "the entry is damaged");
        break;
      }
      entries.push_back(*DecodeLogEntry(at->second));
      bytes += at->second.size();
    }
    return entries;
  };
  return readers;
}

Status CrashingStore::Append(const ReplicaOutput& output) {
  if (!output.rolled_back.empty()) EBLA_TRY(failures.keep);
  if (output.state.has_value()) {
    journal_.push_back({.state = output.state, .entry = {}, .remove_from = {}, .forget_to = {}});
    state_ = *output.state;
  }
  if (!output.append.empty()) EBLA_TRY(failures.append);
  for (const EntryPtr& entry : output.rolled_back) rolled_back.push_back(entry);
  if (output.remove_from) {
    CHECK(!data_.applied.has_value() || output.remove_from > data_.applied->applied.lsn) << "removes what is applied";
    journal_.push_back({.state = {}, .entry = {}, .remove_from = output.remove_from, .forget_to = {}});
    log_.erase(log_.lower_bound(output.remove_from), log_.end());
  }
  for (const EntryPtr& entry : output.append) {
    if (entry->version.lsn <= truncated_ && fault.empty()) fault = "logs " + entry->version.ToString() + " anew";
    CHECK(log_.empty() || log_.rbegin()->first.Next() == entry->version.lsn) << "a gap before " << entry->version;
    journal_.push_back({.state = {}, .entry = EncodeLogEntry(*entry), .remove_from = {}, .forget_to = {}});
    log_[entry->version.lsn] = journal_.back().entry;
  }
  return {};
}

Status CrashingStore::Apply(const ApplyBatch& batch) {
  EBLA_TRY(failures.apply);
  for (const RecordChange& change : batch.records) {
    const auto old = data_.records.find(change.effect->key);
    // Chunks of a copy are newer than the log that is then applied over them.
    if (!state_.incomplete && old != data_.records.end() && old->second.version >= change.version && fault.empty()) {
      fault = change.effect->key + " went from " + old->second.version.ToString() + " to " + change.version.ToString();
    }
    if (change.effect->is_delete) {
      data_.records.erase(change.effect->key);
      continue;
    }
    StoredRecord& record = data_.records[change.effect->key];
    record.value = change.effect->value;
    record.version = change.version;
    record.expires_at = change.effect->expires_at;
    record.write_time_ms = change.effect->write_time_ms;
    record.writer = change.effect->writer;
  }
  for (const auto& erased : batch.dedup_window.erase) data_.dedup_window.erase(erased);
  for (const DedupRow& row : batch.dedup_window.put) data_.dedup_window[{row.client, row.sequence}] = row;
  data_.applied = batch.state;
  return {};
}

void CrashingStore::Checkpoint() {
  checkpoint_ = data_;
  flushed_ = journal_.size();  // it covers the log, too
}

Version CrashingStore::TruncateLog() {
  truncated_ = data_.applied->applied.lsn;
  log_.erase(log_.begin(), log_.upper_bound(truncated_));
  return log_.empty() ? Version{} : DecodeLogEntry(log_.begin()->second)->version;
}

void CrashingStore::Crash(size_t keep) {
  journal_.resize(std::min(journal_.size(), flushed_ + keep));
  // Unflushed pieces stay unflushed, so a second crash may yet lose them.
  state_ = {};
  log_.clear();
  for (const Piece& piece : journal_) {
    if (piece.state.has_value()) {
      state_ = *piece.state;
    } else if (piece.remove_from) {
      log_.erase(log_.lower_bound(piece.remove_from), log_.end());
    } else if (piece.entry.empty()) {
      log_.clear();
    } else {
      const LogEntry entry = *DecodeLogEntry(piece.entry);
      if (entry.version.lsn > truncated_) log_[entry.version.lsn] = piece.entry;
    }
  }
  data_ = checkpoint_;
}

void CrashingStore::MarkLost() {
  if (!state_.present()) return;
  state_.lost = true;
  journal_.push_back({.state = state_, .entry = {}, .remove_from = {}, .forget_to = {}});
  flushed_ = journal_.size();
}

void CrashingStore::Clear() {
  log_.clear();
  truncated_ = {};
  journal_.clear();
  journal_.push_back({.state = state_, .entry = {}, .remove_from = {}, .forget_to = {}});
  flushed_ = 1;
  data_ = {};
  checkpoint_ = {};
}

void CrashingStore::Install(const InstallCopy& copy) {
  log_.clear();
  truncated_ = copy.applied.applied.lsn;
  journal_.push_back({.state = {}, .entry = {}, .remove_from = {}, .forget_to = truncated_});
  data_ = {};
  data_.applied = copy.applied;
  for (const DedupRow& row : copy.dedup_window) data_.dedup_window[{row.client, row.sequence}] = row;
}

void CrashingStore::ReplaceInterval(const std::string& from, const std::string& to, const Records& records) {
  const auto last = to.empty() ? data_.records.end() : data_.records.lower_bound(to);
  data_.records.erase(data_.records.lower_bound(from), last);
  data_.records.insert(records.begin(), records.end());
}

std::vector<LogEntry> CrashingStore::Log() const {
  std::vector<LogEntry> entries;
  for (const auto& [lsn, bytes] : log_) entries.push_back(*DecodeLogEntry(bytes));
  return entries;
}

}  // namespace ebla::tabletserver::testing

#include "tabletserver/testing/core_rig.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver::testing {

CoreRig::CoreRig(TabletOptions options, TabletSchema schema)
    : options_(std::move(options)), schema_(std::move(schema)) {
  Start();
}

TabletSchema CoreRig::DefaultSchema() {
  TabletSchema schema;
  schema.table = TableId{5};
  schema.version = 1;
  schema.encoded = "schema 1";
  return schema;
}

void CoreRig::Start() {
  RecoveredReplica recovered;
  recovered.tablet = options_.tablet;
  recovered.state = state_;
  recovered.applied = data_.applied;
  if (!log_.empty()) {
    recovered.first_logged = DecodeLogEntry(log_.begin()->second)->version;
    recovered.last_logged = DecodeLogEntry(log_.rbegin()->second)->version;
  }
  for (const auto& [key, row] : data_.dedup_window) recovered.dedup_window.push_back(row);
  TabletReaders readers;
  readers.record = [this](std::string_view key) -> Result<std::optional<StoredRecord>> {
    const auto found = data_.records.find(std::string(key));
    return found == data_.records.end() ? std::nullopt : std::optional(found->second);
  };
  readers.log = [this](Lsn from, Lsn last, size_t bytes_max) -> Result<std::vector<LogEntry>> {
    std::vector<LogEntry> entries;
    size_t bytes = 0;
    for (auto at = log_.lower_bound(from); at != log_.end() && at->first <= last; ++at) {
      if (!entries.empty() && bytes >= bytes_max) break;
      entries.push_back(*DecodeLogEntry(at->second));
      bytes += at->second.size();
    }
    return entries;
  };
  TabletOptions options = options_;
  options.started = now_;
  core_ = std::make_unique<TabletCore>(std::move(options), std::move(recovered), schema_, std::move(readers));
  Run();
}

// ---- inputs ---------------------------------------------------------------------------------------------------------

int64_t CoreRig::time_of_day_ms() const {
  const Duration passed = now_ - MonotonicTime{std::chrono::seconds(1)} + skew_;
  return kMorningMs + std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
}

RequestToken CoreRig::Configure(ConfigureReplica configure, TabletTime learnt, int64_t time_of_day_ms) {
  const RequestToken token = configure.token = NextToken();
  ConfigureTablet input;
  input.replica = std::move(configure);
  input.schema = schema_;
  input.learnt = learnt;
  input.now = now_;
  input.time_of_day_ms = time_of_day_ms > 0 ? time_of_day_ms : this->time_of_day_ms();
  core_->Step(input);
  Run();
  return token;
}

RequestToken CoreRig::Fence(Epoch epoch) {
  const RequestToken token = NextToken();
  core_->Step(FenceReplica{token, epoch, now_});
  Run();
  return token;
}

RequestToken CoreRig::Drop(Epoch epoch) {
  const RequestToken token = NextToken();
  core_->Step(DropReplica{token, epoch});
  Run();
  return token;
}

RequestToken CoreRig::Alter(TabletSchema schema) {
  const RequestToken token = NextToken();
  schema_ = schema;
  core_->Step(AlterTablet{token, std::move(schema)});
  Run();
  return token;
}

RequestToken CoreRig::Transfer(Epoch epoch, ServerName target, Duration patience) {
  const RequestToken token = NextToken();
  core_->Step(TransferReplica{token, epoch, std::move(target), now_ + patience});
  Run();
  return token;
}

RequestToken CoreRig::Freeze(Epoch epoch, TabletId into) {
  const RequestToken token = NextToken();
  Step(FreezeTablet{token, epoch, into, now_});
  return token;
}

RequestToken CoreRig::Confirm() {
  const RequestToken token = NextToken();
  core_->Step(ConfirmLeadership{token, now_});
  Run();
  return token;
}

void CoreRig::Heartbeat() {
  core_->Step(HeartbeatDue{now_});
  Run();
}

void CoreRig::Receive(PeerRequest request) {
  request.now = now_;
  core_->Step(std::move(request));
  Run();
}

void CoreRig::Receive(PeerReply reply) {
  reply.now = now_;
  core_->Step(reply);
  Run();
}

void CoreRig::Install(InstallCopy copy) {
  log_.clear();
  truncated_ = copy.applied.applied.lsn;
  journal_.push_back({.state = {}, .entry = {}, .remove_from = {}, .forget_to = truncated_});
  data_ = {};
  data_.applied = copy.applied;
  for (const DedupRow& row : copy.dedup_window) data_.dedup_window[{row.client, row.sequence}] = row;
  core_->Step(copy);
  Run();
}

void CoreRig::ReplaceInterval(const std::string& from, const std::string& to,
                              const std::map<std::string, StoredRecord>& records) {
  const auto last = to.empty() ? data_.records.end() : data_.records.lower_bound(to);
  data_.records.erase(data_.records.lower_bound(from), last);
  data_.records.insert(records.begin(), records.end());
}

void CoreRig::Forget() {
  log_.clear();
  truncated_ = {};
  journal_.clear();
  journal_.push_back({.state = state_, .entry = {}, .remove_from = {}, .forget_to = {}});
  flushed_ = 1;
  data_ = {};
  checkpoint_ = {};
  core_->Step(ReplicaForgotten{});
  Run();
}

RequestToken CoreRig::Write(WriteRequest request) {
  const RequestToken token = request.token = NextToken();
  if (!request.learnt) request.learnt = tablet_time();
  core_->Step(AdmitWrite{std::move(request), now_});
  Run();
  return token;
}

RequestToken CoreRig::Purge(std::vector<ExpiredKey> keys, TabletTime reached, MonotonicTime deadline) {
  const RequestToken token = NextToken();
  core_->Step(tabletserver::Purge{token, reached, std::move(keys), now_, deadline});
  Run();
  return token;
}

void CoreRig::Tick(Duration passed) {
  now_ = now_ + passed;
  core_->Step(tabletserver::Tick{now_});
  Run();
}

// ---- the driver -----------------------------------------------------------------------------------------------------

void CoreRig::Run() {
  while (core_->HasOutput() || (!hold_flush_ && !flushes_.empty())) {
    if (core_->HasOutput()) Carry(core_->TakeOutput());
    if (!hold_flush_ && !flushes_.empty()) CompleteFlush();
  }
}

void CoreRig::CompleteFlush() {
  const auto [number, pieces] = flushes_.front();
  flushes_.pop_front();
  flushed_ = std::max(flushed_, pieces);
  core_->Step(Flushed{number});
}

void CoreRig::FlushOne() {
  CHECK(!flushes_.empty());
  CompleteFlush();
  Run();
}

void CoreRig::Carry(TabletOutput output) {
  for (const StartCopy& start : output.replica.copies)
    copies.push_back({start, core_->applied_state(), core_->DedupRows()});
  const bool stored = Store(output);
  if (stored && output.replica.flush.has_value()) flushes_.emplace_back(output.replica.flush->number, journal_.size());
  if (output.apply.has_value()) Apply(*std::move(output.apply));
  if (output.view != nullptr) view = output.view;
  for (WriteReply& reply : output.writes) writes.push_back(std::move(reply));
  for (ControlReply& reply : output.replica.replies) controls.push_back(std::move(reply));
  for (PurgeReply& reply : output.purges) purges.push_back(std::move(reply));
  const auto pass = [](auto& from, auto& to) {
    for (auto& one : from) to.push_back(std::move(one));
  };
  pass(output.replica.confirms, confirms);
  pass(output.replica.messages, messages);
  pass(output.replica.answers, answers);
  pass(output.replica.copy_replies, copy_replies);
  if (output.replica.prepare.has_value()) prepare = output.replica.prepare;
  if (output.replica.checkpoint_for_copy != 0) {
    Checkpoint(false);
    core_->Step(CopyCheckpointed{output.replica.checkpoint_for_copy});
  }
}

bool CoreRig::Store(const TabletOutput& output) {
  if (!output.replica.state.has_value() && output.replica.append.empty() && !output.replica.remove_from) return true;
  if (!keep_status_.ok() && !output.replica.rolled_back.empty()) {
    core_->Step(StoreFailed{keep_status_});
    return false;
  }
  if (output.replica.state.has_value()) {
    journal_.push_back({.state = output.replica.state, .entry = {}, .remove_from = {}, .forget_to = {}});
    state_ = *output.replica.state;
  }
  if (!append_status_.ok() && !output.replica.append.empty()) {
    core_->Step(StoreFailed{append_status_});
    return false;
  }
  for (const EntryPtr& entry : output.replica.rolled_back) rolled_back.push_back(entry);
  if (output.replica.remove_from) {
    CHECK(!data_.applied.has_value() || output.replica.remove_from > data_.applied->applied.lsn)
        << "removes what is applied";
    journal_.push_back({.state = {}, .entry = {}, .remove_from = output.replica.remove_from, .forget_to = {}});
    log_.erase(log_.lower_bound(output.replica.remove_from), log_.end());
  }
  for (const EntryPtr& entry : output.replica.append) {
    if (entry->version.lsn <= truncated_ && fault.empty()) fault = "logs " + entry->version.ToString() + " anew";
    CHECK(log_.empty() || log_.rbegin()->first.Next() == entry->version.lsn) << "a gap before " << entry->version;
    journal_.push_back({.state = {}, .entry = EncodeLogEntry(*entry), .remove_from = {}, .forget_to = {}});
    log_[entry->version.lsn] = journal_.back().entry;
  }
  core_->Step(Stored{});
  return true;
}

void CoreRig::Apply(ApplyBatch batch) {
  if (!apply_status_.ok()) {
    core_->Step(ApplyFailed{apply_status_, std::move(batch)});
    return;
  }
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
  core_->Step(Applied{batch.state.applied});
}

void CoreRig::HoldFlush(bool hold) {
  hold_flush_ = hold;
  Run();
}

// ---- crashes --------------------------------------------------------------------------------------------------------

void CoreRig::Checkpoint(bool truncate_log) {
  checkpoint_ = data_;
  flushed_ = journal_.size();  // it covers the log, too
  if (!truncate_log || !data_.applied.has_value()) return;
  truncated_ = data_.applied->applied.lsn;
  log_.erase(log_.begin(), log_.upper_bound(truncated_));
  core_->Step(LogTruncated{log_.empty() ? Version{} : DecodeLogEntry(log_.begin()->second)->version});
}

void CoreRig::Crash(size_t keep, Duration clock_skew) {
  core_.reset();
  flushes_.clear();
  view.reset();
  skew_ = clock_skew;
  journal_.resize(std::min(journal_.size(), flushed_ + keep));
  // What was not flushed still is not: a second crash may yet take it.
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
  messages.clear();
  answers.clear();
  copies.clear();
  prepare.reset();
  copy_replies.clear();
  Start();
}

std::vector<LogEntry> CoreRig::Log() const {
  std::vector<LogEntry> entries;
  for (const auto& [lsn, bytes] : log_) entries.push_back(*DecodeLogEntry(bytes));
  return entries;
}

std::optional<WriteReply> CoreRig::ReplyTo(RequestToken token) const {
  const auto mine = [&](const WriteReply& reply) { return reply.token == token; };
  CHECK_LE(std::count_if(writes.begin(), writes.end(), mine), 1) << "answered twice";
  const auto found = std::find_if(writes.begin(), writes.end(), mine);
  return found == writes.end() ? std::nullopt : std::optional(*found);
}

}  // namespace ebla::tabletserver::testing

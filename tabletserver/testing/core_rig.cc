#include "tabletserver/testing/core_rig.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

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
  RecoveredReplica recovered = store_.Recover();
  recovered.tablet = options_.tablet;
  TabletOptions options = options_;
  options.started = now_;
  core_ = std::make_unique<TabletCore>(std::move(options), std::move(recovered), schema_, store_.Readers());
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
  Step(input);
  return token;
}

RequestToken CoreRig::Fence(Epoch epoch, std::optional<Epoch> leap_from, Version had) {
  const RequestToken token = NextToken();
  Step(FenceReplica{token, epoch, now_, leap_from, had});
  return token;
}

RequestToken CoreRig::Drop(Epoch epoch) {
  const RequestToken token = NextToken();
  Step(DropReplica{token, epoch});
  return token;
}

RequestToken CoreRig::Alter(TabletSchema schema) {
  const RequestToken token = NextToken();
  schema_ = schema;
  Step(AlterTablet{token, std::move(schema)});
  return token;
}

RequestToken CoreRig::Transfer(Epoch epoch, ServerName target, Duration patience) {
  const RequestToken token = NextToken();
  Step(TransferReplica{token, epoch, std::move(target), now_ + patience});
  return token;
}

RequestToken CoreRig::Freeze(Epoch epoch, TabletId into) {
  const RequestToken token = NextToken();
  Step(FreezeTablet{token, epoch, into, now_});
  return token;
}

RequestToken CoreRig::Confirm() {
  const RequestToken token = NextToken();
  Step(ConfirmLeadership{token, now_});
  return token;
}

void CoreRig::Heartbeat() { Step(HeartbeatDue{now_}); }

void CoreRig::Receive(PeerRequest request) {
  request.now = now_;
  Step(std::move(request));
}

void CoreRig::Receive(PeerReply reply) {
  reply.now = now_;
  Step(reply);
}

void CoreRig::Install(const InstallCopy& copy) {
  store_.Install(copy);
  Step(copy);
}

void CoreRig::Forget() {
  store_.Clear();
  Step(ReplicaForgotten{});
}

RequestToken CoreRig::Write(WriteRequest request) {
  const RequestToken token = request.token = NextToken();
  if (!request.learnt) request.learnt = tablet_time();
  Step(AdmitWrite{std::move(request), now_});
  return token;
}

RequestToken CoreRig::Purge(std::vector<ExpiredKey> keys, TabletTime reached, MonotonicTime deadline) {
  const RequestToken token = NextToken();
  Step(tabletserver::Purge{token, reached, std::move(keys), now_, deadline});
  return token;
}

void CoreRig::Tick(Duration passed) {
  now_ = now_ + passed;
  Step(tabletserver::Tick{now_});
}

// ---- the driver -----------------------------------------------------------------------------------------------------

void CoreRig::Run() {
  while (core_->HasOutput() || (!hold_flush_ && !flushes_.empty())) {
    if (core_->HasOutput()) Execute(core_->TakeOutput());
    if (!hold_flush_ && !flushes_.empty()) CompleteFlush();
  }
}

void CoreRig::CompleteFlush() {
  const auto [number, pieces] = flushes_.front();
  flushes_.pop_front();
  store_.Flush(pieces);
  core_->Step(Flushed{number});
}

void CoreRig::FlushOne() {
  CHECK(!flushes_.empty());
  CompleteFlush();
  Run();
}

void CoreRig::Execute(TabletOutput output) {
  for (const StartCopy& start : output.replica.copies)
    copies.push_back({start, core_->applied_state(), core_->DedupRows()});
  const bool stored = Store(output.replica);
  if (stored && output.replica.flush.has_value())
    flushes_.emplace_back(output.replica.flush->number, store_.appended());
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

bool CoreRig::Store(const ReplicaOutput& output) {
  if (!output.state.has_value() && output.append.empty() && !output.remove_from) return true;
  if (Status stored = store_.Append(output); !stored.ok()) {
    core_->Step(StoreFailed{std::move(stored)});
    return false;
  }
  core_->Step(Stored{});
  return true;
}

void CoreRig::Apply(ApplyBatch batch) {
  if (Status applied = store_.Apply(batch); !applied.ok()) {
    core_->Step(ApplyFailed{std::move(applied), std::move(batch)});
  } else {
    core_->Step(Applied{batch.state.applied});
  }
}

void CoreRig::HoldFlush(bool hold) {
  hold_flush_ = hold;
  Run();
}

// ---- crashes --------------------------------------------------------------------------------------------------------

void CoreRig::Checkpoint(bool truncate_log) {
  store_.Checkpoint();
  if (truncate_log && store_.applied().has_value()) core_->Step(LogTruncated{store_.TruncateLog()});
}

void CoreRig::Crash(size_t keep, Duration clock_skew) {
  core_.reset();
  flushes_.clear();
  view.reset();
  skew_ = clock_skew;
  store_.Crash(keep);
  if (std::exchange(loses_promises_, false)) store_.MarkLost();
  messages.clear();
  answers.clear();
  copies.clear();
  prepare.reset();
  copy_replies.clear();
  Start();
}

std::optional<WriteReply> CoreRig::ReplyTo(RequestToken token) const {
  const auto mine = [&](const WriteReply& reply) { return reply.token == token; };
  CHECK_LE(std::count_if(writes.begin(), writes.end(), mine), 1) << "answered twice";
  const auto found = std::find_if(writes.begin(), writes.end(), mine);
  return found == writes.end() ? std::nullopt : std::optional(*found);
}

}  // namespace ebla::tabletserver::testing

#include "client/core/operations/write_operation.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

bool HasValue(const Batch::Part& part) { return part.kind == Batch::Kind::kPut || part.kind == Batch::Kind::kApply; }

std::string Quoted(std::string_view key) { return "\"" + EscapeBytes(key) + "\""; }

}  // namespace

Status CheckPart(const Batch::Part& part) {
  EBLA_TRY(CheckKey(part.key));
  if (HasValue(part)) EBLA_TRY(CheckValue(part.value));
  const BatchOptions& options = part.options;
  const int conditions = (options.if_absent ? 1 : 0) + (options.if_exists ? 1 : 0) + (options.if_version ? 1 : 0);
  if (conditions > 1) {
    return Error(Code::kInvalidArgument, "more than one condition: choose one of if_absent, if_exists, if_version");
  }
  if (part.kind == Batch::Kind::kCheck && conditions == 0) {
    return Error(Code::kInvalidArgument, "a check without a condition");
  }
  if (options.if_version && !*options.if_version) {
    return Error(Code::kInvalidArgument,
                 "if_version holds no version: to require that there is no record, use if_absent");
  }
  for (const auto& ttl : {options.ttl, options.ttl_if_new}) {
    if (ttl && !limits::IsWithin(ttl->count(), limits::kTtlMsMax)) {
      return Error(Code::kInvalidArgument,
                   "a ttl of " + std::to_string(ttl->count()) + " ms: it must be 1 to 2^52, or 0 for none");
    }
  }
  if (options.expires) {
    if (part.kind != Batch::Kind::kPut || options.ttl)
      return Error(Code::kInvalidArgument, "only a put may have an expiry time, and not together with a ttl");
    const int64_t ms = options.expires->time_since_epoch().count();
    if (ms < 1 || ms > limits::kExpiryMsMax)
      return Error(Code::kInvalidArgument, "an expiry at " + std::to_string(ms) + " ms: it must be 1 to 2^53");
  }
  return {};
}

Status CheckBatch(const Batch& batch) {
  const auto& parts = batch.parts();
  if (parts.empty()) return Error(Code::kInvalidArgument, "an empty batch");
  if (parts.size() > kBatchWritesMax) {
    return Error(Code::kInvalidArgument,
                 "a batch of " + std::to_string(parts.size()) + " writes: it may have at most 1000");
  }
  size_t bytes = 0;
  std::set<std::string_view> keys;
  for (size_t i = 0; i < parts.size(); ++i) {
    Status valid = CheckPart(parts[i]);
    if (valid.ok() && parts.size() > 1 && !keys.insert(parts[i].key).second) {
      valid = Error(Code::kInvalidArgument, "key " + Quoted(parts[i].key) + " appears twice");
    }
    if (!valid.ok()) {
      if (parts.size() == 1) return valid;
      return Error(valid.code(), "write " + std::to_string(i + 1) + " of the batch: " + valid.message());
    }
    bytes += parts[i].key.size() + parts[i].value.size();
  }
  if (bytes > kBatchBytesMax) {
    return Error(Code::kInvalidArgument, "a batch of " + std::to_string(bytes) + " bytes: it may have at most 4194304");
  }
  return {};
}

void ToIdl(Batch::Part&& part, idl::Write& write) {
  write.kind = static_cast<idl::WriteKind::type>(part.kind);
  write.key = std::move(part.key);
  if (HasValue(part)) {
    write.value = std::move(part.value);  // the setter would copy
    write.__isset.value = true;
  }
  if (part.kind == Batch::Kind::kIncrement) write.__set_delta(part.delta);
  if (part.kind == Batch::Kind::kApply) write.__set_functionName(part.function);
  const BatchOptions& options = part.options;
  if (options.ttl && (part.kind == Batch::Kind::kPut || part.kind == Batch::Kind::kIncrement)) {
    write.__set_ttlMs(options.ttl->count());
  } else if (options.ttl_if_new && part.kind == Batch::Kind::kIncrement) {
    write.__set_newTtlMs(options.ttl_if_new->count());
  }
  if (options.expires) write.__set_expiresAtMs(options.expires->time_since_epoch().count());
  write.__isset.condition = options.if_absent || options.if_exists || options.if_version;
  if (options.if_absent) write.condition.kind = idl::ConditionKind::ABSENT;
  if (options.if_exists) write.condition.kind = idl::ConditionKind::EXISTS;
  if (options.if_version) {
    write.condition.kind = idl::ConditionKind::VERSION_IS;
    write.condition.__set_version(rpc::ToIdl(*options.if_version));
  }
}

std::vector<idl::Write> ToIdl(Batch&& batch) {
  std::vector<Batch::Part> parts = std::move(batch).TakeParts();
  std::vector<idl::Write> writes;
  writes.reserve(parts.size());
  for (Batch::Part& part : parts) ToIdl(std::move(part), writes.emplace_back());
  return writes;
}

WriteOperation::WriteOperation(ClientCore& core, TablePtr table, std::vector<idl::Write> writes, Ack ack,
                               std::shared_ptr<SessionState> session, Duration allowed)
    : Operation(core, std::move(table), Kind::kWrite, allowed) {
  tokens().Join(std::move(session));
  request_.level = static_cast<idl::WriteLevel::type>(ack);
  SetAck(ack);
  request_.writes = std::move(writes);
}

WriteOperation::~WriteOperation() {
  if (!ticket_) return;
  core().write_admission().Finish(*std::exchange(ticket_, std::nullopt));
  if (done_ && attempts_ > 0) done_(Error(Code::kUnknownOutcome, ClosedStatus().message()));
}

void WriteOperation::Start(Status valid, Callback<Result<BatchResult>> done) {
  done_ = OnceCallback<Result<BatchResult>>(std::move(done));
  if (!valid.ok()) return Finish(std::move(valid));
  core().write_admission().Begin(end() - core().network().Now(),
                                 [self = shared_from_this(), this](Result<WriteSequencer::Ticket> ticket) {
                                   if (!ticket) return Finish(std::move(ticket.error()));
                                   ticket_ = *ticket;
                                   Run();
                                 });
}

KeyRange WriteOperation::Touched() const {
  // A function may change any key of its group, which lies in the tablet.
  const bool applies =
      std::ranges::any_of(request_.writes, [](const idl::Write& write) { return write.kind == idl::WriteKind::APPLY; });
  if (applies && place()) return place()->range;
  if (request_.writes.size() == 1) return {request_.writes.front().key, KeyAfter(request_.writes.front().key)};
  const auto [low, high] = std::ranges::minmax_element(request_.writes, {}, &idl::Write::key);
  return {low->key, KeyAfter(high->key)};
}

Status WriteOperation::Prepare(const Place& place) {
  if (!policy().maybe_happened() || !tablet_time_) {
    // Nothing was executed yet, so what is known by now was known before the first execution. An attempt that named no
    // time was not executed either, whatever became of its answer: servers refuse such writes.
    tablet_time_ = TabletTime{place.tablet_time.load(std::memory_order_relaxed)};
  }
  // Once it may have happened its server must be asked, which remembers it whatever has become of its tablet.
  if (request_.writes.size() == 1 || policy().maybe_happened()) return {};
  for (const idl::Write& write : request_.writes) {
    if (place.range.Contains(write.key)) continue;
    // The tablets may have been merged since they were looked up: ask once.
    if (!std::exchange(looked_up_, true)) return Error(Code::kComeAgain, "");
    return Error(Code::kInvalidArgument, "the batch spans tablets: " + Quoted(request_.writes.front().key) +
                                             " lies in " + place.range.ToString() + ", " + Quoted(write.key) +
                                             " does not; write to one tablet at a time, or give the table a key group");
  }
  return {};
}

void WriteOperation::Send(rpc::Channel& channel) {
  ++attempts_;
  FillHeader(request_.header);
  request_.header.__isset.tabletTimeMs = static_cast<bool>(tablet_time_);
  request_.header.tabletTimeMs = static_cast<int64_t>(tablet_time_.value);
  request_.clientId = static_cast<int64_t>(ticket_->client.value);
  request_.sequence = static_cast<int64_t>(ticket_->sequence.value);
  request_.firstIncomplete = static_cast<int64_t>(core().write_admission().FirstIncomplete(*ticket_).value);
  Ask(channel, request_, reply_);
}

void WriteOperation::OnReplyHeader(const idl::ReplyHeader& header) {
  const TabletTime now{static_cast<uint64_t>(header.tabletTimeMs)};
  if (header.code == idl::Code::COME_AGAIN && header.__isset.tabletTimeMs && now < tablet_time_) {
    // The tablet has yet to reach the known time, because its server's clock was set back and it restarted. Waiting for
    // the difference would not help. An earlier time than the known one is as safe, because it only makes the server
    // refuse sooner (PROTOCOL 20), even if this write has been executed.
    tablet_time_ = now;
    place()->LowerTime(now);
  }
}

Status WriteOperation::Complete() {
  if (!tokens().session() || !reply_.__isset.version) return {};
  // A PRIMARY write may be acknowledged before it is applied. Otherwise the noted applied position already contains the
  // write, at any level, even if a later epoch or the merged tablet answers a retry. If one half of a tablet answers
  // for a batch from before its split, this proves nothing about the keys of the second half.
  const KeyRange answered = AnsweredRange(reply_.header);
  const bool whole = answered.Contains(Touched());
  if (whole && reply_.header.__isset.applied && reply_.version.lsn <= reply_.header.applied.lsn) return {};
  tokens().session()->Update(router().table(), [&](TableToken& token) {
    token.Wrote(whole ? answered : Touched(), rpc::FromIdl(reply_.version));
  });
  return {};
}

std::string WriteOperation::Describe(const Status& status) const {
  const bool named = reply_.__isset.failedIndex && request_.writes.size() > 1 && reply_.failedIndex >= 0 &&
                     static_cast<size_t>(reply_.failedIndex) < request_.writes.size();
  if (!named) return status.message();
  const idl::Write& failed = request_.writes[static_cast<size_t>(reply_.failedIndex)];
  return "write " + std::to_string(reply_.failedIndex + 1) + " of the batch, of " + Quoted(failed.key) + ": " +
         status.message();
}

// A server that knows no functions refuses them before it looks whether it did an earlier attempt (tablet.thrift). A
// server that evaluates a batch names the failed write.
bool WriteOperation::MayHaveApplied(const Status& refusal) const {
  return refusal.code() == Code::kInvalidArgument && policy().maybe_happened() && !refused_at() &&
         std::ranges::any_of(request_.writes, [](const auto& one) {
           return one.kind == idl::WriteKind::APPLY || one.__isset.expiresAtMs;
         });
}

void WriteOperation::Finish(Status status) {
  if (ticket_) core().write_admission().Finish(*std::exchange(ticket_, std::nullopt));
  if (!status.ok())
    return done_(Error(MayHaveApplied(status) ? Code::kUnknownOutcome : status.code(), Describe(status)));
  BatchResult result;
  if (reply_.__isset.version) result.version = rpc::FromIdl(reply_.version);
  if (reply_.__isset.counters) result.counters = std::move(reply_.counters);
  if (reply_.__isset.answers) result.answers = std::move(reply_.answers);
  done_(std::move(result));
}

}  // namespace ebla::client

#include "tabletserver/service/request_check.h"

#include <algorithm>
#include <string>

#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"
#include "idl/types_constants.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/storage/log/log_position.h"
#include "tabletserver/tablet/write_evaluator.h"

namespace ebla::tabletserver {
namespace {

constexpr size_t kFunctionNameBytesMax = 64;

// The numbers of the two enums are the same.
static_assert(static_cast<int>(AckLevel::kMajority) == idl::WriteLevel::MAJORITY);
static_assert(static_cast<int>(AckLevel::kAll) == idl::WriteLevel::ALL);
static_assert(static_cast<int>(AckLevel::kPrimary) == idl::WriteLevel::PRIMARY);
static_assert(static_cast<int>(AckLevel::kAny) == idl::WriteLevel::ANY);
static_assert(static_cast<int>(WriteKind::kPut) == idl::WriteKind::PUT);
static_assert(static_cast<int>(WriteKind::kDelete) == idl::WriteKind::DELETE);
static_assert(static_cast<int>(WriteKind::kIncrement) == idl::WriteKind::INCREMENT);
static_assert(static_cast<int>(WriteKind::kCheck) == idl::WriteKind::CHECK);
static_assert(static_cast<int>(WriteKind::kApply) == idl::WriteKind::APPLY);

Error Invalid(std::string message) { return Error(Code::kInvalidArgument, std::move(message)); }

Status CheckHeader(const idl::RequestHeader& header) {
  EBLA_TRY(CheckProtocolVersion(header.protocolVersion));
  if (header.tableId <= 0)
    return Invalid("table id " + std::to_string(header.tableId) + " is invalid: ids are positive");
  if (header.tabletId < 0 || header.epoch < 0) return Invalid("tablet id and epoch are 0 (unknown) or positive");
  if (header.deadlineMs < 0) {
    return Invalid("deadline of " + std::to_string(header.deadlineMs) + " ms; it is what remains, 0 for the default");
  }
  if (header.__isset.tabletTimeMs && header.tabletTimeMs < 0) return Invalid("tablet time is negative");
  if (header.token.ranges.size() > kTokenRangesMax) {
    return Invalid("a session token of " + std::to_string(header.token.ranges.size()) + " ranges; at most " +
                   std::to_string(kTokenRangesMax) + " are sent, else the read is STRONG");
  }
  return Status::Ok();
}

Status CheckReadOptions(const idl::ReadOptions& options) {
  switch (options.level) {
    case idl::ReadLevel::DEFAULT:
    case idl::ReadLevel::STRONG:
    case idl::ReadLevel::SESSION:
    case idl::ReadLevel::EVENTUAL: break;
    case idl::ReadLevel::BOUNDED:
      if (!options.__isset.boundedMs) return Invalid("a BOUNDED read needs boundedMs, 1 to 3600000");
      break;
    default: return Invalid("unknown read level " + std::to_string(static_cast<int>(options.level)));
  }
  if (options.__isset.boundedMs && (options.boundedMs < 1 || options.boundedMs > kBoundedMsMax)) {
    return Invalid("boundedMs is " + std::to_string(options.boundedMs) + "; it must be 1 to 3600000");
  }
  return Status::Ok();
}

Status CheckCondition(const idl::Condition& condition) {
  switch (condition.kind) {
    case idl::ConditionKind::ABSENT:
    case idl::ConditionKind::EXISTS: return Status::Ok();
    case idl::ConditionKind::VERSION_IS:
      if (!condition.__isset.version || condition.version.lsn <= 0 || condition.version.epoch <= 0) {
        return Invalid("a VERSION_IS condition needs a version, as a read returned it");
      }
      return Status::Ok();
    default: return Invalid("unknown kind of condition " + std::to_string(static_cast<int>(condition.kind)));
  }
}

Status CheckExpiry(const idl::Write& write) {
  if (write.kind != idl::WriteKind::PUT || write.__isset.ttlMs)
    return Invalid("only a PUT has expiresAtMs, and then no ttlMs");
  if (write.expiresAtMs >= 1 && write.expiresAtMs <= limits::kExpiryMsMax) return Status::Ok();
  return Invalid("expiresAtMs is " + std::to_string(write.expiresAtMs) + "; it must be 1 to 2^53");
}

Status CheckFunctionName(const std::string& name) {
  if (name.size() <= kFunctionNameBytesMax) return Status::Ok();
  return Invalid("no function has so long a name: " + std::to_string(name.size()) + " bytes");
}

// Only what the translation would lose; CheckBatch (write_evaluator.h) checks the rest.
Status CheckWrite(const idl::Write& write) {
  switch (write.kind) {
    case idl::WriteKind::PUT:
      if (!write.__isset.value) return Invalid("a PUT needs a value (which may be empty)");
      break;
    case idl::WriteKind::INCREMENT:
      if (!write.__isset.delta) return Invalid("an INCREMENT needs a delta");
      if (write.__isset.newTtlMs && write.__isset.ttlMs) return Invalid("an INCREMENT has ttlMs or newTtlMs, not both");
      break;
    case idl::WriteKind::APPLY:
      if (!write.__isset.value || !write.__isset.functionName)
        return Invalid("an APPLY needs a function, and a value, which are its arguments (and may be empty)");
      EBLA_TRY(CheckFunctionName(write.functionName));
      [[fallthrough]];
    case idl::WriteKind::DELETE:
    case idl::WriteKind::CHECK:
      if (write.__isset.ttlMs) return Invalid("only a PUT or an INCREMENT has a TTL");
      break;
    default: return Invalid("unknown kind of write " + std::to_string(static_cast<int>(write.kind)));
  }
  const bool has_value = write.kind == idl::WriteKind::PUT || write.kind == idl::WriteKind::APPLY;
  if (write.__isset.value && !has_value) return Invalid("only a PUT or an APPLY has a value");
  if (write.__isset.functionName && write.kind != idl::WriteKind::APPLY)
    return Invalid("only an APPLY names a function");
  if (write.__isset.delta && write.kind != idl::WriteKind::INCREMENT) return Invalid("only an INCREMENT has a delta");
  if (write.__isset.newTtlMs && write.kind != idl::WriteKind::INCREMENT)
    return Invalid("only an INCREMENT has newTtlMs");
  if (write.__isset.expiresAtMs) EBLA_TRY(CheckExpiry(write));
  return write.__isset.condition ? CheckCondition(write.condition) : Status::Ok();
}

bool IsDelivered(const idl::Write& write) { return write.__isset.writeTimeMs || write.__isset.writer; }

// A write on its way to the primary: another server's word for a client's.
Status CheckDelivered(const idl::WriteRequest& request, const Executor& clock) {
  const int64_t latest_ms = limits::LatestTime(clock.TimeOfDayMs());
  if (request.clientId != 0 || request.sequence != 0 || request.firstIncomplete != 0) {
    return Invalid("a write that is being delivered names no client and no sequence");
  }
  if (request.level != idl::WriteLevel::MAJORITY && request.level != idl::WriteLevel::ALL) {
    return Invalid("a write is delivered at MAJORITY or ALL");
  }
  for (const idl::Write& write : request.writes) {
    if (!write.__isset.writeTimeMs || write.writeTimeMs < 1 || !write.__isset.writer || write.writer.empty()) {
      return Invalid("a write that is being delivered carries writeTimeMs and writer, and so do all of its request");
    }
    const bool plain = write.kind == idl::WriteKind::PUT || write.kind == idl::WriteKind::DELETE;
    if (!plain || write.__isset.condition || write.__isset.ttlMs) {
      return Invalid("what is delivered is an unconditional PUT or DELETE without a TTL");
    }
    // No clock of a cluster reaches such times, and nothing could be written after them.
    if (write.writeTimeMs > latest_ms)
      return Invalid("writeTimeMs is " + std::to_string(write.writeTimeMs) + ", years ahead of this server's clock");
  }
  return Status::Ok();
}

Status CheckClientsOwn(const idl::WriteRequest& request) {
  if (request.clientId == 0) return Invalid("a write needs a client id that is not 0");
  if (request.sequence < 1) return Invalid("sequence " + std::to_string(request.sequence) + "; they begin at 1");
  if (request.firstIncomplete < 1 || request.firstIncomplete > request.sequence) {
    return Invalid("firstIncomplete " + std::to_string(request.firstIncomplete) + " is not within 1 to the sequence, " +
                   std::to_string(request.sequence));
  }
  switch (request.level) {
    case idl::WriteLevel::DEFAULT:
    case idl::WriteLevel::MAJORITY:
    case idl::WriteLevel::ALL:
    case idl::WriteLevel::PRIMARY:
    case idl::WriteLevel::ANY: break;
    default: return Invalid("unknown write level " + std::to_string(static_cast<int>(request.level)));
  }
  return Status::Ok();
}

Condition TranslateCondition(const idl::Condition& condition) {
  switch (condition.kind) {
    case idl::ConditionKind::ABSENT: return {Condition::Kind::kAbsent, {}};
    case idl::ConditionKind::EXISTS: return {Condition::Kind::kExists, {}};
    case idl::ConditionKind::VERSION_IS: return {Condition::Kind::kVersionIs, rpc::FromIdl(condition.version)};
  }
  return {};  // CheckCondition passes no other
}

Write TranslateWrite(const idl::Write& write) {
  Write to;
  to.kind = static_cast<WriteKind>(write.kind);
  to.key = write.key;
  to.value = write.value;
  to.delta = write.delta;
  if (write.__isset.ttlMs) to.ttl_ms = write.ttlMs;
  if (write.__isset.newTtlMs) to.new_ttl_ms = write.newTtlMs;
  if (write.__isset.functionName) to.function = write.functionName;
  if (write.__isset.condition) to.condition = TranslateCondition(write.condition);
  if (write.__isset.writeTimeMs) to.stamp = WriteStamp{write.writeTimeMs, write.writer};
  if (write.__isset.expiresAtMs) to.expires_at = TabletTime{static_cast<uint64_t>(write.expiresAtMs)};
  return to;
}

}  // namespace

Status CheckProtocolVersion(int16_t version) {
  if (version >= 1 && version <= idl::g_types_constants.PROTOCOL_VERSION) return Status::Ok();
  return Invalid("protocol version " + std::to_string(version) + " is not spoken here; this server speaks 1 to " +
                 std::to_string(idl::g_types_constants.PROTOCOL_VERSION));
}

Status CheckRequest(const idl::GetRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.__isset.options) EBLA_TRY(CheckReadOptions(request.options));
  return CheckKey(request.key);
}

Status CheckRequest(const idl::CallRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.__isset.options) EBLA_TRY(CheckReadOptions(request.options));
  EBLA_TRY(CheckFunctionName(request.functionName));
  EBLA_TRY(CheckValue(request.arguments));
  return CheckKey(request.key);
}

Status CheckRequest(const idl::MultiGetRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.__isset.options) EBLA_TRY(CheckReadOptions(request.options));
  if (request.keys.empty() || request.keys.size() > kMultiGetKeysMax) {
    return Invalid("multiGet of " + std::to_string(request.keys.size()) + " keys; 1 to 1000 are allowed");
  }
  return Status::Ok();
}

Status CheckRequest(const idl::ScanRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.__isset.options) EBLA_TRY(CheckReadOptions(request.options));
  const KeyRange range{request.range.startKey, request.range.endKey};
  // One byte more than a key, as the range after the longest key starts there.
  if (range.start.size() > kKeyBytesMax + 1 || range.end.size() > kKeyBytesMax + 1) {
    return Invalid("a bound of the scan is longer than the longest key, " + std::to_string(kKeyBytesMax) + " bytes");
  }
  if (!range.end.empty() && range.start > range.end) return Invalid("the range " + range.ToString() + " is inverted");
  if (request.limit < 0) return Invalid("limit " + std::to_string(request.limit) + "; 0 means no limit");
  if (request.pageBytes < 0 || request.pageBytes > kPageBytesMax) {
    return Invalid("pageBytes is " + std::to_string(request.pageBytes) + "; it must be 0 (1 MiB) to 8 MiB");
  }
  return Status::Ok();
}

Result<WriteRequest> ParseWrite(const idl::WriteRequest& request, MonotonicTime now, const Executor& clock) {
  EBLA_TRY(CheckHeader(request.header));
  const bool delivered = std::ranges::any_of(request.writes, IsDelivered);
  EBLA_TRY(delivered ? CheckDelivered(request, clock) : CheckClientsOwn(request));
  WriteRequest to;
  to.client = ClientId{static_cast<uint64_t>(request.clientId)};
  to.sequence = Sequence{static_cast<uint64_t>(request.sequence)};
  to.first_incomplete = Sequence{static_cast<uint64_t>(request.firstIncomplete)};
  if (request.header.__isset.tabletTimeMs) to.learnt = TabletTime{static_cast<uint64_t>(request.header.tabletTimeMs)};
  to.level = static_cast<AckLevel>(request.level);
  to.deadline = DeadlineOf(request.header, now);
  to.believed = TabletId{static_cast<uint64_t>(request.header.tabletId)};
  to.writes.reserve(request.writes.size());
  for (const idl::Write& write : request.writes) {
    EBLA_TRY(CheckWrite(write));
    to.writes.push_back(TranslateWrite(write));
  }
  EBLA_TRY(CheckBatch(to.writes));
  return to;
}

Status CheckRequest(const idl::ListKeptRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.limit < 0 || request.limit > kListUnresolvedMax) {
    return Invalid("limit " + std::to_string(request.limit) + "; it must be 0 (100) to 1000");
  }
  return Status::Ok();
}

Status CheckRequest(const idl::ForgetKeptRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.tabletId < 0 || request.version.epoch < 1 || request.version.lsn < 1) {
    return Invalid("an unresolved write is named by its tablet (0: written at ANY) and version");
  }
  return Status::Ok();
}

Status CheckRequest(const idl::SnapshotRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.header.tabletId == 0) return Invalid("a snapshot is asked of one tablet, by its id");
  return request.snapshotId < 0 ? Invalid("a snapshot's number is not negative") : Status::Ok();
}

Status CheckRequest(const idl::FollowLogRequest& request) {
  EBLA_TRY(CheckProtocolVersion(request.protocolVersion));
  for (const idl::LogPlace& place : {request.place, request.keepFrom}) {
    if (place.segment < 0 || place.offset < 0 || place.offset > kLogOffsetMax || place.sequence < 0)
      return Invalid("a place in a log is as a reply gave it, or none");
  }
  const bool tablets = std::ranges::all_of(request.passOver, [](const int64_t tablet) { return tablet > 0; });
  return tablets ? Status::Ok() : Invalid("a tablet's id is positive");
}

Status CheckRequest(const idl::ChecksumRequest& request) {
  EBLA_TRY(CheckHeader(request.header));
  if (request.header.tabletId == 0) return Invalid("a checksum is asked of one tablet, by its id");
  return request.fromKey.empty() ? Status::Ok() : CheckKey(request.fromKey);
}

}  // namespace ebla::tabletserver

#include "common/rpc/idl_convert.h"

namespace ebla::rpc {

#define EBLA_SAME(name, NAME) static_assert(static_cast<int>(Code::name) == static_cast<int>(idl::Code::NAME))
EBLA_SAME(kOk, OK);
EBLA_SAME(kNotFound, NOT_FOUND);
EBLA_SAME(kConditionFailed, CONDITION_FAILED);
EBLA_SAME(kInvalidArgument, INVALID_ARGUMENT);
EBLA_SAME(kNoSuchTable, NO_SUCH_TABLE);
EBLA_SAME(kOverloaded, OVERLOADED);
EBLA_SAME(kUnavailable, UNAVAILABLE);
EBLA_SAME(kLostWrite, LOST_WRITE);
EBLA_SAME(kDeadlineExceeded, DEADLINE_EXCEEDED);
EBLA_SAME(kTableExists, TABLE_EXISTS);
EBLA_SAME(kUnknownOutcome, UNKNOWN_OUTCOME);
EBLA_SAME(kInternal, INTERNAL);
EBLA_SAME(kPermissionDenied, PERMISSION_DENIED);
EBLA_SAME(kWrongTablet, WRONG_TABLET);
EBLA_SAME(kNotPrimary, NOT_PRIMARY);
EBLA_SAME(kStaleEpoch, STALE_EPOCH);
EBLA_SAME(kComeAgain, COME_AGAIN);
#undef EBLA_SAME

Code FromIdl(idl::Code::type code) {
  const int number = static_cast<int>(code);
  const bool known = (number >= static_cast<int>(Code::kOk) && number <= static_cast<int>(Code::kPermissionDenied)) ||
                     (number >= static_cast<int>(Code::kWrongTablet) && number <= static_cast<int>(Code::kComeAgain));
  return known ? static_cast<Code>(number) : Code::kInternal;
}

idl::Status ToIdl(const Status& status) {
  idl::Status result;
  result.__set_code(ToIdl(status.code()));
  result.__set_message(status.message());
  return result;
}

Status FromIdl(const idl::Status& status) { return {FromIdl(status.code), status.message}; }

idl::Version ToIdl(const Version& version) {
  idl::Version result;
  result.__set_epoch(static_cast<int64_t>(version.epoch.value));
  result.__set_lsn(static_cast<int64_t>(version.lsn.value));
  return result;
}

Version FromIdl(const idl::Version& version) {
  return {.epoch = {static_cast<uint64_t>(version.epoch)}, .lsn = {static_cast<uint64_t>(version.lsn)}};
}

idl::LogPosition ToPosition(const Version& version) {
  idl::LogPosition position;
  position.epoch = static_cast<int64_t>(version.epoch.value);
  position.lsn = static_cast<int64_t>(version.lsn.value);
  return position;
}

Version FromIdl(const idl::LogPosition& position) {
  return {.epoch = {static_cast<uint64_t>(position.epoch)}, .lsn = {static_cast<uint64_t>(position.lsn)}};
}

idl::KeyRange ToIdl(const KeyRange& range) {
  idl::KeyRange result;
  result.__set_startKey(range.start);
  result.__set_endKey(range.end);
  return result;
}

KeyGroupRule FromIdl(const idl::KeyGroup& group) {
  KeyGroupRule rule;
  if (group.__isset.prefixBytes) rule.prefix_bytes = static_cast<size_t>(group.prefixBytes);
  if (group.__isset.delimiter) rule.delimiter = group.delimiter;
  rule.all = group.__isset.all && group.all;
  return rule;
}

KeyRange FromIdl(const idl::KeyRange& range) { return {.start = range.startKey, .end = range.endKey}; }
KeyRange FromIdl(idl::KeyRange&& range) { return {.start = std::move(range.startKey), .end = std::move(range.endKey)}; }

idl::Endpoint ToIdl(const Endpoint& endpoint) {
  idl::Endpoint result;
  result.__set_host(endpoint.host);
  result.__set_port(endpoint.port);
  return result;
}

Result<Endpoint> FromIdl(const idl::Endpoint& endpoint) {
  if (endpoint.host.empty() || endpoint.port < 1 || endpoint.port > 65535) {
    return Error(Code::kInvalidArgument,
                 "\"" + endpoint.host + "\" with port " + std::to_string(endpoint.port) + " is not an address");
  }
  return Endpoint{endpoint.host, static_cast<uint16_t>(endpoint.port)};
}

}  // namespace ebla::rpc

#include "tabletserver/transport/peer_translate.h"

#include "common/base/number_limits.h"
#include "common/rpc/idl_convert.h"

namespace ebla::tabletserver {
namespace {

int64_t Number(uint64_t value) { return static_cast<int64_t>(value); }
template <class Id>
Id As(int64_t value) {
  return Id{static_cast<uint64_t>(value)};
}

int64_t Clock(MonotonicTime time) { return time.since_boot.count(); }
MonotonicTime Clock(int64_t ns) { return MonotonicTime{Duration(ns)}; }

static_assert(static_cast<int>(AppendResult::kStored) == idl::AppendResult::STORED);
static_assert(static_cast<int>(AppendResult::kMismatch) == idl::AppendResult::MISMATCH);
static_assert(static_cast<int>(AppendResult::kStaleEpoch) == idl::AppendResult::STALE_EPOCH);
static_assert(static_cast<int>(AppendResult::kUnknown) == idl::AppendResult::UNKNOWN_TABLET);
static_assert(static_cast<int>(AppendResult::kIncomplete) == idl::AppendResult::INCOMPLETE);
static_assert(static_cast<int>(AppendResult::kBusy) == idl::AppendResult::BUSY);

Error Unbelievable(const std::string& what) {
  return Error(Code::kInvalidArgument, what + " holds an impossible number");
}

bool IsTime(int64_t time, int64_t latest) { return limits::IsWithin(time, latest); }

// Each after the one before it, and none of an epoch above the leader's.
Status CheckConsecutive(const AppendMessage& append, TabletTime latest) {
  Version before = append.previous;
  for (const EntryPtr& entry : append.entries) {
    const Version version = entry->version;
    if (version.lsn != before.lsn.Next() || version.epoch < before.epoch || version.epoch > append.epoch) {
      return Error(Code::kInvalidArgument, "entry " + version.ToString() + " comes after " + before.ToString() +
                                               " in an append of epoch " + std::to_string(append.epoch.value));
    }
    if (entry->time > latest) return Unbelievable("entry " + version.ToString());
    before = version;
  }
  return {};
}

}  // namespace

idl::TabletAppend ToIdl(TabletId tablet, const AppendMessage& append) {
  idl::TabletAppend to;
  to.tabletId = Number(tablet.value);
  to.epoch = Number(append.epoch.value);
  to.previous = rpc::ToPosition(append.previous);
  to.committedLsn = Number(append.committed.value);
  to.tabletTimeMs = Number(append.time.value);
  to.retainLsn = Number(append.retain.value);
  to.acknowledgedLsn = Number(append.acknowledged.value);
  return to;
}

idl::HeartbeatTablet ToIdl(TabletId tablet, const HeartbeatMessage& heartbeat) {
  idl::HeartbeatTablet to;
  to.tabletId = Number(tablet.value);
  to.epoch = Number(heartbeat.epoch.value);
  to.committedLsn = Number(heartbeat.committed.value);
  to.tabletTimeMs = Number(heartbeat.time.value);
  to.echoClockNs = Clock(heartbeat.echo_clock);
  to.echoLsn = Number(heartbeat.echo_committed.value);
  to.retainLsn = Number(heartbeat.retain.value);
  to.round = Number(heartbeat.round);
  to.acknowledgedLsn = Number(heartbeat.acknowledged.value);
  to.flushedLsn = Number(heartbeat.flushed.value);
  return to;
}

Result<AppendMessage> FromIdl(const idl::TabletAppend& append, int64_t latest) {
  if (!limits::AreEpochs({append.epoch, append.previous.epoch}) || !IsTime(append.tabletTimeMs, latest) ||
      !limits::AreLsns({append.previous.lsn, append.committedLsn, append.retainLsn, append.acknowledgedLsn})) {
    return Unbelievable("an append");
  }
  AppendMessage to;
  to.epoch = As<Epoch>(append.epoch);
  to.previous = rpc::FromIdl(append.previous);
  to.committed = As<Lsn>(append.committedLsn);
  to.retain = As<Lsn>(append.retainLsn);
  to.acknowledged = As<Lsn>(append.acknowledgedLsn);
  to.time = As<TabletTime>(append.tabletTimeMs);
  to.entries.reserve(append.entries.size());
  for (const std::string& bytes : append.entries) {
    Result<LogEntry> entry = DecodeLogEntry(bytes);
    if (!entry.has_value()) return Error(Code::kInvalidArgument, "an entry cannot be read: " + entry.error().message());
    to.entries.push_back(std::make_shared<const LogEntry>(*std::move(entry)));
  }
  EBLA_TRY(CheckConsecutive(to, As<TabletTime>(latest)));
  return to;
}

Result<HeartbeatMessage> FromIdl(const idl::HeartbeatTablet& heartbeat, int64_t latest) {
  if (!limits::AreEpochs({heartbeat.epoch}) || !IsTime(heartbeat.tabletTimeMs, latest) ||
      !limits::AreLsns({heartbeat.committedLsn, heartbeat.retainLsn, heartbeat.echoLsn, heartbeat.acknowledgedLsn,
                        heartbeat.flushedLsn}) ||
      heartbeat.round < 0) {
    return Unbelievable("a heartbeat");
  }
  HeartbeatMessage to;
  to.epoch = As<Epoch>(heartbeat.epoch);
  to.committed = As<Lsn>(heartbeat.committedLsn);
  to.retain = As<Lsn>(heartbeat.retainLsn);
  to.round = static_cast<uint64_t>(heartbeat.round);
  to.echo_clock = Clock(heartbeat.echoClockNs);
  to.echo_committed = As<Lsn>(heartbeat.echoLsn);
  to.acknowledged = As<Lsn>(heartbeat.acknowledgedLsn);
  to.flushed = As<Lsn>(heartbeat.flushedLsn);
  to.time = As<TabletTime>(heartbeat.tabletTimeMs);
  return to;
}

idl::TabletAppendReply ToIdl(TabletId tablet, const AppendAnswer& answer) {
  idl::TabletAppendReply to;
  to.tabletId = Number(tablet.value);
  to.epoch = Number(answer.epoch.value);
  to.result = static_cast<idl::AppendResult::type>(answer.result);
  to.flushedLsn = Number(answer.flushed.value);
  to.conflict = rpc::ToPosition(answer.conflict);
  to.promisedEpoch = Number(answer.promised.value);
  to.granted = answer.granted;
  to.clockNs = Clock(answer.clock);
  to.incomplete = answer.incomplete;
  to.receivingCopy = Number(answer.receiving);
  to.synced = answer.synced;
  return to;
}

idl::HeartbeatTabletReply ToIdl(TabletId tablet, const HeartbeatAnswer& answer) {
  idl::HeartbeatTabletReply to;
  to.tabletId = Number(tablet.value);
  to.epoch = Number(answer.epoch.value);
  to.granted = answer.granted;
  to.promisedEpoch = Number(answer.promised.value);
  to.clockNs = Clock(answer.clock);
  to.round = Number(answer.round);
  to.known = answer.known;
  to.last = rpc::ToPosition(answer.last);
  return to;
}

Result<AppendAnswer> FromIdl(const idl::TabletAppendReply& reply) {
  if (!limits::AreEpochs({reply.epoch, reply.promisedEpoch, reply.conflict.epoch}) ||
      !limits::AreLsns({reply.flushedLsn, reply.conflict.lsn}) || reply.receivingCopy < 0) {
    return Unbelievable("the answer to an append");
  }
  AppendAnswer to;
  to.epoch = As<Epoch>(reply.epoch);
  // A number that this build does not know is no acknowledgement.
  const bool known = reply.result >= idl::AppendResult::STORED && reply.result <= idl::AppendResult::BUSY;
  to.result = known ? static_cast<AppendResult>(reply.result) : AppendResult::kBusy;
  to.flushed = As<Lsn>(reply.flushedLsn);
  to.conflict = rpc::FromIdl(reply.conflict);
  to.promised = As<Epoch>(reply.promisedEpoch);
  to.granted = reply.granted;
  to.incomplete = reply.incomplete;
  to.receiving = static_cast<uint64_t>(reply.receivingCopy);
  to.synced = reply.synced;
  to.clock = Clock(reply.clockNs);
  return to;
}

Result<HeartbeatAnswer> FromIdl(const idl::HeartbeatTabletReply& reply) {
  if (!limits::AreEpochs({reply.epoch, reply.promisedEpoch, reply.last.epoch}) || !limits::AreLsns({reply.last.lsn}) ||
      reply.round < 0) {
    return Unbelievable("the answer to a heartbeat");
  }
  HeartbeatAnswer to;
  to.epoch = As<Epoch>(reply.epoch);
  to.round = static_cast<uint64_t>(reply.round);
  to.promised = As<Epoch>(reply.promisedEpoch);
  to.granted = reply.granted;
  to.known = reply.known;
  to.last = rpc::FromIdl(reply.last);
  to.clock = Clock(reply.clockNs);
  return to;
}

idl::MemoryPressure ToIdl(const MemoryPressure& pressure) {
  idl::MemoryPressure to;
  to.tableId = Number(pressure.table.value);
  to.excess = pressure.excess;
  to.full = pressure.full;
  return to;
}

Result<std::vector<MemoryPressure>> FromIdl(const std::vector<idl::MemoryPressure>& pressures) {
  std::vector<MemoryPressure> to;
  for (const idl::MemoryPressure& one : pressures) {
    // Not a number is neither.
    if (one.tableId <= 0 || !(one.excess >= 0 && one.excess <= 1)) return Unbelievable("what is said of memory");
    to.push_back({As<TableId>(one.tableId), one.excess, one.full});
  }
  return to;
}

}  // namespace ebla::tabletserver

#include "master/cluster/report_check.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "common/base/number_limits.h"

namespace ebla::master {
namespace {

using limits::AreEpochs;
using limits::AreLsns;
using limits::IsWithin;

constexpr double kRateMax = 1e15;

bool AreRates(std::initializer_list<double> rates) {
  return std::ranges::all_of(rates, [](double rate) { return std::isfinite(rate) && rate >= 0 && rate <= kRateMax; });
}
bool AreBytes(std::initializer_list<int64_t> numbers) {
  return std::ranges::all_of(numbers, [](int64_t number) { return IsWithin(number, limits::kBytesMax); });
}
bool IsId(int64_t number) { return IsWithin(number, limits::kIdMax); }

bool IsBelievable(const idl::ReplicaProgress& peer) {
  return AreLsns({peer.flushedLsn, peer.acknowledgedLsn}) && peer.silentMs >= -1;
}

// Nothing that is wrong: empty. Else what is.
const char* WrongIn(const idl::TabletLoad& load, int64_t latest) {
  if (!IsId(load.tabletId)) return "id";
  if (!AreEpochs({load.epoch, load.promisedEpoch, load.refusedForEpoch, load.releasedEpoch, load.lastEpoch}))
    return "epoch";
  if (!AreLsns({load.appliedLsn, load.lastLsn}) || !std::ranges::all_of(load.peers, IsBelievable)) return "lsn";
  if (!IsWithin(load.tabletTimeMs, latest)) return "tablet time";
  if (!AreBytes({load.sizeBytes, load.records, load.schemaVersion})) return "size";
  if (!AreRates({load.readsPerSecond, load.writesPerSecond, load.readBytesPerSecond, load.writeBytesPerSecond,
                 load.cpuMicrosPerSecond, load.cacheMissesPerSecond}))
    return "load";
  if (load.__isset.peaks && !AreRates({load.peaks.operationsPerSecond, load.peaks.cpuMicrosPerSecond})) return "peaks";
  if (load.__isset.splitFinding && !AreRates({load.splitFinding.part})) return "split finding";
  const idl::AppliedSplit& split = load.lastSplit;
  if (load.__isset.lastSplit &&
      (!IsId(split.childId) || !AreEpochs({split.position.epoch}) || !AreLsns({split.position.lsn})))
    return "latest split";
  const idl::Merged& merged = load.merged;
  for (const idl::MergedTablet* part : {&merged.left, &merged.right}) {
    const bool right = IsId(part->tabletId) && AreEpochs({part->freeze.epoch, merged.position.epoch}) &&
                       AreLsns({part->freeze.lsn, merged.position.lsn}) && merged.position.epoch > 0;
    if (load.__isset.merged && !right) return "merge";
  }
  if ((load.__isset.frozenInto && !IsId(load.frozenInto)) || (load.__isset.detail && !IsId(load.detail.tableId)))
    return "table or merge";
  return nullptr;
}

}  // namespace

Status CheckReport(const idl::HeartbeatRequest& report, int64_t latest) {
  const auto refuse = [&](const std::string& what) {
    return Error(Code::kInvalidArgument, "its report is refused because no server can have " + what);
  };
  if (report.incarnation < 0 || report.serversTerm < 0 || report.serversVersion < 0)
    return refuse("such a number of starts, terms or versions");
  if (!AreBytes({report.diskFreeBytes, report.diskTotalBytes, report.cacheUsedBytes})) return refuse("such sizes");
  const idl::DiskReport& disk = report.disk;
  if (report.__isset.disk && (disk.slowestSyncMs < 0 || disk.syncUnderWayMs < 0 || disk.lostReplicas < 0))
    return refuse("such a disk");
  if (!AreRates({report.cpuFraction})) return refuse("such a use of processors");
  if (!std::ranges::all_of(report.tables, IsId)) return refuse("such ids of tables");
  const bool real = IsWithin(disk.timeOfDayMs, limits::kExpiryMsMax) && disk.clockWaits >= 0 &&
                    disk.clockDoubtMs <= limits::kExpiryMsMax && disk.clockDoubtMs >= -limits::kExpiryMsMax;
  if (report.__isset.disk && !real) return refuse("such a clock");
  for (const idl::TabletLoad& load : report.tablets) {
    if (const char* wrong = WrongIn(load, latest))
      return refuse("the " + std::string(wrong) + " that it reports for tablet " + std::to_string(load.tabletId));
  }
  return {};
}

}  // namespace ebla::master

#include "tests/sim/nemesis/fault.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <string>
#include <utility>

namespace ebla::sim {
namespace {

constexpr ptrdiff_t kSplitScenariosMax = 4;  // kinds of them in one run

struct FaultRow {
  Fault fault;
  std::string_view name;
  Injector injector;
  FaultTarget target;
};
constexpr std::array<FaultRow, kFaultCount> kRows = {{
    {Fault::kServerKill, "server_kill", Injector::kServers, FaultTarget::kAny},
    {Fault::kServerPower, "server_power", Injector::kServers, FaultTarget::kAny},
    {Fault::kServerRestart, "server_restart", Injector::kServers, FaultTarget::kAny},
    {Fault::kPauseShort, "pause_short", Injector::kServers, FaultTarget::kAny},
    {Fault::kPauseLong, "pause_long", Injector::kServers, FaultTarget::kAny},
    {Fault::kPrimaryCrash, "primary_crash", Injector::kServers, FaultTarget::kAny},
    {Fault::kAllPower, "all_power", Injector::kServers, FaultTarget::kAny},
    {Fault::kServerAway, "server_away", Injector::kServers, FaultTarget::kAny},
    {Fault::kMasterKill, "master_kill", Injector::kMasters, FaultTarget::kAny},
    {Fault::kMasterPause, "master_pause", Injector::kMasters, FaultTarget::kAny},
    {Fault::kMasterKillAtWork, "master_kill_at_work", Injector::kMasters, FaultTarget::kAny},
    {Fault::kClientKill, "client_kill", Injector::kClients, FaultTarget::kAny},
    {Fault::kSessionExpiry, "session_expiry", Injector::kCoordinator, FaultTarget::kAny},
    {Fault::kCoordinatorCut, "coordinator_cut", Injector::kCoordinator, FaultTarget::kAny},
    {Fault::kCoordinatorOutage, "coordinator_outage", Injector::kCoordinator, FaultTarget::kAny},
    {Fault::kLinkCut, "link_cut", Injector::kNetwork, FaultTarget::kAny},
    {Fault::kPartition, "partition", Injector::kNetwork, FaultTarget::kAny},
    {Fault::kIsolatePrimary, "isolate_primary", Injector::kNetwork, FaultTarget::kAny},
    {Fault::kBadNetwork, "bad_network", Injector::kNetwork, FaultTarget::kAny},
    {Fault::kDiskStall, "disk_stall", Injector::kServers, FaultTarget::kAny},
    {Fault::kDiskFull, "disk_full", Injector::kServers, FaultTarget::kAny},
    {Fault::kDiskFailure, "disk_failure", Injector::kServers, FaultTarget::kAny},
    {Fault::kAppendRefused, "append_refused", Injector::kServers, FaultTarget::kAny},
    {Fault::kRecordsFailure, "records_failure", Injector::kServers, FaultTarget::kAny},
    {Fault::kApplyRefused, "apply_refused", Injector::kServers, FaultTarget::kAny},
    {Fault::kCheckpointCrash, "checkpoint_crash", Injector::kServers, FaultTarget::kAny},
    {Fault::kOldOrder, "old_order", Injector::kNetwork, FaultTarget::kAny},
    {Fault::kResize, "resize", Injector::kMembership, FaultTarget::kAny},
    {Fault::kLateCreate, "late_create", Injector::kLateMessages, FaultTarget::kAny},
    {Fault::kFillThenPower, "fill_then_power", Injector::kServers, FaultTarget::kAny},
    {Fault::kDeposedPrimaryServes, "deposed_primary_serves", Injector::kFailovers, FaultTarget::kTablet},
    {Fault::kFollowerReset, "follower_reset", Injector::kFailovers, FaultTarget::kTablet},
    {Fault::kFencedCrash, "fenced_crash", Injector::kFailovers, FaultTarget::kTablet},
    {Fault::kCutThenCrash, "cut_then_crash", Injector::kFailovers, FaultTarget::kTablet},
    {Fault::kRapidTransfers, "rapid_transfers", Injector::kFailovers, FaultTarget::kInUse},
    {Fault::kOldOrdersAfterRestart, "old_orders_after_restart", Injector::kLateMessages, FaultTarget::kInUse},
    {Fault::kSlowAnswers, "slow_answers", Injector::kLateMessages, FaultTarget::kInUse},
    {Fault::kFencedPrimaryReachesVoter, "fenced_primary_reaches_voter", Injector::kLateMessages, FaultTarget::kInUse},
    {Fault::kHoldOrders, "hold_orders", Injector::kLateMessages, FaultTarget::kInUse},
    {Fault::kLeaveBehind, "leave_behind", Injector::kMembership, FaultTarget::kInUse},
    {Fault::kDropLate, "drop_late", Injector::kMembership, FaultTarget::kInUse},
    {Fault::kChangeMembers, "change_members", Injector::kMembership, FaultTarget::kInUse},
    {Fault::kCrashSuccessor, "crash_successor", Injector::kFailovers, FaultTarget::kInUse},
    {Fault::kReleaseUnseen, "release_unseen", Injector::kFailovers, FaultTarget::kInUse},
    {Fault::kDiskLosesTail, "disk_loses_tail", Injector::kDiskLies, FaultTarget::kTablet},
    {Fault::kDiskReturnsOlder, "disk_returns_older", Injector::kDiskLies, FaultTarget::kTablet},
    {Fault::kSplitCommitUnseen, "split_commit_unseen", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kSplitLate, "split_late", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kSplitInCopy, "split_in_copy", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kSplitMeanwhile, "split_meanwhile", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kSplitDiscard, "split_discard", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kSplitBeforeCreate, "split_before_create", Injector::kSplits, FaultTarget::kTablet},
    {Fault::kSplitBehind, "split_behind", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kSplitRemembered, "split_remembered", Injector::kSplits, FaultTarget::kInUse},
    {Fault::kMergeStruck, "merge_struck", Injector::kMerges, FaultTarget::kInUse},
    {Fault::kMergeUnseen, "merge_unseen", Injector::kMerges, FaultTarget::kInUse},
    {Fault::kFreezeLate, "freeze_late", Injector::kMerges, FaultTarget::kInUse},
    {Fault::kFreezeOutlived, "freeze_outlived", Injector::kMerges, FaultTarget::kInUse},
    {Fault::kOutageInChange, "outage_in_change", Injector::kOutages, FaultTarget::kInUse},
    {Fault::kDiskGoesBack, "disk_goes_back", Injector::kDiskLies, FaultTarget::kInUse},
}};
static_assert(std::ranges::equal(kRows, std::views::iota(size_t{0}, kFaultCount), {},
                                 [](const FaultRow& row) { return static_cast<size_t>(row.fault); }),
              "in the order of the enum");

constexpr const FaultRow& RowOf(Fault fault) { return kRows[static_cast<size_t>(fault)]; }

}  // namespace

std::string_view FaultName(Fault fault) { return RowOf(fault).name; }
Injector InjectorOf(Fault fault) { return RowOf(fault).injector; }
FaultTarget TargetOf(Fault fault) { return RowOf(fault).target; }

std::vector<Fault> FaultsNamed(std::string_view names) {
  const std::string among = "," + std::string(names) + ",";
  std::vector<Fault> faults;
  for (size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (among.contains("," + std::string(FaultName(fault)) + ",")) faults.push_back(fault);
  }
  return faults;
}

std::vector<Fault> DrawFaults(testing::SimScheduler& scheduler, const DrawnOf& of) {
  std::vector<Fault> faults;
  for (size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if ((IsOfSplits(fault) && !of.splits) || (IsOfMerges(fault) && !of.merges) || IsByItself(fault)) continue;
    if (InjectorOf(fault) == Injector::kDiskLies && scheduler.Random(2) == 0) continue;
    if (scheduler.Random(2) == 0 && (of.several || !IsDirected(fault))) faults.push_back(fault);
  }
  // When the third voter leaves, an entry that is not yet fsynced may be on one machine alone, and that may die. If the
  // disk of one of two voters lies, the tablet waits for an operator (PROTOCOL 5).
  const bool lies = std::ranges::any_of(faults, [](Fault fault) { return InjectorOf(fault) == Injector::kDiskLies; });
  if (of.interval || of.memory || lies) std::erase(faults, Fault::kResize);
  // These end processes even while another server has forgotten its data.
  if (of.memory) {
    for (const Fault fault : {Fault::kServerRestart, Fault::kDiskFailure, Fault::kAllPower}) std::erase(faults, fault);
  }
  if (faults.empty()) faults.push_back(Fault::kServerPower);
  for (size_t i = faults.size(); i > 1; --i) std::swap(faults[i - 1], faults[scheduler.Random(i)]);
  std::ranges::stable_partition(faults, IsOfSplits);  // as long as there is something to be split: each takes a tablet
  const auto splits = static_cast<size_t>(std::ranges::count_if(faults, IsOfSplits));
  if (splits > kSplitScenariosMax)
    faults.erase(faults.begin() + kSplitScenariosMax, faults.begin() + static_cast<ptrdiff_t>(splits));
  return faults;
}

}  // namespace ebla::sim

#include "tests/sim/nemesis/fault.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace ebla::sim {
namespace {

constexpr ptrdiff_t kSplitScenariosMax = 4;  // kinds of them in one run

constexpr std::array<std::string_view, kFaultCount> kNames = {"server_kill",
                                                              "server_power",
                                                              "server_restart",
                                                              "pause_short",
                                                              "pause_long",
                                                              "primary_crash",
                                                              "all_power",
                                                              "server_away",
                                                              "master_kill",
                                                              "master_pause",
                                                              "master_kill_at_work",
                                                              "client_kill",
                                                              "session_expiry",
                                                              "coordinator_cut",
                                                              "coordinator_outage",
                                                              "link_cut",
                                                              "partition",
                                                              "isolate_primary",
                                                              "bad_network",
                                                              "disk_stall",
                                                              "disk_full",
                                                              "disk_failure",
                                                              "append_refused",
                                                              "old_order",
                                                              "resize",
                                                              "late_create",
                                                              "fill_then_power",
                                                              "deposed_primary_serves",
                                                              "follower_reset",
                                                              "fenced_crash",
                                                              "cut_then_crash",
                                                              "rapid_transfers",
                                                              "old_orders_after_restart",
                                                              "slow_answers",
                                                              "fenced_primary_reaches_voter",
                                                              "hold_orders",
                                                              "leave_behind",
                                                              "drop_late",
                                                              "change_members",
                                                              "crash_successor",
                                                              "split_commit_unseen",
                                                              "split_late",
                                                              "split_in_copy",
                                                              "split_meanwhile",
                                                              "split_discard",
                                                              "split_before_create",
                                                              "split_remembered",
                                                              "merge_struck",
                                                              "merge_unseen",
                                                              "freeze_late",
                                                              "freeze_outlived"};

}  // namespace

std::string_view FaultName(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

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
    if ((IsOfSplits(fault) && !of.splits) || (IsOfMerges(fault) && !of.merges)) continue;
    if (scheduler.Random(2) == 0 && (of.several || !IsDirected(fault))) faults.push_back(fault);
  }
  // With two voters, one of which takes the third's leave, an entry not yet fsynced may be in one machine alone; and it
  // may die.
  if (of.interval || of.memory) std::erase(faults, Fault::kResize);
  // These end processes whoever else has forgotten.
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

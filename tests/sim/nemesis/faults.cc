#include "tests/sim/nemesis/faults.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

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

std::vector<Fault> DrawFaults(testing::SimScheduler& scheduler, const DrawnOf& of) {
  std::vector<Fault> faults;
  for (size_t i = 0; i < kFaultCount; ++i) {
    const auto fault = static_cast<Fault>(i);
    if ((IsOfSplits(fault) && !of.splits) || (IsOfMerges(fault) && !of.merges)) continue;
    if (scheduler.Random(2) == 0 && (of.several || !IsDirected(fault))) faults.push_back(fault);
  }
  // With two voters, one of which takes the third's leave, an entry not yet fsynced may be in one machine alone; and it
  // may die.
  if (of.interval) std::erase(faults, Fault::kResize);
  if (faults.empty()) faults.push_back(Fault::kServerPower);
  for (size_t i = faults.size(); i > 1; --i) std::swap(faults[i - 1], faults[scheduler.Random(i)]);
  std::ranges::stable_partition(faults, IsOfSplits);  // as long as there is something to be split: each takes a tablet
  const auto splits = static_cast<size_t>(std::ranges::count_if(faults, IsOfSplits));
  if (splits > kSplitScenariosMax)
    faults.erase(faults.begin() + kSplitScenariosMax, faults.begin() + static_cast<ptrdiff_t>(splits));
  return faults;
}

Nemesis::Nemesis(Cluster& cluster, std::vector<Fault> enabled, Hooks hooks)
    : cluster_(cluster),
      scheduler_(cluster.scheduler()),
      executor_(scheduler_),
      enabled_(std::move(enabled)),
      hooks_(std::move(hooks)),
      theme_(enabled_[scheduler_.Random(enabled_.size())]),
      busy_(static_cast<size_t>(cluster.servers())),
      master_busy_(static_cast<size_t>(cluster.masters())) {}

Duration Nemesis::Within(Duration least, Duration most) {
  return least + Duration(static_cast<int64_t>(scheduler_.Random(static_cast<uint64_t>((most - least).count()) + 1)));
}

void Nemesis::Start() { Next(); }

void Nemesis::Next() {
  executor_.After(Within(milliseconds(50), milliseconds(1500)), [this] {
    if (healed_ || enabled_.empty()) return;
    if (scheduler_.Now() < undisturbed_until_) return Next();
    const bool first_round = round_ < enabled_.size();
    const Fault other = scheduler_.Random(3) == 0 ? theme_ : enabled_[scheduler_.Random(enabled_.size())];
    const Fault fault = first_round ? enabled_[round_] : other;
    if (Inject(fault)) {
      ++injected_[static_cast<size_t>(fault)];
      if (first_round) ++round_;
    }
    Next();
  });
}

void Nemesis::Undisturbed(Duration lasting) {
  undisturbed_until_ = std::max(undisturbed_until_, scheduler_.Now() + lasting);
}

// What is to be undone after a while, unless everything has been healed by then.
void Nemesis::After(Duration delay, std::function<void()> undo) {
  executor_.After(delay, [this, undo = std::move(undo)] {
    if (!healed_) undo();
  });
}

bool Nemesis::Inject(Fault fault) {
  switch (fault) {
    case Fault::kServerKill:
    case Fault::kServerPower:
    case Fault::kServerRestart:
    case Fault::kServerAway:
    case Fault::kPauseShort:
    case Fault::kPauseLong:
    case Fault::kDiskStall:
    case Fault::kDiskFull:
    case Fault::kDiskFailure: {
      const int index = static_cast<int>(scheduler_.Random(static_cast<uint64_t>(cluster_.servers())));
      return Free(index) && cluster_.server(index) != nullptr && InjectAtServer(fault, index);
    }
    case Fault::kPrimaryCrash: return CrashPrimary();
    case Fault::kAllPower: return LoseAllPower();
    case Fault::kMasterKill:
    case Fault::kMasterPause:
    case Fault::kMasterKillAtWork: return InjectAtMaster(fault);
    case Fault::kClientKill: hooks_.kill_client(); return true;
    case Fault::kSessionExpiry:
    case Fault::kCoordinatorCut:
    case Fault::kCoordinatorOutage: return InjectAtCoordinator(fault);
    case Fault::kLinkCut: CutLink(); return true;
    case Fault::kPartition: return Partition();
    case Fault::kIsolatePrimary: return IsolatePrimary();
    case Fault::kBadNetwork: DegradeNetwork(); return true;
    case Fault::kAppendRefused: return RefuseAppends();
    case Fault::kOldOrder: return RepeatOrders();
    case Fault::kDeposedPrimaryServes:
    case Fault::kFollowerReset:
    case Fault::kFencedCrash:
    case Fault::kCutThenCrash:
    case Fault::kRapidTransfers:
    case Fault::kOldOrdersAfterRestart:
    case Fault::kSlowAnswers:
    case Fault::kFencedPrimaryReachesVoter:
    case Fault::kHoldOrders:
    case Fault::kLeaveBehind:
    case Fault::kDropLate:
    case Fault::kChangeMembers:
    case Fault::kCrashSuccessor:
    case Fault::kSplitCommitUnseen:
    case Fault::kSplitLate:
    case Fault::kSplitInCopy:
    case Fault::kSplitMeanwhile:
    case Fault::kSplitDiscard:
    case Fault::kSplitRemembered:
    case Fault::kMergeStruck:
    case Fault::kMergeUnseen:
    case Fault::kFreezeLate:
    case Fault::kFreezeOutlived: return InjectDirected(fault);
    case Fault::kSplitBeforeCreate: return SplitBeforeCreate();
    case Fault::kResize: return ResizeSomehow();
    case Fault::kLateCreate: return DelayCreate();
    case Fault::kFillThenPower: return FillThenLosePower();
    case Fault::kCount: break;
  }
  return false;
}

// ---- the coordinator -----------------------------------------------------------------------------------------------

bool Nemesis::InjectAtCoordinator(Fault fault) {
  if (fault == Fault::kCoordinatorOutage) {
    if (!cluster_.coordination().available()) return false;
    cluster_.log().Add("coordinator", "is away");
    cluster_.coordination().SetAvailable(false);
    After(Within(milliseconds(200), seconds(6)), [this] {
      cluster_.log().Add("coordinator", "is back");
      cluster_.coordination().SetAvailable(true);
    });
    return true;
  }
  std::string who;
  coordination::SimCoordinator* client = AnyCoordinator(&who);
  if (client == nullptr) return false;
  if (fault == Fault::kSessionExpiry) {
    cluster_.log().Add(who, "loses its session");
    client->Expire();
  } else {
    HoldOff({who}, Within(milliseconds(100), seconds(9)));
  }
  return true;
}

void Nemesis::HoldOff(const std::vector<std::string>& names, Duration lasting) {
  for (const std::string& name : names) {
    coordination::SimCoordinator* client = CoordinatorOf(name);
    if (client == nullptr) continue;
    cluster_.log().Add(name, "is cut off from the coordinator");
    client->HoldOff(true);
    // The process may be another life by then; that one was never cut off.
    After(lasting, [this, name, client] {
      if (CoordinatorOf(name) == client) client->HoldOff(false);
    });
  }
}

coordination::SimCoordinator* Nemesis::CoordinatorOf(const std::string& name) {
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Cluster::ServerName(i) == name)
      return cluster_.server(i) == nullptr ? nullptr : &cluster_.server(i)->coordinator();
  }
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (Cluster::MasterName(i) == name)
      return cluster_.master(i) == nullptr ? nullptr : &cluster_.master(i)->coordinator();
  }
  return nullptr;
}

// ---- servers -------------------------------------------------------------------------------------------------------

int Nemesis::AnyPrimary() {
  const auto& tablets = hooks_.catalog().tablets();
  if (tablets.empty()) return -1;
  const auto& drawn = std::next(tablets.begin(), static_cast<ptrdiff_t>(scheduler_.Random(tablets.size())))->second;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Cluster::ServerName(i) == drawn.primary) return i;
  }
  return -1;
}

bool Nemesis::CrashPrimary() {
  const int index = AnyPrimary();
  if (index < 0 || !Free(index) || cluster_.server(index) == nullptr) return false;
  const auto at = static_cast<size_t>(index);
  busy_[at] = true;
  const CrashKind kind = scheduler_.Random(4) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  // Its life may end before it has sent so much.
  auto over = std::make_shared<bool>(false);
  After(seconds(5), [this, at, over] {
    if (!std::exchange(*over, true)) busy_[at] = false;
  });
  cluster_.network().OnceSent(Cluster::ServerName(index), 1 + static_cast<int>(scheduler_.Random(40)),
                              [this, index, at, kind, over] {
                                if (std::exchange(*over, true) || healed_) return;
                                if (cluster_.server(index) == nullptr) return static_cast<void>(busy_[at] = false);
                                cluster_.log().Add(Cluster::ServerName(index), "has just sent something");
                                cluster_.KillServer(index, kind);
                                After(Within(milliseconds(20), seconds(6)), [this, index, at] {
                                  cluster_.StartServer(index);
                                  busy_[at] = false;
                                });
                              });
  return true;
}

bool Nemesis::LoseAllPower() {
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (!Free(i) || cluster_.server(i) == nullptr) return false;
  }
  for (int i = 0; i < cluster_.servers(); ++i) {
    const auto at = static_cast<size_t>(i);
    busy_[at] = true;
    cluster_.KillServer(i, CrashKind::kMachine);
    After(Within(milliseconds(20), seconds(2)), [this, i, at] {
      cluster_.StartServer(i);
      busy_[at] = false;
    });
  }
  return true;
}

void Nemesis::PauseServer(int index, Duration lasting) {
  const std::string name = Cluster::ServerName(index);
  cluster_.log().Add(name, "is paused");
  cluster_.server(index)->process().Pause();
  After(lasting, [this, index, name] {
    cluster_.log().Add(name, "goes on");
    // A scenario may have ended it meanwhile.
    if (SimServer* server = cluster_.server(index)) server->process().Resume();
    busy_[static_cast<size_t>(index)] = false;
  });
}

bool Nemesis::InjectAtServer(Fault fault, int index) {
  const std::string name = Cluster::ServerName(index);
  const auto at = static_cast<size_t>(index);
  tabletserver::MemoryDisk& disk = cluster_.disk(index).disk;
  busy_[at] = true;
  const auto free_after = [this, at](Duration delay, std::function<void()> undo) {
    After(delay, [this, at, undo = std::move(undo)] {
      undo();
      busy_[at] = false;
    });
  };
  switch (fault) {
    case Fault::kServerKill:
    case Fault::kServerPower:
      cluster_.KillServer(index, fault == Fault::kServerKill ? CrashKind::kProcess : CrashKind::kMachine);
      free_after(Within(milliseconds(20), seconds(6)), [this, index] { cluster_.StartServer(index); });
      return true;
    case Fault::kServerRestart:
      cluster_.log().Add(name, "is told to stop");
      cluster_.server(index)->Stop();
      ReplaceStopped(index);
      return true;
    case Fault::kServerAway:
      cluster_.KillServer(index, CrashKind::kMachine);
      free_after(Within(seconds(8), seconds(14)), [this, index] { cluster_.StartServer(index); });
      return true;
    case Fault::kPauseShort: PauseServer(index, Within(milliseconds(20), milliseconds(900))); return true;
    case Fault::kPauseLong: PauseServer(index, Within(milliseconds(1100), seconds(9))); return true;
    case Fault::kDiskStall:
      cluster_.log().Add(name, "disk stalls");
      disk.SetStalled(true);
      free_after(Within(milliseconds(20), seconds(3)), [&disk] { disk.SetStalled(false); });
      return true;
    case Fault::kDiskFull:
      cluster_.log().Add(name, "disk is full");
      disk.SetFull(true);
      free_after(Within(milliseconds(100), seconds(5)), [&disk] { disk.SetFull(false); });
      return true;
    case Fault::kDiskFailure:
      cluster_.log().Add(name, "disk fails");
      disk.FailNext(Status(Code::kInternal, kDiskFailure));
      free_after(Within(milliseconds(500), seconds(3)), [this, index, &disk] {
        disk.FailNext(Status::Ok());  // where nothing was flushed meanwhile
        cluster_.KillServer(index, CrashKind::kMachine);
        cluster_.StartServer(index);
      });
      return true;
    default: return false;
  }
}

void Nemesis::ReplaceStopped(int index) {
  // As long as it takes, but a stop is meant to take less than ten seconds.
  executor_.After(milliseconds(50), [this, index] {
    if (healed_ || cluster_.server(index) == nullptr) return;
    if (!cluster_.server(index)->stopped()) return ReplaceStopped(index);
    cluster_.EndServer(index);
    cluster_.StartServer(index);
    busy_[static_cast<size_t>(index)] = false;
  });
}

// ---- masters -------------------------------------------------------------------------------------------------------

bool Nemesis::InjectAtMaster(Fault fault) {
  int index = static_cast<int>(scheduler_.Random(static_cast<uint64_t>(cluster_.masters())));
  for (int i = 0; fault == Fault::kMasterKillAtWork && i < cluster_.masters(); ++i) {
    if (cluster_.master(i) != nullptr && cluster_.master(i)->ready()) index = i;
  }
  const auto at = static_cast<size_t>(index);
  if (master_busy_[at] || cluster_.master(index) == nullptr) return false;
  master_busy_[at] = true;
  const auto kill = [this, index, at] {
    cluster_.KillMaster(index);
    After(Within(milliseconds(20), seconds(6)), [this, index, at] {
      cluster_.StartMaster(index);
      master_busy_[at] = false;
    });
  };
  if (fault == Fault::kMasterKill) {
    kill();
    return true;
  }
  if (fault == Fault::kMasterKillAtWork) {
    // At once, or when what follows the answer, a change of the catalog or the next order, may be under way.
    const Duration grace = scheduler_.Random(2) == 0 ? Duration(0) : Within(milliseconds(0), milliseconds(8));
    cluster_.network().OnceSent(Cluster::MasterName(index), 1 + static_cast<int>(scheduler_.Random(8)),
                                [this, index, kill, grace] {
                                  executor_.After(grace, [this, index, kill] {
                                    if (healed_ || cluster_.master(index) == nullptr) return;
                                    cluster_.log().Add(Cluster::MasterName(index), "is at work");
                                    kill();
                                  });
                                });
    return true;
  }
  master_busy_[at] = false;
  PauseMaster(index, Within(milliseconds(100), seconds(10)));
  return true;
}

void Nemesis::PauseMaster(int index, Duration lasting) {
  const auto at = static_cast<size_t>(index);
  if (master_busy_[at]) return;
  master_busy_[at] = true;
  cluster_.log().Add(Cluster::MasterName(index), "is paused");
  cluster_.master(index)->process().Pause();
  After(lasting, [this, index, at] {
    cluster_.log().Add(Cluster::MasterName(index), "goes on");
    if (SimMaster* master = cluster_.master(index)) master->process().Resume();
    master_busy_[at] = false;
  });
}

coordination::SimCoordinator* Nemesis::AnyCoordinator(std::string* who) {
  const auto index = static_cast<int>(
      scheduler_.Random(static_cast<uint64_t>(cluster_.servers()) + static_cast<uint64_t>(cluster_.masters())));
  if (index < cluster_.servers()) {
    *who = Cluster::ServerName(index);
    return cluster_.server(index) == nullptr ? nullptr : &cluster_.server(index)->coordinator();
  }
  *who = Cluster::MasterName(index - cluster_.servers());
  SimMaster* master = cluster_.master(index - cluster_.servers());
  return master == nullptr ? nullptr : &master->coordinator();
}

// ---- the network ---------------------------------------------------------------------------------------------------

std::vector<std::string> Nemesis::Processes() {
  std::vector<std::string> names = hooks_.clients();
  for (int i = 0; i < cluster_.servers(); ++i) names.push_back(Cluster::ServerName(i));
  for (int i = 0; i < cluster_.masters(); ++i) names.push_back(Cluster::MasterName(i));
  return names;
}

std::string Nemesis::AnyProcess() {
  const std::vector<std::string> names = Processes();
  return names[scheduler_.Random(names.size())];
}

// In both directions, or in one.
void Nemesis::Divide(const std::vector<std::string>& one, const std::vector<std::string>& other, Duration lasting) {
  const uint64_t direction = scheduler_.Random(4);
  std::string text = "divides";
  for (const std::string& name : one) text += " " + name;
  cluster_.log().Add("network", text + (direction == 0 ? " ->" : direction == 1 ? " <-" : " <->") + " the others");
  for (const std::string& a : one) {
    for (const std::string& b : other) {
      if (direction != 1) cluster_.network().Cut(a, b);
      if (direction != 0) cluster_.network().Cut(b, a);
    }
  }
  After(lasting, [this, one, other] {
    cluster_.log().Add("network", "joins what was divided");
    for (const std::string& a : one) {
      for (const std::string& b : other) {
        cluster_.network().Mend(a, b);
        cluster_.network().Mend(b, a);
      }
    }
  });
}

bool Nemesis::Partition() {
  std::vector<std::string> one;
  std::vector<std::string> other;
  for (std::string& name : Processes()) (scheduler_.Random(2) == 0 ? one : other).push_back(std::move(name));
  if (one.empty() || other.empty()) return false;
  const Duration lasting = Within(milliseconds(200), seconds(8));
  Divide(one, other, lasting);
  if (scheduler_.Random(2) == 0) HoldOff(one, lasting);
  return true;
}

bool Nemesis::IsolatePrimary() {
  const int index = AnyPrimary();
  if (index < 0) return false;
  const std::string name = Cluster::ServerName(index);
  std::vector<std::string> others;
  for (std::string& process : Processes()) {
    if (process != name) others.push_back(std::move(process));
  }
  const std::vector<std::string> clients = hooks_.clients();
  const uint64_t with = scheduler_.Random(3);  // no client, some of them on its side alone, or all of them reach it
  std::vector<std::string> side = {name};
  std::erase_if(others, [&](const std::string& process) {
    if (std::ranges::find(clients, process) == clients.end() || with == 0) return false;
    if (with == 1 && scheduler_.Random(2) == 0) side.push_back(process);
    return with == 2 || side.back() == process;
  });
  const Duration lasting = Within(milliseconds(300), seconds(7));
  Divide(side, others, lasting);
  if (scheduler_.Random(2) == 0) HoldOff({name}, lasting);
  return true;
}

void Nemesis::CutLink() {
  const std::string from = AnyProcess();
  const std::string to = AnyProcess();
  const bool both = scheduler_.Random(2) == 0;
  cluster_.log().Add("network", "cut " + from + (both ? " <-> " : " -> ") + to);
  cluster_.network().Cut(from, to);
  if (both) cluster_.network().Cut(to, from);
  After(Within(milliseconds(100), seconds(6)), [this, from, to] {
    cluster_.log().Add("network", "mend " + from + " <-> " + to);
    cluster_.network().Mend(from, to);
    cluster_.network().Mend(to, from);
  });
}

void Nemesis::DegradeNetwork() {
  NetworkConditions conditions;
  const auto share = [this](uint64_t percent) {
    return static_cast<double>(scheduler_.Random(percent * 100)) / 10'000;
  };
  conditions.slow = share(20);
  conditions.lost = share(10);
  conditions.late = share(6);
  conditions.twice = share(6);
  if (scheduler_.Random(4) == 0) {  // answers come so late that the world has changed meanwhile
    conditions.slow = 0.5;
    conditions.slow_max = milliseconds(1500);
  }
  cluster_.log().Add("network", "turns bad");
  cluster_.network().SetConditions(conditions);
  After(Within(milliseconds(500), seconds(5)), [this] {
    cluster_.log().Add("network", "turns fair");
    cluster_.network().SetConditions(NetworkConditions());
  });
}

void Nemesis::Heal() {
  healed_ = true;
  cluster_.log().Add("nemesis", "heals everything");
  cluster_.network().MendAll();
  cluster_.network().SetConditions(NetworkConditions());
  cluster_.coordination().SetAvailable(true);
  cluster_.LiftCopyThrottle();
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) == nullptr) cluster_.StartMaster(i);
    cluster_.master(i)->process().Resume();
    cluster_.master(i)->coordinator().HoldOff(false);
  }
  for (int i = 0; i < cluster_.servers(); ++i) {
    cluster_.disk(i).disk.SetStalled(false);
    cluster_.disk(i).disk.SetFull(false);
    cluster_.disk(i).disk.RefuseAppends(0);
    cluster_.disk(i).disk.SetCheckpointTime(Duration(0));
    cluster_.disk(i).disk.FailNext(Status::Ok());
    SimServer* server = cluster_.server(i);
    // One that was told to stop, or whose disk failed, does not come back by itself.
    if (server != nullptr && (server->stopping() || !server->fatal().ok())) {
      cluster_.KillServer(i, CrashKind::kMachine);
      server = nullptr;
    }
    if (server == nullptr) cluster_.StartServer(i);
    cluster_.server(i)->process().Resume();
    cluster_.server(i)->coordinator().HoldOff(false);
  }
}

}  // namespace ebla::sim

// tests/sim/nemesis/faults.h
// The nemesis: breaks the cluster at random moments, each fault for a random while, and at the end heals everything.
// Swarm:   a run enables some kinds of fault only; each enabled kind is injected at least once (a first round through
//          all of them), so that a run's faults are known to have happened.
// Threads: one.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/checker/history.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"

namespace ebla::sim {

enum class Fault : uint8_t {
  kServerKill,     // the process dies; what the operating system was handed survives
  kServerPower,    // the machine dies; what was fsynced survives
  kServerRestart,  // in good order
  kPauseShort,     // a server stops for less than a lease, then goes on as if nothing had been
  kPauseLong,      // for longer
  kPrimaryCrash,   // the machine of a tablet's primary dies just when it has sent something
  kAllPower,       // every server's machine dies at once
  kServerAway,     // a server is dead so long that it is replaced
  kMasterKill,
  kMasterPause,
  kMasterKillAtWork,  // the leading master dies just when it has sent something
  kClientKill,
  kSessionExpiry,      // of a master or a tablet server
  kCoordinatorCut,     // one process cannot reach the coordinator
  kCoordinatorOutage,  // nobody can
  kLinkCut,            // between two processes, in one direction or both
  kPartition,          // between two sets of processes, in one direction or both; one side may lose the coordinator
  kIsolatePrimary,     // a tablet's primary is cut from all servers and masters, alone or with the clients
  kBadNetwork,         // calls slow, lost, late, twice
  kDiskStall,
  kDiskFull,       // one replica refuses writes
  kDiskFailure,    // a flush fails; the server is replaced by a new start on the same disk
  kAppendRefused,  // a few appends of a primary find no room
  kOldOrder,       // orders of a master arrive once more, long after
  kResize,         // the clients' table is to have one replica more, or one less, for a while
  kLateCreate,     // a voter of a tablet that is being made is told late
  kFillThenPower,  // no disk has room, while records expire; then every machine dies
  // Directed at a tablet of several voters:
  kDeposedPrimaryServes,  // its primary lives and serves, but is dead to the masters, and to some of its followers
  kFollowerReset,         // while the primary is cut off, a follower that granted it a lease restarts at once
  kFencedCrash,           // the same, and a follower's machine dies just when it has answered a fence
  kCutThenCrash,    // the primary reaches no other voter, at most its learners, for a while; then its machine dies
  kRapidTransfers,  // leads pass from hand to hand, each time before what was appended has spread
  // Longer scenarios (fault_scenarios.cc):
  kOldOrdersAfterRestart,  // a primary whose disk is stuck dies; what its former life was ordered to do reaches the next
  kSlowAnswers,            // what followers answer reaches their primary so late that somebody else leads by then
  kFencedPrimaryReachesVoter,  // a primary that was fenced still reaches a voter that was not
  kHoldOrders,                 // what makes a new primary arrives when the next master has chosen another
  kLeaveBehind,                // a follower has to be copied, and the copy goes wrong
  kDropLate,                   // a follower is removed, comes back, and is told again of its drop
  kChangeMembers,              // members come and go, and the primary dies in between
  kCrashSuccessor,             // who is handed the lead restarts before it knows
  // Where tablets are split (fault_scenarios_split.cc):
  kSplitCommitUnseen,  // nobody hears that a split is committed, and the next primary applies it
  kSplitLate,          // the order to split arrives when the split has been given up
  kSplitInCopy,        // a tablet is split while one of its replicas is copied
  // while a tablet is split, members are to change, or a follower hears of nothing (fault_scenarios_lineage.cc)
  kSplitMeanwhile,
  kSplitDiscard,       // what has been split is dropped or copied somewhere, and the machine dies in the midst of it
  kSplitBeforeCreate,  // a table is made and split before one of its servers hears of it
  kSplitRemembered,    // what was done before a tablet was split is asked again afterwards (fault_scenarios_dedup.cc)
  kMergeStruck,        // a merge is begun, and somebody who has a part in it dies or is cut off in the midst of it
  // who has frozen hears nothing of what it was merged into, which others lead and clients write to
  kMergeUnseen,
  kFreezeLate,      // the order to freeze arrives when the merge has been given up
  kFreezeOutlived,  // what is frozen is led in a later epoch before the other one is
  kCount,
};
inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::kCount);
inline constexpr bool IsDirected(Fault fault) { return fault >= Fault::kDeposedPrimaryServes; }
inline constexpr bool IsOfSplits(Fault fault) {
  return fault >= Fault::kSplitCommitUnseen && fault < Fault::kMergeStruck;
}
// they need tablets that are merged
inline constexpr bool IsOfMerges(Fault fault) { return fault >= Fault::kMergeStruck; }
std::string_view FaultName(Fault fault);

// About half of all kinds, so that runs differ in what they can hide behind.
struct DrawnOf {
  bool splits = false;
  bool merges = false;
  bool several = true;  // replicas
  bool interval = false;
};
std::vector<Fault> DrawFaults(testing::SimScheduler& scheduler, const DrawnOf& of);

class Nemesis {
 public:
  // Names of the processes that faults of links concern: clients that live at the moment.
  using ClientNames = std::function<std::vector<std::string>()>;

  struct Hooks {
    ClientNames clients;
    std::function<void()> kill_client;             // some client dies and another takes its place
    std::function<const CatalogWatch&()> catalog;  // whom to target
    TableId table;                                 // the clients'
    std::function<void(int replicas)> resize;      // of that
    // Orders of an operator: of tablets of that table.
    std::function<void(TabletId tablet, const ServerName& to)> transfer;
    std::function<void(TabletId tablet, const ServerName& from, const ServerName& to)> move;
    std::function<void(TabletId tablet)> split;
    std::function<bool(TabletId tablet)> splittable;
    // A table of one tablet beside the clients', which is split at a key once it is `made`.
    std::function<void(const std::string& name, std::function<void(TableId)> made)> make;
    std::function<void(const std::string& name, const std::string& key)> split_at;
    // The same key of the tablet is read at this server, by a thread that is slow.
    std::function<void(int server, TabletId tablet)> peek;
    // A client asks this server, whoever leads, for the same key of the tablet each time. `done`: it was acknowledged.
    std::function<void(int server, TabletId tablet, bool large, std::function<void()> done)> write;
    std::function<void(int server, TabletId tablet, const Read& read)> read;
    // A client does, at both sides of where the tablet would be split, what has to be remembered; `done` gets what asks
    // it again.
    std::function<void(TabletId tablet, std::function<void(std::function<void()> again)> done)> ask;
    // By its old route a session writes there until it is beyond `lsn`, and then reads beyond the border.
    std::function<void(TabletId tablet, Lsn lsn)> wander;
    std::function<bool(TabletId tablet)> merge;  // with the one before it; false: there is none
  };

  Nemesis(Cluster& cluster, std::vector<Fault> enabled, Hooks hooks);

  void Start();
  // Injects nothing more, and undoes everything: in the end all processes run and all wires carry.
  void Heal();

  const std::array<int, kFaultCount>& injected() const { return injected_; }
  const std::vector<Fault>& enabled() const { return enabled_; }
  // A scenario is to split the tablet, nobody else.
  bool StaysWhole(TabletId tablet) const { return whole_.contains(tablet); }

 private:
  void Next();
  bool Inject(Fault fault);
  bool InjectAtServer(Fault fault, int index);
  bool InjectAtMaster(Fault fault);
  bool InjectAtCoordinator(Fault fault);
  bool CrashPrimary();
  bool LoseAllPower();
  void CutLink();
  bool IsolatePrimary();
  bool Partition();
  void Divide(const std::vector<std::string>& one, const std::vector<std::string>& other, Duration lasting);
  // Of these, those that run are without the coordinator for a while.
  void HoldOff(const std::vector<std::string>& names, Duration lasting);
  void DegradeNetwork();
  // ---- directed_faults.cc ----
  struct Target {
    TabletId tablet;
    int primary = -1;
    std::vector<int> followers;  // other voters
    std::vector<int> learners;
  };
  // Some tablet, of the clients' table or any, of three voters or more whose servers are all up and suffer nothing.
  bool ChooseTarget(Target& target, bool clients);
  bool InjectDirected(Fault fault);
  void DeposePrimary(const Target& target);
  void ResetFollower(const Target& target);
  void ForgetFollower(const Target& target);
  void ForgetOn(const Target& target, Epoch epoch);
  void CrashFenced(const Target& target);
  void CutThenCrash(const Target& target);
  void RapidTransfers(const Target& target);
  void TransferOn(const Target& target, int polls);
  void CountOld(const Target& target);
  void CountOldOn(const Target& target, Epoch epoch);
  int Beginner(const Target& target, Epoch epoch);
  std::function<void()> TakeDown(int index, Duration at_most);
  // ---- fault_scenarios.cc ----
  const CatalogWatch::Tablet* InCatalog(TabletId tablet);  // null: it is gone
  std::shared_ptr<const tabletserver::TabletView> ViewAt(int server, TabletId tablet);
  void Await(std::function<bool()> holds, Task then, int looks);
  std::vector<std::string> Masters() const;
  void CutFromMasters(int server, Duration lasting);
  void CutOff(const std::string& from, const std::string& to, Duration lasting);
  void SlowDown(const std::string& from, const std::string& to, Duration longer, Duration lasting);
  void OldOrdersAfterRestart(const Target& target);
  void SlowAnswers(const Target& target);
  void AnswerOldQuestions(const Target& target);
  int Successor(const Target& target);
  void FencedPrimaryReachesVoter(const Target& target);
  void HoldOrders(const Target& target);
  void ChooseAgain(const Target& target);
  void LetGo(const std::vector<int>& servers);
  bool DelayCreate();
  bool FillThenLosePower();
  // ---- fault_scenarios_members.cc ----
  bool Resize(int replicas, Duration lasting);
  bool ResizeSomehow();
  void LagBehind(const Target& target);
  void LeaveBehind(const Target& target);
  void RepeatOldOrders(const Target& target, const std::string& told);
  void DropLate(const Target& target);
  void ReadOn(int server, TabletId tablet, int times);
  void ChangeMembers(const Target& target);
  void LearnerAlone(const Target& target);
  int AnyNonMember(const Target& target);
  bool Votes(const std::string& name, TabletId tablet);
  void BlockAppends(const std::string& name);
  void UnblockAppends(const std::string& name);
  void Overlap(const Target& target, int to);
  void OverlapOn(const Target& target, int to, const std::function<void()>& unblock);
  void CrashSuccessor(const Target& target);
  // ---- fault_scenarios_split.cc ----
  void SplitCommitUnseen(const Target& target);
  void SplitThenMove(const Target& target, int to);
  void SplitLate(const Target& target);
  void SplitInCopy(const Target& target);
  // ---- fault_scenarios_lineage.cc ----
  void SplitMeanwhile(const Target& target);
  void ChangeWhileSplit(const Target& target);
  void SplitUnseen(const Target& target);
  void SplitUnreported(const Target& target);
  void WriteThenReadAtFormer(const Target& target);
  void SplitThenDiscard(const Target& target);
  void SplitThenDrop(const Target& target, int to);
  void SplitThenLag(const Target& target);
  void DieDiscarding(const Target& target);
  void WriteOn(const Target& target, int times);
  bool SplitBeforeCreate();
  bool IsSplit(int server, TabletId tablet);
  // ---- fault_scenarios_dedup.cc ----
  void SplitRemembered(const Target& target);
  const CatalogWatch::Tablet* RightOf(TabletId tablet);
  void LeadAnew(const Target& target, TabletId child);
  // ---- fault_scenarios_merge.cc ----
  bool InjectAtMerge(Fault fault, const Target& target);
  bool StrikeMerge(const Target& target);
  void StrikeAtMerge(int server, const std::string& when);
  void Strike(int server, const std::string& when);
  const CatalogWatch::Tablet* TheOneBefore(TabletId tablet);
  std::optional<Target> TargetMerged(const CatalogWatch::Tablet& first, int but_for);
  bool MergeUnseen(const Target& target);
  bool FreezeLate(const Target& target);
  bool FreezeOutlived(const Target& target);
  void OutliveFreeze(const Target& target);
  // ---- whole clusters, single links ----
  bool RefuseAppends();
  bool RepeatOrders();
  // The process is dead to the masters and the coordinator, and serves on.
  void CutFromControlPlane(int index, Duration lasting);
  void CutBoth(const std::string& one, const std::string& other, Duration lasting);
  void KillAndRestart(int index, tabletserver::MemoryDisk::CrashKind kind, Duration away);
  void PauseServer(int index, Duration lasting);
  void PauseMaster(int index, Duration lasting);
  void ReplaceStopped(int index);
  // The server that leads some tablet, drawn among tablets; -1: nobody leads one.
  int AnyPrimary();
  std::vector<std::string> Processes();
  std::string AnyProcess();
  coordination::SimCoordinator* CoordinatorOf(const std::string& name);
  coordination::SimCoordinator* AnyCoordinator(std::string* who);
  void After(Duration delay, std::function<void()> undo);
  Duration Within(Duration least, Duration most);
  // Nothing else is broken for so long: a scenario of many steps is under way that would come to nothing.
  void Undisturbed(Duration lasting);
  bool Free(int server) const { return !busy_[static_cast<size_t>(server)]; }

  Cluster& cluster_;
  testing::SimScheduler& scheduler_;
  testing::SimExecutor executor_;
  const std::vector<Fault> enabled_;
  const Hooks hooks_;
  std::array<int, kFaultCount> injected_{};
  size_t round_ = 0;  // of the first one: which of the enabled kinds is next
  Fault theme_;       // comes more often than the others
  MonotonicTime undisturbed_until_;
  bool healed_ = false;
  std::set<TabletId> whole_;
  bool resized_ = false;    // the clients' table has another number of replicas
  int aside_ = 0;           // tables made beside the clients'
  std::vector<bool> busy_;  // servers that suffer already
  std::vector<bool> master_busy_;
};

}  // namespace ebla::sim

// tests/sim/nemesis/fault.h
// The kinds of fault, their names, and which of them a run draws.
// Threads: functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/testing/sim_executor.h"

namespace ebla::sim {

enum class Fault : uint8_t {
  kServerKill,     // the process dies; what the operating system was handed survives
  kServerPower,    // the machine dies; what was fsynced survives
  kServerRestart,  // in good order
  kPauseShort,     // a server is stopped for less than a lease
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
  kCoordinatorOutage,  // no process can
  kLinkCut,            // between two processes, in one direction or both
  kPartition,          // between two sets of processes, in one direction or both; one side may lose the coordinator
  kIsolatePrimary,     // a tablet's primary is cut from all servers and masters, alone or with the clients
  kBadNetwork,         // calls slow, lost, late, twice
  kDiskStall,
  kDiskFull,         // one replica refuses writes
  kDiskFailure,      // a flush fails; the server is replaced by a new start on the same disk
  kAppendRefused,    // a few appends of a primary find no room
  kRecordsFailure,   // what changes a server's records, or makes them durable, fails for a while
  kApplyRefused,     // a server logs what is committed, and applies none of it
  kCheckpointCrash,  // a server dies while a checkpoint is under way
  kOldOrder,         // orders of a master arrive once more, long after
  kResize,           // the clients' table is to have one replica more, or one less, for a while
  kLateCreate,       // a voter of a tablet that is being made is told late
  kFillThenPower,    // no disk has room, while records expire; then every machine dies
  // Directed at a tablet of several voters:
  kDeposedPrimaryServes,  // its primary lives and serves, but is dead to the masters, and to some of its followers
  kFollowerReset,         // while the primary is cut off, a follower that granted it a lease restarts at once
  kFencedCrash,           // the same, and a follower's machine dies just when it has answered a fence
  kCutThenCrash,    // the primary reaches no other voter, at most its learners, for a while; then its machine dies
  kRapidTransfers,  // transfer follows transfer, each before the new entries have spread
  // Longer scenarios, of late messages and of members:
  kOldOrdersAfterRestart,      // a primary with a stuck disk dies; its orders reach its next life
  kSlowAnswers,                // followers' answers reach their primary so late that another one leads by then
  kFencedPrimaryReachesVoter,  // a primary that was fenced still reaches a voter that was not
  kHoldOrders,                 // a new primary's order arrives when the next master has chosen another one
  kLeaveBehind,                // a follower has to be copied, and the copy is disturbed
  kDropLate,                   // a follower is removed and made again, then the order to drop it arrives again
  kChangeMembers,              // members are added and removed, and the primary dies in between
  kCrashSuccessor,             // a transfer's target restarts before it is told
  kReleaseUnseen,              // a master dies when it has told a transfer's target, and the next one is not told of it
  // Disks that lie (disk_lies.h):
  kDiskLosesTail,     // a machine dies, and the end of the log that its disk had is gone
  kDiskReturnsOlder,  // a machine dies, and its disk returns an older copy of the log's last file
  // Where tablets are split:
  kSplitCommitUnseen,  // no follower learns that a split is committed, and the next primary applies it
  kSplitLate,          // the order to split arrives when the split has been given up
  kSplitInCopy,        // a tablet is split while one of its replicas is copied
  // while a tablet is split, members are to change, or a follower learns of nothing
  kSplitMeanwhile,
  kSplitDiscard,       // what has been split is dropped or copied somewhere, and the machine dies in the midst of it
  kSplitBeforeCreate,  // a table is made and split before one of its servers is told of it
  kSplitBehind,        // a replica that has not applied a split is copied to, or from
  kSplitRemembered,    // requests of before a split are sent again afterwards
  kMergeStruck,        // a process with a part in a merge dies or is cut off in the midst of it
  // a frozen primary learns nothing of the merged tablet, which another server leads and clients write to
  kMergeUnseen,
  kFreezeLate,      // the order to freeze arrives when the merge has been given up
  kFreezeOutlived,  // a frozen tablet is led in a later epoch before its neighbour is
  // Only by itself (--faults):
  kOutageInChange,  // the coordinator stops at a step of a planned change
  kDiskGoesBack,    // a machine dies, and its whole disk is as it was a moment before (disk_lies.h)
  kCount,
};
inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::kCount);
// Which part of the nemesis injects a fault.
enum class Injector : uint8_t {
  kServers,
  kMasters,
  kClients,
  kCoordinator,
  kNetwork,
  kMembership,
  kLateMessages,
  kFailovers,
  kDiskLies,
  kSplits,  // they need tablets that are split
  kMerges,  // or merged
  kOutages,
};
// The target of a fault. A tablet in use has more to lose.
enum class FaultTarget : uint8_t { kAny, kTablet, kInUse };  // kInUse: a tablet of the clients' table
Injector InjectorOf(Fault fault);
FaultTarget TargetOf(Fault fault);
inline bool IsDirected(Fault fault) { return TargetOf(fault) != FaultTarget::kAny; }
inline bool IsByItself(Fault fault) { return fault == Fault::kOutageInChange || fault == Fault::kDiskGoesBack; }
inline bool IsOfSplits(Fault fault) { return InjectorOf(fault) == Injector::kSplits; }
inline bool IsOfMerges(Fault fault) { return InjectorOf(fault) == Injector::kMerges; }
std::string_view FaultName(Fault fault);
// The faults that a list names, separated by commas. Unknown names are skipped.
std::vector<Fault> FaultsNamed(std::string_view names);

// About half of all kinds, so that runs differ in what they can hide behind.
struct DrawnOf {
  bool splits = false;
  bool merges = false;
  bool several = true;  // replicas
  bool interval = false;
  bool memory = false;  // records live in processes, and one at a time may die
};
std::vector<Fault> DrawFaults(testing::SimScheduler& scheduler, const DrawnOf& of);

}  // namespace ebla::sim

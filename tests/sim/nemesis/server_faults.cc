#include "tests/sim/nemesis/server_faults.h"

#include <memory>
#include <string>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

bool ServerFaults::Inject(Fault fault) {
  switch (fault) {
    case Fault::kPrimaryCrash: return CrashPrimary();
    case Fault::kAllPower: return LoseAllPower();
    case Fault::kFillThenPower: return FillThenLosePower();
    case Fault::kAppendRefused: return RefuseAppends();
    default: break;
  }
  const int index = static_cast<int>(scheduler_.Random(static_cast<uint64_t>(cluster_.servers())));
  return Free(index) && cluster_.server(index) != nullptr && InjectAt(fault, index);
}

bool ServerFaults::InjectAt(Fault fault, int index) {
  const std::string name = Cluster::ServerName(index);
  tabletserver::SimulatedDisk& disk = cluster_.disk(index).disk;
  Occupy(index);
  const auto free_after = [this, index](Duration delay, std::function<void()> undo) {
    After(delay, [this, index, undo = std::move(undo)] {
      undo();
      Release(index);
    });
  };
  switch (fault) {
    case Fault::kServerKill:
    case Fault::kServerPower:
      cluster_.KillServer(index, fault == Fault::kServerKill ? CrashKind::kProcess : CrashKind::kMachine);
      RestartAfter(index, Within(milliseconds(20), seconds(6)));
      return true;
    case Fault::kServerRestart:
      cluster_.log().Add(name, "is told to stop");
      cluster_.server(index)->Stop();
      ReplaceStopped(index);
      return true;
    case Fault::kServerAway:
      cluster_.KillServer(index, CrashKind::kMachine);
      RestartAfter(index, Within(seconds(8), seconds(14)));
      return true;
    case Fault::kPauseShort: Pause(index, Within(milliseconds(20), milliseconds(900))); return true;
    case Fault::kPauseLong: Pause(index, Within(milliseconds(1100), seconds(9))); return true;
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
      disk.FailNext(cluster_.disk_failures().Begin(name));
      free_after(Within(milliseconds(500), seconds(3)), [this, index, &disk] {
        disk.FailNext(Status::Ok());  // where nothing was flushed meanwhile
        cluster_.KillServer(index, CrashKind::kMachine);
        cluster_.StartServer(index);
      });
      return true;
    case Fault::kRecordsFailure:
    case Fault::kApplyRefused: FailRecords(fault, index); return true;
    case Fault::kCheckpointCrash: CrashInCheckpoint(index); return true;
    default: return false;
  }
}

// For a while, at whose end the process may die, too.
void ServerFaults::FailRecords(Fault fault, int index) {
  tabletserver::SimulatedDisk& disk = cluster_.disk(index).disk;
  const bool all = fault == Fault::kRecordsFailure;
  cluster_.log().Add(Cluster::ServerName(index), all ? "records fail" : "applies nothing");
  if (all) {
    disk.FailRecords(Status(Code::kOverloaded, "simulated failure of the records"));
  } else {
    disk.RefuseToApply(true);
  }
  const bool dies = scheduler_.Random(3) == 0;
  const CrashKind kind = scheduler_.Random(2) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  After(Within(milliseconds(100), seconds(4)), [this, index, &disk, dies, kind] {
    disk.FailRecords(Status::Ok());
    disk.RefuseToApply(false);
    if (!dies || cluster_.server(index) == nullptr) return Release(index);
    cluster_.KillServer(index, kind);
    RestartAfter(index, Within(milliseconds(20), seconds(2)));
  });
}

// Its machine or its process dies after a checkpoint was begun, and before that is durable.
void ServerFaults::CrashInCheckpoint(int index) {
  constexpr int kLooks = 1400;  // longer than the period of checkpoints
  tabletserver::SimulatedDisk& disk = cluster_.disk(index).disk;
  cluster_.log().Add(Cluster::ServerName(index), "is to die in a checkpoint");
  disk.SetCheckpointTime(Within(milliseconds(300), seconds(3)));
  const auto begun = [&disk, looks = std::make_shared<int>(0)] { return disk.checkpointing() || ++*looks == kLooks; };
  const auto die = [this, index, &disk] {
    disk.SetCheckpointTime(Duration(0));
    if (!disk.checkpointing() || cluster_.server(index) == nullptr) return Release(index);
    cluster_.log().Add(Cluster::ServerName(index), "has a checkpoint under way");
    cluster_.KillServer(index, scheduler_.Random(4) == 0 ? CrashKind::kProcess : CrashKind::kMachine);
    RestartAfter(index, Within(milliseconds(20), seconds(6)));
  };
  Await(begun, [this, die] { After(Within(milliseconds(0), milliseconds(300)), die); }, kLooks);
}

// Its machine or its process dies just when it has sent something.
bool ServerFaults::CrashPrimary() {
  const int index = context_.AnyPrimary();
  if (index < 0 || !Free(index) || cluster_.server(index) == nullptr) return false;
  Occupy(index);
  const CrashKind kind = scheduler_.Random(4) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  // Its life may end before it has sent so much.
  auto over = std::make_shared<bool>(false);
  After(seconds(5), [this, index, over] {
    if (!std::exchange(*over, true)) Release(index);
  });
  cluster_.network().OnceSent(Cluster::ServerName(index), 1 + static_cast<int>(scheduler_.Random(40)),
                              [this, index, kind, over] {
                                if (std::exchange(*over, true) || healed()) return;
                                if (cluster_.server(index) == nullptr) return Release(index);
                                cluster_.log().Add(Cluster::ServerName(index), "has just sent something");
                                cluster_.KillServer(index, kind);
                                RestartAfter(index, Within(milliseconds(20), seconds(6)));
                              });
  return true;
}

bool ServerFaults::LoseAllPower() {
  if (!context_.AllFree()) return false;
  for (int i = 0; i < cluster_.servers(); ++i) {
    Occupy(i);
    cluster_.KillServer(i, CrashKind::kMachine);
    RestartAfter(i, Within(milliseconds(20), seconds(2)));
  }
  return true;
}

void ServerFaults::Restart(int index) {
  cluster_.StartServer(index);
  Release(index);
}

void ServerFaults::RestartAfter(int index, Duration away) {
  After(away, [this, index] { Restart(index); });
}

void ServerFaults::Pause(int index, Duration lasting) {
  const std::string name = Cluster::ServerName(index);
  cluster_.log().Add(name, "is paused");
  cluster_.server(index)->process().Pause();
  After(lasting, [this, index, name] {
    cluster_.log().Add(name, "goes on");
    // A scenario may have ended it meanwhile.
    if (SimServer* server = cluster_.server(index)) server->process().Resume();
    Release(index);
  });
}

void ServerFaults::ReplaceStopped(int index) {
  // Waits for as long as the stop takes, though ten seconds are meant to be enough.
  context_.executor().After(milliseconds(50), [this, index] {
    if (healed() || cluster_.server(index) == nullptr) return;
    if (!cluster_.server(index)->stopped()) return ReplaceStopped(index);
    cluster_.EndServer(index);
    Restart(index);
  });
}

void ServerFaults::KillAndRestart(int index, CrashKind kind, Duration away) {
  if (!Free(index) || cluster_.server(index) == nullptr) return;
  Occupy(index);
  cluster_.KillServer(index, kind);
  RestartAfter(index, away);
}

std::function<void()> ServerFaults::TakeDown(int index, Duration at_most) {
  Occupy(index);
  cluster_.server(index)->coordinator().Expire();
  cluster_.KillServer(index, CrashKind::kMachine);
  auto up = [this, index, over = std::make_shared<bool>(false)] {
    if (!healed() && !std::exchange(*over, true)) Restart(index);
  };
  After(at_most, up);
  return up;
}

void ServerFaults::RefuseAllAppends(int index) {
  constexpr int kAll = 1'000'000;
  cluster_.log().Add(Cluster::ServerName(index), "has no room for entries");
  cluster_.disk(index).disk.RefuseAppends(kAll);
}

void ServerFaults::RefuseToApply(int index, Duration at_most) {
  cluster_.log().Add(Cluster::ServerName(index), "applies nothing");
  cluster_.disk(index).disk.RefuseToApply(true);
  After(at_most, [this, index] { TakeApplies(index); });
}

void ServerFaults::TakeApplies(int index) {
  cluster_.log().Add(Cluster::ServerName(index), "applies again");
  cluster_.disk(index).disk.RefuseToApply(false);
}

bool ServerFaults::RefuseAppends() {
  const int index = context_.AnyPrimary();
  if (index < 0 || cluster_.server(index) == nullptr) return false;
  cluster_.log().Add(Cluster::ServerName(index), "has no room for a moment");
  cluster_.disk(index).disk.RefuseAppends(1 + static_cast<int>(scheduler_.Random(3)));
  return true;
}

// Nothing can be written anywhere, while records expire; then all machines die, and come back with other clocks.
bool ServerFaults::FillThenLosePower() {
  if (!context_.AllFree()) return false;
  cluster_.log().Add("nemesis", "all disks are full");
  for (int i = 0; i < cluster_.servers(); ++i) {
    cluster_.disk(i).disk.SetFull(true);
    Occupy(i);
  }
  After(Within(milliseconds(500), milliseconds(2500)), [this] {
    for (int i = 0; i < cluster_.servers(); ++i) {
      cluster_.disk(i).disk.SetFull(false);
      Release(i);
    }
    LoseAllPower();
  });
  return true;
}

}  // namespace ebla::sim

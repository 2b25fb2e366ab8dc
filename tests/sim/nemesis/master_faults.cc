#include "tests/sim/nemesis/master_faults.h"

#include <string>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

bool MasterFaults::Inject(Fault fault) {
  int index = static_cast<int>(scheduler_.Random(static_cast<uint64_t>(cluster_.masters())));
  for (int i = 0; fault == Fault::kMasterKillAtWork && i < cluster_.masters(); ++i) {
    if (cluster_.master(i) != nullptr && cluster_.master(i)->ready()) index = i;
  }
  if (busy_[static_cast<size_t>(index)] || cluster_.master(index) == nullptr) return false;
  switch (fault) {
    case Fault::kMasterKill: Kill(index); return true;
    case Fault::kMasterKillAtWork: KillAtWork(index); return true;
    case Fault::kMasterPause: Pause(index, Within(milliseconds(100), seconds(10))); return true;
    default: return false;
  }
}

void MasterFaults::Kill(int index) {
  busy_[static_cast<size_t>(index)] = true;
  cluster_.KillMaster(index);
  After(Within(milliseconds(20), seconds(6)), [this, index] {
    cluster_.StartMaster(index);
    busy_[static_cast<size_t>(index)] = false;
  });
}

// Just when it has sent something; at once, or when what follows the answer, a change of the catalog or the next order,
// may be under way.
void MasterFaults::KillAtWork(int index) {
  busy_[static_cast<size_t>(index)] = true;
  const Duration grace = scheduler_.Random(2) == 0 ? Duration(0) : Within(milliseconds(0), milliseconds(8));
  const std::string name = Cluster::MasterName(index);
  cluster_.network().OnceSent(name, 1 + static_cast<int>(scheduler_.Random(8)), [this, index, name, grace] {
    context_.executor().After(grace, [this, index, name] {
      if (healed() || cluster_.master(index) == nullptr) return;
      cluster_.log().Add(name, "is at work");
      Kill(index);
    });
  });
}

void MasterFaults::Pause(int index, Duration lasting) {
  const auto at = static_cast<size_t>(index);
  if (busy_[at]) return;
  busy_[at] = true;
  cluster_.log().Add(Cluster::MasterName(index), "is paused");
  cluster_.master(index)->process().Pause();
  After(lasting, [this, index, at] {
    cluster_.log().Add(Cluster::MasterName(index), "goes on");
    if (SimMaster* master = cluster_.master(index)) master->process().Resume();
    busy_[at] = false;
  });
}

int MasterFaults::Leader() {
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) != nullptr && cluster_.master(i)->ready() && !busy_[static_cast<size_t>(i)]) return i;
  }
  return -1;
}

void MasterFaults::PauseLeader(Duration least, Duration most) {
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) != nullptr && cluster_.master(i)->ready()) Pause(i, Within(least, most));
  }
}

}  // namespace ebla::sim

#include "tests/sim/nemesis/coordinator_faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

bool CoordinatorFaults::Inject(Fault fault) {
  if (fault == Fault::kCoordinatorOutage) {
    return cluster_.coordination().available() && Outage(Within(milliseconds(200), seconds(6)));
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

bool CoordinatorFaults::Outage(Duration lasting) {
  if (!cluster_.coordination().available()) return false;
  cluster_.log().Add("coordinator", "is away");
  cluster_.coordination().SetAvailable(false);
  After(lasting, [this] {
    cluster_.log().Add("coordinator", "is back");
    cluster_.coordination().SetAvailable(true);
  });
  return true;
}

void CoordinatorFaults::HoldOff(const std::vector<std::string>& names, Duration lasting) {
  for (const std::string& name : names) {
    coordination::SimCoordinator* client = CoordinatorOf(name);
    if (client == nullptr) continue;
    cluster_.log().Add(name, "is cut off from the coordinator");
    client->HoldOff(true);
    // By then the process may be in another life, which was never cut off.
    After(lasting, [this, name, client] {
      if (CoordinatorOf(name) == client) client->HoldOff(false);
    });
  }
}

coordination::SimCoordinator* CoordinatorFaults::CoordinatorOf(const std::string& name) {
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

coordination::SimCoordinator* CoordinatorFaults::AnyCoordinator(std::string* who) {
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

}  // namespace ebla::sim

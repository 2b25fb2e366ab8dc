// tests/sim/nemesis/network_faults.h
// Links that are cut, in one direction or both, or that delay, lose and repeat messages; and messages held back.
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/sim/nemesis/coordinator_faults.h"
#include "tests/sim/nemesis/fault.h"
#include "tests/sim/nemesis/fault_context.h"

namespace ebla::sim {

class NetworkFaults : FaultFamily {
 public:
  NetworkFaults(FaultContext& context, CoordinatorFaults& coordinator)
      : FaultFamily(context), coordinator_(coordinator) {}

  bool Inject(Fault fault);

  void CutBoth(const std::string& one, const std::string& other, Duration lasting);
  // Cuts this direction alone.
  void CutOff(const std::string& from, const std::string& to, Duration lasting);
  void SlowDown(const std::string& from, const std::string& to, Duration longer, Duration lasting);
  void CutFromMasters(int server, Duration lasting);
  // The server is dead to the masters and the coordinator, but still serves.
  void CutFromControlPlane(int index, Duration lasting);
  // Appends to this server are lost until UnblockAppends; heartbeats arrive.
  void BlockAppends(const std::string& name);
  void UnblockAppends(const std::string& name);
  // Holds the order back until the returned function is called, for at most twelve seconds.
  std::function<void()> HoldBackOrder(const std::string& order, const std::string& to);
  // Lets the held-back orders to configure arrive.
  void LetGo(const std::vector<int>& servers);

 private:
  void CutLink();
  bool Partition();
  bool IsolatePrimary();
  void Divide(const std::vector<std::string>& one, const std::vector<std::string>& other, Duration lasting);
  void Degrade();
  bool RepeatOrders();
  std::vector<std::string> Processes();
  std::string AnyProcess();

  CoordinatorFaults& coordinator_;
};

}  // namespace ebla::sim

// tests/sim/nemesis/network_faults.h
// Links that carry nothing, in one direction or both, or carry late, lose and repeat; and messages held back.
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
  // In this direction alone.
  void CutOff(const std::string& from, const std::string& to, Duration lasting);
  void SlowDown(const std::string& from, const std::string& to, Duration longer, Duration lasting);
  void CutFromMasters(int server, Duration lasting);
  // The process is dead to the masters and the coordinator, and serves on.
  void CutFromControlPlane(int index, Duration lasting);
  // What others append to this server is lost, until they are unblocked; heartbeats arrive.
  void BlockAppends(const std::string& name);
  void UnblockAppends(const std::string& name);
  // The order to do that does not arrive before what is returned is called, or for twelve seconds.
  std::function<void()> HoldBackOrder(const std::string& order, const std::string& to);
  // Orders to configure that were held back arrive.
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

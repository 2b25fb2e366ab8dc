#include "tests/sim/nemesis/network_faults.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

bool NetworkFaults::Inject(Fault fault) {
  switch (fault) {
    case Fault::kLinkCut: CutLink(); return true;
    case Fault::kPartition: return Partition();
    case Fault::kIsolatePrimary: return IsolatePrimary();
    case Fault::kBadNetwork: Degrade(); return true;
    case Fault::kOldOrder: return RepeatOrders();
    default: return false;
  }
}

void NetworkFaults::CutLink() {
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

bool NetworkFaults::Partition() {
  std::vector<std::string> one;
  std::vector<std::string> other;
  for (std::string& name : Processes()) (scheduler_.Random(2) == 0 ? one : other).push_back(std::move(name));
  if (one.empty() || other.empty()) return false;
  const Duration lasting = Within(milliseconds(200), seconds(8));
  Divide(one, other, lasting);
  if (scheduler_.Random(2) == 0) coordinator_.HoldOff(one, lasting);
  return true;
}

// Cuts all links between the two sets of processes, in both directions or in one.
void NetworkFaults::Divide(const std::vector<std::string>& one, const std::vector<std::string>& other,
                           Duration lasting) {
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

bool NetworkFaults::IsolatePrimary() {
  const int index = context_.AnyPrimary();
  if (index < 0) return false;
  const std::string name = Cluster::ServerName(index);
  std::vector<std::string> others;
  for (std::string& process : Processes()) {
    if (process != name) others.push_back(std::move(process));
  }
  const std::vector<std::string> clients = hooks_.clients();
  const uint64_t with = scheduler_.Random(3);  // clients of the primary: none, some, which reach nothing else, or all
  std::vector<std::string> side = {name};
  std::erase_if(others, [&](const std::string& process) {
    if (std::ranges::find(clients, process) == clients.end() || with == 0) return false;
    if (with == 1 && scheduler_.Random(2) == 0) side.push_back(process);
    return with == 2 || side.back() == process;
  });
  const Duration lasting = Within(milliseconds(300), seconds(7));
  Divide(side, others, lasting);
  if (scheduler_.Random(2) == 0) coordinator_.HoldOff({name}, lasting);
  return true;
}

void NetworkFaults::Degrade() {
  NetworkConditions conditions;
  const auto share = [this](uint64_t percent) {
    return static_cast<double>(scheduler_.Random(percent * 100)) / 10'000;
  };
  conditions.slow = share(20);
  conditions.lost = share(10);
  conditions.late = share(6);
  conditions.twice = share(6);
  if (scheduler_.Random(4) == 0) {  // answers arrive so late that the cluster has changed meanwhile
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

std::vector<std::string> NetworkFaults::Processes() {
  std::vector<std::string> names = hooks_.clients();
  for (int i = 0; i < cluster_.servers(); ++i) names.push_back(Cluster::ServerName(i));
  for (int i = 0; i < cluster_.masters(); ++i) names.push_back(Cluster::MasterName(i));
  return names;
}

std::string NetworkFaults::AnyProcess() {
  const std::vector<std::string> names = Processes();
  return names[scheduler_.Random(names.size())];
}

void NetworkFaults::CutBoth(const std::string& one, const std::string& other, Duration lasting) {
  cluster_.log().Add("network", "cut " + one + " <-> " + other);
  cluster_.network().Cut(one, other);
  cluster_.network().Cut(other, one);
  After(lasting, [this, one, other] {
    cluster_.log().Add("network", "mend " + one + " <-> " + other);
    cluster_.network().Mend(one, other);
    cluster_.network().Mend(other, one);
  });
}

void NetworkFaults::CutOff(const std::string& from, const std::string& to, Duration lasting) {
  cluster_.log().Add("network", "cut " + from + " -> " + to);
  cluster_.network().Cut(from, to);
  After(lasting, [this, from, to] {
    cluster_.log().Add("network", "mend " + from + " -> " + to);
    cluster_.network().Mend(from, to);
  });
}

void NetworkFaults::SlowDown(const std::string& from, const std::string& to, Duration longer, Duration lasting) {
  cluster_.log().Add("network", "slow " + from + " -> " + to);
  cluster_.network().SetSlow(from, to, longer);
  After(lasting, [this, from, to] { cluster_.network().SetSlow(from, to, Duration(0)); });
}

void NetworkFaults::CutFromMasters(int index, Duration lasting) {
  for (const std::string& master : cluster_.MasterNames()) CutBoth(Cluster::ServerName(index), master, lasting);
}

void NetworkFaults::CutFromControlPlane(int index, Duration lasting) {
  const std::string name = Cluster::ServerName(index);
  for (int i = 0; i < cluster_.masters(); ++i) CutBoth(name, Cluster::MasterName(i), lasting);
  cluster_.server(index)->coordinator().Expire();
  coordinator_.HoldOff({name}, lasting);
}

void NetworkFaults::BlockAppends(const std::string& name) {
  cluster_.log().Add(name, "gets no entries");
  cluster_.network().HoldBack("append", name);
  cluster_.network().LoseFurther("append", name);
}

void NetworkFaults::UnblockAppends(const std::string& name) {
  cluster_.log().Add(name, "gets entries again");
  cluster_.network().LetGo("append", name);
}

std::function<void()> NetworkFaults::HoldBackOrder(const std::string& order, const std::string& to) {
  cluster_.log().Add(to, "is not told to " + order);
  cluster_.network().HoldBack(order, to);
  auto let_go = [this, order, to, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    cluster_.log().Add(to, "is told to " + order);
    cluster_.network().LetGo(order, to);
  };
  After(seconds(12), let_go);
  return let_go;
}

void NetworkFaults::LetGo(const std::vector<int>& servers) {
  for (const int index : servers) {
    cluster_.log().Add(Cluster::ServerName(index), "gets what was held back");
    cluster_.network().LetGo("configure", Cluster::ServerName(index));
  }
}

bool NetworkFaults::RepeatOrders() {
  bool any = false;
  for (uint64_t left = 1 + scheduler_.Random(6); left > 0; --left) any |= cluster_.network().RepeatOrder();
  if (any) cluster_.log().Add("network", "repeats old orders");
  return any;
}

}  // namespace ebla::sim

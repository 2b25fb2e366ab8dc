#include "tests/sim/faults.h"

#include <algorithm>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

constexpr std::array<std::string_view, kFaultCount> kNames = {
    "server_kill",     "server_power",       "server_restart", "server_pause", "master_kill",
    "master_pause",    "client_kill",        "session_expiry", "coordinator_cut", "coordinator_outage",
    "link_cut",        "weather",            "disk_stall",     "disk_full",    "disk_failure"};

}  // namespace

std::string_view FaultName(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

Nemesis::Nemesis(Cluster& cluster, std::vector<Fault> enabled, Hooks hooks)
    : cluster_(cluster),
      scheduler_(cluster.scheduler()),
      executor_(scheduler_),
      enabled_(std::move(enabled)),
      hooks_(std::move(hooks)),
      busy_(static_cast<size_t>(cluster.servers())),
      master_busy_(static_cast<size_t>(cluster.masters())) {}

Duration Nemesis::Within(Duration least, Duration most) {
  return least + Duration(static_cast<int64_t>(scheduler_.Random(static_cast<uint64_t>((most - least).count()) + 1)));
}

void Nemesis::Start() { Next(); }

void Nemesis::Next() {
  executor_.After(Within(milliseconds(50), milliseconds(1500)), [this] {
    if (healed_ || enabled_.empty()) return;
    const bool first_round = round_ < enabled_.size();
    const Fault fault = first_round ? enabled_[round_] : enabled_[scheduler_.Random(enabled_.size())];
    if (Inject(fault)) {
      ++injected_[static_cast<size_t>(fault)];
      if (first_round) ++round_;
    }
    Next();
  });
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
    case Fault::kServerPause:
    case Fault::kDiskStall:
    case Fault::kDiskFull:
    case Fault::kDiskFailure: {
      const int index = static_cast<int>(scheduler_.Random(static_cast<uint64_t>(cluster_.servers())));
      return Free(index) && cluster_.server(index) != nullptr && InjectAtServer(fault, index);
    }
    case Fault::kMasterKill:
    case Fault::kMasterPause: return InjectAtMaster(fault);
    case Fault::kClientKill: hooks_.kill_client(); return true;
    case Fault::kSessionExpiry:
    case Fault::kCoordinatorCut: {
      std::string who;
      coordination::SimCoordinator* client = AnyCoordinator(&who);
      if (client == nullptr) return false;
      if (fault == Fault::kSessionExpiry) {
        cluster_.log().Add(who, "loses its session");
        client->Expire();
        return true;
      }
      // The process may be another life by the time that it is undone; that one was never cut off.
      cluster_.log().Add(who, "is cut off from the coordinator");
      client->HoldOff(true);
      After(Within(milliseconds(100), seconds(9)), [this, who, client] {
        for (int i = 0; i < cluster_.servers(); ++i) {
          if (cluster_.server(i) != nullptr && &cluster_.server(i)->coordinator() == client) client->HoldOff(false);
        }
        for (int i = 0; i < cluster_.masters(); ++i) {
          if (cluster_.master(i) != nullptr && &cluster_.master(i)->coordinator() == client) client->HoldOff(false);
        }
      });
      return true;
    }
    case Fault::kCoordinatorOutage:
      if (!cluster_.coordination().available()) return false;
      cluster_.log().Add("coordinator", "is away");
      cluster_.coordination().SetAvailable(false);
      After(Within(milliseconds(200), seconds(6)), [this] {
        cluster_.log().Add("coordinator", "is back");
        cluster_.coordination().SetAvailable(true);
      });
      return true;
    case Fault::kLinkCut: CutLink(); return true;
    case Fault::kWeather: BringWeather(); return true;
    case Fault::kCount: break;
  }
  return false;
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
    case Fault::kServerPause:
      cluster_.log().Add(name, "is paused");
      cluster_.server(index)->process().Pause();
      free_after(Within(milliseconds(20), seconds(9)), [this, index, name] {
        cluster_.log().Add(name, "goes on");
        cluster_.server(index)->process().Resume();
      });
      return true;
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

bool Nemesis::InjectAtMaster(Fault fault) {
  const int index = static_cast<int>(scheduler_.Random(static_cast<uint64_t>(cluster_.masters())));
  const auto at = static_cast<size_t>(index);
  if (master_busy_[at]) return false;
  master_busy_[at] = true;
  if (fault == Fault::kMasterKill) {
    cluster_.KillMaster(index);
    After(Within(milliseconds(20), seconds(6)), [this, index, at] {
      cluster_.StartMaster(index);
      master_busy_[at] = false;
    });
    return true;
  }
  cluster_.log().Add(Cluster::MasterName(index), "is paused");
  cluster_.master(index)->process().Pause();
  After(Within(milliseconds(100), seconds(10)), [this, index, at] {
    cluster_.log().Add(Cluster::MasterName(index), "goes on");
    cluster_.master(index)->process().Resume();
    master_busy_[at] = false;
  });
  return true;
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

std::string Nemesis::AnyProcess() {
  std::vector<std::string> names = hooks_.clients();
  for (int i = 0; i < cluster_.servers(); ++i) names.push_back(Cluster::ServerName(i));
  for (int i = 0; i < cluster_.masters(); ++i) names.push_back(Cluster::MasterName(i));
  return names[scheduler_.Random(names.size())];
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

void Nemesis::BringWeather() {
  Weather weather;
  const auto share = [this](uint64_t percent) { return static_cast<double>(scheduler_.Random(percent * 100)) / 10'000; };
  weather.slow = share(20);
  weather.lost = share(10);
  weather.late = share(6);
  weather.twice = share(6);
  cluster_.log().Add("network", "turns bad");
  cluster_.network().SetWeather(weather);
  After(Within(milliseconds(500), seconds(5)), [this] {
    cluster_.log().Add("network", "turns fair");
    cluster_.network().SetWeather(Weather());
  });
}

void Nemesis::Heal() {
  healed_ = true;
  cluster_.log().Add("nemesis", "heals everything");
  cluster_.network().MendAll();
  cluster_.network().SetWeather(Weather());
  cluster_.coordination().SetAvailable(true);
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) == nullptr) cluster_.StartMaster(i);
    cluster_.master(i)->process().Resume();
    cluster_.master(i)->coordinator().HoldOff(false);
  }
  for (int i = 0; i < cluster_.servers(); ++i) {
    cluster_.disk(i).disk.SetStalled(false);
    cluster_.disk(i).disk.SetFull(false);
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

#include "tests/sim/nemesis/nemesis.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;

}  // namespace

Nemesis::Nemesis(Cluster& cluster, std::vector<Fault> enabled, NemesisHooks hooks)
    : cluster_(cluster),
      scheduler_(cluster.scheduler()),
      context_(cluster, std::move(hooks)),
      enabled_(std::move(enabled)),
      theme_(enabled_[scheduler_.Random(enabled_.size())]),
      faults_(context_),
      failovers_(faults_),
      disk_lies_(faults_),
      membership_(faults_),
      late_messages_(faults_, membership_),
      splits_(faults_, membership_),
      merges_(faults_),
      outages_(faults_, membership_) {
  disk_lies_.Enable(enabled_);
}

void Nemesis::Next() {
  context_.executor().After(context_.Within(milliseconds(50), milliseconds(1500)), [this] {
    if (context_.healed() || enabled_.empty()) return;
    if (context_.undisturbed()) return Next();
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

bool Nemesis::Inject(Fault fault) {
  switch (fault) {  // these find their tablet themselves
    case Fault::kResize: return membership_.ResizeSomehow();
    case Fault::kLateCreate: return late_messages_.DelayCreate();
    case Fault::kSplitBeforeCreate: return splits_.SplitBeforeCreate();
    default: break;
  }
  switch (InjectorOf(fault)) {
    case Injector::kServers: return faults_.servers.Inject(fault);
    case Injector::kMasters: return faults_.masters.Inject(fault);
    case Injector::kClients: context_.hooks().kill_client(); return true;
    case Injector::kCoordinator: return faults_.coordinator.Inject(fault);
    case Injector::kNetwork: return faults_.network.Inject(fault);
    default: return InjectDirected(fault);
  }
}

bool Nemesis::InjectDirected(Fault fault) {
  const bool clients = TargetOf(fault) == FaultTarget::kInUse;
  const std::optional<Target> target = ChooseTarget(clients || scheduler_.Random(2) == 0);
  if (!target) return false;
  if (IsOfSplits(fault) && !context_.hooks().splittable(target->tablet)) return false;
  if (IsOfMerges(fault)) return merges_.Begin(fault, *target);
  if (InjectorOf(fault) == Injector::kDiskLies) return disk_lies_.Begin(fault, *target);
  cluster_.log().Add(Cluster::ServerName(target->primary), "is the target of: " + std::string(FaultName(fault)));
  switch (InjectorOf(fault)) {
    case Injector::kFailovers: failovers_.Begin(fault, *target); break;
    case Injector::kLateMessages: late_messages_.Begin(fault, *target); break;
    case Injector::kMembership: membership_.Begin(fault, *target); break;
    case Injector::kSplits: splits_.Begin(fault, *target); break;
    case Injector::kOutages: outages_.Begin(*target); break;
    default: LOG(FATAL) << FaultName(fault) << " is directed at no tablet";
  }
  return true;
}

std::optional<Target> Nemesis::ChooseTarget(bool clients) {
  std::vector<const CatalogWatch::Tablet*> tablets;
  for (const auto& [path, tablet] : context_.hooks().catalog().tablets()) {
    if (!clients || tablet.table == context_.hooks().table) tablets.push_back(&tablet);
  }
  if (tablets.empty()) return std::nullopt;
  const CatalogWatch::Tablet* at = tablets[scheduler_.Random(tablets.size())];
  if (scheduler_.Random(2) == 0) {  // members that come and go are rare, and worth more
    const auto learning = std::ranges::find_if(tablets, [](const auto* tablet) { return !tablet->learners.empty(); });
    if (learning != tablets.end()) at = *learning;
  }
  const CatalogWatch::Tablet& drawn = *at;
  if (drawn.voters.size() < 3) return std::nullopt;
  Target target{.tablet = drawn.id};
  for (int i = 0; i < cluster_.servers(); ++i) {
    const std::string name = Cluster::ServerName(i);
    const bool voter = std::ranges::find(drawn.voters, name) != drawn.voters.end();
    const bool learner = std::ranges::find(drawn.learners, name) != drawn.learners.end();
    if ((voter || learner) && (!context_.Free(i) || cluster_.server(i) == nullptr)) return std::nullopt;
    if (name == drawn.primary) {
      target.primary = i;
    } else if (voter) {
      target.followers.push_back(i);
    } else if (learner) {
      target.learners.push_back(i);
    }
  }
  if (target.followers.size() > 1 && scheduler_.Random(2) == 0) std::swap(target.followers[0], target.followers[1]);
  if (target.primary < 0 || target.followers.size() < 2) return std::nullopt;
  return target;
}

void Nemesis::Heal() {
  context_.SetHealed();
  cluster_.log().Add("nemesis", "heals everything");
  cluster_.network().MendAll();
  cluster_.network().SetConditions(NetworkConditions());
  cluster_.coordination().SetAvailable(true);
  cluster_.LiftCopyThrottle();
  HealMasters();
  HealServers();
}

void Nemesis::HealMasters() {
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) == nullptr) cluster_.StartMaster(i);
    cluster_.master(i)->process().Resume();
    cluster_.master(i)->coordinator().HoldOff(false);
  }
}

void Nemesis::HealServers() {
  for (int i = 0; i < cluster_.servers(); ++i) {
    cluster_.disk(i).disk.SetStalled(false);
    cluster_.disk(i).disk.SetFull(false);
    cluster_.disk(i).disk.RefuseAppends(0);
    cluster_.disk(i).disk.RefuseToApply(false);
    cluster_.disk(i).disk.FailRecords(Status::Ok());
    cluster_.disk(i).disk.SetCheckpointTime(Duration(0));
    cluster_.disk(i).disk.FailNext(Status::Ok());
    SimServer* server = cluster_.server(i);
    // A server that was told to stop, or whose disk failed, does not restart by itself.
    if (server != nullptr && (server->stopping() || !server->fatal().ok())) {
      cluster_.KillServer(i, ServerFaults::CrashKind::kMachine);
      server = nullptr;
    }
    cluster_.disk_failures().End(Cluster::ServerName(i), scheduler_.Now());
    if (server == nullptr) cluster_.StartServer(i);
    cluster_.server(i)->process().Resume();
    cluster_.server(i)->coordinator().HoldOff(false);
  }
}

}  // namespace ebla::sim

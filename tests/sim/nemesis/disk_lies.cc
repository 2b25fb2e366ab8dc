#include "tests/sim/nemesis/disk_lies.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kLiesOneOf = 4;  // deaths of machines by other faults

bool IsLie(Fault fault) { return InjectorOf(fault) == Injector::kDiskLies; }

}  // namespace

void DiskLies::Enable(const std::vector<Fault>& faults) {
  std::ranges::copy_if(faults, std::back_inserter(enabled_), IsLie);
  if (!enabled_.empty()) cluster_.SetLies([this](int index) { return LossAt(index); });
  std::erase(enabled_, Fault::kDiskGoesBack);
}

bool DiskLies::Begin(Fault fault, const Target& target) {
  if (fault == Fault::kDiskGoesBack) {
    GoBack(target);
    return true;
  }
  const uint64_t kind = scheduler_.Random(4);
  const int victim = kind == 0 ? target.primary : target.followers[0];
  if (!MayLie(victim)) return false;
  cluster_.log().Add(Cluster::ServerName(target.primary), "is the target of: " + std::string(FaultName(fault)));
  if (kind <= 1) {
    Die(victim, fault, Within(milliseconds(20), seconds(3)));
  } else if (kind == 2) {
    LieBesideOneBehind(fault, target);
  } else {
    LieUnderSuccessor(fault, target);
  }
  return true;
}

DiskLies::Loss DiskLies::LossBy(Fault fault) {
  if (fault == Fault::kDiskReturnsOlder) return Loss::kOlder;
  if (fault == Fault::kDiskGoesBack) return Loss::kAll;
  return scheduler_.Random(2) == 0 ? Loss::kCut : Loss::kZero;
}

std::optional<DiskLies::Loss> DiskLies::LossAt(int index) {
  std::optional<Loss> loss = now_;
  if (!loss && !enabled_.empty() && scheduler_.Random(kLiesOneOf) == 0)
    loss = LossBy(enabled_[scheduler_.Random(enabled_.size())]);
  if (loss == Loss::kAll && !IsRemembered(index)) return std::nullopt;
  return loss && !healed() && MayLie(index) ? loss : std::nullopt;
}

bool DiskLies::MayLie(int index) {
  const ServerName name = Cluster::ServerName(index);
  return cluster_.Unsure().empty() && std::ranges::all_of(hooks_.catalog_now().tablets(), [&](const auto& item) {
           const CatalogWatch::Tablet& tablet = item.second;
           const auto& voters = tablet.voters;
           if (std::ranges::find(voters, name) == voters.end()) return true;
           const auto whole = std::ranges::count_if(
               voters, [&](const ServerName& voter) { return voter != name && IsWhole(voter, tablet.id); });
           return static_cast<size_t>(whole) > voters.size() / 2;
         });
}

bool DiskLies::IsWhole(const ServerName& server, TabletId tablet) {
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Cluster::ServerName(i) != server) continue;
    const auto view = ViewAt(i, tablet);
    return view != nullptr && view->role != tabletserver::RoleKind::kAbsent && !view->incomplete &&
           !view->may_have_lost_writes && view->failure.empty();
  }
  return false;
}

void DiskLies::Die(int index, Fault fault, Duration away) {
  now_ = LossBy(fault);
  servers_.KillAndRestart(index, CrashKind::kMachine, away);
  now_.reset();
}

// The followers acknowledge writes after the moment that a disk will show again. Then one of them dies, in half of
// the cases after it has promised an epoch to a successor.
void DiskLies::GoBack(const Target& target) {
  Undisturbed(seconds(8));
  cluster_.log().Add(Cluster::ServerName(target.primary), "is the target of: disk_goes_back");
  before_.clear();
  for (const int follower : target.followers) {
    if (cluster_.server(follower) != nullptr) cluster_.disk(follower).disk.Remember();
  }
  LooksAgain(target.followers);
  After(milliseconds(100), [this, target] {
    if (!LooksAgain(target.followers)) return;
    After(Within(milliseconds(300), milliseconds(1000)), [this, target] {
      if (scheduler_.Random(2) == 0) return LieUnderSuccessor(Fault::kDiskGoesBack, target);
      Die(target.followers[0], Fault::kDiskGoesBack, Within(milliseconds(20), seconds(3)));
    });
  });
}

// The published view of a replica may be somewhat old. False: it has promised something meanwhile.
bool DiskLies::LooksAgain(const std::vector<int>& servers) {
  for (const int index : servers) {
    if (cluster_.server(index) == nullptr) return false;
    for (const auto& handle : cluster_.server(index)->host().directory().snapshot()->All()) {
      const auto view = handle->view();
      if (view == nullptr) continue;
      const auto [known, first] = before_.try_emplace({index, view->tablet}, Before{view->promised, {}});
      if (known->second.promised != view->promised) return false;
      known->second.last = view->last_appended;
    }
  }
  return true;
}

// Whether the primaries of that moment live, and will tell the server that its disk has lost entries. If it would lack
// a promise, too, the primary must know of more entries than the disk has then. A tablet that the server itself leads
// is led by another one when it returns.
bool DiskLies::IsRemembered(int index) {
  const ServerName name = Cluster::ServerName(index);
  for (const auto& handle : cluster_.server(index)->host().directory().snapshot()->All()) {
    const auto view = handle->view();
    if (view == nullptr) continue;
    const auto was = before_.find({index, view->tablet});
    if (view->role == tabletserver::RoleKind::kAbsent) continue;
    // It was made here since, so the disk loses all of it.
    const bool young = was == before_.end();
    const Before before = young ? Before{view->promised, {}} : was->second;
    bool remembered = !young && view->role == tabletserver::RoleKind::kPrimary && view->promised == before.promised;
    for (int i = 0; i < cluster_.servers() && !remembered; ++i) {
      const auto lead = ViewAt(i, view->tablet);
      if (lead == nullptr || lead->role != tabletserver::RoleKind::kPrimary || lead->epoch != before.promised) continue;
      const auto peer = std::ranges::find(lead->peers, name, &tabletserver::PeerProgress::peer);
      const bool more = peer != lead->peers.end() && peer->acknowledged > before.last.lsn;
      remembered = more || (!young && view->promised == before.promised);
    }
    if (!remembered) return false;
  }
  return true;
}

// The primary and one follower acknowledge writes that the other follower does not hear of. Then that one's disk lies,
// and the primary is gone for a while. The two that are left must not decide without it.
void DiskLies::LieBesideOneBehind(Fault fault, const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string behind = Cluster::ServerName(target.followers[1]);
  const Duration alone = Within(milliseconds(300), milliseconds(1200));
  const Duration lasting = Within(seconds(2), seconds(5));
  Undisturbed(alone + seconds(3));
  network_.CutBoth(primary, behind, alone);
  network_.CutBoth(Cluster::ServerName(target.followers[0]), behind, alone);
  After(alone, [this, fault, target, primary, lasting] {
    if (cluster_.server(target.primary) == nullptr) return;
    Die(target.followers[0], fault, Within(milliseconds(5), milliseconds(60)));
    if (scheduler_.Random(2) == 0) return servers_.KillAndRestart(target.primary, CrashKind::kMachine, lasting);
    for (const int follower : target.followers) network_.CutBoth(primary, Cluster::ServerName(follower), lasting);
    network_.CutFromControlPlane(target.primary, lasting);
  });
}

// The primary is cut off, and a successor leads without its knowledge. When the successor has committed something, the
// disk of the third replica lies and forgets the promise to the successor. From then on the third replica reaches the
// deposed primary alone.
void DiskLies::LieUnderSuccessor(Fault fault, const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration lasting = seconds(6);
  Undisturbed(lasting);
  for (const int follower : target.followers) {
    cluster_.network().Cut(primary, Cluster::ServerName(follower));
    cluster_.network().Cut(Cluster::ServerName(follower), primary);
  }
  After(lasting, [this, target, primary] {
    for (const int follower : target.followers) {
      cluster_.network().Mend(primary, Cluster::ServerName(follower));
      cluster_.network().Mend(Cluster::ServerName(follower), primary);
    }
  });
  network_.CutFromControlPlane(target.primary, lasting);
  cluster_.log().Add(primary, "is cut off, and a disk is to lie under its successor");
  const auto leads = [this, target] { return Successor(target) >= 0; };
  Await(
      leads,
      [this, fault, target] {
        After(Within(milliseconds(50), milliseconds(500)),
              [this, fault, target] { LieUnderSuccessorOn(fault, target); });
      },
      600);
}

void DiskLies::LieUnderSuccessorOn(Fault fault, const Target& target) {
  const int successor = Successor(target);
  if (successor < 0 || cluster_.server(target.primary) == nullptr) return;
  const int victim = target.followers[target.followers[0] == successor ? 1 : 0];
  const std::string name = Cluster::ServerName(victim), primary = Cluster::ServerName(target.primary);
  Die(victim, fault, Within(milliseconds(5), milliseconds(60)));
  network_.CutBoth(name, Cluster::ServerName(successor), Within(milliseconds(300), milliseconds(2000)));
  cluster_.network().Mend(primary, name);
  cluster_.network().Mend(name, primary);
}

}  // namespace ebla::sim

// Scenarios (fault_scenarios.cc) around splits.
#include <algorithm>
#include <memory>

#include "tests/sim/nemesis/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

// The primary applies a SPLIT, and leads the child, when nobody hears of it any more: the others have the entry, and
// whoever leads them next applies it too.
void Nemesis::SplitCommitUnseen(const Target& target) {
  if (const int to = AnyNonMember(target); to >= 0 && scheduler_.Random(2) == 0) return SplitThenMove(target, to);
  const std::string primary = Cluster::ServerName(target.primary);
  for (const int follower : target.followers)
    SlowDown(Cluster::ServerName(follower), primary, milliseconds(100), seconds(4));
  hooks_.split(target.tablet);
  const auto stored = [this, target] {
    const auto view = ViewAt(target.primary, target.tablet);
    return view != nullptr && view->splitting && std::ranges::any_of(target.followers, [&](int follower) {
             return cluster_.state().LastAppended(Cluster::ServerName(follower), target.tablet).lsn >= view->splitting;
           });
  };
  Await(
      stored,
      [this, target, primary] {
        if (cluster_.server(target.primary) == nullptr) return;
        const Duration lasting = Within(milliseconds(2500), milliseconds(3500));
        for (const int follower : target.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
        CutFromControlPlane(target.primary, lasting);
      },
      400);
}

// One follower has a SPLIT in its log, and hears nothing more of its primary; so the parent's replica goes elsewhere,
// and what is left there is dropped.
void Nemesis::SplitThenMove(const Target& target, int to) {
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string name = Cluster::ServerName(target.followers[0]);
  hooks_.split(target.tablet);
  const auto stored = [this, target, name] {
    const auto view = ViewAt(target.primary, target.tablet);
    return view != nullptr && view->splitting &&
           cluster_.state().LastAppended(name, target.tablet).lsn >= view->splitting;
  };
  SlowDown(Cluster::ServerName(target.followers[1]), primary, milliseconds(60), milliseconds(500));
  SlowDown(name, primary, milliseconds(60), milliseconds(500));
  Await(
      stored,
      [this, target, to, primary, name] {
        CutOff(primary, name, seconds(10));
        Await([this, target] { return InCatalog(target.tablet) != nullptr && !InCatalog(target.tablet)->splitting; },
              [this, target, to, name] {
                cluster_.log().Add("admin", "moves a replica from " + name);
                hooks_.move(target.tablet, name, Cluster::ServerName(to));
              },
              400);
      },
      400);
}

// The order to split is held back until a later epoch has settled that there is no split.
void Nemesis::SplitLate(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  cluster_.log().Add(primary, "is not told to split");
  cluster_.network().HoldBack("split", primary);
  const auto let_go = [this, primary, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    cluster_.log().Add(primary, "is told to split");
    cluster_.network().LetGo("split", primary);
  };
  After(seconds(12), let_go);
  hooks_.split(target.tablet);
  const auto splitting = [this, tablet = target.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now != nullptr && now->splitting;
  };
  Await(splitting, [this, splitting, let_go] { Await([splitting] { return !splitting(); }, let_go, 2000); }, 400);
}

// A follower has to be copied; while the beginning of the copy is under way, the tablet is split.
void Nemesis::SplitInCopy(const Target& target) {
  const int behind = target.followers[0];
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string name = Cluster::ServerName(behind);
  whole_.insert(target.tablet);
  After(seconds(12), [this, tablet = target.tablet] { whole_.erase(tablet); });
  Undisturbed(seconds(5));
  LagBehind(target);
  const auto incomplete = [this, behind, tablet = target.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  Await(
      incomplete,
      [this, target, primary, name] {
        whole_.erase(target.tablet);
        Undisturbed(seconds(1));
        SlowDown(name, primary, milliseconds(200), seconds(4));
        hooks_.split(target.tablet);
      },
      2000);
}

}  // namespace ebla::sim

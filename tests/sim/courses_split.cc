// Courses of events (courses.cc) around splits.
#include <algorithm>
#include <memory>

#include "tests/sim/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

// The primary applies a SPLIT, and leads the child, when nobody hears of it any more: the others have the entry, and
// whoever leads them next applies it too.
void Nemesis::SplitUnheard(const Aim& aim) {
  if (const int to = Outsider(aim); to >= 0 && scheduler_.Random(2) == 0) return SplitThenMove(aim, to);
  const std::string primary = Cluster::ServerName(aim.primary);
  for (const int follower : aim.followers)
    SlowDown(Cluster::ServerName(follower), primary, milliseconds(100), seconds(4));
  hooks_.split(aim.tablet);
  const auto stored = [this, aim] {
    const auto view = ViewAt(aim.primary, aim.tablet);
    return view != nullptr && view->splitting && std::ranges::any_of(aim.followers, [&](int follower) {
             return cluster_.state().LastAppended(Cluster::ServerName(follower), aim.tablet).lsn >= view->splitting;
           });
  };
  Await(
      stored,
      [this, aim, primary] {
        if (cluster_.server(aim.primary) == nullptr) return;
        const Duration lasting = Within(milliseconds(2500), milliseconds(3500));
        for (const int follower : aim.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
        Forsake(aim.primary, lasting);
      },
      400);
}

// One follower has a SPLIT in its log, and hears nothing more of its primary; so the parent's replica goes elsewhere,
// and what is left there is dropped.
void Nemesis::SplitThenMove(const Aim& aim, int to) {
  const std::string primary = Cluster::ServerName(aim.primary);
  const std::string name = Cluster::ServerName(aim.followers[0]);
  hooks_.split(aim.tablet);
  const auto stored = [this, aim, name] {
    const auto view = ViewAt(aim.primary, aim.tablet);
    return view != nullptr && view->splitting && cluster_.state().LastAppended(name, aim.tablet).lsn >= view->splitting;
  };
  SlowDown(Cluster::ServerName(aim.followers[1]), primary, milliseconds(60), milliseconds(500));
  SlowDown(name, primary, milliseconds(60), milliseconds(500));
  Await(
      stored,
      [this, aim, to, primary, name] {
        CutOff(primary, name, seconds(10));
        Await([this, aim] { return InCatalog(aim.tablet) != nullptr && !InCatalog(aim.tablet)->splitting; },
              [this, aim, to, name] {
                cluster_.log().Add("admin", "moves a replica from " + name);
                hooks_.move(aim.tablet, name, Cluster::ServerName(to));
              },
              400);
      },
      400);
}

// The order to split is held back until a later epoch has settled that there is no split.
void Nemesis::SplitLate(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  cluster_.log().Add(primary, "is not told to split");
  cluster_.network().HoldBack("split", primary);
  const auto let_go = [this, primary, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    cluster_.log().Add(primary, "is told to split");
    cluster_.network().LetGo("split", primary);
  };
  After(seconds(12), let_go);
  hooks_.split(aim.tablet);
  const auto splitting = [this, tablet = aim.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now != nullptr && now->splitting;
  };
  Await(splitting, [this, splitting, let_go] { Await([splitting] { return !splitting(); }, let_go, 2000); }, 400);
}

// A follower has to be copied; while the beginning of the copy is under way, the tablet is split.
void Nemesis::SplitInCopy(const Aim& aim) {
  const int behind = aim.followers[0];
  const std::string primary = Cluster::ServerName(aim.primary);
  const std::string name = Cluster::ServerName(behind);
  whole_.insert(aim.tablet);
  After(seconds(12), [this, tablet = aim.tablet] { whole_.erase(tablet); });
  Undisturbed(seconds(5));
  LagBehind(aim);
  const auto incomplete = [this, behind, tablet = aim.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  Await(
      incomplete,
      [this, aim, primary, name] {
        whole_.erase(aim.tablet);
        Undisturbed(seconds(1));
        SlowDown(name, primary, milliseconds(200), seconds(4));
        hooks_.split(aim.tablet);
      },
      2000);
}

}  // namespace ebla::sim

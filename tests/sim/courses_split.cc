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
  const std::string primary = Cluster::ServerName(aim.primary);
  for (const int follower : aim.followers) SlowDown(Cluster::ServerName(follower), primary, milliseconds(100), seconds(4));
  hooks_.split(aim.tablet);
  const auto stored = [this, aim] {
    const auto view = ViewAt(aim.primary, aim.tablet);
    return view != nullptr && view->splitting && std::ranges::any_of(aim.followers, [&](int follower) {
             return cluster_.state().LastAppended(Cluster::ServerName(follower), aim.tablet).lsn >= view->splitting;
           });
  };
  Await(stored, [this, aim, primary] {
    if (cluster_.server(aim.primary) == nullptr) return;
    const Duration lasting = Within(milliseconds(2500), milliseconds(3500));
    for (const int follower : aim.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
    Forsake(aim.primary, lasting);
  }, 400);
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
  CutBoth(primary, name, Within(milliseconds(5500), milliseconds(7500)));
  const auto incomplete = [this, behind, tablet = aim.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  Await(incomplete, [this, aim, primary, name] {
    SlowDown(name, primary, milliseconds(400), seconds(4));
    hooks_.split(aim.tablet);
  }, 2000);
}

}  // namespace ebla::sim

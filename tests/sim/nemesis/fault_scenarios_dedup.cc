// A scenario (fault_scenarios.cc) around what a tablet remembers of writes, and what sessions know of it, over a split.
#include <functional>
#include <string>
#include <utility>

#include "tests/sim/nemesis/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::seconds;

}  // namespace

// The tablet of the same table that begins where this one ends; null: there is none.
const CatalogWatch::Tablet* Nemesis::RightOf(TabletId tablet) {
  const CatalogWatch::Tablet* left = InCatalog(tablet);
  if (left == nullptr || left->end_key.empty()) return nullptr;
  for (const auto& [path, known] : hooks_.catalog().tablets()) {
    if (known.table == left->table && known.first_key == left->end_key) return &known;
  }
  return nullptr;
}

// A client writes at both sides of where the tablet is split then, and asks for it all again. The right half is handed
// over meanwhile, and a session goes on by the route of before.
void Nemesis::SplitRemembered(const Target& target) {
  Undisturbed(seconds(6));
  whole_.insert(target.tablet);
  After(seconds(12), [this, tablet = target.tablet] { whole_.erase(tablet); });
  hooks_.ask(target.tablet, [this, target](const std::function<void()>& again) {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    if (healed_ || now == nullptr) return;
    whole_.erase(target.tablet);
    Undisturbed(seconds(4));
    hooks_.split(target.tablet);
    const auto is_split = [this, tablet = target.tablet, end = now->end_key] {
      const CatalogWatch::Tablet* left = InCatalog(tablet);
      return left != nullptr && !left->splitting && left->end_key != end && RightOf(tablet) != nullptr;
    };
    Await(
        is_split,
        [this, target, again] {
          again();
          LeadAnew(target, RightOf(target.tablet)->id);
        },
        600);
  });
}

// The child goes to another server, so that its epochs are not its parent's any more.
void Nemesis::LeadAnew(const Target& target, TabletId child) {
  const int to = target.followers[0];
  const CatalogWatch::Tablet* now = InCatalog(child);
  const Epoch epoch = now->epoch;
  cluster_.log().Add("admin", "hands the child over to " + Cluster::ServerName(to));
  hooks_.transfer(child, Cluster::ServerName(to));
  const auto leads = [this, to, child, epoch] {
    const auto view = ViewAt(to, child);
    return view != nullptr && view->role == tabletserver::RoleKind::kPrimary && view->barrier_applied &&
           view->epoch > epoch;
  };
  Await(
      leads,
      [this, target, to, child] {
        const auto& starts = ViewAt(to, child)->epoch_starts;
        if (!starts.empty()) hooks_.wander(target.tablet, starts.back().first);
      },
      600);
}

}  // namespace ebla::sim

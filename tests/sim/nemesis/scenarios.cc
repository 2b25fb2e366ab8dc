#include "tests/sim/nemesis/scenarios.h"

namespace ebla::sim {

int ScenarioFamily::Successor(const Target& target) {
  for (const int follower : target.followers) {
    const auto view = ViewAt(follower, target.tablet);
    if (view != nullptr && view->role == tabletserver::RoleKind::kPrimary && view->barrier_applied) return follower;
  }
  return -1;
}

}  // namespace ebla::sim

#include "tests/sim/nemesis/outage_scenarios.h"

#include <memory>
#include <string>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kTransferTakes = milliseconds(40);
constexpr Duration kMergeTakes = milliseconds(400);
constexpr Duration kMoveTakes = seconds(4);
constexpr Duration kLongest = seconds(8);

}  // namespace

void OutageScenarios::Begin(const Target& target) {
  Undisturbed(kMoveTakes + kLongest + seconds(2));
  const int place = membership_.AnyNonMember(target);
  const uint64_t kind = scheduler_.Random(4);
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string follower = Cluster::ServerName(target.followers[0]);
  if (kind == 0 && hooks_.splittable(target.tablet)) {
    hooks_.split(target.tablet);
    StrikeAtSomeStep(target, kTransferTakes);
  } else if (kind <= 2 && place >= 0) {
    const std::string& mover = scheduler_.Random(2) == 0 ? primary : follower;
    cluster_.log().Add("admin", "moves a replica from " + mover + " to " + Cluster::ServerName(place));
    hooks_.move(target.tablet, mover, Cluster::ServerName(place));
    StrikeAtSomeStep(target, kMoveTakes);
  } else if (hooks_.merge(target.tablet)) {
    StrikeAtSomeStep(target, kMergeTakes, "freeze");
  } else {
    cluster_.log().Add("admin", "transfers a tablet from " + primary + " to " + follower);
    hooks_.transfer(target.tablet, follower);
    StrikeAtSomeStep(target, kTransferTakes);
  }
}

// At any moment; when the catalog has just changed; or when the primary has just answered `order`.
void OutageScenarios::StrikeAtSomeStep(const Target& target, Duration latest, const char* order) {
  const auto strike = [this, struck = std::make_shared<bool>(false)] {
    if (!healed() && !std::exchange(*struck, true)) Strike();
  };
  const uint64_t when = scheduler_.Random(3);
  if (when == 0) {
    After(Within(milliseconds(0), latest), strike);
  } else if (when == 1) {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    const int version = now == nullptr ? 0 : now->seen_version;
    const auto changed = [this, version, tablet = target.tablet] {
      const CatalogWatch::Tablet* tablet_now = InCatalog(tablet);
      return tablet_now != nullptr && tablet_now->seen_version != version;
    };
    Await(changed, strike, 400);
  } else {
    cluster_.network().OnceAnswered(Cluster::ServerName(target.primary), order, strike);
    After(latest, strike);
  }
}

void OutageScenarios::Strike() { coordinator_.Outage(Within(seconds(3), kLongest)); }

}  // namespace ebla::sim

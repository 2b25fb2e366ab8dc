#include "tests/sim/nemesis/membership_scenarios.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void MembershipScenarios::Begin(Fault fault, const Target& target) {
  switch (fault) {
    case Fault::kLeaveBehind: return LeaveBehind(target);
    case Fault::kDropLate: return DropLate(target);
    case Fault::kChangeMembers: return ChangeMembers(target);
    default: return;
  }
}

bool MembershipScenarios::Resize(int replicas, Duration lasting) {
  const bool needs_three = cluster_.interval() || cluster_.memory() || cluster_.disks_lie();  // see DrawFaults
  if (resized_ || (replicas == 2 && needs_three)) return false;
  resized_ = true;
  cluster_.log().Add("admin", "wants " + std::to_string(replicas) + " replicas");
  hooks_.resize(replicas);
  After(lasting, [this] {
    cluster_.log().Add("admin", "wants 3 replicas");
    hooks_.resize(3);
    resized_ = false;
  });
  return true;
}

bool MembershipScenarios::ResizeSomehow() {
  const int replicas = cluster_.servers() > 3 && scheduler_.Random(3) > 0 ? 4 : 2;
  return Resize(replicas, Within(seconds(1), seconds(4)));
}

void MembershipScenarios::LagBehind(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string name = Cluster::ServerName(target.followers[0]);
  network_.CutBoth(primary, name, Within(milliseconds(6500), milliseconds(7500)));
  const auto gone = [this, target, primary, name] {
    const Lsn last = cluster_.state().LastAppended(name, target.tablet).lsn;
    return last && !cluster_.state().Reaches(primary, target.tablet, last);
  };
  Await(
      gone,
      [this, primary, name] {
        cluster_.log().Add("network", "mend " + primary + " <-> " + name);
        cluster_.network().Mend(primary, name);
        cluster_.network().Mend(name, primary);
      },
      1300);
}

// A follower falls so far behind that only a copy can fill the replica.
void MembershipScenarios::LeaveBehind(const Target& target) {
  const int behind = target.followers[0];
  const uint64_t how = scheduler_.Random(4);
  LagBehind(target);
  if (how > 1) Undisturbed(seconds(5));
  const auto incomplete = [this, behind, tablet = target.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  const auto complete = [incomplete] { return !incomplete(); };
  switch (how) {
    case 0:  // the primary dies while the copy is under way
      return Await(
          incomplete,
          [this, target] {
            After(Within(milliseconds(0), milliseconds(300)), [this, target] {
              servers_.KillAndRestart(target.primary, CrashKind::kMachine, Within(seconds(2), seconds(4)));
            });
          },
          2000);
    case 1:  // for a while the follower has no room for the log after the copy
      return Await(
          incomplete,
          [this, behind] {
            servers_.RefuseAllAppends(behind);
            After(Within(milliseconds(1500), milliseconds(4000)), [this, behind] { servers_.TakeAppends(behind); });
          },
          2000);
    default:  // the copy's beginning arrives again, long after its end, when the primary reaches this follower alone
      return Await(
          incomplete,
          [this, target, complete] {
            const CatalogWatch::Tablet* now = InCatalog(target.tablet);
            if (now == nullptr || now->primary != Cluster::ServerName(target.primary)) return;
            Undisturbed(milliseconds(1500));
            Await(
                complete,
                [this, target, epoch = now->epoch] {
                  const CatalogWatch::Tablet* same = InCatalog(target.tablet);
                  if (same != nullptr && same->epoch == epoch) RepeatOldOrders(target, "copy");
                },
                1200);
          },
          2000);
  }
}

// Only the primary and followers[0] have the latest entries. Orders to an earlier state of followers[0] reach it again.
// Then the primary's machine dies.
void MembershipScenarios::RepeatOldOrders(const Target& target, const std::string& told) {
  Undisturbed(milliseconds(1500));
  network_.CutBoth(Cluster::ServerName(target.primary), Cluster::ServerName(target.followers[1]),
                   Within(seconds(1), seconds(2)));
  hooks_.write(target.primary, target.tablet, /*large=*/false, {});
  After(Within(milliseconds(100), milliseconds(700)), [this, target, told] {
    const std::string name = Cluster::ServerName(target.followers[0]);
    cluster_.log().Add(name, "is told again of every " + told);
    cluster_.network().RepeatTo(name, told);
    After(Within(milliseconds(2), milliseconds(15)), [this, target] {
      servers_.KillAndRestart(target.primary, CrashKind::kMachine, Within(seconds(3), seconds(5)));
    });
  });
}

// A follower is removed and dropped, and the same server gets a new replica. Then the old order to drop arrives again.
void MembershipScenarios::DropLate(const Target& target) {
  if (!Resize(2, milliseconds(1500))) return;
  const auto voters = [this, tablet = target.tablet]() -> std::vector<ServerName> {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now == nullptr ? std::vector<ServerName>() : now->voters;
  };
  Await([voters] { return voters().size() == 2; },
        [this, target, voters] {
          const std::vector<ServerName> left = voters();
          const auto gone = [left](int index) {
            return std::ranges::find(left, Cluster::ServerName(index)) == left.end();
          };
          Target now = target;
          if (gone(now.followers[1])) std::swap(now.followers[0], now.followers[1]);
          const std::string back = Cluster::ServerName(now.followers[0]);
          const auto is_back = [voters, back] {
            const std::vector<ServerName> all = voters();
            return all.size() == 3 && std::ranges::count(all, back) > 0;
          };
          ReadOn(now.followers[0], now.tablet, 250);
          Await(is_back, [this, now] { RepeatOldOrders(now, "drop"); }, 1600);
        },
        800);
}

// A client with an old route reads, slowly, at a removed replica until the replica is gone.
void MembershipScenarios::ReadOn(int server, TabletId tablet, int times) {
  if (times == 0 || ViewAt(server, tablet) == nullptr) return;
  hooks_.peek(server, tablet);
  After(milliseconds(12), [this, server, tablet, times] { ReadOn(server, tablet, times - 1); });
}

// The primary dies while members change, when hardly any other replica has its latest entries.
void MembershipScenarios::ChangeMembers(const Target& target) {
  const int to = AnyNonMember(target);
  if (to >= 0 && scheduler_.Random(2) == 0) return Overlap(target, to);
  LearnerAlone(target);
}

// While members change, the primary reaches only a learner that has caught up.
void MembershipScenarios::LearnerAlone(const Target& target) {
  if (!Resize(4, seconds(6))) return;
  const auto level = [this, tablet = target.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    for (int i = 0; now != nullptr && !now->learners.empty() && i < cluster_.servers(); ++i) {
      const auto view = Cluster::ServerName(i) == now->learners[0] ? ViewAt(i, tablet) : nullptr;
      if (view != nullptr && view->role == tabletserver::RoleKind::kFollower && !view->incomplete) return true;
    }
    return false;
  };
  Await(
      level,
      [this, target] {
        if (cluster_.server(target.primary) == nullptr) return;
        const Duration lasting = Within(milliseconds(300), milliseconds(1200));
        coordinator_.HoldOffMasters(lasting);
        for (const int follower : target.followers) {
          network_.CutBoth(Cluster::ServerName(target.primary), Cluster::ServerName(follower),
                           lasting + milliseconds(100));
        }
        After(lasting, [this, target] {
          servers_.KillAndRestart(target.primary, CrashKind::kMachine, Within(seconds(3), seconds(5)));
        });
      },
      1000);
}

int MembershipScenarios::AnyNonMember(const Target& target) {
  for (int i = 0; i < cluster_.servers(); ++i) {
    const bool inside =
        i == target.primary || std::ranges::count(target.followers, i) + std::ranges::count(target.learners, i) > 0;
    if (!inside && Free(i) && cluster_.server(i) != nullptr) return i;
  }
  return -1;
}

bool MembershipScenarios::Votes(const std::string& name, TabletId tablet) {
  const CatalogWatch::Tablet* now = InCatalog(tablet);
  return now != nullptr && std::ranges::count(now->voters, name) > 0;
}

// A follower moves to another server. When the new replica has caught up, this replica and the second follower get no
// more entries, so that only the primary and the moving follower have the latest ones. Then both changes of members are
// due at once: the new voter, which gets one more message, and the old voter's removal.
void MembershipScenarios::Overlap(const Target& target, int to) {
  const std::string mover = Cluster::ServerName(target.followers[0]);
  const std::string other = Cluster::ServerName(target.followers[1]);
  const std::string place = Cluster::ServerName(to);
  cluster_.log().Add("admin", "moves a replica from " + mover + " to " + place);
  hooks_.move(target.tablet, mover, place);
  const auto level = [this, target, place] {
    const auto view = ViewAt(target.primary, target.tablet);
    return view != nullptr && std::ranges::any_of(view->peers, [&](const tabletserver::PeerProgress& peer) {
             return peer.peer == place && !peer.incomplete && !peer.copying;
           });
  };
  Await(
      level,
      [this, target, to, place, other] {
        if (cluster_.server(target.primary) == nullptr) return;
        network_.BlockAppends(place);
        network_.BlockAppends(other);
        const auto unblock = [this, place, other, over = std::make_shared<bool>(false)] {
          if (std::exchange(*over, true)) return;
          network_.UnblockAppends(place);
          network_.UnblockAppends(other);
        };
        After(seconds(8), unblock);
        network_.SlowDown(place, Cluster::ServerName(target.primary), milliseconds(100), seconds(8));
        for (int i = 0; i < 3; ++i) hooks_.write(target.primary, target.tablet, /*large=*/true, {});
        Await([this, target, place] { return Votes(place, target.tablet); },
              [this, target, to, unblock] { OverlapOn(target, to, unblock); }, 700);
      },
      1600);
}

void MembershipScenarios::OverlapOn(const Target& target, int to, const std::function<void()>& unblock) {
  const std::string place = Cluster::ServerName(to);
  const Version before = cluster_.state().LastAppended(place, target.tablet);
  network_.UnblockAppends(place);
  const auto one_more = [this, place, before, tablet = target.tablet] {
    return cluster_.state().LastAppended(place, tablet).lsn > before.lsn;
  };
  Await(
      one_more,
      [this, target, place, unblock] {
        network_.BlockAppends(place);
        const std::string mover = Cluster::ServerName(target.followers[0]);
        Await([this, target, mover] { return !Votes(mover, target.tablet); },
              [this, target, unblock] {
                servers_.KillAndRestart(target.primary, CrashKind::kMachine, Within(seconds(3), seconds(5)));
                After(milliseconds(50), unblock);
              },
              900);
      },
      300);
}

}  // namespace ebla::sim

#include "tests/sim/nemesis/merge_scenarios.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

bool MergeScenarios::Begin(Fault fault, const Target& target) {
  switch (fault) {
    case Fault::kMergeStruck: return StrikeMerge(target);
    case Fault::kMergeUnseen: return MergeUnseen(target);
    case Fault::kFreezeLate: return FreezeLate(target);
    case Fault::kFreezeOutlived: return FreezeOutlived(target);
    default: return false;
  }
}

bool MergeScenarios::StrikeMerge(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  cluster_.log().Add(primary, "is the target of: " + std::string(FaultName(Fault::kMergeStruck)));
  if (!hooks_.merge(target.tablet)) return false;
  switch (scheduler_.Random(4)) {
    case 0:  // just when a master sends the order to freeze, which is under way or lost with the master
      for (const std::string& master : cluster_.MasterNames()) {
        cluster_.network().OnceSentTo(master, "freeze", primary, 1,
                                      [this, server = target.primary] { StrikeAtMerge(server, "is told to freeze"); });
      }
      return true;
    case 1:  // the answer may arrive; the other tablet may not have been told
      cluster_.network().OnceAnswered(primary, "freeze",
                                      [this, server = target.primary] { StrikeAtMerge(server, "answers a freeze"); });
      return true;
    case 2: {  // the other tablet's order is held back, so that this one is frozen for long, and alone
      const auto held = std::make_shared<bool>(false);
      const int other = target.followers[0];
      cluster_.network().HoldBack("freeze", Cluster::ServerName(other), [held] { *held = true; });
      After(Within(milliseconds(200), milliseconds(2'500)), [this, other, server = target.primary, held] {
        if (*held) StrikeAtMerge(server, "is frozen alone");
        cluster_.network().LetGo("freeze", Cluster::ServerName(other));
      });
      return true;
    }
    default: {  // as soon as the catalog has the merged tablet
      const size_t before = hooks_.catalog().merged_away().size();
      Await([this, before] { return hooks_.catalog().merged_away().size() > before; },
            [this, server = target.primary] { StrikeAtMerge(server, "is to merge two tablets"); }, 600);
      return true;
    }
  }
}

// Strikes at once, or a little later, when the next step may be under way.
void MergeScenarios::StrikeAtMerge(int server, const std::string& when) {
  const Duration grace = scheduler_.Random(2) == 0 ? Duration(0) : Within(milliseconds(0), milliseconds(30));
  context_.executor().After(grace, [this, server, when] {
    if (!healed() && cluster_.server(server) != nullptr) Strike(server, when);
  });
}

void MergeScenarios::Strike(int server, const std::string& when) {
  const std::string name = Cluster::ServerName(server);
  cluster_.log().Add(name, when);
  const Duration lasting = Within(milliseconds(300), seconds(4));
  switch (scheduler_.Random(5)) {
    case 0: return servers_.KillAndRestart(server, CrashKind::kMachine, Within(milliseconds(5), seconds(3)));
    case 1: return servers_.KillAndRestart(server, CrashKind::kProcess, Within(milliseconds(5), milliseconds(200)));
    case 2: return network_.CutFromControlPlane(server, lasting);  // serves, but is dead to the masters
    case 3:
      for (int i = 0; i < cluster_.servers(); ++i) {
        if (i != server) network_.CutBoth(name, Cluster::ServerName(i), lasting);
      }
      return;
    default: masters_.Inject(Fault::kMasterKillAtWork);  // the leader, at one of its next orders
  }
}

// The tablet that ends where this one begins; null: there is none.
const CatalogWatch::Tablet* MergeScenarios::TheOneBefore(TabletId tablet) const {
  const CatalogWatch::Tablet* at = InCatalog(tablet);
  if (at == nullptr || at->first_key.empty()) return nullptr;
  const auto& tablets = hooks_.catalog().tablets();
  const auto found = std::ranges::find_if(tablets, [at](const auto& item) {
    return item.second.table == at->table && item.second.end_key == at->first_key;
  });
  return found == tablets.end() ? nullptr : &found->second;
}

// The tablet merged of `first` and the next one, with its voters except server `but_for`. None: they are still two.
std::optional<Target> MergeScenarios::TargetMerged(const CatalogWatch::Tablet& first, int but_for) {
  const auto& tablets = hooks_.catalog().tablets();
  const auto found = std::ranges::find_if(tablets, [&](const auto& item) {
    return item.second.table == first.table && item.second.joining && item.second.first_key == first.first_key &&
           item.second.id != first.id;
  });
  if (found == tablets.end()) return std::nullopt;
  Target target;
  target.tablet = found->second.id;
  target.primary = but_for;
  for (int i = 0; i < cluster_.servers(); ++i) {
    const bool votes = std::ranges::find(found->second.voters, Cluster::ServerName(i)) != found->second.voters.end();
    if (votes && i != but_for) target.followers.push_back(i);
  }
  return target;
}

// The first tablet's primary has frozen the tablet, and then only clients reach this server. The server is to have the
// merged tablet's primary, and is not told. Another voter becomes the merged tablet's primary without a wait, because
// no voter has granted a lease to the first server yet. A client writes there, and then reads at the first server.
bool MergeScenarios::MergeUnseen(const Target& target) {
  const CatalogWatch::Tablet* first = TheOneBefore(target.tablet);
  int frozen = -1;
  for (int i = 0; first != nullptr && i < cluster_.servers(); ++i) {
    if (Cluster::ServerName(i) == first->primary) frozen = i;
  }
  if (frozen < 0 || !Free(frozen) || cluster_.server(frozen) == nullptr || !hooks_.merge(target.tablet)) return false;
  const std::string name = Cluster::ServerName(frozen);
  cluster_.log().Add(name, "is the target of: " + std::string(FaultName(Fault::kMergeUnseen)));
  Undisturbed(seconds(4));
  cluster_.network().HoldBack("configure", name);
  After(seconds(7), [this, frozen] { network_.LetGo({frozen}); });
  const auto merged = [this, frozen, one = *first] { return TargetMerged(one, frozen); };
  Await([merged] { return merged().has_value(); },
        [this, merged, frozen, name] {
          if (cluster_.server(frozen) == nullptr) return;
          const std::optional<Target> next = merged();
          const Duration lasting = Within(milliseconds(2000), milliseconds(3500));
          for (int i = 0; i < cluster_.servers(); ++i) {
            if (i != frozen) network_.CutBoth(name, Cluster::ServerName(i), lasting);
          }
          network_.CutFromControlPlane(frozen, lasting);
          Await([this, next] { return Successor(*next) >= 0; },
                [this, next, frozen] {
                  hooks_.write(Successor(*next), next->tablet, /*large=*/false, [this, next, frozen] {
                    if (!healed()) hooks_.read(frozen, next->tablet, Read::Strong());
                  });
                },
                300);
        },
        600);
  return true;
}

// The order to freeze is held back until the merge has been given up and both tablets have later epochs.
bool MergeScenarios::FreezeLate(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  if (!hooks_.merge(target.tablet)) return false;
  const std::function<void()> let_go = network_.HoldBackOrder("freeze", primary);
  const auto merging = [this, tablet = target.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now != nullptr && now->into;
  };
  Await(merging, [this, merging, let_go] { Await([merging] { return !merging(); }, let_go, 2000); }, 600);
  return true;
}

// Two tablets to be merged have their primaries on different servers. The second tablet is frozen, and the first
// tablet's FREEZE does not reach all voters. Then the second tablet's primary loses its session, so that the tablet
// serves in a later epoch. Then the first tablet is frozen, too.
bool MergeScenarios::FreezeOutlived(const Target& target) {
  const CatalogWatch::Tablet* first = TheOneBefore(target.tablet);
  if (first == nullptr) return false;
  const auto leads = [&](int server) { return Cluster::ServerName(server) == first->primary; };
  if (!leads(target.primary) && !leads(target.followers[0]) && !leads(target.followers[1])) return false;
  cluster_.log().Add(Cluster::ServerName(target.primary),
                     "is the target of: " + std::string(FaultName(Fault::kFreezeOutlived)));
  Undisturbed(seconds(4));
  Target moved = target;
  if (leads(target.followers[1])) std::swap(moved.followers[0], moved.followers[1]);
  if (!leads(target.primary)) {
    OutliveFreeze(moved);
    return true;
  }
  std::swap(moved.primary, moved.followers[0]);
  hooks_.transfer(target.tablet, Cluster::ServerName(moved.primary));
  const auto transferred = [this, moved] {
    const CatalogWatch::Tablet* now = InCatalog(moved.tablet);
    const auto view = ViewAt(moved.primary, moved.tablet);
    return now != nullptr && now->primary == Cluster::ServerName(moved.primary) && view != nullptr &&
           view->barrier_applied;
  };
  Await(transferred, [this, moved] { OutliveFreeze(moved); }, 300);
  return true;
}

// The first follower's server has the primary of the tablet before. This server and the second follower's are cut off
// from each other for a while.
void MergeScenarios::OutliveFreeze(const Target& target) {
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  if (now == nullptr || !hooks_.merge(target.tablet)) return;
  const std::string one = Cluster::ServerName(target.followers[0]);
  const std::string other = Cluster::ServerName(target.followers[1]);
  cluster_.log().Add("network", "cut " + one + " <-> " + other);
  cluster_.network().Cut(one, other);
  cluster_.network().Cut(other, one);
  const auto mend = [this, one, other, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    cluster_.log().Add("network", "mend " + one + " <-> " + other);
    cluster_.network().Mend(one, other);
    cluster_.network().Mend(other, one);
  };
  After(seconds(4), mend);
  const auto frozen = [this, target] {
    const auto view = ViewAt(target.primary, target.tablet);
    return view != nullptr && view->frozen;
  };
  Await(
      frozen,
      [this, target, mend, epoch = now->epoch] {
        After(milliseconds(60), [this, target] {  // by then the primary has answered
          if (cluster_.server(target.primary) == nullptr) return;
          cluster_.log().Add(Cluster::ServerName(target.primary), "loses its session");
          cluster_.server(target.primary)->coordinator().Expire();
        });
        const auto later = [this, target, epoch] {
          const CatalogWatch::Tablet* tablet = InCatalog(target.tablet);
          return tablet == nullptr || tablet->epoch > epoch;
        };
        Await(later, mend, 600);
      },
      400);
}

}  // namespace ebla::sim

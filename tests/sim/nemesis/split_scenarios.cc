#include "tests/sim/nemesis/split_scenarios.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLongCheckpoint = seconds(15);

}  // namespace

void SplitScenarios::Begin(Fault fault, const Target& target) {
  switch (fault) {
    case Fault::kSplitCommitUnseen: return SplitCommitUnseen(target);
    case Fault::kSplitLate: return SplitLate(target);
    case Fault::kSplitInCopy: return SplitInCopy(target);
    case Fault::kSplitMeanwhile: return SplitMeanwhile(target);
    case Fault::kSplitDiscard: return SplitThenDiscard(target);
    case Fault::kSplitBehind: return SplitBehind(target);
    case Fault::kSplitRemembered: return SplitRemembered(target);
    default: return;
  }
}

// The primary applies a SPLIT and leads the child, but does not reach its followers any more. They have the entry, and
// the next primary applies it, too.
void SplitScenarios::SplitCommitUnseen(const Target& target) {
  if (const int to = membership_.AnyNonMember(target); to >= 0 && scheduler_.Random(2) == 0)
    return SplitThenMove(target, to);
  const std::string primary = Cluster::ServerName(target.primary);
  for (const int follower : target.followers)
    network_.SlowDown(Cluster::ServerName(follower), primary, milliseconds(100), seconds(4));
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
        for (const int follower : target.followers) network_.CutOff(primary, Cluster::ServerName(follower), lasting);
        network_.CutFromControlPlane(target.primary, lasting);
      },
      400);
}

// One follower has a SPLIT in its log, and gets nothing more from its primary. Then the parent's replica is moved
// from there to another server, and the remains are dropped.
void SplitScenarios::SplitThenMove(const Target& target, int to) {
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string name = Cluster::ServerName(target.followers[0]);
  hooks_.split(target.tablet);
  const auto stored = [this, target, name] {
    const auto view = ViewAt(target.primary, target.tablet);
    return view != nullptr && view->splitting &&
           cluster_.state().LastAppended(name, target.tablet).lsn >= view->splitting;
  };
  network_.SlowDown(Cluster::ServerName(target.followers[1]), primary, milliseconds(60), milliseconds(500));
  network_.SlowDown(name, primary, milliseconds(60), milliseconds(500));
  Await(
      stored,
      [this, target, to, primary, name] {
        network_.CutOff(primary, name, seconds(10));
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
void SplitScenarios::SplitLate(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const std::function<void()> let_go = network_.HoldBackOrder("split", primary);
  hooks_.split(target.tablet);
  const auto splitting = [this, tablet = target.tablet] { return IsSplitting(tablet); };
  Await(splitting, [this, splitting, let_go] { Await([splitting] { return !splitting(); }, let_go, 2000); }, 400);
}

// A follower has to be copied; while the beginning of the copy is under way, the tablet is split.
void SplitScenarios::SplitInCopy(const Target& target) {
  const int behind = target.followers[0];
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string name = Cluster::ServerName(behind);
  KeepWhole(target.tablet);
  Undisturbed(seconds(5));
  membership_.LagBehind(target);
  const auto incomplete = [this, behind, tablet = target.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  Await(
      incomplete,
      [this, target, primary, name] {
        whole_.erase(target.tablet);
        Undisturbed(seconds(1));
        network_.SlowDown(name, primary, milliseconds(200), seconds(4));
        hooks_.split(target.tablet);
      },
      2000);
}

void SplitScenarios::SplitMeanwhile(const Target& target) {
  switch (scheduler_.Random(4)) {
    case 0: return ChangeWhileSplit(target);
    case 1: return SplitUnseen(target);
    case 2: return SplitUnreported(target);
    default: return SplitUnapplied(target);
  }
}

// The order to split takes so long that an operator wants other members before it is obeyed.
void SplitScenarios::ChangeWhileSplit(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  cluster_.log().Add(primary, "is told late to split");
  cluster_.network().HoldBack("split", primary);
  After(Within(milliseconds(2500), milliseconds(4500)), [this, primary] {
    cluster_.log().Add(primary, "is told to split");
    cluster_.network().LetGo("split", primary);
  });
  Undisturbed(seconds(4));
  hooks_.split(target.tablet);
  const auto splitting = [this, tablet = target.tablet] { return IsSplitting(tablet); };
  Await(
      splitting,
      [this, target] {
        const std::string mover = Cluster::ServerName(target.followers[0]);
        const int to = membership_.AnyNonMember(target);
        if (to < 0) return static_cast<void>(membership_.Resize(2, seconds(3)));
        cluster_.log().Add("admin", "moves a replica from " + mover + " to " + Cluster::ServerName(to));
        hooks_.move(target.tablet, mover, Cluster::ServerName(to));
      },
      400);
}

// From before the split on, one follower gets nothing from its primary. Then the masters lose the primary, and fence
// both tablets. So the follower promises an epoch of the child before the parent's next primary tells it of the child's
// creation.
void SplitScenarios::SplitUnseen(const Target& target) {
  network_.CutOff(Cluster::ServerName(target.primary), Cluster::ServerName(target.followers[0]), seconds(6));
  Undisturbed(seconds(4));
  hooks_.split(target.tablet);
  const auto split = [this, target] {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    return now != nullptr && !now->splitting && IsSplit(target.primary, target.tablet);
  };
  Await(
      split,
      [this, target] {
        if (cluster_.server(target.primary) != nullptr)
          network_.CutFromControlPlane(target.primary, Within(milliseconds(2500), milliseconds(3500)));
      },
      600);
}

// A tablet is split, and its servers continue to serve. No master learns of it before another server leads the parent.
void SplitScenarios::SplitUnreported(const Target& target) {
  const CatalogWatch::Tablet* before = InCatalog(target.tablet);
  if (before == nullptr) return;
  for (const std::string& master : cluster_.MasterNames()) {
    network_.CutOff(Cluster::ServerName(target.primary), master, seconds(4));
    cluster_.network().HoldBack("heartbeat", master);
    cluster_.network().LoseFurther("heartbeat", master);
  }
  const auto heard = [this, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    for (const std::string& master : cluster_.MasterNames()) cluster_.network().LetGo("heartbeat", master);
  };
  After(seconds(5), heard);
  Undisturbed(seconds(4));
  hooks_.split(target.tablet);
  const auto split = [this, target] {
    return IsSplit(target.primary, target.tablet) && IsSplit(target.followers[0], target.tablet);
  };
  Await(
      split,
      [this, target, epoch = before->epoch, heard] {
        if (cluster_.server(target.primary) == nullptr) return;
        network_.CutFromControlPlane(target.primary, Within(milliseconds(3000), milliseconds(4000)));
        const auto led_anew = [this, tablet = target.tablet, epoch] {
          const CatalogWatch::Tablet* now = InCatalog(tablet);
          return now == nullptr || now->epoch != epoch;
        };
        Await(
            led_anew,
            [this, target, heard] {
              heard();
              WriteThenReadAtFormer(target);
            },
            600);
      },
      600);
}

// Messages of the parent's next primary reach the former one late. Once another server leads the child, a client writes
// there and reads at the former primary.
void SplitScenarios::WriteThenReadAtFormer(const Target& target) {
  if (const CatalogWatch::Tablet* parent = InCatalog(target.tablet); parent != nullptr) {
    network_.SlowDown(parent->primary, Cluster::ServerName(target.primary), milliseconds(1500), seconds(3));
  }
  const auto child = std::make_shared<Target>(target);
  const auto led = [this, parent = target.tablet, child] {
    const CatalogWatch::Tablet* const now = RightOf(parent);
    if (now != nullptr) child->tablet = now->id;
    return now != nullptr && Successor(*child) >= 0;
  };
  Await(
      led,
      [this, child] {
        hooks_.write(Successor(*child), child->tablet, /*large=*/false, [this, child] {
          if (!healed()) hooks_.read(child->primary, child->tablet, Read::Strong());
        });
      },
      600);
}

// The primary leads the parent on, and cannot apply the split that its followers have applied. One of these leads the
// child before long; a client writes there, and reads at the parent's primary.
void SplitScenarios::SplitUnapplied(const Target& target) {
  constexpr Duration kUnapplied = seconds(8);
  servers_.RefuseToApply(target.primary, kUnapplied);
  KeepWhole(target.tablet);
  Undisturbed(seconds(6));
  hooks_.split(target.tablet);
  const auto child = std::make_shared<Target>(target);
  const auto made = [this, target, child] {
    const CatalogWatch::Tablet* const now = RightOf(target.tablet);
    if (now == nullptr || !IsSplit(target.followers[0], target.tablet)) return false;
    child->tablet = now->id;
    return now->primary == Cluster::ServerName(target.primary);
  };
  const auto led = [this, child] { return Successor(*child) >= 0; };
  const auto write = [this, child] {
    hooks_.write(Successor(*child), child->tablet, /*large=*/false, [this, child] {
      if (!healed()) hooks_.read(child->primary, child->tablet, Read::Strong());
    });
  };
  Await(
      made,
      [this, child, led, write] {
        cluster_.log().Add("admin", "wants another to lead the child");
        hooks_.transfer(child->tablet, Cluster::ServerName(child->followers[0]));
        Await(led, write, 1000);
      },
      600);
}

// A follower has a split in its log, and cannot apply it; later it lacks so much of the parent's log that it has to be
// copied. Or it is the primary that cannot.
void SplitScenarios::SplitBehind(const Target& target) {
  if (const int to = membership_.AnyNonMember(target); to >= 0 && scheduler_.Random(3) == 0)
    return CopyFromBehind(target, to);
  const int behind = target.followers[0];
  servers_.RefuseToApply(behind, seconds(14));
  KeepWhole(target.tablet);
  Undisturbed(seconds(9));
  hooks_.split(target.tablet);
  const auto logged = [this, target, behind] {
    const auto view = ViewAt(target.primary, target.tablet);
    const Lsn last = cluster_.state().LastAppended(Cluster::ServerName(behind), target.tablet).lsn;
    return view != nullptr && view->split_at() && view->split_at() <= last && !IsSplit(behind, target.tablet);
  };
  const auto incomplete = [this, behind, tablet = target.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  Await(
      logged,
      [this, target, behind, incomplete] {
        membership_.LagBehind(target);
        WriteOn(target, 100);
        Await(incomplete, [this, behind] { servers_.TakeApplies(behind); }, 2400);
      },
      600);
}

// The primary leads on, and has not applied the split that is in its log, when a new replica is copied from it.
void SplitScenarios::CopyFromBehind(const Target& target, int to) {
  const std::string mover = Cluster::ServerName(target.followers[1]);
  servers_.RefuseToApply(target.primary, Within(seconds(3), seconds(6)));
  KeepWhole(target.tablet);
  Undisturbed(seconds(5));
  hooks_.split(target.tablet);
  Await([this, target] { return IsSplit(target.followers[0], target.tablet); },
        [this, target, to, mover] {
          cluster_.log().Add("admin", "moves a replica from " + mover + " to " + Cluster::ServerName(to));
          hooks_.move(target.tablet, mover, Cluster::ServerName(to));
        },
        600);
}

void SplitScenarios::SplitThenDiscard(const Target& target) {
  if (const int to = membership_.AnyNonMember(target); to >= 0 && scheduler_.Random(2) == 0)
    return SplitThenDrop(target, to);
  SplitThenLag(target);
}

// A follower has applied a split, and no checkpoint of its slow disk is done since, when the parent's replica there is
// dropped. The child's stays; and the machine dies.
void SplitScenarios::SplitThenDrop(const Target& target, int to) {
  const int index = target.followers[0];
  const std::string name = Cluster::ServerName(index);
  const auto quick = [this, index] { cluster_.disk(index).disk.SetCheckpointTime(Duration(0)); };
  cluster_.log().Add(name, "takes long over checkpoints");
  cluster_.disk(index).disk.SetCheckpointTime(kLongCheckpoint);
  After(kLongCheckpoint, quick);
  Undisturbed(seconds(8));
  hooks_.split(target.tablet);
  const auto split = [this, target, index] {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    return now != nullptr && !now->splitting && IsSplit(index, target.tablet);
  };
  // It may well keep what it had for now.
  const auto forgotten = [this, target, name, looks = std::make_shared<int>(0)] {
    return !membership_.Votes(name, target.tablet) &&
           (cluster_.state().HasForgotten(name, target.tablet) || ++*looks > 200);
  };
  Await(
      split,
      [this, target, to, index, name, quick, forgotten] {
        cluster_.log().Add("admin", "moves a replica from " + name);
        hooks_.move(target.tablet, name, Cluster::ServerName(to));
        Await(
            forgotten,
            [this, index, quick] {
              After(Within(milliseconds(20), milliseconds(200)), [this, index, quick] {
                quick();
                servers_.KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
              });
            },
            1600);
      },
      600);
}

// A follower has applied a split; later it lacks so much of the parent's log that it has to be copied.
void SplitScenarios::SplitThenLag(const Target& target) {
  Undisturbed(seconds(9));
  hooks_.split(target.tablet);
  Await([this, target] { return IsSplit(target.followers[0], target.tablet); },
        [this, target] {
          membership_.LagBehind(target);
          WriteOn(target, 100);
          DieDiscarding(target);
        },
        600);
}

// A checkpoint is taken when the follower's old records are gone and nothing else is there yet. Then the machine dies.
void SplitScenarios::DieDiscarding(const Target& target) {
  const int index = target.followers[0];
  if (cluster_.server(index) == nullptr) return;
  const auto taken = std::make_shared<bool>(false);
  cluster_.server(index)->CheckpointOnceForgotten(target.tablet, [taken] { *taken = true; });
  Await([taken] { return *taken; },
        [this, index] {
          cluster_.log().Add(Cluster::ServerName(index), "has taken a checkpoint");
          servers_.KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
        },
        2400);
}

// So that the log is long.
void SplitScenarios::WriteOn(const Target& target, int times) {
  if (times == 0 || ViewAt(target.primary, target.tablet) == nullptr) return;
  hooks_.write(target.primary, target.tablet, /*large=*/false, {});
  After(milliseconds(60), [this, target, times] { WriteOn(target, times - 1); });
}

// A server is not told of a table that is made, until that has been split.
bool SplitScenarios::SplitBeforeCreate() {
  const std::vector<int> up = context_.FreeServers();
  if (up.size() < 3) return false;
  const int index = up[scheduler_.Random(up.size())];
  const std::string server = Cluster::ServerName(index);
  const std::string name = "aside-" + std::to_string(++aside_);
  cluster_.log().Add(server, "is told of nothing");
  cluster_.network().HoldBack("configure", server);
  cluster_.network().LoseFurther("configure", server);
  Undisturbed(seconds(6));
  const auto told = [this, server, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    cluster_.log().Add(server, "is told what is new");
    cluster_.network().LetGo("configure", server);
  };
  After(seconds(12), told);
  hooks_.make(name, [this, name, told](TableId table) {
    if (healed()) return;
    hooks_.split_at(name, "m");
    const auto split = [this, table] {
      return std::ranges::count_if(hooks_.catalog().tablets(),
                                   [&](const auto& item) { return item.second.table == table; }) > 1;
    };
    Await(split, told, 1200);
  });
  return true;
}

bool SplitScenarios::IsSplitting(TabletId tablet) const {
  const CatalogWatch::Tablet* now = InCatalog(tablet);
  return now != nullptr && now->splitting;
}

void SplitScenarios::KeepWhole(TabletId tablet) {
  whole_.insert(tablet);
  After(seconds(12), [this, tablet] { whole_.erase(tablet); });
}

// Has the replica there applied a SPLIT?
bool SplitScenarios::IsSplit(int server, TabletId tablet) {
  const auto view = ViewAt(server, tablet);
  return view != nullptr && view->split_at();
}

// A client writes at both sides of the key at which the tablet is then split, and sends the same requests again.
// Meanwhile the right half is transferred, and a session continues with its old route.
void SplitScenarios::SplitRemembered(const Target& target) {
  Undisturbed(seconds(6));
  KeepWhole(target.tablet);
  hooks_.ask(target.tablet, [this, target](const std::function<void()>& again) {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    if (healed() || now == nullptr) return;
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

// The tablet of the same table that begins where this one ends; null: there is none.
const CatalogWatch::Tablet* SplitScenarios::RightOf(TabletId tablet) const {
  const CatalogWatch::Tablet* left = InCatalog(tablet);
  if (left == nullptr || left->end_key.empty()) return nullptr;
  for (const auto& [path, known] : hooks_.catalog().tablets()) {
    if (known.table == left->table && known.first_key == left->end_key) return &known;
  }
  return nullptr;
}

// Transfers the child to another server, so that its epochs differ from its parent's.
void SplitScenarios::LeadAnew(const Target& target, TabletId child) {
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

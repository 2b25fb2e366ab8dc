// Scenarios (fault_scenarios.cc) around what a split leaves to be remembered: at who has not heard of it, at who
// discards what he had, and in the catalog while it is under way.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/nemesis/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

constexpr Duration kLongCheckpoint = seconds(15);

}  // namespace

// Has the replica there applied a SPLIT?
bool Nemesis::IsSplit(int server, TabletId tablet) {
  const auto view = ViewAt(server, tablet);
  return view != nullptr && view->split_at();
}

// ---- while a tablet is split ---------------------------------------------------------------------------------------

void Nemesis::SplitMeanwhile(const Target& target) {
  const uint64_t how = scheduler_.Random(3);
  if (how == 0) return ChangeWhileSplit(target);
  how == 1 ? SplitUnseen(target) : SplitUnreported(target);
}

// The order to split takes so long that an operator wants other members before it is obeyed.
void Nemesis::ChangeWhileSplit(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  cluster_.log().Add(primary, "is told late to split");
  cluster_.network().HoldBack("split", primary);
  After(Within(milliseconds(2500), milliseconds(4500)), [this, primary] {
    cluster_.log().Add(primary, "is told to split");
    cluster_.network().LetGo("split", primary);
  });
  Undisturbed(seconds(4));
  hooks_.split(target.tablet);
  const auto splitting = [this, tablet = target.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now != nullptr && now->splitting;
  };
  Await(
      splitting,
      [this, target] {
        const std::string mover = Cluster::ServerName(target.followers[0]);
        const int to = AnyNonMember(target);
        if (to < 0) return static_cast<void>(Resize(2, seconds(3)));
        cluster_.log().Add("admin", "moves a replica from " + mover + " to " + Cluster::ServerName(to));
        hooks_.move(target.tablet, mover, Cluster::ServerName(to));
      },
      400);
}

// One follower hears nothing of its primary from before the split on; then that is dead to the masters, which fence
// both tablets. So the follower promises an epoch of the child before it learns, from the parent's next primary, of its
// creation.
void Nemesis::SplitUnseen(const Target& target) {
  CutOff(Cluster::ServerName(target.primary), Cluster::ServerName(target.followers[0]), seconds(6));
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
          CutFromControlPlane(target.primary, Within(milliseconds(2500), milliseconds(3500)));
      },
      600);
}

// A tablet is split, and its servers serve on; but no master hears of it before another leads the parent.
void Nemesis::SplitUnreported(const Target& target) {
  const CatalogWatch::Tablet* before = InCatalog(target.tablet);
  if (before == nullptr) return;
  for (const std::string& master : Masters()) {
    CutOff(Cluster::ServerName(target.primary), master, seconds(4));
    cluster_.network().HoldBack("heartbeat", master);
    cluster_.network().LoseFurther("heartbeat", master);
  }
  const auto heard = [this, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    for (const std::string& master : Masters()) cluster_.network().LetGo("heartbeat", master);
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
        CutFromControlPlane(target.primary, Within(milliseconds(3000), milliseconds(4000)));
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

// The former primary hears nothing of the parent's next one for a while. As soon as somebody else leads the child, a
// client writes there and reads at the former.
void Nemesis::WriteThenReadAtFormer(const Target& target) {
  if (const CatalogWatch::Tablet* parent = InCatalog(target.tablet); parent != nullptr) {
    SlowDown(parent->primary, Cluster::ServerName(target.primary), milliseconds(1500), seconds(3));
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
          if (!healed_) hooks_.read(child->primary, child->tablet, Read::Strong());
        });
      },
      600);
}

// ---- what has been split is discarded somewhere
// -----------------------------------------------------------------------

void Nemesis::SplitThenDiscard(const Target& target) {
  if (const int to = AnyNonMember(target); to >= 0 && scheduler_.Random(2) == 0) return SplitThenDrop(target, to);
  SplitThenLag(target);
}

// A follower has applied a split, and no checkpoint of its slow disk is done since, when the parent's replica there is
// dropped. The child's stays; and the machine dies.
void Nemesis::SplitThenDrop(const Target& target, int to) {
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
    return !Votes(name, target.tablet) && (cluster_.state().HasForgotten(name, target.tablet) || ++*looks > 200);
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
                KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
              });
            },
            1600);
      },
      600);
}

// A follower has applied a split; later it lacks so much of the parent's log that it has to be copied.
void Nemesis::SplitThenLag(const Target& target) {
  Undisturbed(seconds(9));
  hooks_.split(target.tablet);
  Await([this, target] { return IsSplit(target.followers[0], target.tablet); },
        [this, target] {
          LagBehind(target);
          WriteOn(target, 100);
          DieDiscarding(target);
        },
        600);
}

// Another process of the follower's has a checkpoint taken when the old records are gone and nothing else is there yet;
// then the machine dies.
void Nemesis::DieDiscarding(const Target& target) {
  const int index = target.followers[0];
  if (cluster_.server(index) == nullptr) return;
  const auto taken = std::make_shared<bool>(false);
  cluster_.server(index)->CheckpointOnceForgotten(target.tablet, [taken] { *taken = true; });
  Await([taken] { return *taken; },
        [this, index] {
          cluster_.log().Add(Cluster::ServerName(index), "has taken a checkpoint");
          KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
        },
        2400);
}

// So that the log is long.
void Nemesis::WriteOn(const Target& target, int times) {
  if (times == 0 || ViewAt(target.primary, target.tablet) == nullptr) return;
  hooks_.write(target.primary, target.tablet, /*large=*/false, {});
  After(milliseconds(60), [this, target, times] { WriteOn(target, times - 1); });
}

// ---- what was split before it was everywhere
// --------------------------------------------------------------------------

// A server is not told of a table that is made, until that has been split.
bool Nemesis::SplitBeforeCreate() {
  std::vector<int> up;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Free(i) && cluster_.server(i) != nullptr) up.push_back(i);
  }
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
    if (healed_) return;
    hooks_.split_at(name, "m");
    const auto split = [this, table] {
      return std::ranges::count_if(hooks_.catalog().tablets(),
                                   [&](const auto& item) { return item.second.table == table; }) > 1;
    };
    Await(split, told, 1200);
  });
  return true;
}

}  // namespace ebla::sim

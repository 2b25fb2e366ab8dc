// Courses of events (courses.cc) around what a split leaves to be remembered: at who has not heard of it, at who
// discards what he had, and in the catalog while it is under way.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/faults.h"

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

void Nemesis::SplitMeanwhile(const Aim& aim) {
  const uint64_t how = scheduler_.Random(3);
  if (how == 0) return ChangeWhileSplit(aim);
  how == 1 ? SplitUnseen(aim) : SplitUnreported(aim);
}

// The order to split takes so long that an operator wants other members before it is obeyed.
void Nemesis::ChangeWhileSplit(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  cluster_.log().Add(primary, "is told late to split");
  cluster_.network().HoldBack("split", primary);
  After(Within(milliseconds(2500), milliseconds(4500)), [this, primary] {
    cluster_.log().Add(primary, "is told to split");
    cluster_.network().LetGo("split", primary);
  });
  Undisturbed(seconds(4));
  hooks_.split(aim.tablet);
  const auto splitting = [this, tablet = aim.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now != nullptr && now->splitting;
  };
  Await(
      splitting,
      [this, aim] {
        const std::string mover = Cluster::ServerName(aim.followers[0]);
        const int to = Outsider(aim);
        if (to < 0) return static_cast<void>(Resize(2, seconds(3)));
        cluster_.log().Add("admin", "moves a replica from " + mover + " to " + Cluster::ServerName(to));
        hooks_.move(aim.tablet, mover, Cluster::ServerName(to));
      },
      400);
}

// One follower hears nothing of its primary from before the split on; then that is dead to the masters, which fence
// both tablets. So the follower promises an epoch of the child before it learns, from the parent's next primary, of its
// birth.
void Nemesis::SplitUnseen(const Aim& aim) {
  CutOff(Cluster::ServerName(aim.primary), Cluster::ServerName(aim.followers[0]), seconds(6));
  Undisturbed(seconds(4));
  hooks_.split(aim.tablet);
  const auto split = [this, aim] {
    const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
    return now != nullptr && !now->splitting && IsSplit(aim.primary, aim.tablet);
  };
  Await(
      split,
      [this, aim] {
        if (cluster_.server(aim.primary) != nullptr)
          Forsake(aim.primary, Within(milliseconds(2500), milliseconds(3500)));
      },
      600);
}

// A tablet is split, and its servers serve on; but no master hears of it before another leads the parent.
void Nemesis::SplitUnreported(const Aim& aim) {
  const CatalogWatch::Tablet* before = InCatalog(aim.tablet);
  if (before == nullptr) return;
  for (const std::string& master : Masters()) {
    CutOff(Cluster::ServerName(aim.primary), master, seconds(4));
    cluster_.network().HoldBack("heartbeat", master);
    cluster_.network().LoseFurther("heartbeat", master);
  }
  const auto heard = [this, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    for (const std::string& master : Masters()) cluster_.network().LetGo("heartbeat", master);
  };
  After(seconds(5), heard);
  Undisturbed(seconds(4));
  hooks_.split(aim.tablet);
  const auto split = [this, aim] { return IsSplit(aim.primary, aim.tablet) && IsSplit(aim.followers[0], aim.tablet); };
  Await(
      split,
      [this, aim, epoch = before->epoch, heard] {
        if (cluster_.server(aim.primary) == nullptr) return;
        Forsake(aim.primary, Within(milliseconds(3000), milliseconds(4000)));
        const auto led_anew = [this, tablet = aim.tablet, epoch] {
          const CatalogWatch::Tablet* now = InCatalog(tablet);
          return now == nullptr || now->epoch != epoch;
        };
        Await(
            led_anew,
            [this, aim, heard] {
              heard();
              WriteThenReadAtFormer(aim);
            },
            600);
      },
      600);
}

// The former primary hears nothing of the parent's next one for a while. As soon as somebody else leads the child, a
// client writes there and reads at the former.
void Nemesis::WriteThenReadAtFormer(const Aim& aim) {
  if (const CatalogWatch::Tablet* parent = InCatalog(aim.tablet); parent != nullptr) {
    SlowDown(parent->primary, Cluster::ServerName(aim.primary), milliseconds(1500), seconds(3));
  }
  const auto child = std::make_shared<Aim>(aim);
  const auto led = [this, parent = aim.tablet, child] {
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

void Nemesis::SplitThenDiscard(const Aim& aim) {
  if (const int to = Outsider(aim); to >= 0 && scheduler_.Random(2) == 0) return SplitThenDrop(aim, to);
  SplitThenLag(aim);
}

// A follower has applied a split, and no checkpoint of its slow disk is done since, when the parent's replica there is
// dropped. The child's stays; and the machine dies.
void Nemesis::SplitThenDrop(const Aim& aim, int to) {
  const int index = aim.followers[0];
  const std::string name = Cluster::ServerName(index);
  const auto quick = [this, index] { cluster_.disk(index).disk.SetCheckpointTime(Duration(0)); };
  cluster_.log().Add(name, "takes long over checkpoints");
  cluster_.disk(index).disk.SetCheckpointTime(kLongCheckpoint);
  After(kLongCheckpoint, quick);
  Undisturbed(seconds(8));
  hooks_.split(aim.tablet);
  const auto split = [this, aim, index] {
    const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
    return now != nullptr && !now->splitting && IsSplit(index, aim.tablet);
  };
  // It may well keep what it had for now.
  const auto forgotten = [this, aim, name, looks = std::make_shared<int>(0)] {
    return !Votes(name, aim.tablet) && (cluster_.state().HasForgotten(name, aim.tablet) || ++*looks > 200);
  };
  Await(
      split,
      [this, aim, to, index, name, quick, forgotten] {
        cluster_.log().Add("admin", "moves a replica from " + name);
        hooks_.move(aim.tablet, name, Cluster::ServerName(to));
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
void Nemesis::SplitThenLag(const Aim& aim) {
  Undisturbed(seconds(9));
  hooks_.split(aim.tablet);
  Await([this, aim] { return IsSplit(aim.followers[0], aim.tablet); },
        [this, aim] {
          LagBehind(aim);
          WriteOn(aim, 100);
          DieDiscarding(aim);
        },
        600);
}

// Another process of the follower's has a checkpoint taken when the old records are gone and nothing else is there yet;
// then the machine dies.
void Nemesis::DieDiscarding(const Aim& aim) {
  const int index = aim.followers[0];
  if (cluster_.server(index) == nullptr) return;
  const auto taken = std::make_shared<bool>(false);
  cluster_.server(index)->CheckpointOnceForgotten(aim.tablet, [taken] { *taken = true; });
  Await([taken] { return *taken; },
        [this, index] {
          cluster_.log().Add(Cluster::ServerName(index), "has taken a checkpoint");
          KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
        },
        2400);
}

// So that the log is long.
void Nemesis::WriteOn(const Aim& aim, int times) {
  if (times == 0 || ViewAt(aim.primary, aim.tablet) == nullptr) return;
  hooks_.write(aim.primary, aim.tablet, /*large=*/false, {});
  After(milliseconds(60), [this, aim, times] { WriteOn(aim, times - 1); });
}

// ---- what was split before it was everywhere
// --------------------------------------------------------------------------

// A server is not told of a table that is made, until that has been split.
bool Nemesis::SplitUntold() {
  std::vector<int> up;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Free(i) && cluster_.server(i) != nullptr) up.push_back(i);
  }
  if (up.size() < 3) return false;
  const int index = up[scheduler_.Random(up.size())];
  const std::string untold = Cluster::ServerName(index);
  const std::string name = "aside-" + std::to_string(++aside_);
  cluster_.log().Add(untold, "is told of nothing");
  cluster_.network().HoldBack("configure", untold);
  cluster_.network().LoseFurther("configure", untold);
  Undisturbed(seconds(6));
  const auto told = [this, untold, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;
    cluster_.log().Add(untold, "is told what is new");
    cluster_.network().LetGo("configure", untold);
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

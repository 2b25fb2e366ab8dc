// Longer scenarios that are directed at one tablet: each leads a cluster step by step to where one clause of the
// protocol is all that stands between it and a loss. directed_faults.cc has the short ones, fault_scenarios_members.cc those of copies
// and members, fault_scenarios_split.cc those of splits.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/nemesis/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

constexpr int kNoRoom = 1'000'000;  // appends: none finds room until that is taken back

}  // namespace

// ---- steps that scenarios are made of --------------------------------------------------------------------------------

const CatalogWatch::Tablet* Nemesis::InCatalog(TabletId tablet) {
  const auto& tablets = hooks_.catalog().tablets();
  const auto found = std::ranges::find(tablets, tablet, [](const auto& item) { return item.second.id; });
  return found == tablets.end() ? nullptr : &found->second;
}

std::shared_ptr<const tabletserver::TabletView> Nemesis::ViewAt(int index, TabletId tablet) {
  if (cluster_.server(index) == nullptr) return nullptr;
  for (const auto& handle : cluster_.server(index)->host().directory().snapshot()->All()) {
    if (handle->tablet == tablet) return handle->view();
  }
  return nullptr;
}

// `then` as soon as `holds`, or never: it is looked at so many times, every few milliseconds.
void Nemesis::Await(std::function<bool()> holds, Task then, int looks) {
  After(milliseconds(5), [this, holds = std::move(holds), then = std::make_shared<Task>(std::move(then)), looks] {
    if (holds()) return (*then)();
    if (looks > 0) Await(holds, [then] { (*then)(); }, looks - 1);
  });
}

std::vector<std::string> Nemesis::Masters() const {
  std::vector<std::string> names;
  for (int i = 0; i < cluster_.masters(); ++i) names.push_back(Cluster::MasterName(i));
  return names;
}

void Nemesis::CutFromMasters(int index, Duration lasting) {
  for (const std::string& master : Masters()) CutBoth(Cluster::ServerName(index), master, lasting);
}

// In this direction alone.
void Nemesis::CutOff(const std::string& from, const std::string& to, Duration lasting) {
  cluster_.log().Add("network", "cut " + from + " -> " + to);
  cluster_.network().Cut(from, to);
  After(lasting, [this, from, to] {
    cluster_.log().Add("network", "mend " + from + " -> " + to);
    cluster_.network().Mend(from, to);
  });
}

void Nemesis::SlowDown(const std::string& from, const std::string& to, Duration longer, Duration lasting) {
  cluster_.log().Add("network", "slow " + from + " -> " + to);
  cluster_.network().SetSlow(from, to, longer);
  After(lasting, [this, from, to] { cluster_.network().SetSlow(from, to, Duration(0)); });
}

// ---- scenarios -------------------------------------------------------------------------------------------------------

// The primary's disk is stuck, so that its followers alone vouch for what it acknowledges. Then its machine dies, and
// what the masters had ordered the former life to do reaches the next one.
void Nemesis::OldOrdersAfterRestart(const Target& target) {
  const int index = target.primary;
  busy_[static_cast<size_t>(index)] = true;
  cluster_.log().Add(Cluster::ServerName(index), "disk stalls");
  cluster_.disk(index).disk.SetStalled(true);
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  const Epoch epoch = now == nullptr ? Epoch() : now->epoch;
  const auto die = [this, index] {
    cluster_.disk(index).disk.SetStalled(false);
    busy_[static_cast<size_t>(index)] = false;
    if (cluster_.server(index) == nullptr) return;
    HoldOff(Masters(), Within(milliseconds(200), milliseconds(1500)));
    const Duration away = Within(milliseconds(5), milliseconds(60));
    KillAndRestart(index, CrashKind::kMachine, away);
    for (int i = 1; i <= 12; ++i) {
      After(away + milliseconds(20 * i),
            [this, index] { cluster_.network().RepeatTo(Cluster::ServerName(index), "configure"); });
    }
  };
  const bool changing = scheduler_.Random(2) == 0 && ResizeSomehow();
  if (!changing) return After(Within(milliseconds(30), milliseconds(600)), die);
  // Just when it has been told of a change of members, which it cannot note any more.
  auto over = std::make_shared<bool>(false);
  const auto once = [over, die] {
    if (!std::exchange(*over, true)) die();
  };
  Await(
      [this, target, epoch] {
        const CatalogWatch::Tablet* tablet = InCatalog(target.tablet);
        return tablet == nullptr || tablet->epoch != epoch;
      },
      [this, once] { After(Within(milliseconds(2), milliseconds(30)), once); }, 480);
  After(milliseconds(2500), once);
}

// What the followers answer takes long to reach the primary; then they hear of it no more, and what they said last is
// still on its way when somebody else leads.
void Nemesis::SlowAnswers(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  if (scheduler_.Random(2) == 0) return AnswerOldQuestions(target);
  const Duration longer = Within(milliseconds(150), milliseconds(1400));
  const Duration before = Within(milliseconds(200), milliseconds(2000));
  const Duration lasting = Within(milliseconds(2000), milliseconds(3500));
  for (const int follower : target.followers)
    SlowDown(Cluster::ServerName(follower), primary, longer, before + lasting);
  After(before, [this, target, primary, lasting] {
    if (cluster_.server(target.primary) == nullptr) return;
    for (const int follower : target.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
    CutFromControlPlane(target.primary, lasting);
  });
}

// The primary asks its followers for long whether it leads, and hears nothing. What they answer to the last time takes
// until they have served another for a while. Just before it arrives, somebody reads at the one what was written at the
// other.
void Nemesis::AnswerOldQuestions(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration cut_off_for = milliseconds(1200);
  const Duration lasting = Within(milliseconds(2500), milliseconds(3500));
  Undisturbed(milliseconds(2700));
  // A write of level PRIMARY that it took would have strong reads wait.
  busy_[static_cast<size_t>(target.primary)] = true;
  cluster_.log().Add(primary, "has no room for entries");
  cluster_.disk(target.primary).disk.RefuseAppends(kNoRoom);
  After(cut_off_for + lasting, [this, index = target.primary] {
    cluster_.disk(index).disk.RefuseAppends(0);
    busy_[static_cast<size_t>(index)] = false;
  });
  for (const int follower : target.followers) {
    const std::string name = Cluster::ServerName(follower);
    CutOff(name, primary, cut_off_for);
    After(cut_off_for, [this, name, primary, lasting] {
      SlowDown(name, primary, Within(milliseconds(1330), milliseconds(1430)), lasting);
    });
  }
  // Its lease is over by then, so that this read begins a round.
  After(cut_off_for - milliseconds(100),
        [this, target] { hooks_.read(target.primary, target.tablet, Read::Strong()); });
  After(cut_off_for + milliseconds(160), [this, target, primary, lasting] {  // a heartbeat has come through
    if (cluster_.server(target.primary) == nullptr) return;
    for (const int follower : target.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
    CutFromControlPlane(target.primary, lasting);
    Await([this, target] { return Successor(target) >= 0; },
          [this, target] {
            hooks_.write(Successor(target), target.tablet, /*large=*/false, [this, target] {
              if (!healed_) hooks_.read(target.primary, target.tablet, Read::Strong());
            });
          },
          300);
  });
}

// The follower that leads by now, and serves; -1: none does.
int Nemesis::Successor(const Target& target) {
  for (const int follower : target.followers) {
    const auto view = ViewAt(follower, target.tablet);
    if (view != nullptr && view->role == tabletserver::RoleKind::kPrimary && view->barrier_applied) return follower;
  }
  return -1;
}

// One follower is out of the masters' reach. The primary, which has no room for writes, loses its session for a moment
// and is fenced with the other follower; and then it has room again, before anybody leads in its stead.
void Nemesis::FencedPrimaryReachesVoter(const Target& target) {
  const int index = target.primary;
  const std::string primary = Cluster::ServerName(index);
  CutFromMasters(target.followers[0], Within(seconds(4), seconds(6)));
  busy_[static_cast<size_t>(index)] = true;
  cluster_.log().Add(primary, "disk is full");
  cluster_.disk(index).disk.SetFull(true);
  const auto room = [this, index, primary, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;  // by now another fault may have the server
    cluster_.log().Add(primary, "disk has room");
    cluster_.disk(index).disk.SetFull(false);
    busy_[static_cast<size_t>(index)] = false;
  };
  After(seconds(5), room);
  After(milliseconds(100), [this, index, primary, room] {
    if (cluster_.server(index) == nullptr) return;
    cluster_.network().OnceFenced(primary, [this, room] {
      if (healed_) return;
      room();
      HoldOff(Masters(), Within(milliseconds(300), milliseconds(1200)));
    });
    cluster_.log().Add(primary, "loses its session");
    cluster_.server(index)->coordinator().Expire();
  });
}

// What makes a new primary is held back. The master that ordered it sleeps, the next one, which cannot reach the other
// follower, chooses again; then what was held back arrives.
void Nemesis::HoldOrders(const Target& target) {
  auto begun = std::make_shared<bool>(false);
  for (const int follower : target.followers) {
    cluster_.network().HoldBack("configure", Cluster::ServerName(follower), [this, target, begun] {
      if (!healed_ && !std::exchange(*begun, true)) After(milliseconds(30), [this, target] { ChooseAgain(target); });
    });
  }
  After(seconds(8), [this, target] { LetGo(target.followers); });
  CutFromControlPlane(target.primary, milliseconds(1800));
}

void Nemesis::ChooseAgain(const Target& target) {
  int chosen = -1;
  int other = -1;
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  for (const int follower : target.followers) {
    cluster_.network().LoseFurther("configure", Cluster::ServerName(follower));
    (now != nullptr && Cluster::ServerName(follower) == now->primary ? chosen : other) = follower;
  }
  if (chosen < 0 || other < 0) return LetGo(target.followers);
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) != nullptr && cluster_.master(i)->ready()) PauseMaster(i, Within(seconds(4), seconds(6)));
  }
  CutFromMasters(other, Within(seconds(5), seconds(6)));
  const auto led_by_another = [this, target, epoch = now->epoch, chosen] {
    const CatalogWatch::Tablet* tablet = InCatalog(target.tablet);
    return tablet == nullptr || (tablet->epoch > epoch && tablet->primary != Cluster::ServerName(chosen));
  };
  Await(
      led_by_another,
      [this, target, chosen, other] {
        const CatalogWatch::Tablet* tablet = InCatalog(target.tablet);
        if (tablet != nullptr) {
          for (const int follower : {chosen, other}) {
            if (Cluster::ServerName(follower) == tablet->primary) continue;
            CutBoth(tablet->primary, Cluster::ServerName(follower), Within(milliseconds(300), milliseconds(900)));
          }
        }
        LetGo(target.followers);
      },
      1200);
}

void Nemesis::LetGo(const std::vector<int>& servers) {
  for (const int index : servers) {
    cluster_.log().Add(Cluster::ServerName(index), "gets what was held back");
    cluster_.network().LetGo("configure", Cluster::ServerName(index));
  }
}

// While a tablet is made, one of its voters is not told; the primary reaches that one alone, and is dead to the
// masters. The voter hears of the first configuration just when it has answered the fence.
bool Nemesis::DelayCreate() {
  std::vector<int> servers;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Free(i) && cluster_.server(i) != nullptr) servers.push_back(i);
  }
  if (servers.size() < 3) return false;
  for (size_t i = servers.size(); i > 1; --i) std::swap(servers[i - 1], servers[scheduler_.Random(i)]);
  const int primary = servers[0];
  const std::string names[] = {Cluster::ServerName(primary), Cluster::ServerName(servers[1]),
                               Cluster::ServerName(servers[2])};
  cluster_.log().Add(names[2], "is told of nothing");
  CutBoth(names[0], names[1], seconds(5));
  cluster_.network().HoldBack("configure", names[2]);
  const auto let_go = [this, server = servers[2]] { LetGo({server}); };
  After(seconds(5), let_go);
  const auto being_made = [this, names] {
    return std::ranges::any_of(hooks_.catalog().tablets(), [&](const auto& item) {
      const CatalogWatch::Tablet& tablet = item.second;
      const auto votes = [&](const std::string& name) {
        return std::ranges::find(tablet.voters, name) != tablet.voters.end();
      };
      return tablet.creating && tablet.primary == names[0] && votes(names[1]) && votes(names[2]);
    });
  };
  Await(
      being_made,
      [this, primary, server = names[2], let_go] {
        After(Within(milliseconds(1), milliseconds(40)), [this, primary, server, let_go] {
          if (cluster_.server(primary) == nullptr) return;
          CutFromControlPlane(primary, Within(milliseconds(800), milliseconds(2000)));
          cluster_.network().OnceFenced(server, [this, let_go] {
            if (healed_) return;
            HoldOff(Masters(), Within(milliseconds(100), milliseconds(900)));
            let_go();
          });
        });
      },
      800);
  return true;
}

// Nothing can be written anywhere, while records expire; then all machines die, and come back with other clocks.
bool Nemesis::FillThenLosePower() {
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (!Free(i) || cluster_.server(i) == nullptr) return false;
  }
  cluster_.log().Add("nemesis", "all disks are full");
  for (int i = 0; i < cluster_.servers(); ++i) {
    cluster_.disk(i).disk.SetFull(true);
    busy_[static_cast<size_t>(i)] = true;
  }
  After(Within(milliseconds(500), milliseconds(2500)), [this] {
    for (int i = 0; i < cluster_.servers(); ++i) {
      cluster_.disk(i).disk.SetFull(false);
      busy_[static_cast<size_t>(i)] = false;
    }
    LoseAllPower();
  });
  return true;
}

}  // namespace ebla::sim

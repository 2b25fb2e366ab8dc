// Longer courses of events that are aimed at one tablet: each leads a cluster step by step to where one clause of the
// protocol is all that stands between it and a loss. aimed.cc has the short ones.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

constexpr int kNoRoom = 1'000'000;  // appends: none finds room until that is taken back

}  // namespace

// ---- steps that courses are made of --------------------------------------------------------------------------------

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

// The clients' table is to have another number of replicas for a while.
bool Nemesis::Resize(int replicas, Duration lasting) {
  if (resized_ || (replicas == 2 && cluster_.interval())) return false;  // see Run::DrawFaults
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

bool Nemesis::ResizeSomehow() {
  const int replicas = cluster_.servers() > 3 && scheduler_.Random(3) > 0 ? 4 : 2;
  return Resize(replicas, Within(seconds(1), seconds(4)));
}

// ---- courses -------------------------------------------------------------------------------------------------------

// The primary's disk is stuck, so that its followers alone vouch for what it acknowledges. Then its machine dies, and what
// the masters had ordered the former life to do reaches the next one.
void Nemesis::Revive(const Aim& aim) {
  const int index = aim.primary;
  busy_[static_cast<size_t>(index)] = true;
  cluster_.log().Add(Cluster::ServerName(index), "disk stalls");
  cluster_.disk(index).disk.SetStalled(true);
  const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
  const Epoch epoch = now == nullptr ? Epoch() : now->epoch;
  const auto die = [this, index] {
    cluster_.disk(index).disk.SetStalled(false);
    busy_[static_cast<size_t>(index)] = false;
    if (cluster_.server(index) == nullptr) return;
    HoldOff(Masters(), Within(milliseconds(200), milliseconds(1500)));
    const Duration away = Within(milliseconds(5), milliseconds(60));
    KillAndRestart(index, CrashKind::kMachine, away);
    for (int i = 1; i <= 12; ++i) {
      After(away + milliseconds(20 * i), [this, index] { cluster_.network().RepeatTo(Cluster::ServerName(index), "configure"); });
    }
  };
  const bool changing = scheduler_.Random(2) == 0 && ResizeSomehow();
  if (!changing) return After(Within(milliseconds(30), milliseconds(600)), die);
  // Just when it has been told of a change of members, which it cannot note any more.
  auto over = std::make_shared<bool>(false);
  const auto once = [over, die] {
    if (!std::exchange(*over, true)) die();
  };
  Await([this, aim, epoch] {
    const CatalogWatch::Tablet* tablet = InCatalog(aim.tablet);
    return tablet == nullptr || tablet->epoch != epoch;
  }, [this, once] { After(Within(milliseconds(2), milliseconds(30)), once); }, 480);
  After(milliseconds(2500), once);
}

// What the followers answer takes long to reach the primary; then they hear of it no more, and what they said last is
// still on its way when somebody else leads.
void Nemesis::SlowAnswers(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  if (scheduler_.Random(2) == 0) return AnswerOldQuestions(aim);
  const Duration longer = Within(milliseconds(150), milliseconds(1400));
  const Duration before = Within(milliseconds(200), milliseconds(2000));
  const Duration lasting = Within(milliseconds(2000), milliseconds(3500));
  for (const int follower : aim.followers) SlowDown(Cluster::ServerName(follower), primary, longer, before + lasting);
  After(before, [this, aim, primary, lasting] {
    if (cluster_.server(aim.primary) == nullptr) return;
    for (const int follower : aim.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
    Forsake(aim.primary, lasting);
  });
}

// The primary asks its followers for long whether it leads, and hears nothing. What they answer to the last time takes until
// they have served another for a while. Of the clients that come meanwhile, some know the one, some the other.
void Nemesis::AnswerOldQuestions(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  const Duration unheard = milliseconds(1200);
  const Duration lasting = Within(milliseconds(2500), milliseconds(3500));
  for (const int follower : aim.followers) {
    const std::string name = Cluster::ServerName(follower);
    CutOff(name, primary, unheard);
    After(unheard, [this, name, primary, lasting] { SlowDown(name, primary, Within(milliseconds(1330), milliseconds(1430)), lasting); });
  }
  After(unheard + milliseconds(160), [this, aim, primary, lasting] {  // a heartbeat has come through
    if (cluster_.server(aim.primary) == nullptr) return;
    for (const int follower : aim.followers) CutOff(primary, Cluster::ServerName(follower), lasting);
    Forsake(aim.primary, lasting);
    for (const int late : {750, 850, 950, 1000, 1080, 1120}) After(milliseconds(late), hooks_.kill_client);
  });
}

// One follower is out of the masters' reach. The primary, which has no room for writes, loses its session for a moment and is fenced with
// the other follower; and then it has room again, before anybody leads in its stead.
void Nemesis::Tempt(const Aim& aim) {
  const int index = aim.primary;
  const std::string primary = Cluster::ServerName(index);
  CutFromMasters(aim.followers[0], Within(seconds(4), seconds(6)));
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
void Nemesis::HoldOrders(const Aim& aim) {
  auto begun = std::make_shared<bool>(false);
  for (const int follower : aim.followers) {
    cluster_.network().HoldBack("configure", Cluster::ServerName(follower), [this, aim, begun] {
      if (!healed_ && !std::exchange(*begun, true)) After(milliseconds(30), [this, aim] { ChooseAgain(aim); });
    });
  }
  After(seconds(8), [this, aim] { LetGo(aim.followers); });
  Forsake(aim.primary, milliseconds(1800));
}

void Nemesis::ChooseAgain(const Aim& aim) {
  int chosen = -1;
  int other = -1;
  const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
  for (const int follower : aim.followers) {
    cluster_.network().LoseFurther("configure", Cluster::ServerName(follower));
    (now != nullptr && Cluster::ServerName(follower) == now->primary ? chosen : other) = follower;
  }
  if (chosen < 0 || other < 0) return LetGo(aim.followers);
  for (int i = 0; i < cluster_.masters(); ++i) {
    if (cluster_.master(i) != nullptr && cluster_.master(i)->ready()) PauseMaster(i, Within(seconds(4), seconds(6)));
  }
  CutFromMasters(other, Within(seconds(5), seconds(6)));
  const auto led_by_another = [this, aim, epoch = now->epoch, chosen] {
    const CatalogWatch::Tablet* tablet = InCatalog(aim.tablet);
    return tablet == nullptr || (tablet->epoch > epoch && tablet->primary != Cluster::ServerName(chosen));
  };
  Await(led_by_another, [this, aim, chosen, other] {
    const CatalogWatch::Tablet* tablet = InCatalog(aim.tablet);
    if (tablet != nullptr) {
      for (const int follower : {chosen, other}) {
        if (Cluster::ServerName(follower) == tablet->primary) continue;
        CutBoth(tablet->primary, Cluster::ServerName(follower), Within(milliseconds(300), milliseconds(900)));
      }
    }
    LetGo(aim.followers);
  }, 1200);
}

void Nemesis::LetGo(const std::vector<int>& servers) {
  for (const int index : servers) {
    cluster_.log().Add(Cluster::ServerName(index), "gets what was held back");
    cluster_.network().LetGo("configure", Cluster::ServerName(index));
  }
}

// While a tablet is made, one of its voters is not told; the primary reaches that one alone, and is dead to the masters.
// The voter hears of the first configuration just when it has answered the fence.
bool Nemesis::DisturbBirth() {
  std::vector<int> servers;
  for (int i = 0; i < cluster_.servers(); ++i) {
    if (Free(i) && cluster_.server(i) != nullptr) servers.push_back(i);
  }
  if (servers.size() < 3) return false;
  for (size_t i = servers.size(); i > 1; --i) std::swap(servers[i - 1], servers[scheduler_.Random(i)]);
  const int primary = servers[0];
  const std::string names[] = {Cluster::ServerName(primary), Cluster::ServerName(servers[1]), Cluster::ServerName(servers[2])};
  cluster_.log().Add(names[2], "is told of nothing");
  CutBoth(names[0], names[1], seconds(5));
  cluster_.network().HoldBack("configure", names[2]);
  const auto let_go = [this, untold = servers[2]] { LetGo({untold}); };
  After(seconds(5), let_go);
  const auto being_made = [this, names] {
    return std::ranges::any_of(hooks_.catalog().tablets(), [&](const auto& item) {
      const CatalogWatch::Tablet& tablet = item.second;
      const auto votes = [&](const std::string& name) { return std::ranges::find(tablet.voters, name) != tablet.voters.end(); };
      return tablet.creating && tablet.primary == names[0] && votes(names[1]) && votes(names[2]);
    });
  };
  Await(being_made, [this, primary, untold = names[2], let_go] {
    After(Within(milliseconds(1), milliseconds(40)), [this, primary, untold, let_go] {
      if (cluster_.server(primary) == nullptr) return;
      Forsake(primary, Within(milliseconds(800), milliseconds(2000)));
      cluster_.network().OnceFenced(untold, [this, let_go] {
        if (healed_) return;
        HoldOff(Masters(), Within(milliseconds(100), milliseconds(900)));
        let_go();
      });
    });
  }, 800);
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

// A follower hears nothing of its primary until the log it lacks is gone, and has to be copied.
void Nemesis::LeaveBehind(const Aim& aim) {
  const int behind = aim.followers[0];
  const std::string primary = Cluster::ServerName(aim.primary);
  const std::string name = Cluster::ServerName(behind);
  CutBoth(primary, name, Within(milliseconds(5500), milliseconds(7500)));
  const auto incomplete = [this, behind, tablet = aim.tablet] {
    const auto view = ViewAt(behind, tablet);
    return view != nullptr && view->incomplete;
  };
  const auto complete = [incomplete] { return !incomplete(); };
  switch (scheduler_.Random(3)) {
    case 0:  // the primary dies while the copy is under way
      return Await(incomplete, [this, aim] {
        After(Within(milliseconds(0), milliseconds(300)), [this, aim] {
          KillAndRestart(aim.primary, CrashKind::kMachine, Within(seconds(2), seconds(4)));
        });
      }, 2000);
    case 1:  // the log cannot follow the copy for a while
      return Await(incomplete, [this, behind] {
        cluster_.log().Add(Cluster::ServerName(behind), "has no room for entries");
        cluster_.disk(behind).disk.RefuseAppends(kNoRoom);
        After(Within(milliseconds(1500), milliseconds(4000)), [this, behind] { cluster_.disk(behind).disk.RefuseAppends(0); });
      }, 2000);
    default:  // its beginning comes once more, when the copy has long been complete and the primary counts on it alone
      return Await(incomplete, [this, aim, complete] {
        Await(complete, [this, aim] { Bereave(aim, "copy"); }, 600);
      }, 2000);
  }
}

// The primary and followers[0] alone have the latest entries; that one is told something once more that was meant for
// what it was earlier; and the primary is gone.
void Nemesis::Bereave(const Aim& aim, const std::string& told) {
  CutBoth(Cluster::ServerName(aim.primary), Cluster::ServerName(aim.followers[1]), Within(seconds(1), seconds(2)));
  After(Within(milliseconds(100), milliseconds(700)), [this, aim, told] {
    const std::string name = Cluster::ServerName(aim.followers[0]);
    cluster_.log().Add(name, "is told again of every " + told);
    cluster_.network().RepeatTo(name, told);
    After(Within(milliseconds(2), milliseconds(15)), [this, aim] {
      KillAndRestart(aim.primary, CrashKind::kMachine, Within(seconds(3), seconds(5)));
    });
  });
}

// A follower is removed and dropped, and comes back to the same server; then the old drop arrives again.
void Nemesis::DropLate(const Aim& aim) {
  if (!Resize(2, milliseconds(1500))) return;
  const auto voters = [this, tablet = aim.tablet]() -> std::vector<ServerName> {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now == nullptr ? std::vector<ServerName>() : now->voters;
  };
  Await([voters] { return voters().size() == 2; }, [this, aim, voters] {
    const std::vector<ServerName> left = voters();
    const auto gone = [left](int index) { return std::ranges::find(left, Cluster::ServerName(index)) == left.end(); };
    Aim now = aim;
    if (gone(now.followers[1])) std::swap(now.followers[0], now.followers[1]);
    const std::string back = Cluster::ServerName(now.followers[0]);
    const auto is_back = [voters, back] {
      const std::vector<ServerName> all = voters();
      return all.size() == 3 && std::ranges::count(all, back) > 0;
    };
    Await(is_back, [this, now] { Bereave(now, "drop"); }, 1600);
  }, 800);
}

// While members change, either a learner that is level is all that the primary reaches; or the learner and a voter take
// no entries, and the primary dies once the change after next is made.
void Nemesis::ChangeMembers(const Aim& aim) {
  if (!Resize(4, seconds(6))) return;
  auto learner = std::make_shared<int>(-1);
  const auto level = [this, tablet = aim.tablet, learner] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    for (int i = 0; now != nullptr && !now->learners.empty() && i < cluster_.servers(); ++i) {
      const auto view = Cluster::ServerName(i) == now->learners[0] ? ViewAt(i, tablet) : nullptr;
      if (view != nullptr && view->role == tabletserver::RoleKind::kFollower && !view->incomplete) *learner = i;
    }
    return *learner >= 0;
  };
  const bool alone = scheduler_.Random(2) == 0;
  Await(level, [this, aim, learner, alone] {
    if (cluster_.server(aim.primary) == nullptr) return;
    if (!alone) return Overlap(aim, *learner);
    const Duration lasting = Within(milliseconds(300), milliseconds(1200));
    HoldOff(Masters(), lasting);
    for (const int follower : aim.followers) {
      CutBoth(Cluster::ServerName(aim.primary), Cluster::ServerName(follower), lasting + milliseconds(100));
    }
    After(lasting, [this, aim] { KillAndRestart(aim.primary, CrashKind::kMachine, Within(seconds(3), seconds(5))); });
  }, 1000);
}

void Nemesis::Overlap(const Aim& aim, int learner) {
  const std::vector<int> stuck = {learner, aim.followers[1]};
  for (const int index : stuck) {
    cluster_.log().Add(Cluster::ServerName(index), "has no room for entries");
    cluster_.disk(index).disk.RefuseAppends(kNoRoom);
  }
  const auto room = [this, stuck] {
    for (const int index : stuck) cluster_.disk(index).disk.RefuseAppends(0);
  };
  After(seconds(8), room);
  const auto voters = [this, tablet = aim.tablet] {
    const CatalogWatch::Tablet* now = InCatalog(tablet);
    return now == nullptr ? size_t{0} : now->voters.size();
  };
  Await([voters] { return voters() == 4; }, [this, aim, voters, room] {
    hooks_.resize(3);
    Await([voters] { return voters() == 3; }, [this, aim, room] {
      KillAndRestart(aim.primary, CrashKind::kMachine, Within(seconds(3), seconds(5)));
      After(milliseconds(50), room);
    }, 700);
  }, 500);
}

// A follower that is to lead, and is level, restarts before it is told, and may have forgotten what it had.
void Nemesis::CrashSuccessor(const Aim& aim) {
  const int successor = aim.followers[0];
  const std::string primary = Cluster::ServerName(aim.primary);
  cluster_.log().Add(primary, "is to hand over to " + Cluster::ServerName(successor));
  cluster_.network().OnceAnswered(primary, "transfer", [this, successor] {
    if (healed_ || cluster_.server(successor) == nullptr || !Free(successor)) return;
    for (int i = 0; i < cluster_.masters(); ++i) {
      if (cluster_.master(i) != nullptr && cluster_.master(i)->ready()) PauseMaster(i, Within(seconds(3), seconds(4)));
    }
    KillAndRestart(successor, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
  });
  hooks_.transfer(aim.tablet, Cluster::ServerName(successor));
}

}  // namespace ebla::sim

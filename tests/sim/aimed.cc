// Faults that are aimed at one tablet, each a course of events that a rule of the protocol was made for.
#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "tests/sim/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

}  // namespace

bool Nemesis::TakeAim(Aim& aim, bool clients) {
  std::vector<const CatalogWatch::Tablet*> tablets;
  for (const auto& [path, tablet] : hooks_.catalog().tablets()) {
    if (!clients || tablet.table == hooks_.table) tablets.push_back(&tablet);
  }
  if (tablets.empty()) return false;
  const CatalogWatch::Tablet* at = tablets[scheduler_.Random(tablets.size())];
  if (scheduler_.Random(2) == 0) {  // members that come and go are rare, and worth more
    const auto learning = std::ranges::find_if(tablets, [](const auto* tablet) { return !tablet->learners.empty(); });
    if (learning != tablets.end()) at = *learning;
  }
  const CatalogWatch::Tablet& drawn = *at;
  if (drawn.voters.size() < 3) return false;
  aim.tablet = drawn.id;
  for (int i = 0; i < cluster_.servers(); ++i) {
    const std::string name = Cluster::ServerName(i);
    const bool voter = std::ranges::find(drawn.voters, name) != drawn.voters.end();
    const bool learner = std::ranges::find(drawn.learners, name) != drawn.learners.end();
    if ((voter || learner) && (!Free(i) || cluster_.server(i) == nullptr)) return false;
    if (name == drawn.primary) {
      aim.primary = i;
    } else if (voter) {
      aim.followers.push_back(i);
    } else if (learner) {
      aim.learners.push_back(i);
    }
  }
  if (aim.followers.size() > 1 && scheduler_.Random(2) == 0) std::swap(aim.followers[0], aim.followers[1]);
  return aim.primary >= 0 && aim.followers.size() >= 2;
}

bool Nemesis::InjectAimed(Fault fault) {
  Aim aim;
  // Where nothing is written, little can be lost.
  const bool clients = fault >= Fault::kRevive || fault == Fault::kRelay;
  if (!TakeAim(aim, clients || scheduler_.Random(2) == 0)) return false;
  if (IsOfSplits(fault) && !hooks_.splittable(aim.tablet)) return false;
  if (IsOfMerges(fault)) return InjectAtMerge(fault, aim);
  cluster_.log().Add(Cluster::ServerName(aim.primary), "is aimed at: " + std::string(FaultName(fault)));
  if (fault == Fault::kUsurp) Usurp(aim);
  if (fault == Fault::kFollowerReset) ResetFollower(aim);
  if (fault == Fault::kFencedCrash) CrashFenced(aim);
  if (fault == Fault::kCutThenCrash) CutThenCrash(aim);
  if (fault == Fault::kRelay) Relay(aim);
  if (fault == Fault::kRevive) Revive(aim);
  if (fault == Fault::kSlowAnswers) SlowAnswers(aim);
  if (fault == Fault::kTempt) Tempt(aim);
  if (fault == Fault::kHoldOrders) HoldOrders(aim);
  if (fault == Fault::kLeaveBehind) LeaveBehind(aim);
  if (fault == Fault::kDropLate) DropLate(aim);
  if (fault == Fault::kChangeMembers) ChangeMembers(aim);
  if (fault == Fault::kCrashSuccessor) CrashSuccessor(aim);
  if (fault == Fault::kSplitUnheard) SplitUnheard(aim);
  if (fault == Fault::kSplitLate) SplitLate(aim);
  if (fault == Fault::kSplitInCopy) SplitInCopy(aim);
  if (fault == Fault::kSplitMeanwhile) SplitMeanwhile(aim);
  if (fault == Fault::kSplitDiscard) SplitThenDiscard(aim);
  if (fault == Fault::kSplitRemembered) SplitRemembered(aim);
  return true;
}

void Nemesis::CutBoth(const std::string& one, const std::string& other, Duration lasting) {
  cluster_.log().Add("network", "cut " + one + " <-> " + other);
  cluster_.network().Cut(one, other);
  cluster_.network().Cut(other, one);
  After(lasting, [this, one, other] {
    cluster_.log().Add("network", "mend " + one + " <-> " + other);
    cluster_.network().Mend(one, other);
    cluster_.network().Mend(other, one);
  });
}

void Nemesis::Forsake(int index, Duration lasting) {
  const std::string name = Cluster::ServerName(index);
  for (int i = 0; i < cluster_.masters(); ++i) CutBoth(name, Cluster::MasterName(i), lasting);
  cluster_.server(index)->coordinator().Expire();
  HoldOff({name}, lasting);
}

void Nemesis::KillAndRestart(int index, CrashKind kind, Duration away) {
  const auto at = static_cast<size_t>(index);
  if (!Free(index) || cluster_.server(index) == nullptr) return;
  busy_[at] = true;
  cluster_.KillServer(index, kind);
  After(away, [this, index, at] {
    cluster_.StartServer(index);
    busy_[at] = false;
  });
}

// Its machine dies, as everybody knows at once, until what is returned is called, or for so long.
std::function<void()> Nemesis::TakeDown(int index, Duration at_most) {
  const auto at = static_cast<size_t>(index);
  busy_[at] = true;
  cluster_.server(index)->coordinator().Expire();
  cluster_.KillServer(index, CrashKind::kMachine);
  const auto up = [this, index, at, over = std::make_shared<bool>(false)] {
    if (healed_ || std::exchange(*over, true)) return;
    cluster_.StartServer(index);
    busy_[at] = false;
  };
  After(at_most, up);
  return up;
}

// The primary reaches all of its followers, all but one, or none; or the masters reach all but one.
void Nemesis::Usurp(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  const Duration lasting = Within(milliseconds(300), seconds(4));
  const uint64_t reach = scheduler_.Random(4);
  for (size_t i = 0; i < aim.followers.size(); ++i) {
    if (reach == 2 || (reach == 1 && i == 0)) CutBoth(primary, Cluster::ServerName(aim.followers[i]), lasting);
  }
  if (reach == 3) {
    for (int i = 0; i < cluster_.masters(); ++i) {
      CutBoth(Cluster::MasterName(i), Cluster::ServerName(aim.followers[0]), lasting);
    }
  }
  // Between fence and catalog the master cannot go on for a while.
  if (scheduler_.Random(2) == 0) {
    const int fenced = scheduler_.Random(2) == 0 ? aim.primary : aim.followers[1];
    cluster_.network().OnceFenced(Cluster::ServerName(fenced), [this] {
      if (healed_) return;
      std::vector<std::string> masters;
      for (int i = 0; i < cluster_.masters(); ++i) masters.push_back(Cluster::MasterName(i));
      HoldOff(masters, Within(milliseconds(50), milliseconds(900)));
    });
  }
  if (reach == 3 || scheduler_.Random(5) == 0) {  // fenced together with the others
    cluster_.log().Add(primary, "loses its session");
    cluster_.server(aim.primary)->coordinator().Expire();
  } else {
    Forsake(aim.primary, lasting);
  }
}

// One follower hears nothing of the primary for longer than a lease; then nobody does, and the other one restarts.
void Nemesis::ResetFollower(const Aim& aim) {
  const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
  const bool may_lose = cluster_.interval() && now != nullptr && now->table == hooks_.table;
  if (may_lose && scheduler_.Random(2) == 0) return ForgetFollower(aim);
  const std::string primary = Cluster::ServerName(aim.primary);
  const Duration deaf = Within(milliseconds(200), milliseconds(1600));
  // Where the machine's death may have cost the restarted one what it acknowledged, the others decide without the
  // primary.
  const bool may_forget = cluster_.interval();
  const Duration lasting = deaf + Within(milliseconds(may_forget ? 2500 : 500), seconds(4));
  CutBoth(primary, Cluster::ServerName(aim.followers[1]), lasting);
  const CrashKind kind = !may_forget && scheduler_.Random(2) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  After(deaf, [this, aim, primary, kind, lasting = lasting - deaf] {
    if (cluster_.server(aim.primary) == nullptr) return;
    for (const int follower : aim.followers) CutBoth(primary, Cluster::ServerName(follower), lasting);
    Forsake(aim.primary, lasting);
    KillAndRestart(aim.followers[0], kind, Within(milliseconds(5), milliseconds(60)));
  });
}

// In a table that is flushed at intervals. Once every server has made a checkpoint in the present epoch, one follower
// gets no more entries; and the other's machine dies just when it has acknowledged one.
void Nemesis::ForgetFollower(const Aim& aim) {
  Undisturbed(seconds(12));
  const Epoch epoch = InCatalog(aim.tablet)->epoch;
  After(milliseconds(5600), [this, aim, epoch] {
    const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
    if (now == nullptr || now->epoch != epoch || cluster_.server(aim.primary) == nullptr) return;
    const std::string behind = Cluster::ServerName(aim.followers[1]);
    Starve(behind);
    After(seconds(4), [this, behind] { Feed(behind); });
    hooks_.write(aim.primary, aim.tablet, /*large=*/false, [this, aim, epoch] {
      if (!healed_) ForgetOn(aim, epoch);
    });
  });
}

// It comes back without that entry, and hears that the epoch goes on, but not how far; then the primary, which alone
// has the entry, is gone for a while.
void Nemesis::ForgetOn(const Aim& aim, Epoch epoch) {
  const int index = aim.followers[0];
  const std::string primary = Cluster::ServerName(aim.primary);
  const std::string forgets = Cluster::ServerName(index);
  const Duration lasting = seconds(4);
  cluster_.network().HoldBack("peerHeartbeat", forgets);
  cluster_.network().LoseFurther("peerHeartbeat", forgets);
  After(lasting, [this, forgets] { cluster_.network().LetGo("peerHeartbeat", forgets); });
  SlowDown(forgets, primary, milliseconds(400), lasting);  // so that it is asked once
  KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
  const auto follows = [this, index, tablet = aim.tablet, epoch] {
    const auto view = ViewAt(index, tablet);
    return view != nullptr && view->epoch == epoch;
  };
  Await(
      follows,
      [this, aim, primary, lasting] {
        After(milliseconds(30), [this, aim, primary, lasting] {
          if (cluster_.server(aim.primary) == nullptr) return;
          for (const int follower : aim.followers) CutBoth(primary, Cluster::ServerName(follower), lasting);
          Forsake(aim.primary, lasting);
          Feed(Cluster::ServerName(aim.followers[1]));
        });
      },
      400);
}

void Nemesis::CrashFenced(const Aim& aim) {
  const Duration lasting = Within(milliseconds(500), seconds(4));
  const int victim = aim.followers[0];
  if (scheduler_.Random(2) == 0) {
    CutBoth(Cluster::ServerName(victim), Cluster::ServerName(aim.followers[1]), lasting);
  }
  Forsake(aim.primary, lasting);
  cluster_.network().OnceFenced(Cluster::ServerName(victim), [this, victim] {
    if (healed_ || cluster_.server(victim) == nullptr || !Free(victim)) return;
    cluster_.log().Add(Cluster::ServerName(victim), "has just answered a fence");
    KillAndRestart(victim, CrashKind::kMachine, Within(milliseconds(5), milliseconds(80)));
  });
}

void Nemesis::CutThenCrash(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  const Duration cut = Within(milliseconds(50), milliseconds(1500));
  for (const int follower : aim.followers) CutBoth(primary, Cluster::ServerName(follower), cut + milliseconds(100));
  After(cut, [this, index = aim.primary] {
    if (scheduler_.Random(2) == 0) {
      if (cluster_.server(index) == nullptr) return;
      Forsake(index, Within(milliseconds(500), seconds(3)));
    } else {
      KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(20), seconds(6)));
    }
  });
}

// The primary appends for itself alone; one of the others leads, and dies when nobody has its first entry; the first
// one leads again, and dies just when it has sent something of the old entries; the second is back by then.
void Nemesis::Relay(const Aim& aim) {
  if (scheduler_.Random(2) == 0) return CountOld(aim);
  const std::string first = Cluster::ServerName(aim.primary);
  const Duration alone = Within(milliseconds(200), milliseconds(900));
  const Duration lasting = alone + milliseconds(2500);
  CutBoth(Cluster::ServerName(aim.followers[0]), Cluster::ServerName(aim.followers[1]), lasting);
  for (const int follower : aim.followers) CutBoth(first, Cluster::ServerName(follower), alone + milliseconds(1200));
  After(alone, [this, aim] {
    if (cluster_.server(aim.primary) == nullptr) return;
    Forsake(aim.primary, milliseconds(1200));
    RelayOn(aim, 400);
  });
}

void Nemesis::RelayOn(const Aim& aim, int polls) {
  After(milliseconds(5), [this, aim, polls] {
    const auto& tablets = hooks_.catalog().tablets();
    const auto now = std::ranges::find(tablets, aim.tablet, [](const auto& item) { return item.second.id; });
    if (now == tablets.end() || polls == 0) return;
    int leads = -1;
    for (const int follower : aim.followers) {
      if (Cluster::ServerName(follower) == now->second.primary) leads = follower;
    }
    if (leads < 0) return RelayOn(aim, polls - 1);
    After(Within(milliseconds(5), milliseconds(40)), [this, aim, leads, first = aim.primary] {
      KillAndRestart(leads, CrashKind::kMachine, Within(milliseconds(1500), milliseconds(3000)));
      const auto die = [this, first] {
        if (!healed_) KillAndRestart(first, CrashKind::kMachine, Within(seconds(2), seconds(5)));
      };
      if (scheduler_.Random(2) == 0) {
        return cluster_.network().OnceSent(Cluster::ServerName(first), 1 + static_cast<int>(scheduler_.Random(60)),
                                           die);
      }
      // Some of it arrives, no more; and there is time to count it.
      const int third = aim.followers[0] == leads ? aim.followers[1] : aim.followers[0];
      const std::string from = Cluster::ServerName(first);
      const std::string to = Cluster::ServerName(third);
      cluster_.network().OnceSentTo(from, "append", to, 2 + static_cast<int>(scheduler_.Random(6)),
                                    [this, from, to, die] {
                                      if (healed_) return;
                                      cluster_.log().Add("network", "cut " + from + " -> " + to);
                                      cluster_.network().Cut(from, to);
                                      After(Within(milliseconds(20), milliseconds(300)), die);
                                      After(seconds(2), [this, from, to] { cluster_.network().Mend(from, to); });
                                    });
    });
  });
}

// The same, told exactly: what the first one appends alone takes several messages, and when it leads again just one of
// them arrives, and is acknowledged. Then it dies, and the second is back.
void Nemesis::CountOld(const Aim& aim) {
  const std::string first = Cluster::ServerName(aim.primary);
  const CatalogWatch::Tablet* now = InCatalog(aim.tablet);
  const Epoch epoch = now == nullptr ? Epoch() : now->epoch;
  const Duration back = milliseconds(1500);
  CutBoth(Cluster::ServerName(aim.followers[0]), Cluster::ServerName(aim.followers[1]), seconds(5));
  for (const int follower : aim.followers) CutBoth(first, Cluster::ServerName(follower), back);
  for (int i = 0; i < 3; ++i) hooks_.write(aim.primary, aim.tablet, /*large=*/true, {});
  After(milliseconds(200), [this, aim, epoch, back] {
    if (cluster_.server(aim.primary) == nullptr) return;
    Forsake(aim.primary, back - milliseconds(200));
    const auto begun = [this, aim, epoch] { return Beginner(aim, epoch) >= 0; };
    Await(
        begun,
        [this, aim, epoch] {
          After(milliseconds(20), [this, aim, epoch] { CountOldOn(aim, epoch); });  // its Barrier is on its disk
        },
        400);
  });
}

// The follower that has appended an entry of a later epoch; -1: none.
int Nemesis::Beginner(const Aim& aim, Epoch epoch) {
  for (const int follower : aim.followers) {
    if (cluster_.state().LastAppended(Cluster::ServerName(follower), aim.tablet).epoch > epoch) return follower;
  }
  return -1;
}

void Nemesis::CountOldOn(const Aim& aim, Epoch epoch) {
  const int second = Beginner(aim, epoch);
  if (second < 0 || !Free(second) || cluster_.server(second) == nullptr) return;
  const int third = aim.followers[0] == second ? aim.followers[1] : aim.followers[0];
  const std::string from = Cluster::ServerName(aim.primary);
  const std::string to = Cluster::ServerName(third);
  SlowDown(to, from, milliseconds(100), seconds(4));
  const Lsn before = cluster_.state().LastAppended(to, aim.tablet).lsn;
  const std::function<void()> up = TakeDown(second, seconds(7));
  const auto some = [this, to, tablet = aim.tablet, epoch, before] {
    const Version last = cluster_.state().LastAppended(to, tablet);
    return last.epoch == epoch && last.lsn > before;
  };
  Await(
      some,
      [this, aim, from, to, up] {
        CutOff(from, to, seconds(3));
        After(milliseconds(150), [this, first = aim.primary, up] {  // acknowledged, and counted
          if (cluster_.server(first) != nullptr) cluster_.server(first)->coordinator().Expire();
          KillAndRestart(first, CrashKind::kMachine, Within(seconds(4), seconds(5)));
          up();
        });
      },
      600);
}

bool Nemesis::RefuseAppends() {
  const int index = AnyPrimary();
  if (index < 0 || cluster_.server(index) == nullptr) return false;
  cluster_.log().Add(Cluster::ServerName(index), "has no room for a moment");
  cluster_.disk(index).disk.RefuseAppends(1 + static_cast<int>(scheduler_.Random(3)));
  return true;
}

bool Nemesis::RepeatOrders() {
  bool any = false;
  for (uint64_t left = 1 + scheduler_.Random(6); left > 0; --left) any |= cluster_.network().RepeatOrder();
  if (any) cluster_.log().Add("network", "repeats old orders");
  return any;
}

}  // namespace ebla::sim

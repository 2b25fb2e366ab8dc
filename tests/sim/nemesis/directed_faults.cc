// Faults that are directed at one tablet, each a scenario that a rule of the protocol was made for.
#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "tests/sim/nemesis/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

}  // namespace

bool Nemesis::ChooseTarget(Target& target, bool clients) {
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
  target.tablet = drawn.id;
  for (int i = 0; i < cluster_.servers(); ++i) {
    const std::string name = Cluster::ServerName(i);
    const bool voter = std::ranges::find(drawn.voters, name) != drawn.voters.end();
    const bool learner = std::ranges::find(drawn.learners, name) != drawn.learners.end();
    if ((voter || learner) && (!Free(i) || cluster_.server(i) == nullptr)) return false;
    if (name == drawn.primary) {
      target.primary = i;
    } else if (voter) {
      target.followers.push_back(i);
    } else if (learner) {
      target.learners.push_back(i);
    }
  }
  if (target.followers.size() > 1 && scheduler_.Random(2) == 0) std::swap(target.followers[0], target.followers[1]);
  return target.primary >= 0 && target.followers.size() >= 2;
}

bool Nemesis::InjectDirected(Fault fault) {
  Target target;
  // Where nothing is written, little can be lost.
  const bool clients = fault >= Fault::kOldOrdersAfterRestart || fault == Fault::kRapidTransfers;
  if (!ChooseTarget(target, clients || scheduler_.Random(2) == 0)) return false;
  if (IsOfSplits(fault) && !hooks_.splittable(target.tablet)) return false;
  if (IsOfMerges(fault)) return InjectAtMerge(fault, target);
  cluster_.log().Add(Cluster::ServerName(target.primary), "is the target of: " + std::string(FaultName(fault)));
  if (fault == Fault::kDeposedPrimaryServes) DeposePrimary(target);
  if (fault == Fault::kFollowerReset) ResetFollower(target);
  if (fault == Fault::kFencedCrash) CrashFenced(target);
  if (fault == Fault::kCutThenCrash) CutThenCrash(target);
  if (fault == Fault::kRapidTransfers) RapidTransfers(target);
  if (fault == Fault::kOldOrdersAfterRestart) OldOrdersAfterRestart(target);
  if (fault == Fault::kSlowAnswers) SlowAnswers(target);
  if (fault == Fault::kFencedPrimaryReachesVoter) FencedPrimaryReachesVoter(target);
  if (fault == Fault::kHoldOrders) HoldOrders(target);
  if (fault == Fault::kLeaveBehind) LeaveBehind(target);
  if (fault == Fault::kDropLate) DropLate(target);
  if (fault == Fault::kChangeMembers) ChangeMembers(target);
  if (fault == Fault::kCrashSuccessor) CrashSuccessor(target);
  if (fault == Fault::kSplitCommitUnseen) SplitCommitUnseen(target);
  if (fault == Fault::kSplitLate) SplitLate(target);
  if (fault == Fault::kSplitInCopy) SplitInCopy(target);
  if (fault == Fault::kSplitMeanwhile) SplitMeanwhile(target);
  if (fault == Fault::kSplitDiscard) SplitThenDiscard(target);
  if (fault == Fault::kSplitRemembered) SplitRemembered(target);
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

void Nemesis::CutFromControlPlane(int index, Duration lasting) {
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
void Nemesis::DeposePrimary(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration lasting = Within(milliseconds(300), seconds(4));
  const uint64_t reach = scheduler_.Random(4);
  for (size_t i = 0; i < target.followers.size(); ++i) {
    if (reach == 2 || (reach == 1 && i == 0)) CutBoth(primary, Cluster::ServerName(target.followers[i]), lasting);
  }
  if (reach == 3) {
    for (int i = 0; i < cluster_.masters(); ++i) {
      CutBoth(Cluster::MasterName(i), Cluster::ServerName(target.followers[0]), lasting);
    }
  }
  // Between fence and catalog the master cannot go on for a while.
  if (scheduler_.Random(2) == 0) {
    const int fenced = scheduler_.Random(2) == 0 ? target.primary : target.followers[1];
    cluster_.network().OnceFenced(Cluster::ServerName(fenced), [this] {
      if (healed_) return;
      std::vector<std::string> masters;
      for (int i = 0; i < cluster_.masters(); ++i) masters.push_back(Cluster::MasterName(i));
      HoldOff(masters, Within(milliseconds(50), milliseconds(900)));
    });
  }
  if (reach == 3 || scheduler_.Random(5) == 0) {  // fenced together with the others
    cluster_.log().Add(primary, "loses its session");
    cluster_.server(target.primary)->coordinator().Expire();
  } else {
    CutFromControlPlane(target.primary, lasting);
  }
}

// One follower hears nothing of the primary for longer than a lease; then nobody does, and the other one restarts.
void Nemesis::ResetFollower(const Target& target) {
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  const bool may_lose = cluster_.interval() && now != nullptr && now->table == hooks_.table;
  if (may_lose && scheduler_.Random(2) == 0) return ForgetFollower(target);
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration deaf = Within(milliseconds(200), milliseconds(1600));
  // Where the machine's death may have cost the restarted one what it acknowledged, the others decide without the
  // primary.
  const bool may_forget = cluster_.interval();
  const Duration lasting = deaf + Within(milliseconds(may_forget ? 2500 : 500), seconds(4));
  CutBoth(primary, Cluster::ServerName(target.followers[1]), lasting);
  const CrashKind kind = !may_forget && scheduler_.Random(2) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  After(deaf, [this, target, primary, kind, lasting = lasting - deaf] {
    if (cluster_.server(target.primary) == nullptr) return;
    for (const int follower : target.followers) CutBoth(primary, Cluster::ServerName(follower), lasting);
    CutFromControlPlane(target.primary, lasting);
    KillAndRestart(target.followers[0], kind, Within(milliseconds(5), milliseconds(60)));
  });
}

// In a table that is flushed at intervals. Once every server has made a checkpoint in the present epoch, one follower
// gets no more entries; and the other's machine dies just when it has acknowledged one.
void Nemesis::ForgetFollower(const Target& target) {
  Undisturbed(seconds(12));
  const Epoch epoch = InCatalog(target.tablet)->epoch;
  After(milliseconds(5600), [this, target, epoch] {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    if (now == nullptr || now->epoch != epoch || cluster_.server(target.primary) == nullptr) return;
    const std::string behind = Cluster::ServerName(target.followers[1]);
    BlockAppends(behind);
    After(seconds(4), [this, behind] { UnblockAppends(behind); });
    hooks_.write(target.primary, target.tablet, /*large=*/false, [this, target, epoch] {
      if (!healed_) ForgetOn(target, epoch);
    });
  });
}

// It comes back without that entry, and hears that the epoch goes on, but not how far; then the primary, which alone
// has the entry, is gone for a while.
void Nemesis::ForgetOn(const Target& target, Epoch epoch) {
  const int index = target.followers[0];
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string forgets = Cluster::ServerName(index);
  const Duration lasting = seconds(4);
  cluster_.network().HoldBack("peerHeartbeat", forgets);
  cluster_.network().LoseFurther("peerHeartbeat", forgets);
  After(lasting, [this, forgets] { cluster_.network().LetGo("peerHeartbeat", forgets); });
  SlowDown(forgets, primary, milliseconds(400), lasting);  // so that it is asked once
  KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
  const auto follows = [this, index, tablet = target.tablet, epoch] {
    const auto view = ViewAt(index, tablet);
    return view != nullptr && view->epoch == epoch;
  };
  Await(
      follows,
      [this, target, primary, lasting] {
        After(milliseconds(30), [this, target, primary, lasting] {
          if (cluster_.server(target.primary) == nullptr) return;
          for (const int follower : target.followers) CutBoth(primary, Cluster::ServerName(follower), lasting);
          CutFromControlPlane(target.primary, lasting);
          UnblockAppends(Cluster::ServerName(target.followers[1]));
        });
      },
      400);
}

void Nemesis::CrashFenced(const Target& target) {
  const Duration lasting = Within(milliseconds(500), seconds(4));
  const int victim = target.followers[0];
  if (scheduler_.Random(2) == 0) {
    CutBoth(Cluster::ServerName(victim), Cluster::ServerName(target.followers[1]), lasting);
  }
  CutFromControlPlane(target.primary, lasting);
  cluster_.network().OnceFenced(Cluster::ServerName(victim), [this, victim] {
    if (healed_ || cluster_.server(victim) == nullptr || !Free(victim)) return;
    cluster_.log().Add(Cluster::ServerName(victim), "has just answered a fence");
    KillAndRestart(victim, CrashKind::kMachine, Within(milliseconds(5), milliseconds(80)));
  });
}

void Nemesis::CutThenCrash(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration cut = Within(milliseconds(50), milliseconds(1500));
  for (const int follower : target.followers) CutBoth(primary, Cluster::ServerName(follower), cut + milliseconds(100));
  After(cut, [this, index = target.primary] {
    if (scheduler_.Random(2) == 0) {
      if (cluster_.server(index) == nullptr) return;
      CutFromControlPlane(index, Within(milliseconds(500), seconds(3)));
    } else {
      KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(20), seconds(6)));
    }
  });
}

// The primary appends for itself alone; one of the others leads, and dies when nobody has its first entry; the first
// one leads again, and dies just when it has sent something of the old entries; the second is back by then.
void Nemesis::RapidTransfers(const Target& target) {
  if (scheduler_.Random(2) == 0) return CountOld(target);
  const std::string first = Cluster::ServerName(target.primary);
  const Duration alone = Within(milliseconds(200), milliseconds(900));
  const Duration lasting = alone + milliseconds(2500);
  CutBoth(Cluster::ServerName(target.followers[0]), Cluster::ServerName(target.followers[1]), lasting);
  for (const int follower : target.followers) CutBoth(first, Cluster::ServerName(follower), alone + milliseconds(1200));
  After(alone, [this, target] {
    if (cluster_.server(target.primary) == nullptr) return;
    CutFromControlPlane(target.primary, milliseconds(1200));
    TransferOn(target, 400);
  });
}

void Nemesis::TransferOn(const Target& target, int polls) {
  After(milliseconds(5), [this, target, polls] {
    const auto& tablets = hooks_.catalog().tablets();
    const auto now = std::ranges::find(tablets, target.tablet, [](const auto& item) { return item.second.id; });
    if (now == tablets.end() || polls == 0) return;
    int leads = -1;
    for (const int follower : target.followers) {
      if (Cluster::ServerName(follower) == now->second.primary) leads = follower;
    }
    if (leads < 0) return TransferOn(target, polls - 1);
    After(Within(milliseconds(5), milliseconds(40)), [this, target, leads, first = target.primary] {
      KillAndRestart(leads, CrashKind::kMachine, Within(milliseconds(1500), milliseconds(3000)));
      const auto die = [this, first] {
        if (!healed_) KillAndRestart(first, CrashKind::kMachine, Within(seconds(2), seconds(5)));
      };
      if (scheduler_.Random(2) == 0) {
        return cluster_.network().OnceSent(Cluster::ServerName(first), 1 + static_cast<int>(scheduler_.Random(60)),
                                           die);
      }
      // Some of it arrives, no more; and there is time to count it.
      const int third = target.followers[0] == leads ? target.followers[1] : target.followers[0];
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
void Nemesis::CountOld(const Target& target) {
  const std::string first = Cluster::ServerName(target.primary);
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  const Epoch epoch = now == nullptr ? Epoch() : now->epoch;
  const Duration back = milliseconds(1500);
  CutBoth(Cluster::ServerName(target.followers[0]), Cluster::ServerName(target.followers[1]), seconds(5));
  for (const int follower : target.followers) CutBoth(first, Cluster::ServerName(follower), back);
  for (int i = 0; i < 3; ++i) hooks_.write(target.primary, target.tablet, /*large=*/true, {});
  After(milliseconds(200), [this, target, epoch, back] {
    if (cluster_.server(target.primary) == nullptr) return;
    CutFromControlPlane(target.primary, back - milliseconds(200));
    const auto begun = [this, target, epoch] { return Beginner(target, epoch) >= 0; };
    Await(
        begun,
        [this, target, epoch] {
          After(milliseconds(20), [this, target, epoch] { CountOldOn(target, epoch); });  // its Barrier is on its disk
        },
        400);
  });
}

// The follower that has appended an entry of a later epoch; -1: none.
int Nemesis::Beginner(const Target& target, Epoch epoch) {
  for (const int follower : target.followers) {
    if (cluster_.state().LastAppended(Cluster::ServerName(follower), target.tablet).epoch > epoch) return follower;
  }
  return -1;
}

void Nemesis::CountOldOn(const Target& target, Epoch epoch) {
  const int second = Beginner(target, epoch);
  if (second < 0 || !Free(second) || cluster_.server(second) == nullptr) return;
  const int third = target.followers[0] == second ? target.followers[1] : target.followers[0];
  const std::string from = Cluster::ServerName(target.primary);
  const std::string to = Cluster::ServerName(third);
  SlowDown(to, from, milliseconds(100), seconds(4));
  const Lsn before = cluster_.state().LastAppended(to, target.tablet).lsn;
  const std::function<void()> up = TakeDown(second, seconds(7));
  const auto some = [this, to, tablet = target.tablet, epoch, before] {
    const Version last = cluster_.state().LastAppended(to, tablet);
    return last.epoch == epoch && last.lsn > before;
  };
  Await(
      some,
      [this, target, from, to, up] {
        CutOff(from, to, seconds(3));
        After(milliseconds(150), [this, first = target.primary, up] {  // acknowledged, and counted
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

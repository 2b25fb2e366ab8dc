#include "tests/sim/nemesis/failover_scenarios.h"

#include <functional>
#include <string>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void FailoverScenarios::Begin(Fault fault, const Target& target) {
  switch (fault) {
    case Fault::kDeposedPrimaryServes: return DeposePrimary(target);
    case Fault::kFollowerReset: return ResetFollower(target);
    case Fault::kFencedCrash: return CrashFenced(target);
    case Fault::kCutThenCrash: return CutThenCrash(target);
    case Fault::kRapidTransfers: return RapidTransfers(target);
    case Fault::kCrashSuccessor: return CrashSuccessor(target);
    case Fault::kReleaseUnseen: return ReleaseUnseen(target);
    default: return;
  }
}

// The primary reaches all of its followers, all but one, or none; or the masters reach all but one.
void FailoverScenarios::DeposePrimary(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration lasting = Within(milliseconds(300), seconds(4));
  const uint64_t reach = scheduler_.Random(4);
  for (size_t i = 0; i < target.followers.size(); ++i) {
    if (reach == 2 || (reach == 1 && i == 0))
      network_.CutBoth(primary, Cluster::ServerName(target.followers[i]), lasting);
  }
  if (reach == 3) {
    for (const std::string& master : cluster_.MasterNames()) {
      network_.CutBoth(master, Cluster::ServerName(target.followers[0]), lasting);
    }
  }
  // Between fence and catalog the master cannot go on for a while.
  if (scheduler_.Random(2) == 0) {
    const int fenced = scheduler_.Random(2) == 0 ? target.primary : target.followers[1];
    cluster_.network().OnceFenced(Cluster::ServerName(fenced), [this] {
      if (healed()) return;
      coordinator_.HoldOffMasters(Within(milliseconds(50), milliseconds(900)));
    });
  }
  if (reach == 3 || scheduler_.Random(5) == 0) {  // the master fences it together with its followers
    cluster_.log().Add(primary, "loses its session");
    cluster_.server(target.primary)->coordinator().Expire();
  } else {
    network_.CutFromControlPlane(target.primary, lasting);
  }
}

// For longer than a lease the primary does not reach one follower. Then it reaches neither, and the second restarts.
void FailoverScenarios::ResetFollower(const Target& target) {
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  const bool may_lose = cluster_.interval() && now != nullptr && now->table == hooks_.table;
  if (may_lose && scheduler_.Random(2) == 0) return ForgetFollower(target);
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration deaf = Within(milliseconds(200), milliseconds(1600));
  // If the restarted follower may have forgotten what it acknowledged, the cut leaves time to choose a new primary.
  const bool may_forget = cluster_.interval();
  const Duration lasting = deaf + Within(milliseconds(may_forget ? 2500 : 500), seconds(4));
  network_.CutBoth(primary, Cluster::ServerName(target.followers[1]), lasting);
  const CrashKind kind = !may_forget && scheduler_.Random(2) == 0 ? CrashKind::kProcess : CrashKind::kMachine;
  After(deaf, [this, target, primary, kind, lasting = lasting - deaf] {
    if (cluster_.server(target.primary) == nullptr) return;
    for (const int follower : target.followers) network_.CutBoth(primary, Cluster::ServerName(follower), lasting);
    network_.CutFromControlPlane(target.primary, lasting);
    servers_.KillAndRestart(target.followers[0], kind, Within(milliseconds(5), milliseconds(60)));
  });
}

// The table is flushed at intervals. Once every server has made a checkpoint in the present epoch, one follower gets no
// more entries. The second follower's machine dies just when it has acknowledged one.
void FailoverScenarios::ForgetFollower(const Target& target) {
  Undisturbed(seconds(12));
  const Epoch epoch = InCatalog(target.tablet)->epoch;
  After(milliseconds(5600), [this, target, epoch] {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    if (now == nullptr || now->epoch != epoch || cluster_.server(target.primary) == nullptr) return;
    const std::string behind = Cluster::ServerName(target.followers[1]);
    network_.BlockAppends(behind);
    After(seconds(4), [this, behind] { network_.UnblockAppends(behind); });
    hooks_.write(target.primary, target.tablet, /*large=*/false, [this, target, epoch] {
      if (!healed()) ForgetOn(target, epoch);
    });
  });
}

// The follower restarts without that entry. It learns that the epoch continues, but not how far. Then the primary,
// which alone has the entry, is cut off for a while.
void FailoverScenarios::ForgetOn(const Target& target, Epoch epoch) {
  const int index = target.followers[0];
  const std::string primary = Cluster::ServerName(target.primary);
  const std::string forgets = Cluster::ServerName(index);
  const Duration lasting = seconds(4);
  cluster_.network().HoldBack("peerHeartbeat", forgets);
  cluster_.network().LoseFurther("peerHeartbeat", forgets);
  After(lasting, [this, forgets] { cluster_.network().LetGo("peerHeartbeat", forgets); });
  network_.SlowDown(forgets, primary, milliseconds(400), lasting);  // so that it is asked once
  servers_.KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
  const auto follows = [this, index, tablet = target.tablet, epoch] {
    const auto view = ViewAt(index, tablet);
    return view != nullptr && view->epoch == epoch;
  };
  Await(
      follows,
      [this, target, primary, lasting] {
        After(milliseconds(30), [this, target, primary, lasting] {
          if (cluster_.server(target.primary) == nullptr) return;
          for (const int follower : target.followers) network_.CutBoth(primary, Cluster::ServerName(follower), lasting);
          network_.CutFromControlPlane(target.primary, lasting);
          network_.UnblockAppends(Cluster::ServerName(target.followers[1]));
        });
      },
      400);
}

void FailoverScenarios::CrashFenced(const Target& target) {
  const Duration lasting = Within(milliseconds(500), seconds(4));
  const int victim = target.followers[0];
  if (scheduler_.Random(2) == 0) {
    network_.CutBoth(Cluster::ServerName(victim), Cluster::ServerName(target.followers[1]), lasting);
  }
  network_.CutFromControlPlane(target.primary, lasting);
  cluster_.network().OnceFenced(Cluster::ServerName(victim), [this, victim] {
    if (healed() || cluster_.server(victim) == nullptr || !Free(victim)) return;
    cluster_.log().Add(Cluster::ServerName(victim), "has just answered a fence");
    servers_.KillAndRestart(victim, CrashKind::kMachine, Within(milliseconds(5), milliseconds(80)));
  });
}

void FailoverScenarios::CutThenCrash(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration cut = Within(milliseconds(50), milliseconds(1500));
  for (const int follower : target.followers)
    network_.CutBoth(primary, Cluster::ServerName(follower), cut + milliseconds(100));
  After(cut, [this, index = target.primary] {
    if (scheduler_.Random(2) == 0) {
      if (cluster_.server(index) == nullptr) return;
      network_.CutFromControlPlane(index, Within(milliseconds(500), seconds(3)));
    } else {
      servers_.KillAndRestart(index, CrashKind::kMachine, Within(milliseconds(20), seconds(6)));
    }
  });
}

// The primary appends entries that reach no follower. A follower leads next, and dies before its first entry reaches
// another replica. The first primary leads again, and dies just when it has sent some of the old entries. The second
// primary is back by then.
void FailoverScenarios::RapidTransfers(const Target& target) {
  if (scheduler_.Random(2) == 0) return CountOld(target);
  const std::string first = Cluster::ServerName(target.primary);
  const Duration alone = Within(milliseconds(200), milliseconds(900));
  const Duration lasting = alone + milliseconds(2500);
  network_.CutBoth(Cluster::ServerName(target.followers[0]), Cluster::ServerName(target.followers[1]), lasting);
  for (const int follower : target.followers)
    network_.CutBoth(first, Cluster::ServerName(follower), alone + milliseconds(1200));
  After(alone, [this, target] {
    if (cluster_.server(target.primary) == nullptr) return;
    network_.CutFromControlPlane(target.primary, milliseconds(1200));
    TransferOn(target, 400);
  });
}

void FailoverScenarios::TransferOn(const Target& target, int polls) {
  After(milliseconds(5), [this, target, polls] {
    const CatalogWatch::Tablet* now = InCatalog(target.tablet);
    if (now == nullptr || polls == 0) return;
    int leads = -1;
    for (const int follower : target.followers) {
      if (Cluster::ServerName(follower) == now->primary) leads = follower;
    }
    if (leads < 0) return TransferOn(target, polls - 1);
    After(Within(milliseconds(5), milliseconds(40)), [this, target, leads] {
      servers_.KillAndRestart(leads, CrashKind::kMachine, Within(milliseconds(1500), milliseconds(3000)));
      DieSending(target, leads);
    });
  });
}

// The first primary dies when it has sent so much; or only some of it arrives, and there is time to count it.
void FailoverScenarios::DieSending(const Target& target, int second) {
  const auto die = [this, first = target.primary] {
    if (!healed()) servers_.KillAndRestart(first, CrashKind::kMachine, Within(seconds(2), seconds(5)));
  };
  const std::string from = Cluster::ServerName(target.primary);
  if (scheduler_.Random(2) == 0) {
    return cluster_.network().OnceSent(from, 1 + static_cast<int>(scheduler_.Random(60)), die);
  }
  const std::string to = Cluster::ServerName(target.followers[target.followers[0] == second ? 1 : 0]);
  const int appends = 2 + static_cast<int>(scheduler_.Random(6));
  cluster_.network().OnceSentTo(from, "append", to, appends, [this, from, to, die] {
    if (healed()) return;
    cluster_.log().Add("network", "cut " + from + " -> " + to);
    cluster_.network().Cut(from, to);
    After(Within(milliseconds(20), milliseconds(300)), die);
    After(seconds(2), [this, from, to] { cluster_.network().Mend(from, to); });
  });
}

// The same, told exactly: what the first one appends alone takes several messages, and when it leads again just one of
// them arrives, and is acknowledged. Then it dies, and the second is back.
void FailoverScenarios::CountOld(const Target& target) {
  const std::string first = Cluster::ServerName(target.primary);
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  const Epoch epoch = now == nullptr ? Epoch() : now->epoch;
  const Duration back = milliseconds(1500);
  network_.CutBoth(Cluster::ServerName(target.followers[0]), Cluster::ServerName(target.followers[1]), seconds(5));
  for (const int follower : target.followers) network_.CutBoth(first, Cluster::ServerName(follower), back);
  for (int i = 0; i < 3; ++i) hooks_.write(target.primary, target.tablet, /*large=*/true, {});
  After(milliseconds(200), [this, target, epoch, back] {
    if (cluster_.server(target.primary) == nullptr) return;
    network_.CutFromControlPlane(target.primary, back - milliseconds(200));
    const auto begun = [this, target, epoch] { return Beginner(target, epoch) >= 0; };
    Await(
        begun,
        [this, target, epoch] {
          After(milliseconds(20), [this, target, epoch] { CountOldOn(target, epoch); });  // its Barrier is on its disk
        },
        400);
  });
}

void FailoverScenarios::CountOldOn(const Target& target, Epoch epoch) {
  const int second = Beginner(target, epoch);
  if (second < 0 || !Free(second) || cluster_.server(second) == nullptr) return;
  const int third = target.followers[0] == second ? target.followers[1] : target.followers[0];
  const std::string from = Cluster::ServerName(target.primary);
  const std::string to = Cluster::ServerName(third);
  network_.SlowDown(to, from, milliseconds(100), seconds(4));
  const Lsn before = cluster_.state().LastAppended(to, target.tablet).lsn;
  const std::function<void()> up = servers_.TakeDown(second, seconds(7));
  const auto some = [this, to, tablet = target.tablet, epoch, before] {
    const Version last = cluster_.state().LastAppended(to, tablet);
    return last.epoch == epoch && last.lsn > before;
  };
  Await(
      some,
      [this, target, from, to, up] {
        network_.CutOff(from, to, seconds(3));
        After(milliseconds(150), [this, first = target.primary, up] {  // acknowledged, and counted
          if (cluster_.server(first) != nullptr) cluster_.server(first)->coordinator().Expire();
          servers_.KillAndRestart(first, CrashKind::kMachine, Within(seconds(4), seconds(5)));
          up();
        });
      },
      600);
}

// The follower that has appended an entry of a later epoch; -1: none.
int FailoverScenarios::Beginner(const Target& target, Epoch epoch) {
  for (const int follower : target.followers) {
    if (cluster_.state().LastAppended(Cluster::ServerName(follower), target.tablet).epoch > epoch) return follower;
  }
  return -1;
}

// A follower that is to lead, and is level, restarts before it is told, and may have forgotten what it had. In half of
// the cases its disk has been stuck, so that the primary and the second follower have committed the end of the log. It
// is told by another master, which has fenced, or by the same one, which presumes that it has that end.
void FailoverScenarios::CrashSuccessor(const Target& target) {
  const int successor = target.followers[0];
  const std::string primary = Cluster::ServerName(target.primary);
  tabletserver::SimulatedDisk& disk = cluster_.disk(successor).disk;
  const bool stuck = scheduler_.Random(2) == 0;
  const bool same_master = scheduler_.Random(2) == 0;
  cluster_.log().Add(primary,
                     "is to transfer to " + Cluster::ServerName(successor) + (stuck ? ", which is stuck" : ""));
  cluster_.network().OnceAnswered(primary, "transfer", [this, successor, same_master, &disk] {
    if (healed() || cluster_.server(successor) == nullptr || !Free(successor)) return;
    if (same_master) {
      masters_.PauseLeader(milliseconds(200), milliseconds(1200));
    } else {
      masters_.PauseLeader(seconds(3), seconds(4));
    }
    servers_.KillAndRestart(successor, CrashKind::kMachine, Within(milliseconds(5), milliseconds(60)));
    disk.SetStalled(false);
  });
  if (stuck) {
    Undisturbed(seconds(3));
    disk.SetStalled(true);
    After(seconds(3), [&disk] { disk.SetStalled(false); });
    for (int i = 0; i < 3; ++i) hooks_.write(target.primary, target.tablet, /*large=*/false, {});
  }
  hooks_.transfer(target.tablet, Cluster::ServerName(successor));
}

// A transfer's target and the second follower are told, and the master dies. The previous primary, which is told of
// nothing, reports its release to the next master. For a while no report of the target and its follower arrives there,
// and these take writes.
void FailoverScenarios::ReleaseUnseen(const Target& target) {
  constexpr Duration kUnseen = seconds(7);
  const std::string previous = Cluster::ServerName(target.primary);
  const std::string successor = Cluster::ServerName(target.followers[0]);
  const int leader = masters_.Leader();
  if (leader < 0) return;
  Undisturbed(seconds(9));
  cluster_.log().Add(previous, "is to transfer to " + successor + ", unseen by the next master");
  const auto leads = [this, target] { return Successor(target) >= 0; };
  const auto die = [this, target, previous, leader] {
    cluster_.network().LetGo("configure", previous);
    if (cluster_.master(leader) == nullptr) return;
    masters_.Kill(leader);
    for (const std::string& master : cluster_.MasterNames()) {
      for (const int silent : target.followers) network_.CutOff(Cluster::ServerName(silent), master, kUnseen);
    }
    hooks_.write(Successor(target), target.tablet, /*large=*/false, {});
  };
  cluster_.network().OnceAnswered(previous, "transfer", [this, target, previous, leads, die] {
    if (healed()) return;
    cluster_.network().HoldBack("configure", previous);
    cluster_.network().LoseFurther("configure", previous);
    After(seconds(3), [this, previous] { cluster_.network().LetGo("configure", previous); });
    for (const int follower : target.followers) network_.CutBoth(previous, Cluster::ServerName(follower), kUnseen);
    Await(leads, die, 200);
  });
  hooks_.transfer(target.tablet, successor);
}

}  // namespace ebla::sim

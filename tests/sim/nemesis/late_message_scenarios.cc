#include "tests/sim/nemesis/late_message_scenarios.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void LateMessageScenarios::Begin(Fault fault, const Target& target) {
  switch (fault) {
    case Fault::kOldOrdersAfterRestart: return OldOrdersAfterRestart(target);
    case Fault::kSlowAnswers: return SlowAnswers(target);
    case Fault::kFencedPrimaryReachesVoter: return FencedPrimaryReachesVoter(target);
    case Fault::kHoldOrders: return HoldOrders(target);
    default: return;
  }
}

// The primary's disk stalls, so that only its followers flush the entries that it acknowledges. Then its machine dies,
// and the masters' orders to the former life reach the next one.
void LateMessageScenarios::OldOrdersAfterRestart(const Target& target) {
  const int index = target.primary;
  Occupy(index);
  cluster_.log().Add(Cluster::ServerName(index), "disk stalls");
  cluster_.disk(index).disk.SetStalled(true);
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  const Epoch epoch = now == nullptr ? Epoch() : now->epoch;
  const auto die = [this, index] {
    cluster_.disk(index).disk.SetStalled(false);
    Release(index);
    if (cluster_.server(index) == nullptr) return;
    coordinator_.HoldOffMasters(Within(milliseconds(200), milliseconds(1500)));
    const Duration away = Within(milliseconds(5), milliseconds(60));
    servers_.KillAndRestart(index, CrashKind::kMachine, away);
    for (int i = 1; i <= 12; ++i) {
      After(away + milliseconds(20 * i),
            [this, index] { cluster_.network().RepeatTo(Cluster::ServerName(index), "configure"); });
    }
  };
  const bool changing = scheduler_.Random(2) == 0 && membership_.ResizeSomehow();
  if (!changing) return After(Within(milliseconds(30), milliseconds(600)), die);
  // The machine dies just when the primary has been told of a change of members, which is not on disk yet.
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

// The followers' answers reach the primary slowly. Then the primary's messages no longer reach the followers, and their
// last answers are still under way when another replica is primary.
void LateMessageScenarios::SlowAnswers(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  if (scheduler_.Random(2) == 0) return AnswerOldQuestions(target);
  const Duration longer = Within(milliseconds(150), milliseconds(1400));
  const Duration before = Within(milliseconds(200), milliseconds(2000));
  const Duration lasting = Within(milliseconds(2000), milliseconds(3500));
  for (const int follower : target.followers)
    network_.SlowDown(Cluster::ServerName(follower), primary, longer, before + lasting);
  After(before, [this, target, primary, lasting] {
    if (cluster_.server(target.primary) == nullptr) return;
    for (const int follower : target.followers) network_.CutOff(primary, Cluster::ServerName(follower), lasting);
    network_.CutFromControlPlane(target.primary, lasting);
  });
}

// The primary asks its followers for confirmation for a long time, and gets no answer. Their answers to its last round
// arrive only after the followers have obeyed a new primary for a while. Just before that, a client writes at the new
// primary and then reads at the old primary.
void LateMessageScenarios::AnswerOldQuestions(const Target& target) {
  const std::string primary = Cluster::ServerName(target.primary);
  const Duration cut_off_for = milliseconds(1200);
  const Duration lasting = Within(milliseconds(2500), milliseconds(3500));
  Undisturbed(milliseconds(2700));
  // The primary must take no write of level PRIMARY, because STRONG reads would wait for that write.
  Occupy(target.primary);
  servers_.RefuseAllAppends(target.primary);
  After(cut_off_for + lasting, [this, index = target.primary] {
    servers_.TakeAppends(index);
    Release(index);
  });
  for (const int follower : target.followers) {
    const std::string name = Cluster::ServerName(follower);
    network_.CutOff(name, primary, cut_off_for);
    After(cut_off_for, [this, name, primary, lasting] {
      network_.SlowDown(name, primary, Within(milliseconds(1330), milliseconds(1430)), lasting);
    });
  }
  // The primary's lease has expired by then, so this read begins a round.
  After(cut_off_for - milliseconds(100),
        [this, target] { hooks_.read(target.primary, target.tablet, Read::Strong()); });
  After(cut_off_for + milliseconds(160), [this, target, primary, lasting] {  // a heartbeat has arrived
    if (cluster_.server(target.primary) == nullptr) return;
    for (const int follower : target.followers) network_.CutOff(primary, Cluster::ServerName(follower), lasting);
    network_.CutFromControlPlane(target.primary, lasting);
    Await([this, target] { return Successor(target) >= 0; },
          [this, target] {
            hooks_.write(Successor(target), target.tablet, /*large=*/false, [this, target] {
              if (!healed()) hooks_.read(target.primary, target.tablet, Read::Strong());
            });
          },
          300);
  });
}

// The masters cannot reach the first follower. The primary has no room for writes and loses its session for a moment,
// so a master fences the primary and the second follower. Then the primary has room again, before another replica is
// primary.
void LateMessageScenarios::FencedPrimaryReachesVoter(const Target& target) {
  const int index = target.primary;
  const std::string primary = Cluster::ServerName(index);
  network_.CutFromMasters(target.followers[0], Within(seconds(4), seconds(6)));
  Occupy(index);
  cluster_.log().Add(primary, "disk is full");
  cluster_.disk(index).disk.SetFull(true);
  const auto room = [this, index, primary, over = std::make_shared<bool>(false)] {
    if (std::exchange(*over, true)) return;  // by now another fault may have the server
    cluster_.log().Add(primary, "disk has room");
    cluster_.disk(index).disk.SetFull(false);
    Release(index);
  };
  After(seconds(5), room);
  After(milliseconds(100), [this, index, primary, room] {
    if (cluster_.server(index) == nullptr) return;
    cluster_.network().OnceFenced(primary, [this, room] {
      if (healed()) return;
      room();
      coordinator_.HoldOffMasters(Within(milliseconds(300), milliseconds(1200)));
    });
    cluster_.log().Add(primary, "loses its session");
    cluster_.server(index)->coordinator().Expire();
  });
}

// The network holds back the orders that make a new primary. The master that sent them is paused. The next master
// cannot reach the second follower, and chooses again. Then the first orders arrive.
void LateMessageScenarios::HoldOrders(const Target& target) {
  auto begun = std::make_shared<bool>(false);
  for (const int follower : target.followers) {
    cluster_.network().HoldBack("configure", Cluster::ServerName(follower), [this, target, begun] {
      if (!healed() && !std::exchange(*begun, true)) After(milliseconds(30), [this, target] { ChooseAgain(target); });
    });
  }
  After(seconds(8), [this, target] { network_.LetGo(target.followers); });
  network_.CutFromControlPlane(target.primary, milliseconds(1800));
}

void LateMessageScenarios::ChooseAgain(const Target& target) {
  int chosen = -1;
  int other = -1;
  const CatalogWatch::Tablet* now = InCatalog(target.tablet);
  for (const int follower : target.followers) {
    cluster_.network().LoseFurther("configure", Cluster::ServerName(follower));
    (now != nullptr && Cluster::ServerName(follower) == now->primary ? chosen : other) = follower;
  }
  if (chosen < 0 || other < 0) return network_.LetGo(target.followers);
  masters_.PauseLeader(seconds(4), seconds(6));
  network_.CutFromMasters(other, Within(seconds(5), seconds(6)));
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
            network_.CutBoth(tablet->primary, Cluster::ServerName(follower),
                             Within(milliseconds(300), milliseconds(900)));
          }
        }
        network_.LetGo(target.followers);
      },
      1200);
}

// While a tablet is made, one of its voters is not told. The primary reaches this voter alone, and is dead to the
// masters. The voter gets the first configuration just after its answer to the fence.
bool LateMessageScenarios::DelayCreate() {
  std::vector<int> servers = context_.FreeServers();
  if (servers.size() < 3) return false;
  for (size_t i = servers.size(); i > 1; --i) std::swap(servers[i - 1], servers[scheduler_.Random(i)]);
  const int primary = servers[0];
  const std::string names[] = {Cluster::ServerName(primary), Cluster::ServerName(servers[1]),
                               Cluster::ServerName(servers[2])};
  cluster_.log().Add(names[2], "is told of nothing");
  network_.CutBoth(names[0], names[1], seconds(5));
  cluster_.network().HoldBack("configure", names[2]);
  const auto let_go = [this, server = servers[2]] { network_.LetGo({server}); };
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
          network_.CutFromControlPlane(primary, Within(milliseconds(800), milliseconds(2000)));
          cluster_.network().OnceFenced(server, [this, let_go] {
            if (healed()) return;
            coordinator_.HoldOffMasters(Within(milliseconds(100), milliseconds(900)));
            let_go();
          });
        });
      },
      800);
  return true;
}

}  // namespace ebla::sim

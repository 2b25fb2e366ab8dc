// A merge that is struck in the midst of it: when a primary has been told to freeze, has frozen, between the one and the other,
// or when the catalog has one in the place of the two and nobody has united them yet.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/faults.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using CrashKind = tabletserver::MemoryDisk::CrashKind;

}  // namespace

bool Nemesis::StrikeMerge(const Aim& aim) {
  const std::string primary = Cluster::ServerName(aim.primary);
  cluster_.log().Add(primary, "is aimed at: " + std::string(FaultName(Fault::kMergeStruck)));
  if (!hooks_.merge(aim.tablet)) return false;
  switch (scheduler_.Random(4)) {
    case 0:  // just when it is told to freeze: the order is on its way, or lost with who sent it
      for (const std::string& master : Masters()) {
        cluster_.network().OnceSentTo(master, "freeze", primary, 1, [this, server = aim.primary] { StrikeAtMerge(server, "is told to freeze"); });
      }
      return true;
    case 1:  // what it answers may arrive; the other one may not have been told
      cluster_.network().OnceAnswered(primary, "freeze", [this, server = aim.primary] { StrikeAtMerge(server, "answers a freeze"); });
      return true;
    case 2: {  // the other one's order is held back, so that this one is frozen for long, and alone
      const auto held = std::make_shared<bool>(false);
      const int other = aim.followers[0];
      cluster_.network().HoldBack("freeze", Cluster::ServerName(other), [held] { *held = true; });
      After(Within(milliseconds(200), milliseconds(2'500)), [this, other, server = aim.primary, held] {
        if (*held) StrikeAtMerge(server, "is frozen alone");
        cluster_.network().LetGo("freeze", Cluster::ServerName(other));
      });
      return true;
    }
    default: {  // as soon as the two are one in the catalog
      const size_t before = hooks_.catalog().merged_away().size();
      Await([this, before] { return hooks_.catalog().merged_away().size() > before; },
            [this, server = aim.primary] { StrikeAtMerge(server, "is to unite two tablets"); }, 600);
      return true;
    }
  }
}

// At once, or when what follows may be under way.
void Nemesis::StrikeAtMerge(int server, const std::string& when) {
  const Duration grace = scheduler_.Random(2) == 0 ? Duration(0) : Within(milliseconds(0), milliseconds(30));
  executor_.After(grace, [this, server, when] {
    if (!healed_ && cluster_.server(server) != nullptr) Strike(server, when);
  });
}

void Nemesis::Strike(int server, const std::string& when) {
  const std::string name = Cluster::ServerName(server);
  cluster_.log().Add(name, when);
  const Duration lasting = Within(milliseconds(300), seconds(4));
  switch (scheduler_.Random(5)) {
    case 0: return KillAndRestart(server, CrashKind::kMachine, Within(milliseconds(5), seconds(3)));
    case 1: return KillAndRestart(server, CrashKind::kProcess, Within(milliseconds(5), milliseconds(200)));
    case 2: return Forsake(server, lasting);  // it serves on, dead to the masters
    case 3:
      for (int i = 0; i < cluster_.servers(); ++i) {
        if (i != server) CutBoth(name, Cluster::ServerName(i), lasting);
      }
      return;
    default:
      InjectAtMaster(Fault::kMasterKillAtWork);  // the one that leads, at one of its next orders
  }
}

}  // namespace ebla::sim

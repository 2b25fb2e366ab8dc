// Kills processes within a split, a move, a transfer or a drain; scenarios.h describes the proof.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "tests/chaos/scenarios/scenario_run.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr int kChangedServers = 4;
constexpr int kGroups = 20;
constexpr int64_t kOperationsPerRound = 200;
constexpr auto kSettledTimeMax = 90s;

// A requested change, and the processes that take part in it.
struct Wanted {
  std::string what;
  std::function<Status(const Client&)> ask;
  std::vector<std::string> servers;  // the primary first
};

class Changes {
 public:
  Changes(ScenarioRun& scenario, uint64_t seed) : run_(scenario), random_(seed) {}

  // One change, and one death within it.
  Status Round() {
    EBLA_TRY(run_.Settle(kOperationsPerRound));
    EBLA_ASSIGN(const std::vector<TabletSummary> tablets, run_.load().observer().ListTablets(HistoryLoad::kTable));
    EBLA_ASSIGN(const Wanted wanted, Choose(tablets));
    EBLA_ASSIGN(std::string victim, run_.cluster().LeadingMaster());
    if (random_() % 2 == 0) victim = wanted.servers[random_() % wanted.servers.size()];
    auto asked =
        std::async(std::launch::async, [&wanted, client = run_.load().observer()] { return wanted.ask(client); });
    const milliseconds delay{random_() % 2 == 0 ? random_() % 25 : random_() % 1500};
    std::this_thread::sleep_for(delay);
    EBLA_TRY(run_.launcher().Kill(victim, SIGKILL));
    std::this_thread::sleep_for(milliseconds(random_() % 800));
    EBLA_TRY(run_.launcher().Restart(victim));
    const Status status = asked.get();
    run_.Tell(wanted.what + "; " + std::to_string(delay.count()) + " ms later " + victim +
              " dies: " + (status.ok() ? "done" : status.ToString()));
    done_ += status.ok() ? 1 : 0;
    ++deaths_[victim.starts_with("m-") ? "masters" : "servers"];
    if (!draining_.empty()) {
      EBLA_TRY(SetDraining(run_.load().observer(), draining_, false));
      draining_.clear();
    }
    return AwaitSettled();
  }
  int deaths() const { return Of("masters") + Of("servers"); }
  std::string ToString() const {
    std::ostringstream text;
    text << deaths() << " changes, of which " << done_ << " were answered with OK at once; " << Of("masters")
         << " masters and " << Of("servers") << " servers died within them, " << splits_ << " splits were asked for";
    return text.str();
  }

 private:
  int Of(const std::string& whom) const { return deaths_.contains(whom) ? deaths_.at(whom) : 0; }

  Result<Wanted> Choose(const std::vector<TabletSummary>& tablets) {
    if (tablets.empty()) return Error(Code::kInternal, "the table has no tablets");
    const TabletSummary& tablet = tablets[random_() % tablets.size()];
    switch (random_() % 4) {
      case 0: return Move(tablet);
      case 1: return Transfer(tablet);
      case 2: return Drain(tablet);
      default: return Split(tablets);
    }
  }
  // At the border of two groups that no split has met yet.
  Wanted Split(const std::vector<TabletSummary>& tablets) {
    std::string key;
    const auto begins = [&](const TabletSummary& tablet) { return tablet.range.start == key; };
    do {
      char text[16];
      std::snprintf(text, sizeof text, "g%04d/",
                    static_cast<int>(random_() % (HistoryLoadOptions().tablets * kGroups)));
      key = text;
    } while (std::ranges::any_of(tablets, begins));
    const auto found =
        std::ranges::find_if(tablets, [&](const TabletSummary& tablet) { return tablet.range.Contains(key); });
    ++splits_;
    return {"split at " + key,
            [key](const Client& client) -> Status {
              const auto split = client.SplitTablet(HistoryLoad::kTable, key);
              return split ? Status() : split.error();
            },
            PartiesOf(found == tablets.end() ? tablets.front() : *found)};
  }
  Wanted Move(const TabletSummary& tablet) {
    std::vector<std::string> parties = PartiesOf(tablet);
    TabletMove move{.from = parties[random_() % parties.size()], .to = {}, .cancel = false};
    for (int i = 1; i <= kChangedServers; ++i) {
      const std::string name = "ts-" + std::to_string(i);
      if (std::ranges::find(parties, name) == parties.end()) move.to = name;
    }
    parties.push_back(move.to);
    return {
        "move of tablet " + std::to_string(tablet.id.value) + " from " + move.from + " to " + move.to,
        [key = KeyOf(tablet), move](const Client& client) { return client.MoveTablet(HistoryLoad::kTable, key, move); },
        std::move(parties)};
  }
  Wanted Transfer(const TabletSummary& tablet) {
    const std::vector<std::string> parties = PartiesOf(tablet);
    return {"transfer of tablet " + std::to_string(tablet.id.value) + " to " + parties.back(),
            [key = KeyOf(tablet), to = parties.back()](const Client& client) {
              return client.TransferTablet(HistoryLoad::kTable, key, to);
            },
            parties};
  }
  Wanted Drain(const TabletSummary& tablet) {
    draining_ = tablet.primary;
    return {"drain of " + draining_,
            [name = draining_](const Client& client) { return SetDraining(client, name, true); }, PartiesOf(tablet)};
  }
  static Status SetDraining(const Client& client, const std::string& server, bool draining) {
    const auto set = client.SetServer(server, {.draining = draining, .maintenance = {}});
    return set ? Status() : set.error();
  }
  static std::string KeyOf(const TabletSummary& tablet) {
    return tablet.range.start.empty() ? "g0000/" : tablet.range.start;
  }
  static std::vector<std::string> PartiesOf(const TabletSummary& tablet) {
    std::vector<std::string> parties{tablet.primary};
    for (const ServerName& voter : tablet.voters) {
      if (voter != tablet.primary) parties.push_back(voter);
    }
    return parties;
  }

  // Every range once, three voters of each, nothing under way.
  std::string WhyNotSettled() const {
    const auto tablets = run_.load().observer().ListTablets(HistoryLoad::kTable);
    if (!tablets) return tablets.error().ToString();
    std::map<std::string, std::string> ranges;
    for (const TabletSummary& tablet : *tablets) {
      const std::string name = "tablet " + std::to_string(tablet.id.value);
      if (!ranges.emplace(tablet.range.start, tablet.range.end).second) return name + " begins where another does";
      if (tablet.status != TabletStatus::kServing) return name + " does not serve";
      if (tablet.voters.size() != 3 || !tablet.learners.empty() || !tablet.incomplete.empty())
        return name + " is not whole";
    }
    std::string at;
    for (const auto& [start, end] : ranges) {
      if (start != at) return "nobody has what is below \"" + start + "\"";
      at = end;
    }
    if (ranges.empty() || !at.empty()) return "not every key is some tablet's";
    const auto planner = run_.load().observer().Planner();
    if (!planner) return planner.error().ToString();
    return planner->under_way.empty() ? "" : planner->under_way.front().what + " is under way";
  }
  Status AwaitSettled() const {
    std::string why;
    const auto settled = [&] { return (why = WhyNotSettled()).empty(); };
    if (testing::Eventually(settled, kSettledTimeMax)) return {};
    return Error(Code::kInternal, "it is neither finished nor undone: " + why);
  }

  ScenarioRun& run_;
  std::mt19937_64 random_;
  std::string draining_;
  std::map<std::string, int> deaths_;
  int done_ = 0;
  int splits_ = 0;
};

}  // namespace

ScenarioReport KillWithinChanges(const ChangesOptions& options) {
  HistoryLoadOptions load{.seed = options.seed};
  load.groups_per_tablet = kGroups;
  auto begun = ScenarioRun::Begin({.servers = kChangedServers, .master_flags = {"--splits", "--balance=false"}}, load,
                                  options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  Changes changes(scenario, options.seed);
  scenario.Repeat(options.rounds, [&] { return changes.Round(); });
  if (scenario.faultless()) {
    if (const Status status = scenario.Check(); !status.ok()) scenario.Fault(status.ToString());
  }
  return scenario.Finish(changes.ToString(), changes.deaths() * kOperationsPerRound);
}

}  // namespace ebla::chaos

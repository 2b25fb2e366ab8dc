// The scenario of two builds side by side: scenarios.h says what it proves.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <thread>

#include "common/base/features.h"
#include "common/testing/temporary_directory.h"
#include "tests/chaos/scenarios/scenario_run.h"
#include "tests/integration/cluster_certificates.h"

namespace ebla::chaos {
namespace {

using namespace std::chrono_literals;

constexpr int kUpgradeTablets = 6;
constexpr int kUpgradeGroups = 40;
constexpr int64_t kUpgradeProgress = 300;
constexpr auto kRaiseTimeMax = 60s;

const std::vector<std::string> kUpgradedServers = {"ts-1", "ts-2", "ts-3"};

// Which build each process is of when it is started next. Every process begins as the older one.
class Builds {
 public:
  explicit Builds(std::string old_bin) : old_bin_(std::move(old_bin)) {}

  void Set(const std::string& name, bool newer) { newer ? (void)newer_.insert(name) : (void)newer_.erase(name); }
  cluster::LaunchContext Context(const std::string& name) const {
    cluster::LaunchContext context;
    const bool master = name.starts_with("m-");
    if (!master && !name.starts_with("ts-")) return context;  // ZooKeeper
    if (newer_.contains(name)) {
      if (master) context.command_prefix = {"/bin/sh", "-c", R"(exec "$@" --level_raise_after_s=2)", "sh"};
    } else if (old_bin_.empty()) {
      context.command_prefix = {"/usr/bin/env", "EBLA_FEATURE_LEVEL=" + std::to_string(kFeatureLevelFirst)};
    } else {
      context.command_prefix = {"/bin/sh", "-c", R"(program=$1; shift; exec "$0/${program##*/}" "$@")", old_bin_};
    }
    return context;
  }
  bool pretended() const { return old_bin_.empty(); }
  // The earlier build's program; empty where the build only pretends.
  std::string Older(const std::string& program) const { return pretended() ? "" : old_bin_ + "/" + program; }

 private:
  const std::string old_bin_;
  std::set<std::string> newer_;
};

class Upgrader {
 public:
  Upgrader(ScenarioRun& run, Builds& builds) : run_(run), builds_(builds), client_(run.load().observer()) {}

  // Masters first: they understand what either build reports.
  Status Upgrade(bool hold) {
    EBLA_TRY(ReplaceMasters(true));
    if (hold) EBLA_TRY(client_.HoldLevel(true));
    EBLA_TRY(ReplaceServers(true));
    return run_.Check();
  }
  Status Downgrade() {
    EBLA_TRY(ReplaceServers(false));
    EBLA_TRY(ReplaceMasters(false));
    return run_.Check();
  }

  // No process speaks less than the newer build any more.
  Status StaysHeld() {
    EBLA_ASSIGN(const ClusterVersions versions, client_.ListVersions());
    for (const ProcessVersion& process : versions.processes)
      if (process.feature_level != kFeatureLevel) return Wrong(process.name + " says another level than it speaks");
    if (!versions.held) return Wrong("the cluster's level is not held");
    held_at_ = versions.level;
    return run_.load().AwaitProgress(kUpgradeProgress);
  }
  Status RisesOnceReleased() {
    EBLA_ASSIGN(ClusterVersions versions, client_.ListVersions());
    if (versions.level != held_at_) return Wrong("the cluster's level has changed though it was held");
    EBLA_TRY(client_.HoldLevel(false));
    for (const auto deadline = WallClock::now() + kRaiseTimeMax; versions.level != kFeatureLevel;
         std::this_thread::sleep_for(50ms)) {
      if (WallClock::now() >= deadline) return Wrong("the cluster's level does not rise");
      EBLA_ASSIGN(versions, client_.ListVersions());
    }
    run_.Tell("the cluster is at feature level " + std::to_string(versions.level));
    return run_.Settle(kUpgradeProgress);
  }
  bool OlderSpeaksLess() const { return held_at_ < kFeatureLevel; }
  // A process of a lower level ends and reports why; in its present build it is accepted.
  Status RefusesTheOlder(const std::string& name) {
    builds_.Set(name, false);
    const Status refused = run_.launcher().Restart(name);
    const std::string why = "and the cluster is at level " + std::to_string(kFeatureLevel);
    if (refused.ok() || !refused.message().contains(why))
      return Wrong("an older " + name + " is not refused: " + refused.ToString());
    run_.Tell("an older " + name + " is refused");
    return Replace(name, true);
  }
  int replaced() const { return replaced_; }

 private:
  static Status Wrong(const std::string& what) { return Error(Code::kInternal, what); }

  Status ReplaceMasters(bool newer) {
    EBLA_ASSIGN(const std::string standby, run_.cluster().StandbyMaster());
    EBLA_ASSIGN(const std::string leader, run_.cluster().LeadingMaster());
    EBLA_TRY(Replace(standby, newer));
    return Replace(leader, newer);
  }
  Status ReplaceServers(bool newer) {
    for (const std::string& server : kUpgradedServers) EBLA_TRY(Replace(server, newer));
    return Status::Ok();
  }
  Status Replace(const std::string& name, bool newer) {
    builds_.Set(name, newer);
    EBLA_TRY(run_.launcher().Restart(name));
    EBLA_TRY(run_.Settle(kUpgradeProgress));
    run_.Tell(name + (newer ? " is the newer build now" : " is the older build again"));
    EBLA_TRY(Order());
    run_.Judge();
    ++replaced_;
    return run_.faultless() ? Status::Ok() : Wrong("with " + name + " of the other build");
  }
  // Changes that an operator may order of the leading master, for a table that the load uses and for another.
  Status Order() {
    const std::string key = HistoryLoad::GroupName(1 + 7 * replaced_ % (kUpgradeTablets * kUpgradeGroups - 1));
    EBLA_ASSIGN(const auto tablets, client_.ListTablets(HistoryLoad::kTable));
    const auto split = std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(key); });
    if (split != tablets.end() && split->range.start != key)
      if (const auto done = client_.SplitTablet(HistoryLoad::kTable, key); !done) return done.error();
    const TabletSummary& moved = tablets[static_cast<size_t>(replaced_) % tablets.size()];
    const auto other = std::ranges::find_if(moved.voters, [&](const ServerName& one) { return one != moved.primary; });
    EBLA_TRY(client_.TransferTablet(HistoryLoad::kTable, moved.range.start + '\0', *other));
    if (const auto made = client_.CreateTable("of-the-moment"); !made) return made.error();
    EBLA_ASSIGN(const Table table, client_.OpenTable("of-the-moment"));
    if (const auto put = table.Put("key", "value"); !put) return put.error();
    if (const auto got = table.Get("key"); !got) return got.error();
    if (!builds_.pretended()) EBLA_TRY(UseOlderShell(table));
    return client_.DropTable("of-the-moment");
  }

  // Clients are replaced last.
  Status UseOlderShell(const Table& table) {
    const std::string shell = builds_.Older("ebla");
    const testing::Shown got = run_.cluster().Run(shell, "get of-the-moment key");
    if (got.code != 0 || got.text != "value\n") return Wrong("the earlier build's shell reads: " + got.text);
    const testing::Shown put = run_.cluster().Run(shell, "put of-the-moment key another");
    if (put.code != 0) return Wrong("the earlier build's shell writes: " + put.text);
    EBLA_ASSIGN(const Record record, table.Get("key"));
    return record.value == "another" ? Status::Ok() : Wrong("what the earlier build's shell wrote is not there");
  }

  ScenarioRun& run_;
  Builds& builds_;
  const Client& client_;
  int held_at_ = 0;
  int replaced_ = 0;
};

}  // namespace

ScenarioReport Upgrade(const UpgradeOptions& options) {
  auto builds = std::make_shared<Builds>(options.old_bin);  // the launcher's, too
  testing::TestClusterOptions cluster{
      .launch_context = [builds](const std::string& name) { return builds->Context(name); }};
  const testing::TemporaryDirectory directory;
  const testing::ClusterCertificates certificates(directory.path());
  if (options.secure) {
    if (const Status made = certificates.Make(); !made.ok()) return NotBegun(made);
    cluster.master_flags = certificates.MasterFlags();
    cluster.server_flags = certificates.ServerFlags();
    cluster.tls_dir = certificates.Path(certificates.kOperator);
  }
  auto begun = ScenarioRun::Begin(
      std::move(cluster),
      {.clients = 32, .tablets = kUpgradeTablets, .groups_per_tablet = kUpgradeGroups, .seed = options.seed},
      options.say);
  if (!begun) return NotBegun(begun.error());
  ScenarioRun& scenario = **begun;
  Upgrader upgrader(scenario, *builds);
  const auto run = [&]() -> Status {
    // Only what is ordered here happens.
    if (const auto off = scenario.load().observer().Planner({.enabled = false}); !off) return off.error();
    EBLA_TRY(scenario.Settle(kUpgradeProgress));
    EBLA_TRY(upgrader.Upgrade(true));
    EBLA_TRY(upgrader.StaysHeld());
    EBLA_TRY(upgrader.Downgrade());
    EBLA_TRY(upgrader.Upgrade(false));
    EBLA_TRY(upgrader.StaysHeld());
    EBLA_TRY(upgrader.RisesOnceReleased());
    if (!upgrader.OlderSpeaksLess()) return Status::Ok();
    EBLA_TRY(upgrader.RefusesTheOlder("ts-2"));
    return upgrader.RefusesTheOlder("m-1");
  };
  if (const Status status = run(); !status.ok()) scenario.Fault(status.ToString());
  scenario.Judge();
  return scenario.Finish(std::to_string(upgrader.replaced()) + " processes replaced by another build's",
                         upgrader.replaced() * kUpgradeProgress);
}

}  // namespace ebla::chaos

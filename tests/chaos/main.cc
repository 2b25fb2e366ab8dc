// tests/chaos/main.cc is ./dev chaos: harms real processes under load, as long as one likes.
#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <optional>

#include "tests/chaos/namespaces/user_namespace.h"
#include "tests/chaos/scenarios/scenarios.h"

namespace ebla::chaos {
namespace {

Say Printer() {
  return [begin = std::chrono::steady_clock::now()](const std::string& text) {
    const auto now = std::chrono::steady_clock::now() - begin;
    std::cout << std::chrono::duration_cast<std::chrono::seconds>(now).count() << " s  " << text << std::endl;
  };
}

int Conclude(const std::string& name, const ScenarioReport& report) {
  std::cout << name << ": " << report.summary << "\n";
  for (const std::string& fault : report.faults) std::cout << "FAULT " << fault << "\n";
  std::cout << name << (report.faults.empty() ? ": passed" : ": FAILED") << std::endl;
  return report.faults.empty() ? 0 : 1;
}

struct Arguments {
  int kills = 30;
  int servers = 3;
  int seconds = 60;
  int rounds = 8;
  int procedures = 200;
  int pauses = 100;
  int bound_mb = 512;
  int phase_seconds = 15;
  uint64_t seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1'000'000;
  std::string durability = "both";
  std::string tables = "all";
  std::string old_bin;
  std::string shape = "all";
  std::optional<int> first;
  std::optional<int> cases;
  int jobs = 6;
  std::string markdown;
  std::string results;
  bool secure = false;
  bool root = false;  // networks can be made, and cut
};

int Servers(const Arguments& arguments) {
  int failed = 0;
  for (const auto& [name, durability] :
       {std::pair("sync", TableDurability::kSync), std::pair("interval", TableDurability::kInterval)}) {
    if (arguments.durability != "both" && arguments.durability != name) continue;
    failed |= Conclude(
        std::string("servers, ") + name,
        KillServers({.kills = arguments.kills, .seed = arguments.seed, .durability = durability, .say = Printer()}));
  }
  return failed;
}

int ControlPlaneOutages(const Arguments& arguments) {
  int failed = 0;
  for (const bool pause : {false, true}) {
    failed |= Conclude(std::string("control-plane-outage, ") + (pause ? "paused" : "killed"),
                       ControlPlaneOutage({.length = std::chrono::seconds(arguments.seconds),
                                           .pause = pause,
                                           .seed = arguments.seed,
                                           .say = Printer()}));
  }
  return failed;
}

int GatewayRounds(const Arguments& arguments) {
  int failed = 0;
  struct Kind {
    const char* name;
    GatewayTables tables;
    const char* what;
  };
  for (const Kind& kind : {Kind{"memory", GatewayTables::kMemory, "on disk and in memory"},
                           {"disk", GatewayTables::kDisk, "on disk"},
                           {"evicting", GatewayTables::kEvicting, "in memory that evicts"}}) {
    if (arguments.tables != "all" && arguments.tables != kind.name) continue;
    failed |=
        Conclude(std::string("gateways, ") + kind.what, HarmGateways({.length = std::chrono::seconds(arguments.seconds),
                                                                      .tables = kind.tables,
                                                                      .network = arguments.root,
                                                                      .seed = arguments.seed,
                                                                      .say = Printer()}));
  }
  return failed;
}

int Churns(const Arguments& arguments) {
  return Conclude("churn", Churn({.length = std::chrono::seconds(arguments.seconds),
                                  .phase = std::chrono::seconds(arguments.phase_seconds),
                                  .bound_mb = arguments.bound_mb,
                                  .seed = arguments.seed,
                                  .say = Printer()}));
}

int Damages(const Arguments& arguments) {
  static const std::map<std::string, Shape> shapes = {
      {"standalone", Shape::kStandalone}, {"three", Shape::kThree}, {"one-away", Shape::kOneAway}};
  const auto shape = shapes.find(arguments.shape);
  return Conclude("damage", DamageFiles({.shape = shape == shapes.end() ? std::nullopt : std::optional(shape->second),
                                         .first = arguments.first,
                                         .cases = arguments.cases,
                                         .jobs = arguments.jobs,
                                         .seed = arguments.seed,
                                         .markdown = arguments.markdown,
                                         .results = arguments.results,
                                         .say = Printer()}));
}

void AddOptions(CLI::App& app, Arguments& given) {
  app.add_option("--kills", given.kills, "servers, failover: kills of a server; more take longer")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--durability", given.durability, "servers: durability of the table")
      ->check(CLI::IsMember({"sync", "interval", "both"}))
      ->capture_default_str();
  app.add_option(
         "--tables", given.tables,
         "gateways: tables in memory, whose majority stays alive; on disk, whose servers may all die; in memory with "
         "eviction; or one after the other")
      ->check(CLI::IsMember({"memory", "disk", "evicting", "all"}))
      ->capture_default_str();
  app.add_option("--servers", given.servers, "failover: tablet servers of the cluster")
      ->check(CLI::Range(3, 9))
      ->capture_default_str();
  app.add_option("--rounds", given.rounds,
                 "changes, pause, restart-all, full-disk, partition: repetitions of the fault; more take longer")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--procedures", given.procedures, "procedures: number of procedures; more take longer")
      ->check(CLI::Range(10, 100'000))
      ->capture_default_str();
  app.add_option("--pauses", given.pauses, "outages-in-changes: stops of ZooKeeper; more take longer")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--seed", given.seed,
                 "decides the victims, the moments and the clients' operations; random by default");
  app.add_option(
         "--old-bin", given.old_bin,
         "upgrade: directory of the earlier build's binaries; by default this build runs at a lower feature level")
      ->check(CLI::ExistingDirectory);
  app.add_option("--shape", given.shape,
                 "damage: a standalone, three replicas, three replicas of which one was away, or all of these")
      ->check(CLI::IsMember({"standalone", "three", "one-away", "all"}))
      ->capture_default_str();
  app.add_option("--cases", given.cases, "damage: number of cases, a sample spread over all; all by default")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--first", given.first,
                 "damage: number of the first case, from which on none is left out; with --cases 1 that case alone")
      ->check(CLI::Range(0, 100'000));
  app.add_option("--jobs", given.jobs, "damage: cases at a time; each mostly waits")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--markdown", given.markdown, "damage: page of the docs whose tables are replaced by this run's")
      ->check(CLI::ExistingFile);
  app.add_option("--results", given.results,
                 "damage: file that keeps each result, so that the same call continues a run that was ended");
  app.add_flag("--secure", given.secure, "upgrade: give the processes of the cluster certificates");
  app.add_option("--bound-mb", given.bound_mb, "churn: most memory of all tables in memory on the server, in MiB")
      ->check(CLI::Range(64, 1'000'000))
      ->capture_default_str();
  app.add_option("--phase-seconds", given.phase_seconds, "churn: seconds after which the sizes of records change")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--seconds", given.seconds, "masters, control-plane-outage, churn, gateways: seconds of the run")
      ->check(CLI::Range(10, 100'000))
      ->capture_default_str();
}

int Main(int argc, char** argv) {
  Arguments given;
  const std::map<std::string, std::function<int()>> scenarios = {
      {"servers", [&] { return Servers(given); }},
      {"masters", [&] { return Conclude("masters", KillMasters({.seconds = given.seconds, .say = Printer()})); }},
      {"failover",
       [&] {
         return Conclude(
             "failover",
             KillPrimaries({.kills = given.kills, .servers = given.servers, .seed = given.seed, .say = Printer()}));
       }},
      {"changes",
       [&] {
         return Conclude("changes", KillWithinChanges({.rounds = given.rounds, .seed = given.seed, .say = Printer()}));
       }},
      {"pause",
       [&] {
         return Conclude("pause", PausePrimaries({.pauses = given.rounds, .seed = given.seed, .say = Printer()}));
       }},
      {"restart-all",
       [&] {
         return Conclude("restart-all", RestartAll({.rounds = given.rounds, .seed = given.seed, .say = Printer()}));
       }},
      {"control-plane-outage", [&] { return ControlPlaneOutages(given); }},
      {"outages-in-changes",
       [&] {
         return Conclude("outages-in-changes",
                         OutagesInChanges({.pauses = given.pauses, .seed = given.seed, .say = Printer()}));
       }},
      {"full-disk",
       [&] { return Conclude("full-disk", FullDisk({.rounds = given.rounds, .seed = given.seed, .say = Printer()})); }},
      {"procedures",
       [&] {
         return Conclude("procedures",
                         Procedures({.procedures = given.procedures, .seed = given.seed, .say = Printer()}));
       }},
      {"churn", [&] { return Churns(given); }},
      {"damage", [&] { return Damages(given); }},
      {"gateways", [&] { return GatewayRounds(given); }},
      {"isolated-primary",
       [&] { return Conclude("isolated-primary", IsolatedPrimary({.seed = given.seed, .say = Printer()})); }},
      {"upgrade",
       [&] {
         return Conclude(
             "upgrade",
             Upgrade({.old_bin = given.old_bin, .secure = given.secure, .seed = given.seed, .say = Printer()}));
       }},
      {"partition",
       [&] {
         return Conclude("partition", Partition({.rounds = given.rounds, .seed = given.seed, .say = Printer()}));
       }},
  };
  std::vector<std::string> names = {"all"};
  for (const auto& [name, run] : scenarios) names.push_back(name);

  CLI::App app("Harms real processes under load, and checks all answers to their clients", "./dev chaos");
  std::string only = "all";
  app.add_option("--only", only, "the scenario to run")->check(CLI::IsMember(names))->capture_default_str();
  AddOptions(app, given);
  CLI11_PARSE(app, argc, argv);

  const Status root = BecomeRoot();
  given.root = root.ok();
  if (!root.ok()) std::cout << "full-disk, partition, isolated-primary, cuts of gateways: " << root << "\n";
  std::cout << "seed " << given.seed << "\n";
  int failed = 0;
  for (const auto& [name, run] : scenarios)
    if (only == "all" || only == name) failed |= run();
  return failed;
}

}  // namespace
}  // namespace ebla::chaos

int main(int argc, char** argv) { return ebla::chaos::Main(argc, argv); }

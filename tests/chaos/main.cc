// tests/chaos/main.cc: ./dev chaos: kills real processes under load, as long as one likes.
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>

#include "tests/chaos/scenarios.h"

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

int Main(int argc, char** argv) {
  CLI::App app("Kills real processes under load and checks every acknowledged write", "./dev chaos");
  int kills = 30, seconds = 120;
  uint64_t seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1'000'000;
  std::string durability = "both", only = "all";
  app.add_option("--only", only, "one scenario")
      ->check(CLI::IsMember({"all", "servers", "masters"}))
      ->capture_default_str();
  app.add_option("--kills", kills, "servers: how many kill -9")->check(CLI::Range(1, 100'000))->capture_default_str();
  app.add_option("--durability", durability, "servers: of the table")
      ->check(CLI::IsMember({"sync", "interval", "both"}))
      ->capture_default_str();
  app.add_option("--seed", seed, "servers: whom to kill and when");
  app.add_option("--seconds", seconds, "masters: how long")->check(CLI::Range(30, 100'000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  int failed = 0;
  if (only != "masters") {
    std::cout << "seed " << seed << "\n";
    if (durability != "interval")
      failed |= Conclude("servers, sync", KillServers({.kills = kills, .seed = seed, .say = Printer()}));
    if (durability != "sync")
      failed |= Conclude(
          "servers, interval",
          KillServers({.kills = kills, .seed = seed, .durability = TableDurability::kInterval, .say = Printer()}));
  }
  if (only != "servers") failed |= Conclude("masters", KillMasters({.seconds = seconds, .say = Printer()}));
  return failed;
}

}  // namespace
}  // namespace ebla::chaos

int main(int argc, char** argv) { return ebla::chaos::Main(argc, argv); }

// tests/chaos/scenarios.h
// What is done to a cluster of real processes while it is under load, and what must be true all the while. Each
// scenario starts a cluster of its own, harms it, and hands back a report; it passes when nothing is in `faults`.
// Place:      main.cc runs them as long as one likes (./dev chaos), chaos_test.cc briefly.
// Invariants: a run that harmed nothing, or during which nothing was done, is a fault itself: it proved nothing.
// Threads:    the caller's, and those of the load; the caller's must not end before the scenario, as the processes die
//             with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/ebla.h"

namespace ebla::chaos {

struct ScenarioReport {
  std::vector<std::string> faults;
  std::string summary;  // what was done and seen, in a few lines
};

// Told of each step; may be empty.
using Say = std::function<void(const std::string&)>;

struct KillServersOptions {
  int kills = 30;
  uint64_t seed = 1;
  TableDurability durability = TableDurability::kSync;
  Say say;
};
// kill -9 of tablet servers at random moments under the load of a ledger (ledger.h): every acknowledged write is there
// afterwards, every batch is all there or not at all, no increment counts twice.
ScenarioReport KillServers(const KillServersOptions& options);

struct KillMastersOptions {
  int seconds = 120;
  int down_seconds = 5;  // how long each victim stays away
  uint64_t records = 10'000;
  int threads = 16;
  std::chrono::milliseconds deadline{10'000};
  Say say;
};
// The leading master, the standby and ZooKeeper are killed in turn, again and again, and come back, under YCSB's
// workload A: no operation fails. After each, a table is made and dropped, to show that somebody governs.
ScenarioReport KillMasters(const KillMastersOptions& options);

}  // namespace ebla::chaos

// tests/sim/runner/run.h
// One run from one seed. A cluster starts, clients work, faults happen, and everything is healed. Then the run judges:
//   1. every client finishes its work, and every key can be read (the healed cluster converges);
//   2. each group's history keeps the promises of its levels (levels.h). The history is linearizable apart from weaker
//      levels, batches are whole, no increment is applied twice, versions grow, and some server keeps each write that a
//      failover rolled back. In a last_write_wins table every write is delivered, all replicas are equal, and the
//      latest write has won (last_write_wins.h);
//   3. no client got an answer that it may never get, no server was refused, and every table serves whole or is gone;
//   4. if only the coordinator failed, at steps of planned changes, no operation took longer than two seconds.
// A run that never injected one of its faults, or did too little, fails, because it proved nothing.
// Cluster: 3 to 5 servers in 1 to 3 racks, tables of 3 replicas or, less often, of 1.
// Threads: one. A planted rule concerns the whole process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/executor.h"
#include "tests/sim/nemesis/fault.h"
#include "tests/sim/runner/bugs.h"

namespace ebla::sim {

struct RunOptions {
  uint64_t seed = 1;
  Bug bug;
  Duration faults_for = std::chrono::seconds(25);  // virtual time; longer until each enabled fault has happened
  std::vector<Fault> faults;                       // these alone; empty: the seed draws them
  bool splits = false;                             // tablets are split, too
  bool merges = false;                             // and merged
  bool memory = false;                             // the clients' table is in memory alone
  bool memory_loss = false;                        // the same, and servers may lose it at any time (memory_watch.h)
  uint64_t answered_min = 500;
  Duration patience = std::chrono::seconds(120);      // virtual time, for each state that the run waits for
  std::function<void(const std::string& line)> sink;  // gets each line of the event log
};

struct RunReport {
  uint64_t seed = 0;
  std::vector<std::string> problems;  // empty: good
  std::string summary;                // one line of figures
  // How often each kind of fault, operation and change happened, zeros included: "fault bad_network", "read bounded",
  // "failover". Sums over many runs show what they have proved.
  std::map<std::string, uint64_t> kinds;
  uint64_t digest = 0;  // of the event log
  std::vector<std::string> log;
};

// The start of a problem that proves no fault of the cluster, because too little happened in the run.
inline constexpr std::string_view kProvedNothing = "proved nothing: ";
// A part of a problem that has no verdict, because the search gave up.
inline constexpr std::string_view kUndecided = " could not be decided";
// Did the run find a fault of the cluster?
bool FoundFault(const RunReport& report);

RunReport RunOnce(const RunOptions& options);

}  // namespace ebla::sim

// tests/sim/runner/run.h
// One run from one seed: a cluster is started, clients work, faults happen, everything is healed, and then
//   1. every client comes to rest and every key can be read (the healed cluster converges);
//   2. each group's history is what its levels promise (levels.h): linearizable but for that, its batches whole, no
//      increment applied twice, versions growing, and what a failover rolled back is kept by some server;
//      In a last_write_wins table everything is delivered, all replicas are the same, and the latest has won
//      (last_write_wins.h);
//   3. no client got an answer that it may never get, no server was refused, every table serves whole or is gone.
//   4. where nothing is broken but the coordinator, at steps of planned changes, no operation takes longer than two
//      seconds.
// A run that injected none of one of its faults, or did too little, fails: it proved nothing.
// Cluster: 3 to 5 servers in 1 to 3 racks, tables of 3 replicas or, less often, of 1.
// Threads: one. A planted rule is the whole process's.
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
  Duration faults_for = std::chrono::seconds(25);  // virtual time; at least, until each enabled fault has happened
  std::vector<Fault> faults;                       // these alone; empty: drawn
  bool splits = false;                             // tablets are split, too
  bool merges = false;                             // and merged
  bool memory = false;                             // the clients' table is in memory alone
  bool memory_loss = false;                        // and servers may forget it at any time (memory_watch.h)
  uint64_t answered_min = 500;
  Duration patience = std::chrono::seconds(120);      // virtual time, with each of what has to come about
  std::function<void(const std::string& line)> sink;  // the event log as it comes
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

// Begins a problem that says nothing against the cluster: the run was too tame.
inline constexpr std::string_view kProvedNothing = "proved nothing: ";
// Ends one of which nobody knows: the search gave up.
inline constexpr std::string_view kUndecided = " could not be decided";
// Something is wrong with the cluster.
bool FoundFault(const RunReport& report);

RunReport RunOnce(const RunOptions& options);

}  // namespace ebla::sim

// tests/chaos/scenarios/scenarios.h
// Harms to a cluster of real processes under load, and the conditions that must hold all the while. Each scenario
// starts its own cluster, harms it, and returns a report; it passes when nothing is in `faults`.
// Place:      main.cc runs them as long as one likes (./dev chaos), chaos_test.cc briefly.
// Invariants: a run without harm, or without operations, is a fault itself, because it proves nothing.
// Threads:    the caller's, and those of the load; the caller's must not end before the scenario, because the processes
//             die with it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/chaos/damage/cases.h"

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
// kill -9 of tablet servers at random moments under the load of single writers (single_writer_load.h): every
// acknowledged write is there afterwards, every batch is all there or not at all, no increment counts twice.
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
// workload A: no operation fails. After each, a table is made and dropped, to show that the control plane works.
ScenarioReport KillMasters(const KillMastersOptions& options);

// The rest run under 64 clients whose histories are judged (history_load.h): nothing acknowledged at MAJORITY or ALL is
// lost, strong reads and writes are linearizable, weak reads show what their level allows, and no operation fails.

struct FailoverOptions {
  int kills = 30;
  int servers = 3;
  uint64_t seed = 1;
  // How long a tablet of the victim may go without service, as its clients see it.
  std::chrono::milliseconds median_max{1'500};
  std::chrono::milliseconds worst_max{3'000};
  Say say;
};
// kill -9 of the server with most primaries, again and again; it restarts once other servers serve.
ScenarioReport KillPrimaries(const FailoverOptions& options);

struct PauseOptions {
  int pauses = 5;
  std::chrono::milliseconds length{5'000};
  uint64_t seed = 1;
  Say say;
};
// SIGSTOP of the server that leads most tablets, longer than its leases last; then SIGCONT.
ScenarioReport PausePrimaries(const PauseOptions& options);

struct RestartAllOptions {
  int rounds = 5;
  uint64_t seed = 1;
  Say say;
};
// kill -9 of all tablet servers at once; all of them come back.
ScenarioReport RestartAll(const RestartAllOptions& options);

struct ControlPlaneOutageOptions {
  std::chrono::milliseconds length{60'000};
  bool pause = false;  // SIGSTOP rather than kill -9
  uint64_t seed = 1;
  Say say;
};
// ZooKeeper and all masters are away: clients that were connected before read and write at every level.
ScenarioReport ControlPlaneOutage(const ControlPlaneOutageOptions& options);

struct OutagesInChangesOptions {
  int pauses = 100;
  std::chrono::milliseconds length{5'000};     // of a pause, at most
  std::chrono::milliseconds worst_max{2'000};  // that an operation may take
  uint64_t seed = 1;
  Say say;
};
// On five servers, an operator transfers, moves, splits and drains without rest, and ZooKeeper is stopped (SIGSTOP) at
// random moments. No operation waits for it.
ScenarioReport OutagesInChanges(const OutagesInChangesOptions& options);

struct FullDiskOptions {
  int rounds = 3;
  std::chrono::milliseconds length{5'000};
  uint64_t seed = 1;
  Say say;
};
// The disk of one server, a small one, is filled by another program. Tablets of other primaries are read and written
// meanwhile. Tablets of the full server are read, and written within seconds, when other servers are their primaries.
// Then the server is killed, and restarts with a full disk; once there is room again, its replicas catch up. Needs root
// (user_namespace.h).
ScenarioReport FullDisk(const FullDiskOptions& options);

struct PartitionOptions {
  int rounds = 8;
  std::chrono::milliseconds length{4'000};
  std::chrono::milliseconds worst_max{3'000};  // until others serve the tablets of an isolated server
  uint64_t seed = 1;
  Say say;
};
// The network is cut between two sets of processes, clients among them, in both directions or in one: first around the
// server that leads most, then anywhere. Takes root.
ScenarioReport Partition(const PartitionOptions& options);

struct IsolatedPrimaryOptions {
  std::chrono::milliseconds length{8'000};
  std::chrono::milliseconds worst_max{3'000};  // until the majority's side serves
  uint64_t seed = 1;
  Say say;
};
// The server that leads most is cut off together with clients. On its side EVENTUAL reads and PRIMARY writes go on,
// STRONG reads stop within a lease and are never stale; the other side serves in time. Takes root.
ScenarioReport IsolatedPrimary(const IsolatedPrimaryOptions& options);

struct ProceduresOptions {
  int procedures = 20;
  uint64_t seed = 1;
  Say say;
};
// On five servers, with the planner off, an operator splits, merges, moves, transfers and drains at random. Then
// replicas agree with the catalog and each other; a drain that the other servers have no room for is refused.
ScenarioReport Procedures(const ProceduresOptions& options);

struct UpgradeOptions {
  // The directory of an earlier build's ebla-master, ebla-tabletserver and ebla; empty: this build's, whose servers
  // speak only the first feature level.
  std::string old_bin;
  bool secure = false;  // every process has a certificate, and ZooKeeper's nodes take a secret
  uint64_t seed = 1;
  Say say;
};
// A cluster of an earlier build is brought to this one, process by process, back while its feature level is held, and
// to this one again; then its level rises, and an earlier build that speaks less is refused. After each step tables are
// made, split, transferred and dropped, and the earlier build's shell reads and writes.
ScenarioReport Upgrade(const UpgradeOptions& options);

struct ChangesOptions {
  int rounds = 24;
  uint64_t seed = 1;
  Say say;
};
// A tablet is split, moved or transferred, or a server drained. Within that change the leading master, or a server that
// takes part in it, is killed at a random moment, and restarts. Each change is finished or undone: no intent is left,
// every range is there once with all its replicas, `ebla check` finds nothing.
ScenarioReport KillWithinChanges(const ChangesOptions& options);

struct ChurnOptions {
  std::chrono::milliseconds length{60'000};  // at least; on a slow machine longer, until the bound was reached
  std::chrono::milliseconds phase{15'000};   // after which the sizes of records change
  int bound_mb = 512;                        // of all tables in memory of the server
  int writers = 4;                           // of calls that hold some 128 KB each, which is memory, too
  uint64_t seed = 1;
  Say say;
};
// Tables in memory on one server are filled beyond their bounds, one's own and the server's, with records of ever other
// sizes, that are deleted, grow and expire, while tablets split and merge (churn_load.h). The server's resident memory,
// sampled all the time, is never 5 % above the bound and what it takes empty (footprint.h).
ScenarioReport Churn(const ChurnOptions& options);

// kDisk: all are on disk, and several servers die at once, too. kMemory: some are in memory alone. kEvicting: all are,
// with limits that they reach all the time.
enum class GatewayTables : uint8_t { kDisk, kMemory, kEvicting };

struct GatewayChaosOptions {
  std::chrono::milliseconds length{60'000};
  std::chrono::milliseconds round{25'000};  // after which what clients were told is judged
  GatewayTables tables = GatewayTables::kMemory;
  bool network = false;  // it is cut, too; takes root
  bool each = true;      // the first round is as long as it takes to do each harm once
  uint64_t seed = 1;
  Say say;
};
// Clients of Redis and Memcached at three gateways, over tables on disk and in memory, while servers, masters and
// gateways are killed and paused, and cut off from each other and from clients, one at a time, and tablets split,
// merge, move and change their primary. Single keys and transactions are linearizable. Counters and banks are exact,
// with every kind of change (gateways/subject.h). In tables that evict, a key may vanish at any moment, and nothing
// else may happen to it.
ScenarioReport HarmGateways(const GatewayChaosOptions& options);

struct DamageOptions {
  std::optional<Shape> shape;  // none: all
  std::optional<int> first;    // cases from this number on; none: a sample spread over all
  std::optional<int> cases;    // none: all
  int jobs = 2;                // cases at a time
  uint64_t seed = 1;
  std::string markdown;  // a page whose tables are replaced (WithTables()); empty: none
  std::string results;   // a file of results (ResultsFile), of which the run adds those that lack; empty: none
  Say say;
};
// The files of a server are damaged, one at a time, in every way that a disk lies (damage/cases.h). Acknowledged
// records are read as they are, or refused by the name of a file, a tablet or a server. Three replicas are whole within
// a minute (damage/verdict.h). The summary is a table of all verdicts.
ScenarioReport DamageFiles(const DamageOptions& options);

}  // namespace ebla::chaos

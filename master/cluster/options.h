// master/cluster/options.h
// A master's options; every default is DESIGN's.
// Threads: values.
#pragma once

#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/base/features.h"
#include "master/balancer/planner/options.h"
#include "master/balancer/planner/repair.h"

namespace ebla::master {

struct MasterOptions {
  std::string name = "master-1";  // unique in the cluster
  // A master of the same name that is before this one in the election for so long is alive, and no earlier life of
  // this one whose session has not ended yet: this master is refused.
  Duration namesake_patience = std::chrono::seconds(18);
  std::string version;  // of the build, for clusterInfo
  std::string boot;     // of the machine; empty: unknown, and no server takes this master's clock for another one
  // Replicas of a table that asks for no number. If fewer servers live, the table begins with one on each, and gets the
  // rest later.
  int replicas_default = 3;
  Duration deadline_default = std::chrono::seconds(10);
  // How long after a Configure a report may still show the replica as it was before.
  Duration report_lag = std::chrono::seconds(2);
  // A server that lives is expected to report within so long; after that nothing waits for what it may know.
  Duration report_patience = std::chrono::seconds(10);
  // Followers' suspicion of their primary counts for so long.
  Duration report_fresh = std::chrono::seconds(3);
  // A server that lives and has not reported for so long is shown as silent: it was killed lately, or does not reach
  // this master. It reports every second.
  Duration silent_after = std::chrono::seconds(3);
  // A voter whose server has been away for so long is replaced. Counted from when this master saw the server vanish, or
  // first missed it. After an election the count starts again, so that no new master replaces a server that it has
  // hardly watched.
  Duration replace_after = std::chrono::minutes(5);
  Duration repair_every = std::chrono::seconds(1);
  RepairCaps repair;
  // With less than this part of the known servers live, nothing is repaired.
  double safe_mode_below = 0.5;
  // How often the planner looks at the cluster, and what it is patient with. balance_driver.h says which of its rules
  // run: those that spread load only with `balance`, splits only with `splits`.
  Duration plan_every = std::chrono::seconds(5);
  PlannerOptions planner;
  bool balance = true;
  // The commands that start one more server, and that end the named one.
  std::string scale_out_command;
  std::string scale_in_command;
  // A tablet that an operator has transferred or moved stays where it is for so long. This master remembers; the next
  // does not.
  Duration transfer_hold = std::chrono::minutes(10);
  // Whether tablets may be split, by hand and by load (docs/design/balancer.md).
  bool splits = true;
  // Whether tablets may be merged, by hand and by load.
  bool merges = true;
  // A tablet time learnt from a report of this age or younger is handed to clients.
  Duration tablet_time_age_max = std::chrono::seconds(2);
  // How long every process has spoken a higher feature level before the cluster rises to it.
  Duration raise_level_after = std::chrono::minutes(1);
  // This master's level and the cluster's; shared with the check of the process's callers.
  std::shared_ptr<Features> features = std::make_shared<Features>();
  // Requests that wait for a procedure (create, alter, drop); further ones are refused.
  size_t waiting_requests_max = 1'000;
};

}  // namespace ebla::master

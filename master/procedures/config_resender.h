// master/procedures/config_resender.h
// Sends followers and learners their configuration again when their reports show, for longer than a report may lag,
// that they do not know it: a replica that was never created, or one that still follows a finished epoch.
// Place:      report_handler.h passes every report on; primaries are the reconciler's.
// Invariants: 1. Orders repeat what the catalog holds; none makes a replica a primary.
//             2. No replica is told of the epoch of a transfer's target before the previous primary releases it.
//             3. One order per server at a time; an order without effect is repeated ever more seldom.
//             4. A replica that was dropped and then fenced is made in a later epoch only (PROTOCOL 6), so it takes the
//                tablet to one. Fences ask learners of memory tablets.
// Tests:      master/host/master_failover_test.cc, master/host/master_turmoil_test.cc,
//             master/host/master_memory_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <map>
#include <set>

#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

class ConfigResender {
 public:
  ConfigResender(const Context& context, TabletReconciler& reconciler) : context_(context), reconciler_(reconciler) {}

  // Looks at the server's present report.
  void Consider(const ServerName& server);

 private:
  static constexpr Duration kMismatchFor = std::chrono::milliseconds(1'500);
  static constexpr size_t kTabletsPerOrderMax = 256;

  // A replica that is not as the catalog says.
  struct Mismatch {
    Epoch epoch;          // of the catalog
    MonotonicTime since;  // or since the config was sent last
    int sent = 0;
  };
  bool MatchesCatalog(const TabletEntry& tablet, const ServerName& server, const Report& report) const;
  void OnAnswered(const ServerName& server, const Result<std::map<TabletId, idl::ConfigureResult>>& results);

  const Context context_;
  TabletReconciler& reconciler_;
  std::map<ServerName, std::map<TabletId, Mismatch>> mismatches_;
  std::set<ServerName> busy_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master

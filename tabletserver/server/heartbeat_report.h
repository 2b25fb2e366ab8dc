// tabletserver/server/heartbeat_report.h
// Fills this server's heartbeats to the master with each tablet's load and replication, and the health of the store.
// Between heartbeats it watches the tablets. It hurries the next one when a primary is silent, when a new tablet
// serves, or when a step of a change of members is done.
// Place:      tabletserver_host.h owns it; transport/heartbeater.h sends what it fills.
// Threads:    Begin by the owner; the rest on `control`.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <unordered_map>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "idl/master_types.h"
#include "tabletserver/reads/tablet_handle.h"
#include "tabletserver/service/load_report.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class ClockGuard;
class ReplicaComparer;
class Scrubber;
class TabletDirectory;
class TabletStore;
struct TabletServerOptions;

class HeartbeatReport {
 public:
  struct Ports {
    Executor& control;
    TabletStore& store;
    const TabletDirectory& directory;
    ReplicaComparer& comparer;
    const Scrubber* scrubber;  // null: nothing is scrubbed
    const ClockGuard& clock;
  };
  HeartbeatReport(const Ports& ports, const TabletServerOptions& options) : ports_(ports), options_(options) {}

  // The server starts now: from now on its followers wait for their primaries.
  void Begin() { started_ = ports_.control.Now(); }
  // All but the cluster's id.
  void Fill(idl::HeartbeatRequest& request);
  // The heartbeats tell the peaks of so long, which the master asks for.
  void CoverPeaks(Duration peaks_of) { peaks_of_ = peaks_of; }

  // Looks at the tablets from now on, and calls `hurry` where the next heartbeat should not wait.
  void Watch(std::function<void()> hurry);
  void StopWatch();

 private:
  // The parts of a tablet's state that a change of members waits for, of a tablet that is led here.
  struct Step {
    Epoch epoch;
    bool barrier_committed = false;
    size_t whole = 0;  // others that answer, and lack nothing but log
    friend bool operator==(const Step&, const Step&) = default;
  };
  static Step StepOf(const TabletView& view);
  bool PrimarySilent(const TabletHandle& handle, const TabletView& view, MonotonicTime now) const;
  void LookAtTablets();
  void FillDisk(const TabletStore::Health& health, idl::HeartbeatRequest& request) const;  // after the tablets
  void FillScrub(bool damaged, idl::HeartbeatRequest& request);
  void FillClock(idl::DiskReport& report) const;

  const Ports ports_;
  const TabletServerOptions& options_;
  std::function<void()> hurry_;
  TimerId watch_;
  MonotonicTime started_;
  std::unordered_map<TabletId, LoadReport> loads_;
  Duration peaks_of_ = LoadPeaks::kCovered;
  std::set<TabletId> silent_;                         // whose primary is silent
  std::unordered_map<TabletId, Step> last_reported_;  // by the latest heartbeat
  std::optional<MonotonicTime> damaged_;              // when there was damage last; none: there was none
  double cpu_seconds_ = 0;
  MonotonicTime reported_;
};

}  // namespace ebla::tabletserver

// master/procedures/tablet_steward.h
// Sees to it that every tablet is led as the catalog says: born ones are configured, those of a server that has been
// started again are failed over to it (their data is there and nowhere else), and whatever a heartbeat shows to differ
// from the catalog is put right.
// How:        Level-triggered. Consider(tablet) compares the catalog with the server's last report; what differs waits in
//             the lane of its server, and each lane runs one batch at a time (tablet_batch.h), all lanes in parallel.
//             Nothing here needs to survive the master: a successor considers every tablet again.
// Invariants: 1. A tablet is in at most one batch.
//             2. A tablet that serves is never given to another server while it has one voter. One that is still being
//                created (and so holds nothing) may be, when its server has been away for reassign_after.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "master/procedures/context.h"
#include "master/procedures/tablet_batch.h"

namespace ebla::master {

class TabletSteward {
 public:
  // `on_change`: a tablet of the table has come to serve, or failed to.
  TabletSteward(const Context& context, std::function<void(TableId)> on_change);

  void Consider(TabletId tablet);
  void ConsiderServer(const ServerName& server);  // all that it holds

  // Lets go of what it noted of tablets that the catalog no longer has.
  void ForgetGone();

  // Tablets that are not as they should be and whose server lives.
  size_t unsettled() const;

 private:
  enum class Need { kNothing, kWait, kConfigure, kFence, kReassign };

  // What this master knows of a tablet beyond the catalog and the reports.
  struct Note {
    bool in_batch = false;
    int failures = 0;
    TimerId retry;
    Epoch fence_floor;
    bool refused = false;  // the primary will not lead the catalog's epoch
    // The last epoch that this master put into the catalog or saw obeyed, for which incarnation and since when.
    Epoch epoch;
    Incarnation incarnation;
    bool led = false;
    MonotonicTime since;
    std::optional<PrimaryChoice> choice;
  };
  struct Lane {
    std::set<TabletId> waiting;
    bool busy = false;
  };

  Need NeedOf(const TabletEntry& tablet, const Note& note) const;
  Need NeedOfServing(const TabletEntry& tablet, const Note& note, const Server& server) const;
  void Pump(const ServerName& server);
  void OnBatch(const ServerName& server, std::vector<BatchItem> items);
  void TakeResult(const BatchItem& item);
  void RetryLater(TabletId tablet, Note& note);
  void Reassign(TabletId tablet);

  const Context context_;
  const std::function<void(TableId)> on_change_;
  std::map<TabletId, Note> notes_;
  std::map<ServerName, Lane> lanes_;
  Guard guard_;
};

}  // namespace ebla::master

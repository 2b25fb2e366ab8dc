// master/procedures/recover_tablet.h
// Recovery by hand: a tablet that has lost the majority of its voters for good is given to one remaining replica. A
// voter whose disk lost a part of its log is no part of a majority, and may be the one that is left (PROTOCOL 5). The
// live holders are fenced, {e+1, with the survivor as primary and only voter} is put into the catalog by
// compare-and-set, and the survivor is configured. Repair then restores the tablet's number of replicas. Writes that
// the lost voters acknowledged beyond the survivor's log are lost, so an operator must accept this.
// Place:      tablet_admin.h surveys and starts; tablet_reconciler.h fences, decides and configures.
// Resuming:   The compare-and-set is the one decision. Before it only promises have changed, and the operator asks
//             again. After it any master's reconciler finds a tablet of one voter, and lets it lead as usual.
// Splits:     A replica whose log lacks a SPLIT of the catalog is not chosen. It would serve, and take writes for, the
//             range of the child, and no replica would have the child's writes.
// Old voters: when they come back they are orphans, and are dropped once the writes that they had acknowledged at
//             PRIMARY are stored as unresolved.
// Tests:      master/host/master_recover_test.cc
// Threads:    the master's executor.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "master/procedures/procedure.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

std::string RecoverTabletName(TabletId tablet);

// A voter or learner as it last reported; of one that does not live, as it was then.
struct HolderSeen {
  ServerName server;
  bool voter = false;
  bool live = false;
  bool reported = false;
  bool known = false;  // it has the replica
  Version last;
  Lsn applied;
  bool incomplete = false;
  bool may_have_lost_writes = false;
  bool lost = false;  // its disk lost a part of the log
  bool failed = false;
  bool splits = true;  // it has logged all that the catalog knows to be split off
};

struct RecoverySurvey {
  std::vector<HolderSeen> holders;
  // OK: it can be done. UNAVAILABLE: not yet. NOT_FOUND, INVALID_ARGUMENT, CONDITION_FAILED
  Status refusal;
  std::optional<ServerName> choice;  // who would lead
  std::string loss;                  // what may be lost, for people
  Version least;                     // the log that the primary must have: the last split that the catalog knows
};

// The replicas of the tablet, and whether `server` (empty: the longest complete log) may be given it.
RecoverySurvey SurveyRecovery(const Context& context, TabletId tablet, const ServerName& server);

class RecoverTablet final : public Procedure {
 public:
  RecoverTablet(const Context& context, TabletReconciler& reconciler, TabletId tablet, ServerName server,
                MonotonicTime until)
      : Procedure(until), context_(context), reconciler_(reconciler), tablet_(tablet), server_(std::move(server)) {}
  Subject subject() const override { return {.kind = "recover", .tablet = tablet_, .table = {}, .server = server_}; }
  void Step(coordination::Callback<Progress> done) override;

 private:
  bool Decided(const TabletEntry& tablet) const;
  // The lone voter lost a part of its log, and no report shows that it leads all the same.
  bool WaitsForAcceptance(const TabletEntry& tablet) const;

  const Context context_;
  TabletReconciler& reconciler_;
  const TabletId tablet_;
  const ServerName server_;     // whom the operator named; empty: the longest complete log, as the fence finds it
  std::optional<Epoch> began_;  // the catalog's then
  Version shown_;               // the end of the chosen log, as the operator was told that what follows it may be lost
  bool decided_ = false;        // the compare-and-set has been seen in the catalog
};

}  // namespace ebla::master

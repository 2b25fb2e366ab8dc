// master/leader/tablet_admin.h
// Requests of operators and the planner about single tablets: transfer, split, merge, move, recover; and the procedures
// behind these.
// Place:   leader_term.h makes one; service.h calls it for operators, the balance driver for the planner.
// Answers: when the procedure has finished, or after `patience` with DEADLINE_EXCEEDED and its progress, if the request
//          is in the catalog and continues.
// Threads: thread-compatible; the master's executor.
#pragma once

#include <map>
#include <set>
#include <string>

#include "master/leader/term_parts.h"
#include "master/procedures/recover_tablet.h"

namespace ebla::master {

class TabletAdmin {
 public:
  using Done = coordination::Callback<Status>;

  explicit TabletAdmin(const TermParts& parts) : parts_(parts) {}
  // Takes up the splits and merges that an earlier master has begun. (Moves are the replication manager's.)
  void Resume();

  // INVALID_ARGUMENT: the server has no vote in the tablet; UNAVAILABLE: it could not be transferred in time.
  void Transfer(TabletId tablet, const ServerName& to, RequestOrigin origin, Duration patience, Done done);
  // Splits the tablet at the key; OK also where it was split there before. Refused by CheckSplit(); UNAVAILABLE: it was
  // not settled in time, or a failover undid the split.
  void Split(TabletId tablet, std::string key, RequestOrigin origin, Duration patience, Done done);
  // Makes one tablet of two neighbours, moving the smaller one's replicas first where they lie on different servers.
  // Refused by CheckMerge(); UNAVAILABLE: it could not be begun in time, or failed.
  void Merge(const Neighbours& two, RequestOrigin origin, Duration patience, Done done);
  // Both tablets go on as they are. The merge's next step decides.
  void CancelMerge(TabletId left);
  // Brings a replica elsewhere; OK once it is there. Refused by CheckMove().
  void Move(WantedMove move, Duration patience, Done done);
  // The same for the planner: not tried again where it cannot begin, as the next pass will see.
  void MoveByPlan(WantedMove move, Duration patience, Done done);
  // Ends the tablet's move. Refused by CheckCancel().
  void CancelMove(TabletId tablet, Duration patience, Done done);
  // Gives a tablet that has lost its majority to `server` alone (empty: the longest complete log); what may be lost is
  // accepted. Refused by Survey(); UNAVAILABLE: it could not be done in time.
  void Recover(TabletId tablet, const ServerName& server, Duration patience, Done done);
  RecoverySurvey Survey(TabletId tablet, const ServerName& server) const {
    return SurveyRecovery(parts_.context, tablet, server);
  }

 private:
  void Hold(TabletId tablet, const RequestOrigin& origin);
  void StartSplit(TabletId tablet);
  void StartMerge(const Neighbours& two, RequestOrigin origin, Duration begin_within);
  void StartFinishMerge(TabletId tablet);
  void StartMove(const WantedMove& move);

  const TermParts parts_;
  std::set<TabletId> cancelled_merges_;        // by the left one
  std::map<TabletId, ServerName> recovering_;  // the source as last asked; empty: the longest log
  CallbackGuard if_alive_;
};

}  // namespace ebla::master

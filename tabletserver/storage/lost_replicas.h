// tabletserver/storage/lost_replicas.h
// The consequences of a log that lacks a part, for as long as they last (PROTOCOL 5, 6): which replicas are `lost`, and
// which tablets this disk may have forgotten. Each is a value of its own in the log, so that builds that know no such
// thing read the replicas' states as they are, and keep the marks.
// Place:   tablet_store.h has it. A server marks its replicas before it answers anything; a replica's own state then
//          tells when it is lost no more (TabletLog::PutState).
// Threads: forgot_below and LowerForgotBelow from any; the rest by a start alone, NoteForgotBelow by one thread.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/records/replica_state.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/tablet_log.h"

namespace ebla::tabletserver {

class LostReplicas {
 public:
  LostReplicas(TabletLog& log, std::optional<LogLoss> loss) : log_(log), loss_(std::move(loss)) {}

  // A start has found that the log lacks its end. Later starts tell it, too, until Mark is done.
  const std::optional<LogLoss>& loss() const { return loss_; }
  // Takes the marks of earlier lives. `replicas`: all of the log, by growing id.
  Status Recover(std::vector<RecoveredReplica>& replicas);
  // Marks every replica as lost, on the disk. Tombstones may hide later replicas. So all tablets may have been here,
  // until LowerForgotBelow.
  Status Mark(std::vector<RecoveredReplica>& replicas);

  // Tablets below it that are unknown here may be forgotten; 0: none is.
  TabletId forgot_below() const { return TabletId{forgot_below_.load(std::memory_order_acquire)}; }
  // The cluster had drawn no id from this one on when this start began. It holds at once. The note on the disk is for
  // later starts, which else ask again.
  void LowerForgotBelow(TabletId next_id);
  Status NoteForgotBelow() { return log_.Put(kForgotKey, EncodeForgotBelow(forgot_below())); }

 private:
  Status BuryMergedParts(std::vector<RecoveredReplica>& replicas);

  TabletLog& log_;
  const std::optional<LogLoss> loss_;
  std::atomic<uint64_t> forgot_below_{0};
};

}  // namespace ebla::tabletserver

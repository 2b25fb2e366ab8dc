// tabletserver/storage/lost_replicas.h
// The consequences of a log that lacks a part, for as long as they last (PROTOCOL 5, 6): which replicas are `lost`, and
// which tablets this disk may have forgotten. Each is a value of its own in the log, so that builds that know no such
// thing read the replicas' states as they are, and keep the marks.
// Place:   tablet_store.h has it. A server marks its replicas before it answers anything; a replica's own state then
//          tells when it is lost no more (TabletLog::PutState).
// How:     the checkpoint may be younger than what is left of the log, so it may have tablets that the log does not
//          know, and lack replicas that the log knows. Both are forgotten, except for promises. After Mark and Settle,
//          the tables have the records of replicas that the log knows, and no others.
// Crashes: what Mark removes from the records is durable once a checkpoint has it. Until then each start finds the loss
//          again, and does the same again.
// Threads: forgot_below, LowerForgotBelow and Checkpointed from any; the rest by a start alone, NoteForgotBelow by one
//          thread.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/tablet_log.h"

namespace ebla::tabletserver {

// INTERNAL: the checkpoint has a tablet that the rest of the log does not know. If every server has lost as much, its
// records here are among the last, so no start removes them. Asked before the start changes the log.
Status CheckExplained(const SharedLog& log, RecordStore& records, const LogLoss& loss);

class LostReplicas {
 public:
  using Replicas = std::vector<RecoveredReplica>;

  LostReplicas(TabletLog& log, RecordStore& records, std::optional<LogLoss> loss)
      : log_(log), records_(records), loss_(std::move(loss)) {}

  // A start has found that the log lacks its end. Later starts tell it, too, until a checkpoint follows Mark.
  const std::optional<LogLoss>& loss() const { return loss_; }
  // Takes the marks of earlier lives. `replicas`: all of the log, by growing id.
  Status Recover(Replicas& replicas);
  // Marks every replica as lost, on the disk, and forgets what neither log nor checkpoint explains. Tombstones may hide
  // later replicas. So all tablets may have been here, until LowerForgotBelow.
  Status Mark(Replicas& replicas);
  // After lineages are replayed: forgets the replicas that no log has brought back.
  Status Settle(Replicas& replicas);
  // A checkpoint that began after a start is done.
  Status Checkpointed() { return marked_.exchange(false) ? log_.Erase(kLogLossKey) : Status(); }

  // Tablets below it that are unknown here may be forgotten; 0: none is.
  TabletId forgot_below() const { return TabletId{forgot_below_.load(std::memory_order_acquire)}; }
  // The cluster had drawn no id from this one on when this start began. It holds at once. The note on the disk is for
  // later starts, which else ask again.
  void LowerForgotBelow(TabletId next_id);
  Status NoteForgotBelow() { return log_.Put(kForgotKey, EncodeForgotBelow(forgot_below())); }

 private:
  Status BuryMergedParts(Replicas& replicas);
  Status ForgetGone(Replicas& replicas);
  Status Forget(RecoveredReplica& replica);
  Status ForgetUnknown(const Replicas& replicas);
  Status EmptyGaps(const Replicas& replicas);

  TabletLog& log_;
  RecordStore& records_;
  const std::optional<LogLoss> loss_;
  std::atomic<bool> marked_ = false;
  std::atomic<uint64_t> forgot_below_{0};
};

}  // namespace ebla::tabletserver

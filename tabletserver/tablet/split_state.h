// tabletserver/tablet/split_state.h
// A split of this tablet (PROTOCOL 11 to 13): the order, the requests that wait for it, its application, and the
// child's first state.
//
//   the order     the primary of the named epoch logs SPLIT; the answer to the order waits
//   meanwhile     writes of the child's half are parked; other writes continue, and their answers name the range left
//   applied       the followers know of its commit; then, as a separate batch, it makes the child
//   done          the order is answered; the host gives the parked writes to the child
//
// Place:      applier.h applies SPLIT through it; write_admission.h asks it for a key's tablet.
// Story:      tests/stories/*.txt whose names begin with split
// Invariants: 1. A replica that is being copied applies no SPLIT before it is complete, because its child would rest on
//                a log that a crash discards (PROTOCOL 9).
//             2. Only the very leadership that appended SPLIT leads the child (PROTOCOL 11).
// Threads:    thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/tablet_io.h"
#include "tabletserver/tablet/tablet_replies.h"

namespace ebla::tabletserver {

class SplitState {
 public:
  SplitState(TabletCommon& common, TabletReplies& replies) : common_(common), replies_(replies) {}

  // ---- the order ----
  struct Pending {
    Lsn lsn;
    SplitDetail detail;
  };
  // Logged and led by this replica, not applied.
  const std::optional<Pending>& pending() const { return pending_; }
  void Order(const SplitTablet& input, bool frozen);
  // To an order, with the split that is applied if the status is OK.
  void Answer(RequestToken token, Status status);
  // The next primary may still commit its entry; reports will tell.
  void GiveUp();

  // ---- what waits ----
  // SPLIT takes the key to the child.
  bool TakesKey(std::string_view key) const { return pending_ && key >= pending_->detail.key; }
  // Whether the write waits for the child: it touches the child's half.
  bool Park(AdmitWrite& input);
  std::vector<AdmitWrite> TakeParked();
  void ExpireParked(MonotonicTime now);
  size_t parked_bytes() const { return parked_bytes_; }
  // Adds the range of a client's write to its answer if needed (PROTOCOL 17). `entry`: of the write's outcome.
  void NameRange(Lsn entry, TabletId believed, WriteReply& reply) const;

  // ---- its application ----
  // Not before the replica is complete (invariant 1): the SPLIT, and what lies there.
  bool Holds(const LogEntry& entry);
  bool Holds(Lsn lsn) const { return held_ && held_ == lsn && common_.replica.state().incomplete; }
  // Not by this output: the followers are to hear first that it is committed.
  bool TellsFirst(const LogEntry& entry);
  // The next output applies it, so messages about its commit must be sent first.
  bool TakeNext() { return std::exchange(next_, false); }
  Status Apply(const LogEntry& entry, ApplyBatch& batch);
  // The child of the batch that is out or refused; null: it makes none.
  const std::shared_ptr<SplitChild>& child() const { return child_; }
  // The child's inheritance as of the SPLIT that is applied by `state`.
  void Bequeath(const AppliedState& state);
  void BequeathFloor();
  // The batch is handed out again. The replica may have ceased to lead meanwhile.
  void JudgeLeadAgain();
  void Finish();

  // ---- what is committed and must not be forgotten ----
  using Wanted = std::function<bool(const LogEntry&, const SplitDetail&)>;
  // Whether a SPLIT that is known to be committed and wanted is not applied yet. It will be now: an entry names its
  // whole log.
  Result<bool> AppliesFirst(const Wanted& wanted);
  // The end of the range once all of the log is applied.
  Result<std::string> LoggedEnd() const;

  // Resets the tablet.
  void Reset();

 private:
  Status Check(const SplitTablet& input, bool frozen) const;
  bool LeadsChildOf(const AppliedSplit& split) const;
  Result<Lsn> LastUnapplied(const Wanted& wanted) const;

  TabletCommon& common_;
  TabletReplies& replies_;
  std::optional<Pending> pending_;
  std::vector<RequestToken> orders_;  // that wait to be answered
  std::vector<AdmitWrite> parked_;    // for the child of pending_, or of the split just applied
  size_t parked_bytes_ = 0;
  std::shared_ptr<SplitChild> child_;
  Lsn held_;
  bool next_ = false;
};

// The state of the child's replica for the store, before the parent's Apply. `mine`: what is known of it so far, which
// stays: a promise, a tombstone, the longest lease of an earlier life, or nothing.
ReplicaState StateAtCreation(ReplicaState mine, const ServerName& self, const SplitChild& child);

}  // namespace ebla::tabletserver

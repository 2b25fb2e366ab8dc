// tabletserver/tablet/write_admission.h
// Takes clients' writes and purges: refuses them, answers a retry out of the dedup window, parks what is a split's
// child's to do, or evaluates them and appends the entry that they then wait for.
// Place:      tablet_core.h hands them in; waiters.h answers what was appended.
// Invariants: 1. A write is executed at most once in its tablet's history, refusals that depend on state included
//             (PROTOCOL 18): the dedup window is checked before anything that depends on state.
//             2. Only a leader that has applied the log that it inherited evaluates (PROTOCOL 18).
// Threads:    thread-compatible.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tabletserver/tablet/freeze_state.h"
#include "tabletserver/tablet/split_state.h"
#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/tablet_replies.h"
#include "tabletserver/tablet/waiters.h"

namespace ebla::tabletserver {

class WriteAdmission {
 public:
  WriteAdmission(TabletCommon& common, TabletReplies& replies, SplitState& split, const FreezeState& freeze,
                 Waiters& waiters)
      : common_(common), replies_(replies), split_(split), freeze_(freeze), waiters_(waiters) {}

  void Admit(AdmitWrite input);
  void Admit(const Purge& input);
  // In memory until they are applied; what waits for a split among it.
  size_t pending_bytes() const { return common_.unapplied.bytes() + split_.parked_bytes(); }

 private:
  // Each answers the request or makes it wait, and returns true; or leaves it to the next.
  bool RefuseEarly(const WriteRequest& request, MonotonicTime now);
  bool AnswerFromDedupWindow(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now);
  bool RefuseWhileFrozen(const WriteRequest& request);
  bool RefuseOverloaded(const AdmitWrite& input, AckLevel level);
  bool RefuseElsewhere(const WriteRequest& request);
  void Execute(AdmitWrite input, uint64_t digest, AckLevel level, TabletTime now);

  // Returns true. `retry_ms`: -1, nothing is said.
  bool Refuse(RequestToken token, Code code, std::string text, int64_t retry_ms = -1);
  Result<Evaluation> EvaluateInRange(std::vector<Write> writes, TabletTime now);
  bool Contains(std::string_view key) const { return common_.applied.range.Contains(key); }
  bool LiesWithin(const WriteRequest& request) const;
  AckLevel LevelOf(const WriteRequest& request) const;
  DiskRoom DiskRoomFor(const Room& room, AckLevel level) const;
  Status CheckDelivered(const WriteRequest& request) const;
  Result<std::vector<Effect>> PurgeEffects(const Purge& input, TabletTime now);
  std::optional<Effect> PurgeEffect(const ExpiredKey& expired, const StoredRecord& record, TabletTime now) const;

  TabletCommon& common_;
  TabletReplies& replies_;
  SplitState& split_;
  const FreezeState& freeze_;
  Waiters& waiters_;
};

}  // namespace ebla::tabletserver

// tabletserver/tablet/waiters.h
// Writes and purges whose entry is in the log, and whose answer waits for what their level asks: PRIMARY, the entry is
// durable here; MAJORITY, it is applied; ALL, it is applied and durable at every voter.
// Place:      write_admission.h has them wait; tablet_core.h settles them when the log, the store or a voter has moved.
// Invariants: each is answered exactly once: settled, expired or given up.
// Threads:    thread-compatible.
#pragma once

#include <map>
#include <vector>

#include "tabletserver/tablet/split_state.h"
#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/tablet_replies.h"

namespace ebla::tabletserver {

struct Waiter {
  RequestToken token;
  AckLevel level = AckLevel::kMajority;  // the stronger of what was asked and logged
  MonotonicTime deadline = MonotonicTime::Max();
  bool purge = false;
  EntryPtr entry;     // what it waits for
  TabletId believed;  // as of WriteRequest
};

class Waiters {
 public:
  Waiters(TabletCommon& common, TabletReplies& replies, const SplitState& split)
      : common_(common), replies_(replies), split_(split) {}

  void Wait(Waiter waiter);
  // Answers the requests that log, store and other voters have satisfied by now.
  void Settle();
  // Answers requests past their deadline with an unknown outcome.
  void Expire(MonotonicTime now);
  // The leadership has ended; the next primary may still commit the entries.
  void GiveUpAll();
  void AnswerWrite(RequestToken token, const Outcome& outcome, Version version, TabletId believed);

  size_t count() const { return count_; }
  // The last acknowledged PRIMARY entry: STRONG reads wait for it (PROTOCOL 15).
  Lsn pending_primary() const { return pending_primary_; }
  void ForgetPendingPrimary() { pending_primary_ = {}; }

 private:
  using ByLsn = std::map<Lsn, std::vector<Waiter>>;

  void SettleUpTo(ByLsn& waiters, Lsn reached);
  void Answer(const Waiter& waiter);
  void GiveUp(const Waiter& waiter);

  TabletCommon& common_;
  TabletReplies& replies_;
  const SplitState& split_;
  ByLsn until_flushed_;  // PRIMARY
  ByLsn until_applied_;  // MAJORITY, and purges
  ByLsn until_all_;      // ALL
  size_t count_ = 0;
  Lsn pending_primary_;
  MonotonicTime next_deadline_ = MonotonicTime::Max();
};

}  // namespace ebla::tabletserver

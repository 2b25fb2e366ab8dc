// tabletserver/replication/followed_log.h
// A follower's knowledge of the log of its epoch's primary: how far its own log matches, the committed position, how
// fresh its applied state is; and the answers to appends that wait for a flush.
// Place:      follower.h feeds it with the primary's messages; replica_role.h resets it with each epoch.
// Invariants: 1. Nothing is committed here beyond what is known to be the primary's log.
//             2. An append is answered STORED once its entries and the promise of its epoch are durable (PROTOCOL 4).
// Bounds:     kEchoesMax echoes; held answers by the primary's messages in flight.
// Tests:      tests/stories/a_replica_of_a_lost_history_does_not_hold_the_line.txt,
//             tabletserver/replication/replica_group_test.cc
// Threads:    thread-compatible.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "tabletserver/replication/copy_receiver.h"
#include "tabletserver/replication/replica_common.h"

namespace ebla::tabletserver {

class FollowedLog {
 public:
  FollowedLog(ReplicaCommon& common, const CopyReceiver& copies) : common_(common), copies_(copies) {}

  // ---- messages of the primary ---- Another primary is followed from now on, in another epoch.
  void BeginEpoch();
  void NoteContact(MonotonicTime now) { last_contact_ = std::max(last_contact_, now); }
  // The log is the primary's through here.
  void Match(Lsn lsn) { matched_ = std::max(matched_, lsn); }
  // So much is committed; a replica may still need the log from `retain` on.
  void Learn(Lsn committed, Lsn retain);
  // An answer of this replica that the primary has received, and what was committed then.
  void Echo(const HeartbeatMessage& heartbeat, MonotonicTime now);

  // ---- events at this replica ---- The log ends here from now on.
  void CutAt(Lsn last) { matched_ = std::min(matched_, last); }
  // Nothing is known to be the primary's any more: the log is another one, or this replica has led meanwhile.
  void Unmatch() { matched_ = {}; }
  // Commits what is known to be committed of what is known to be the primary's.
  void CommitMatched();
  // Something more is applied.
  void Freshen();

  // ---- answers ----
  void Answer(RequestToken token, AppendAnswer answer, AppendResult result);
  void Answer(RequestToken token, HeartbeatAnswer answer) { ready_.push_back({token, answer}); }
  // Once `answer.flushed` is durable, STORED.
  void AnswerOnceDurable(RequestToken token, const AppendAnswer& answer);
  void AnswerDurable();
  // Drops held answers for entries above `above`, which are yet to be durable.
  void Refuse(AppendResult result, Lsn above = {});
  bool answered() const { return !ready_.empty(); }
  std::vector<PeerAnswer> TakeAnswers() { return std::exchange(ready_, {}); }

  // ---- for reads and reports ----
  // All that was committed by then (this server's clock) is applied here; zero: not known.
  MonotonicTime fresh_as_of() const { return fresh_as_of_; }
  // Time of the last message from the primary of its epoch; zero: never.
  MonotonicTime last_contact() const { return last_contact_; }
  // The first position of this log that a replica may need, itself included for the next entry to apply.
  Lsn NeededFrom(Lsn next) const { return std::min(next, retain_ ? retain_ : next); }

 private:
  struct Held {
    RequestToken token;
    AppendAnswer answer;
  };
  struct Echoed {
    MonotonicTime clock;
    Lsn committed;
  };

  void ClearDoubtOfLostWrites();

  ReplicaCommon& common_;
  const CopyReceiver& copies_;
  Lsn matched_;
  Lsn told_committed_;  // by the primary of this epoch
  Lsn retain_;
  MonotonicTime last_contact_;
  MonotonicTime fresh_as_of_;
  std::deque<Echoed> echoes_;  // that wait to be applied
  std::deque<Held> held_;
  std::vector<PeerAnswer> ready_;
};

}  // namespace ebla::tabletserver

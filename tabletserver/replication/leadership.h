// tabletserver/replication/leadership.h
// A primary's state for the one epoch that it leads: the progress of each peer, the peers' lease grants with their
// ends, the confirmation round under way, the target of a transfer. Followers are driven as in etcd's raft. A probe
// finds where the logs meet; then entries are sent without waiting for answers. A peer that the log cannot reach is
// copied.
// Place:      replica_core.h makes one when it begins to lead, asks it what is committed, and destroys it when it steps
//             down; nothing of it survives that.
// Invariants: 1. Counts voters only; each voter's position is durable there, and in this epoch's history.
//             2. A lease is counted from when the heartbeat or append was sent, less the margin (PROTOCOL 7).
//             3. A confirmation counts only answers to messages sent after its round began.
//             4. Message numbers continue those of the leadership before, so that the answer to an older message is
//                never mistaken for one to a newer message.
// Bounds:     per peer: one probe, or kInFlightMax messages of kMessageBytes and kInFlightBytesMax together. A copy
//             that fails is begun again after kCopyDelayFirst, doubled each time up to kCopyDelayMax.
// Tests:      tests/stories/barrier_commits_inherited_entries.txt, tabletserver/replication/replica_group_test.cc
// Threads:    thread-compatible.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "tabletserver/replication/replica_log.h"
#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

class Leadership {
 public:
  static constexpr size_t kMessageBytes = 256 << 10;
  static constexpr int kInFlightMax = 64;
  static constexpr size_t kInFlightBytesMax = 4 << 20;
  static constexpr size_t kConfirmsMax = 65'536;  // reads that wait for a round
  static constexpr Duration kCopyDelayFirst = std::chrono::milliseconds(100);
  static constexpr Duration kCopyDelayMax = std::chrono::seconds(10);

  struct Start {
    ServerName self;
    LeaseTerms terms;
    Epoch epoch;
    Lsn barrier;            // or, of a split's child, the SPLIT, which is as good
    uint64_t messages = 0;  // sent by the leaderships before, in this process
    Lsn next;               // to be sent first; none: the Barrier
    Lsn inherited;          // committed once flushed here, as no other log exists; none: as ever, by the Barrier
  };
  Leadership(Start start, const std::vector<ServerName>& voters, const std::vector<ServerName>& learners);

  Lsn barrier() const { return barrier_; }
  Lsn inherited() const { return inherited_; }
  uint64_t messages() const { return messages_; }

  // ---- news ----
  void OnAppendAnswer(const PeerReply& reply, const AppendAnswer& answer, const ReplicaLog& log);
  void OnHeartbeatAnswer(const PeerReply& reply, const HeartbeatAnswer& answer, const ReplicaLog& log);
  void OnLost(const PeerReply& reply);
  void Step(const PeerRestarted& input);
  void Step(const CopyNews& input);
  // The peers may learn that the log is committed up to this SPLIT, and are told at once.
  void Step(const SplitNext& input);
  // Copies under way start again.
  void Step(const SplitApplied& input);
  // No lease holds from now on, whatever peers grant (PROTOCOL 14).
  void Step(const EndLease& input);
  void Step(const HeartbeatDue&) { heartbeat_due_ = true; }
  void OnTick(MonotonicTime now);

  // ---- conclusions ---- The last position that a majority of voters, this one at `own`, has made durable; all of
  // them.
  Lsn MajorityFlushed(Lsn own) const;
  Lsn AllFlushed(Lsn own) const;
  // Voters that have not made `lsn` durable, as far as is known.
  std::vector<ServerName> Missing(Lsn lsn) const;
  // The time until which a majority, itself included, promises no higher epoch; Max() for a lone voter.
  MonotonicTime lease_until() const;
  bool lease_ended() const { return lease_end_ != MonotonicTime::Max(); }
  // The greatest epoch above its own that a peer has promised; none: none.
  Epoch refused_for() const { return refused_for_; }
  std::vector<PeerProgress> Progress() const;
  // The first position of the log that a peer still needs.
  Lsn NeededFrom(Lsn otherwise) const;
  bool IsLevel(const ServerName& peer, Lsn last) const;

  // ---- confirmation ----
  void Confirm(RequestToken token, MonotonicTime now);
  std::vector<ConfirmReply> TakeConfirmed();
  std::vector<ConfirmReply> Abandon();  // a step-down

  // ---- messages ---- The peers have yet to learn that the log is committed up to this SPLIT.
  bool AnnouncesSplit(Lsn at) const { return split_announced_ < at && !peers_.empty(); }
  Lsn split_announced() const { return split_announced_; }
  bool HasMessages(const ReplicaLog& log) const;
  Status TakeMessages(const ReplicaLog& log, Lsn committed, MonotonicTime now, std::vector<PeerMessage>& messages,
                      std::vector<StartCopy>& copies);

 private:
  enum class Mode : uint8_t { kProbe, kReplicate, kCopy };
  struct Sent {
    Lsn first;  // of its entries, or where they would go on
    Lsn last;   // of its entries, or before them
    size_t bytes = 0;
  };
  struct Peer {
    bool voter = false;
    Mode mode = Mode::kProbe;
    bool paused = false;          // a probe is out, or nothing to gain before the next tick
    bool incomplete = false;      // stores, but is not counted
    bool proven = false;          // has stored something of this epoch
    Lsn match;                    // durable there
    Lsn acknowledged;             // of this epoch, on its disk; unlike `match` it outlives a restart, but no copy
    Lsn next;                     // to be sent
    uint64_t ignore_through = 0;  // answers to messages up to this number are of an earlier probe
    size_t bytes_in_flight = 0;
    std::map<uint64_t, Sent> appends;  // in flight, by number
    MonotonicTime lease;
    MonotonicTime heard;
    MonotonicTime echo_clock;
    uint64_t confirmed = 0;  // the latest round it has confirmed
    uint64_t copy = 0;       // under way; 0: none
    uint64_t copied = 0;     // the latest that has arrived
    Version copy_start;
    int copies_failed = 0;     // since one arrived
    MonotonicTime copy_again;  // not before
  };

  void Grant(Peer& peer, const PeerReply& reply, bool granted, MonotonicTime clock);
  std::optional<Sent> Settle(Peer& peer, uint64_t number);
  void NotePromised(Epoch promised);
  void Probe(Peer& peer, Lsn next);
  void WantCopy(Peer& peer);
  void WantCopyLater(Peer& peer, MonotonicTime now);
  bool WantsMessage(const Peer& peer, const ReplicaLog& log) const;
  Status Send(const ServerName& name, Peer& peer, const ReplicaLog& log, Lsn committed, MonotonicTime now,
              std::vector<PeerMessage>& messages, std::vector<StartCopy>& copies);
  void BeginCopy(const ServerName& name, Peer& peer, const ReplicaLog& log, std::vector<StartCopy>& copies);
  void CloseRound();

  const ServerName self_;
  const LeaseTerms terms_;
  const Epoch epoch_;
  const Lsn barrier_;
  const Lsn inherited_;
  const std::vector<ServerName> voters_;
  std::map<ServerName, Peer> peers_;  // all but itself
  Epoch refused_for_;
  MonotonicTime lease_end_ = MonotonicTime::Max();
  uint64_t copies_begun_ = 0;
  uint64_t messages_ = 0;  // sent; the number of the last

  uint64_t round_ = 0;  // the latest begun
  bool round_open_ = false;
  bool round_due_ = false;                // its messages have not left
  std::vector<RequestToken> confirming_;  // by round_
  std::vector<RequestToken> waiting_;     // for the round after it
  std::vector<ConfirmReply> confirmed_;
  bool heartbeat_due_ = false;
  Lsn split_announced_;
};

}  // namespace ebla::tabletserver

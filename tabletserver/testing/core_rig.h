// tabletserver/testing/core_rig.h
// A TabletCore with the smallest store that can crash under it: a journal of what was appended, of which a crash keeps
// the flushed part and as much more as the test says, and records that a crash takes back to the last checkpoint.
// Drives the core by the contract in tablet_core.h.
// Place:   tablet_core_test.cc and tests/stories.
// Threads: one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver::testing {

inline constexpr int64_t kMorningMs = 1'000'000;  // the time of day when a rig begins

class CoreRig {
 public:
  explicit CoreRig(TabletOptions options, TabletSchema schema = DefaultSchema());
  static TabletSchema DefaultSchema();

  // ---- inputs, each carried through until nothing is left to do but what is held
  // -------------------------------------- `time_of_day_ms`: the median of the fence's answers; 0: its own.
  RequestToken Configure(ConfigureReplica configure, TabletTime learnt = {}, int64_t time_of_day_ms = 0);
  RequestToken Fence(Epoch epoch);
  RequestToken Drop(Epoch epoch);
  RequestToken Alter(TabletSchema schema);
  void Forget();
  RequestToken Transfer(Epoch epoch, ServerName target, Duration patience);
  RequestToken Freeze(Epoch epoch, TabletId into);
  RequestToken Write(WriteRequest request);  // fills the token, and what was learnt when none is given
  RequestToken Confirm();
  RequestToken Purge(std::vector<ExpiredKey> keys, TabletTime reached, MonotonicTime deadline = MonotonicTime::Max());
  void Tick(Duration passed);
  void Advance(Duration passed) { now_ = now_ + passed; }  // its clock alone
  void Heartbeat();
  // From another rig; the answer comes out in `answers` with this token.
  void Receive(PeerRequest request);
  void Receive(PeerReply reply);
  void Step(const auto& input) {
    core_->Step(input);
    Run();
  }

  void HoldFlush(bool hold);
  void FlushOne();  // completes the oldest flush under way, while they are held
  void FailAppend(Status status) { append_status_ = std::move(status); }
  void FailApply(Status status) { apply_status_ = std::move(status); }
  void FailKeep(Status status) { keep_status_ = std::move(status); }  // of what is rolled back

  void Checkpoint(bool truncate_log);
  // The process dies and starts again; of what was not flushed the first `keep` pieces survive. The time of day then is
  // `clock_skew` off.
  void Crash(size_t keep, Duration clock_skew = {});
  // From its next start on it may have lost what it acknowledged (an interval table's machine went down).
  // With the next crash goes what the last `pieces` flushed pieces were, though they were answered for.
  void Forgets(size_t pieces = 0) {
    options_.may_have_lost_writes = true;
    flushed_ -= std::min(flushed_, pieces);
  }
  size_t unflushed() const { return journal_.size() - flushed_; }

  // ---- what came out
  // --------------------------------------------------------------------------------------------------
  std::vector<WriteReply> writes;
  std::vector<ControlReply> controls;
  std::vector<PurgeReply> purges;
  std::vector<ConfirmReply> confirms;
  std::vector<PeerMessage> messages;  // to other rigs; whoever carries them takes them
  std::vector<PeerAnswer> answers;
  struct BegunCopy {
    StartCopy start;
    AppliedState applied;  // as it begins
    std::vector<DedupRow> dedup_window;
  };
  std::vector<BegunCopy> copies;
  std::optional<ReceiveCopy> prepare;
  std::vector<CopyReply> copy_replies;
  std::string fault;                  // a record's version ran back; empty: none did
  std::vector<EntryPtr> rolled_back;  // kept outside the tablet's data
  std::shared_ptr<const TabletView> view;
  // Of one request, if it was answered. CHECKs that it was answered once.
  std::optional<WriteReply> ReplyTo(RequestToken token) const;

  TabletCore& core() { return *core_; }
  const TabletCore& core() const { return *core_; }
  MonotonicTime now() const { return now_; }
  int64_t time_of_day_ms() const;
  void SkewClock(Duration skew) { skew_ = skew; }  // its time of day, not its monotonic clock
  TabletTime tablet_time() const { return view->time.Now(now_); }
  const std::map<std::string, StoredRecord>& records() const { return data_.records; }
  const std::map<std::pair<ClientId, Sequence>, DedupRow>& dedup_window() const { return data_.dedup_window; }
  std::vector<LogEntry> Log() const;  // as stored
  const ReplicaState& state() const { return state_; }
  const std::optional<AppliedState>& applied() const { return data_.applied; }

  // ---- copies: the host's part
  // ----------------------------------------------------------------------------------------
  void Install(InstallCopy copy);
  void ReplaceInterval(const std::string& from, const std::string& to,
                       const std::map<std::string, StoredRecord>& records);

 private:
  struct Piece {  // of the journal: one of them
    std::optional<ReplicaState> state;
    std::string entry;
    Lsn remove_from;
    Lsn forget_to;  // the log begins anew after this position
  };
  struct Data {
    std::map<std::string, StoredRecord> records;
    std::map<std::pair<ClientId, Sequence>, DedupRow> dedup_window;
    std::optional<AppliedState> applied;
  };

  void Start();
  void Run();
  void Carry(TabletOutput output);
  void CompleteFlush();
  bool Store(const TabletOutput& output);
  void Apply(ApplyBatch batch);
  RequestToken NextToken() { return RequestToken{next_token_++}; }

  TabletOptions options_;
  TabletSchema schema_;
  std::unique_ptr<TabletCore> core_;
  MonotonicTime now_{std::chrono::seconds(1)};
  Duration skew_{};

  std::vector<Piece> journal_;
  size_t flushed_ = 0;              // pieces of the journal
  std::map<Lsn, std::string> log_;  // the journal's entries, less what was truncated
  Lsn truncated_;
  ReplicaState state_;
  Data data_;
  Data checkpoint_;

  bool hold_flush_ = false;
  std::deque<std::pair<FlushNumber, size_t>> flushes_;  // not yet done
  Status append_status_;
  Status apply_status_;
  Status keep_status_;
  uint64_t next_token_ = 1;
};

}  // namespace ebla::tabletserver::testing

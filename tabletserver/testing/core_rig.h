// tabletserver/testing/core_rig.h
// A TabletCore over a store that can crash under it (crashing_store.h). Drives the core by the contract in
// tablet_core.h.
// Place:   tablet_core_test.cc and tests/stories.
// Threads: one.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tabletserver/tablet/tablet_core.h"
#include "tabletserver/testing/crashing_store.h"

namespace ebla::tabletserver::testing {

inline constexpr int64_t kMorningMs = 1'000'000;  // the time of day when a rig begins

class CoreRig {
 public:
  explicit CoreRig(TabletOptions options, TabletSchema schema = DefaultSchema());
  static TabletSchema DefaultSchema();

  // ---- inputs, each carried through until nothing is left to do but what is held ----
  // `time_of_day_ms`: the median of the fence's answers; 0: its own.
  RequestToken Configure(ConfigureReplica configure, TabletTime learnt = {}, int64_t time_of_day_ms = 0);
  RequestToken Fence(Epoch epoch, std::optional<Epoch> leap_from = {}, Version had = {});
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
  // A request from another rig; its answer appears in `answers` with this token.
  void Receive(PeerRequest request);
  void Receive(PeerReply reply);
  void Step(auto&& input) {
    core_->Step(std::forward<decltype(input)>(input));
    Run();
  }

  void HoldFlush(bool hold);
  void FlushOne();  // completes the oldest flush under way, while they are held
  void Checkpoint(bool truncate_log);
  // The process dies and starts again; of what was not flushed the first `keep` pieces survive. The time of day then is
  // `clock_skew` off.
  void Crash(size_t keep, Duration clock_skew = {});
  // The next crash also loses the last `pieces` flushed pieces, although they were answered for. They are entries
  // alone, and from its next start on it may have lost writes (the machine of an interval table failed). Or promises,
  // too, and that start finds that the disk lost a part of the log. Or that start finds nothing.
  enum class Loses : uint8_t { kWrites, kPromises, kUnseen };
  void Forgets(size_t pieces = 0, Loses what = Loses::kWrites) {
    options_.may_have_lost_writes = options_.may_have_lost_writes || what == Loses::kWrites;
    if (what == Loses::kPromises) options_.forgot_below = [] { return TabletId{UINT64_MAX}; };
    loses_promises_ = what == Loses::kPromises;
    store_.ForgetFlushed(pieces);
  }

  // ---- what came out ----
  std::vector<WriteReply> writes;
  std::vector<ControlReply> controls;
  std::vector<PurgeReply> purges;
  std::vector<ConfirmReply> confirms;
  std::vector<PeerMessage> messages;  // to other rigs; their carrier takes them from here
  std::vector<PeerAnswer> answers;
  struct BegunCopy {
    StartCopy start;
    AppliedState applied;  // as it begins
    std::vector<DedupRow> dedup_window;
  };
  std::vector<BegunCopy> copies;
  std::optional<ReceiveCopy> prepare;
  std::vector<CopyReply> copy_replies;
  std::shared_ptr<const TabletView> view;
  // The reply to one request, if there is one. CHECKs that it was answered once.
  std::optional<WriteReply> ReplyTo(RequestToken token) const;

  TabletCore& core() { return *core_; }
  const TabletCore& core() const { return *core_; }
  MonotonicTime now() const { return now_; }
  int64_t time_of_day_ms() const;
  void SkewClock(Duration skew) { skew_ = skew; }  // its time of day, not its monotonic clock
  TabletTime tablet_time() const { return view->time.Now(now_); }
  CrashingStore& store() { return store_; }
  const CrashingStore& store() const { return store_; }

  // The host's part of a copy.
  void Install(const InstallCopy& copy);

 private:
  void Start();
  void Run();
  void Execute(TabletOutput output);
  void CompleteFlush();
  bool Store(const ReplicaOutput& output);
  void Apply(ApplyBatch batch);
  RequestToken NextToken() { return RequestToken{next_token_++}; }

  TabletOptions options_;
  TabletSchema schema_;
  std::unique_ptr<TabletCore> core_;
  MonotonicTime now_{std::chrono::seconds(1)};
  Duration skew_{};

  CrashingStore store_;
  bool hold_flush_ = false;
  bool loses_promises_ = false;                         // at the next crash
  std::deque<std::pair<FlushNumber, size_t>> flushes_;  // not yet done
  uint64_t next_token_ = 1;
};

}  // namespace ebla::tabletserver::testing

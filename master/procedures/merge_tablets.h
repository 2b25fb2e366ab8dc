// master/procedures/merge_tablets.h
// Makes one tablet of two neighbours (PROTOCOL 14): both znodes name it and each other, both primaries freeze, and one
// Multi puts the new tablet in the place of the two. Its voters merge what they have of them.
//
//   znodes of 7: [a, m) epoch 3, 9: [m, z) epoch 5   intents drawn in one Multi: into 71 in epoch 6, of epochs 3 and 5
//   orders to the primaries of 7 and of 9            FREEZE logged, applied, durable at every voter: 3.400 and 5.70
//   71: [a, z) epoch 6, begins at 6.401              to its voters; and in one Multi to the catalog, without 7 and 9
//   71 is led, its voters have merged them           finish_merge.h removes `merged` from 71's znode
//
// Clients wait from the FREEZE on, but never for the coordinator: the merged tablet is a function of the intents and of
// the answers to FREEZE, so servers may have it ahead of the catalog. merge_decision.h tells which master may do what.
//
// Alignment:  Before the intents, the smaller tablet's replicas are moved to the larger one's servers, one at a time,
//             by the same intents as an operator's moves. Only this master's memory has the reason of these moves.
// Giving up:  The merge is given up if a primary refuses, is gone or has not answered within kFreezePatience, or if an
//             operator asks for it. The master that wrote the intents first makes both continue in the next epoch.
//             Another master first fences the merged tablet (merge_exclusion.h). Either master then marks both intents,
//             takes each side to a later epoch in the catalog, and removes its intent once it is led there. A primary
//             that does not continue there is fenced. The side that is led first may become part of another tablet
//             before the second is led.
// Old form:   Below the feature merges_without_coordinator the catalog has the merged tablet, or that the merge is
//             given up, before any server is told.
// Resumption: the intents and `merged` are enough. The next master orders the same FREEZE again, completes the merge
//             that it finds at servers, continues to give up, or continues to tell the voters.
// Invariants: 1. The two are replaced only in the epochs in which they are frozen, by versions of their znodes.
//             2. An intent is removed only with its tablet, or once its tablet is led in an epoch above the intent's.
//             3. Once this master has told a server of the merged tablet, it never gives the merge up.
// Tests:      master/host/master_merge_test.cc, master/host/master_merge_given_up_test.cc,
//             master/host/master_merge_late_test.cc, master/host/master_merge_outage_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/procedures/configure_repeater.h"
#include "master/procedures/merge_decision.h"
#include "master/procedures/merge_exclusion.h"
#include "master/procedures/merge_intents.h"
#include "master/procedures/move_tablet.h"
#include "master/procedures/procedure.h"
#include "master/procedures/request_origin.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

// Both wait so long for a FREEZE at most; an operation has a second left to find them going on.
inline constexpr Duration kFreezePatience = std::chrono::seconds(1);

std::string MergeTabletsName(const Neighbours& two);

// Callbacks of a merge into its leader term.
struct MergeCallbacks {
  std::function<Status()> may_draw;          // an id
  std::function<void(TabletId)> on_decided;  // the catalog has the merged tablet
  std::function<bool()> cancelled;           // an operator wants it no more
  RequestOrigin origin = {};
};

// From the alignment to where the new tablet is led.
class MergeTablets final : public Procedure {
 public:
  // `begin_until`: where it has not begun by then, nor moves anything, it does not.
  MergeTablets(const Context& context, TabletReconciler& reconciler, Neighbours two, MergeCallbacks callbacks,
               MonotonicTime begin_until);
  ~MergeTablets() override;
  Subject subject() const override {
    return {
        .kind = "merge", .tablet = two_.left, .table = {}, .server = {}, .decided = told_ || earlier_may_have_told_};
  }
  void Step(coordination::Callback<Progress> done) override;

 private:
  using Done = coordination::Callback<Progress>;
  void Prepare(const TabletEntry& left, const TabletEntry& right, Done done);
  void Align(const TabletEntry& left, const TabletEntry& right, Done done);
  std::optional<WantedMove> NextMove(const TabletEntry& small, const TabletEntry& large, Status& why) const;
  void EndAlignment(Done done);
  int64_t SizeOf(const TabletEntry& tablet) const;
  void Begin(Done done);
  bool IsOpen(const TabletEntry& tablet) const;
  MergeFacts LookAround(const TabletEntry& left, const TabletEntry& right, bool given_up);
  void Freeze(const TabletEntry& left, const TabletEntry& right, Done done);
  void AwaitAnswers(uint64_t round, int looks);
  bool FreezesOn();
  void OnFrozen(TabletId tablet, uint64_t round, Result<std::map<TabletId, idl::FreezeResult>> results);
  void EndRound(uint64_t round, Duration pause);
  idl::TabletNode Whole(const TabletEntry& left, const TabletEntry& right) const;
  Result<Change> Replace(const Image& image) const;
  void Forward(const TabletEntry& left, const TabletEntry& right, Done done);
  void TellVoters(const TabletEntry& left, const TabletEntry& right);
  void ThawAhead(const TabletEntry& left, const TabletEntry& right, Done done);
  void Exclude(const TabletEntry& left, const TabletEntry& right, Done done);
  void AwaitReport(Done done);
  void GiveUp(Done done);
  bool ThawedAhead(const TabletEntry& tablet) const;
  std::vector<const TabletEntry*> StillGivenUp(const Image& image) const;
  void Thaw(Done done);
  void AwaitLed(const TabletEntry& merged, Done done);

  const Context context_;
  TabletReconciler& reconciler_;
  const Neighbours two_;
  const MergeCallbacks callbacks_;
  MonotonicTime begin_until_;
  std::optional<WantedMove> moving_;              // its intent is, or was, in the catalog
  TabletId into_;                                 // once seen in the catalog
  Patience patience_;                             // since the first look at the intents
  std::map<TabletId, idl::FreezeResult> frozen_;  // answered
  bool refused_ = false;                          // by a primary, for good
  std::optional<idl::Merged> merged_;             // how the merged tablet begins, once that is decided
  bool told_ = false;                             // of it: its voters
  bool earlier_may_have_told_ = false;            // ...a master of an earlier term
  std::set<TabletId> gone_;                       // their primaries: a failover follows once the merge is given up
  bool excluded_ = false;                         // a majority has promised not to make it
  bool found_ = false;                            // a voter has it
  int found_looks_ = 0;                           // for its report
  std::optional<MonotonicTime> thawed_since_;     // ahead of the catalog
  Status why_;                                    // it has come no further
  std::optional<MonotonicTime> thawing_since_;
  MergeExclusion exclusion_;
  ConfigureRepeater repeater_;
  // Orders under way.
  uint64_t round_ = 0;
  size_t waiting_ = 0;
  Done done_;
  TimerId timer_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master

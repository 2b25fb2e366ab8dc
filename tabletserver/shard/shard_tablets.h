// tabletserver/shard/shard_tablets.h
// The tablets of one shard: those that are here, those that are lent to a merge, those that left a promise or a
// tombstone, and those that may have output for the next round. Gives each its core, its place in the directory, its
// published view. Whatever happens to a tablet's data is told here, and what waits for it looks again.
// Place:      every class of the shard finds its tablets here (shard_context.h).
// Invariants: 1. A tablet that was stepped is touched: the rounds at the end of this turn take its output.
//             2. A handle is in the directory from before its replica exists until after its data is gone.
// Threads:    the shard's executor.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class ShardTablets {
 public:
  using Map = std::unordered_map<TabletId, ShardTabletPtr>;

  // `want_rounds`: asks for rounds at the end of this turn.
  ShardTablets(const ShardOptions& options, const ShardPorts& ports, std::function<void()> want_rounds)
      : options_(options), ports_(ports), want_rounds_(std::move(want_rounds)) {}

  const Map& all() const { return tablets_; }
  ShardTabletPtr Find(TabletId tablet) const;         // null: not here
  ShardTabletPtr FindStaying(TabletId tablet) const;  // null: not here, or leaving
  ShardTabletPtr FindOrMake(TabletId tablet);
  // A tablet with its core, which is not among those that are here yet.
  ShardTabletPtr Make(RecoveredReplica replica, TabletSchema schema);
  void Add(const ShardTabletPtr& tablet) { tablets_.emplace(tablet->id, tablet); }
  // Nothing is left of it but its state.
  void Depart(ShardTablet& tablet);
  // A promise or a tombstone that a start found.
  void AddDeparted(TabletId tablet, ReplicaState state) { departed_.emplace(tablet, std::move(state)); }
  // The promise for a replica that is not here; none: there is no promise.
  Epoch PromisedByDeparted(TabletId tablet) const;

  // ---- what is under way on their data (data_state.h) ----
  // When work ends, LookAgain() follows.
  void Pass(ShardTablet& tablet, DataState::Event event);
  // Copies and removals that wait to discard data look again as this turn ends.
  void LookAgain();
  bool TakeLookAgain() { return std::exchange(look_again_, false); }
  // Until it is given back, or has become part of another, nothing finds the tablet here.
  void Lend(const ShardTabletPtr& tablet);
  ShardTabletPtr EndLoan(TabletId tablet, DataState::Event how);
  bool AnyLent() const { return !lent_.empty(); }
  // Its orders are refused for now.
  bool BeingMerged(TabletId tablet) const;
  // Why a tablet is not here that was found a moment ago.
  Status WhyGone(TabletId tablet) const;

  // ---- output ----
  void Touch(const ShardTabletPtr& tablet) {
    if (std::exchange(tablet->touched, true)) return;
    if (touched_.empty()) want_rounds_();
    touched_.push_back(tablet);
  }
  // The end of this turn runs rounds, though no tablet may be touched.
  void WantRounds() const { want_rounds_(); }
  template <class Input>
  void Step(const ShardTabletPtr& tablet, Input&& input) {
    tablet->core->Step(std::forward<Input>(input));
    Touch(tablet);
  }
  bool AnyTouched() const { return !touched_.empty(); }
  // They are touched no more.
  std::vector<ShardTabletPtr> TakeTouched();

  // ---- place and view ----
  Status Place(ShardTablet& tablet, TableId table, const KeyRange& range);
  void Unplace(ShardTablet& tablet);
  void Publish(ShardTablet& tablet, const std::shared_ptr<const TabletView>& view);
  void CountUnapplied(ShardTablet& tablet);

  // ---- state ----
  Status PutState(ShardTablet& tablet, const ReplicaState& state);

 private:
  // Reads the first keys, at least one.
  Result<std::vector<std::optional<StoredRecord>>> ReadRecords(TableId table,
                                                               std::span<const std::string_view> keys) const;

  const ShardOptions& options_;
  const ShardPorts& ports_;
  const std::function<void()> want_rounds_;
  Map tablets_;
  Map lent_;
  bool look_again_ = false;
  std::unordered_map<TabletId, ReplicaState> departed_;  // tombstones, and promises for replicas not here
  std::vector<ShardTabletPtr> touched_;
};

}  // namespace ebla::tabletserver

#include "tabletserver/tablet/view_publisher.h"

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

namespace {

constexpr Duration kProgressPeriod = std::chrono::seconds(1);

}  // namespace

// A view for every answer would be one too many; one that runs out early costs readers a round of confirmation.
void ViewPublisher::OnLease() {
  const MonotonicTime until = common_.replica.standing().lease_until();
  const MonotonicTime told = published_.lease_until;
  if (until == told) return;
  const bool worth_it = until < told || told <= common_.now || until - told >= common_.options.lease.length / 8;
  if (worth_it) common_.view_dirty = true;
}

// A follower's appends and promises are news for the master, which may have to give the tablet to the longest log, in
// an epoch above every promise. The peers' progress is news even without writes.
void ViewPublisher::OnTick() {
  const ReplicaCore& replica = common_.replica;
  if (replica.last_appended() != published_.last_appended || replica.state().promised != published_.promised) {
    common_.view_dirty = true;
  }
  if (replica.Leads() && common_.now - published_.at >= kProgressPeriod && !replica.standing().Progress().empty()) {
    common_.view_dirty = true;
  }
}

std::shared_ptr<const TabletView> ViewPublisher::Take() {
  if (!std::exchange(common_.view_dirty, false)) return nullptr;
  auto view = Make();
  published_ = {common_.now, view->lease_until, view->last_appended, view->promised};
  return view;
}

std::shared_ptr<const TabletView> ViewPublisher::Make() const {
  const ReplicaCore& replica = common_.replica;
  const ReplicaRole& standing = replica.standing();
  const AppliedState& applied = common_.applied;
  auto view = std::make_shared<TabletView>();
  view->tablet = common_.options.tablet;
  view->table = common_.schema->table;
  view->range = applied.range;
  view->role = replica.role();
  view->epoch = replica.epoch();
  view->primary = standing.primary();
  view->incomplete = replica.state().incomplete;
  view->barrier_applied = standing.BarrierApplied();
  view->lease_until = standing.lease_until();
  view->fresh_as_of = replica.followed().fresh_as_of();
  view->applied = applied.applied;
  view->applied_time = applied.time;
  view->last_appended = replica.last_appended();
  if (waiters_.pending_primary() > applied.applied.lsn) view->pending_primary = waiters_.pending_primary();
  view->time = common_.clock.basis();
  view->replaying = replica.role() != RoleKind::kAbsent && common_.Replaying();
  view->writes_stalled = replica.store_stalled();
  view->pending_bytes = common_.unapplied.bytes();
  if (split_.pending()) {
    view->splitting = split_.pending()->lsn;
    view->split_key = split_.pending()->detail.key;
  }
  view->frozen = freeze_.frozen() && rules::FreezeEndsLease();
  if (applied.freeze) view->frozen_into = applied.freeze->into;
  const std::optional<Merged>& merged = replica.state().merged;
  if (merged && replica.epoch() <= merged->position.epoch && !view->incomplete)
    view->merged = std::make_shared<const Merged>(*merged);
  view->former = applied.former;
  if (applied.last_split) view->last_split = std::make_shared<const AppliedSplit>(*applied.last_split);
  view->epoch_starts = applied.epoch_starts;
  view->schema = common_.schema;
  view->promised = replica.state().promised;
  view->barrier_committed = standing.BarrierCommitted();
  view->refused_for = standing.refused_for();
  view->transferred_epoch = standing.transfer().epoch();
  view->transferred_to = standing.transfer().target();
  view->may_have_lost_writes = replica.state().may_have_lost_writes || replica.state().lost;
  view->lost = replica.state().lost;
  view->peers = standing.Progress();
  view->failure = common_.failure().message();
  return view;
}

}  // namespace ebla::tabletserver

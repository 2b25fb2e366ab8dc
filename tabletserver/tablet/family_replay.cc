#include "tabletserver/tablet/family_replay.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/base/planted_bug.h"

namespace ebla::tabletserver {

namespace {

using Replicas = std::vector<RecoveredReplica>;

// A tombstone's records go when its parent is replayed as any other.
bool Missing(const RecoveredReplica& replica) {
  return replica.state.family_parent && !replica.applied && !replica.state.tombstone;
}

// Of one that is to be copied, what it had need not be brought back; but where its parent's log can do it, that has not
// been split yet, and has its place.
bool MayBeGone(const RecoveredReplica& child) { return child.state.incomplete; }

// Not where the parent's place is without the child's already, what it had being discarded when this server stopped.
bool Reaches(const RecoveredReplica& parent, const RecoveredReplica& child) {
  const KeyRange& range = parent.applied ? parent.applied->range : parent.state.incomplete_range;
  const Lsn next = parent.applied ? parent.applied->applied.lsn.Next() : Lsn{1};
  return parent.first_logged && parent.first_logged.lsn <= next && child.state.family_lsn <= parent.last_logged.lsn &&
         range.Contains(child.state.incomplete_range.start);
}

// How far the parent is to be replayed for the sake of its children.
Lsn WantedOf(const RecoveredReplica& parent, const Replicas& replicas) {
  Lsn wanted;
  for (const RecoveredReplica& child : replicas) {
    if (!Missing(child) || child.state.family_parent != parent.tablet) continue;
    if (MayBeGone(child) && !Reaches(parent, child)) continue;
    wanted = std::max(wanted, child.state.family_lsn);
  }
  return parent.applied && wanted <= parent.applied->applied.lsn ? Lsn{} : wanted;
}

Status Carry(TabletStore& store, TabletCore::Replay replay, Replicas& replicas) {
  std::vector<ApplyBatch> batches;
  batches.push_back(std::move(replay.apply));
  if (replay.split != nullptr) {
    const TabletId child = replay.split->split.child;
    const auto born = std::ranges::find(replicas, child, &RecoveredReplica::tablet);
    if (born == replicas.end()) {
      return Error(Code::kInternal, "tablet " + std::to_string(child.value) + ", split off, has no state on this disk");
    }
    ApplyBatch& batch = batches.emplace_back();
    batch.tablet = child;
    batch.table = batches.front().table;
    batch.window.put = replay.split->window;
    batch.state = replay.split->applied;
    born->applied = replay.split->applied;
    born->window = replay.split->window;
    born->replayed = true;
  }
  return store.Apply(batches);
}

Status Replay(TabletStore& store, const TabletSchemaDecoder& decode, const WindowLimits& window, RecoveredReplica& parent,
              Lsn through, Replicas& replicas) {
  EBLA_ASSIGN(TabletSchema schema, decode(parent.state.schema));
  TabletOptions options;
  options.tablet = parent.tablet;
  options.window = window;
  RecoveredReplica then = parent;
  then.state.tombstone = false;
  then.state.incomplete = false;
  TabletReaders readers;
  readers.record = [](std::string_view) -> Result<std::optional<StoredRecord>> { return std::nullopt; };
  readers.log = [&](Lsn from, Lsn last, size_t bytes_max) { return store.ReadLog(parent.tablet, from, last, bytes_max); };
  TabletCore core(options, std::move(then), std::move(schema), std::move(readers));
  core.Step(KnownCommitted{through});
  while (std::optional<TabletCore::Replay> batch = core.TakeReplay()) {
    const Version applied = batch->apply.state.applied;
    EBLA_TRY(Carry(store, *std::move(batch), replicas));
    core.Step(Applied{applied});
  }
  EBLA_TRY(core.failure());
  if (core.applied_state().applied.lsn < through) {
    return Error(Code::kInternal, "the log of tablet " + std::to_string(parent.tablet.value) + " ends before lsn " +
                                      std::to_string(through.value) + ", where a tablet was split off");
  }
  parent.applied = core.applied_state();
  parent.window = core.WindowRows();
  parent.replayed = true;
  return {};
}

}  // namespace

Status ReplayFamilies(TabletStore& store, const TabletSchemaDecoder& decode, const WindowLimits& window,
                      Replicas& replicas) {
  // A child's id is above its parent's: grandchildren follow.
  std::ranges::sort(replicas, {}, &RecoveredReplica::tablet);
  for (RecoveredReplica& parent : replicas) {
    const Lsn wanted = WantedOf(parent, replicas);
    if (!wanted || Planted(PlantedBug::family_unordered)) continue;
    LOG(INFO) << "tablet " << parent.tablet << " is replayed through lsn " << wanted << " for what was split off it";
    EBLA_TRY(Replay(store, decode, window, parent, wanted, replicas));
  }
  for (const RecoveredReplica& child : replicas) {
    if (!Missing(child) || MayBeGone(child) || Planted(PlantedBug::family_unordered)) continue;
    return Error(Code::kInternal, "tablet " + std::to_string(child.tablet.value) + " is missing, and the log of tablet " +
                                      std::to_string(child.state.family_parent.value) + " does not bring it back");
  }
  return {};
}

}  // namespace ebla::tabletserver

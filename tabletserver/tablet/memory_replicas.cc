#include "tabletserver/tablet/memory_replicas.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "tabletserver/tablet/merge_result.h"

namespace ebla::tabletserver {
namespace {

using ReplicaPointers = std::vector<RecoveredReplica*>;

// If a merged tablet is here, its parts are gone, although a crash may have preceded their tombstones.
std::vector<TabletId> BuryParts(const ReplicaPointers& present) {
  std::vector<TabletId> buried;
  for (const RecoveredReplica* const whole : present) {
    if (!whole->state.merged) continue;
    const Merged& merged = *whole->state.merged;
    for (const TabletId id : std::array{merged.left.tablet, merged.right.tablet}) {
      const auto part = std::ranges::find(present, id, &RecoveredReplica::tablet);
      if (part == present.end() || (*part)->state.tombstone) continue;
      (*part)->state = StateAsPart(std::move((*part)->state), merged);
      buried.push_back(id);
    }
  }
  return buried;
}

// If two share a range, the one that begins later was split off the first.
void PartPlaces(ReplicaPointers& present) {
  std::ranges::sort(present, [](const RecoveredReplica* a, const RecoveredReplica* b) {
    return std::tie(a->state.table, a->state.incomplete_range.start) <
           std::tie(b->state.table, b->state.incomplete_range.start);
  });
  for (size_t i = 0; i + 1 < present.size(); ++i) {
    ReplicaState& one = present[i]->state;
    const ReplicaState& next = present[i + 1]->state;
    if (one.table == next.table && one.incomplete_range.Overlaps(next.incomplete_range)) {
      one.incomplete_range.end = next.incomplete_range.start;
    }
  }
}

}  // namespace

Result<std::vector<TabletId>> ForgetMemory(std::vector<RecoveredReplica>& replicas, const IsInMemory& in_memory) {
  ReplicaPointers present;
  for (RecoveredReplica& replica : replicas) {
    if (!replica.state.present()) continue;
    EBLA_ASSIGN(const bool forgets, in_memory(replica.state.schema));
    if (forgets) present.push_back(&replica);
  }
  if (present.empty()) return std::vector<TabletId>();
  std::vector<TabletId> changed = BuryParts(present);
  std::erase_if(present, [](const RecoveredReplica* replica) { return replica->state.tombstone; });
  PartPlaces(present);
  for (RecoveredReplica* const replica : present) {
    changed.push_back(replica->tablet);
    ReplicaState& state = replica->state;
    state.incomplete = true;
    state.may_have_lost_writes = true;
    state.lineage_parent = {};
    state.lineage_epoch = {};
    state.lineage_lsn = {};
    state.merged.reset();
  }
  LOG(WARNING) << present.size() << " replicas of tables in memory lost their records when the process ended: "
               << "each is copied from another replica, or starts empty if no replica is left";
  return changed;
}

}  // namespace ebla::tabletserver

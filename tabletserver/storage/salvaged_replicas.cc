#include "tabletserver/storage/salvaged_replicas.h"

#include <algorithm>

namespace ebla::tabletserver {

namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

const RecoveredReplica* Find(const std::vector<RecoveredReplica>& replicas, TabletId tablet) {
  const auto found = std::ranges::lower_bound(replicas, tablet, {}, &RecoveredReplica::tablet);
  return found == replicas.end() || found->tablet != tablet ? nullptr : &*found;
}

// The first entry that its records lack.
Lsn NextOf(const RecoveredReplica& replica) {
  const ReplicaState& state = replica.state;
  if (replica.applied) return replica.applied->applied.lsn.Next();
  if (state.merged) return state.merged->position.lsn.Next();
  return state.lineage_parent ? state.lineage_lsn.Next() : Lsn{1};
}

KeyRange RangeOf(const RecoveredReplica& replica) {
  return replica.applied ? replica.applied->range : replica.state.incomplete_range;
}

}  // namespace

void SalvagedReplicas::NoteOlderRecords(uint64_t checkpoint, uint64_t had) {
  older_records_ = "WiredTiger.wt or WiredTiger.turtle is an older copy, of checkpoint " + std::to_string(checkpoint) +
                   ", and the disk had " + std::to_string(had) +
                   ": any record may be an older one, and any table may lack records";
}

Status SalvagedReplicas::CutAtGap(TabletLog& log, RecoveredReplica& replica) {
  const LogBounds bounds = log.Bounds(replica.tablet);
  Lsn next = NextOf(replica);
  Epoch epoch = replica.applied ? replica.applied->applied.epoch : Epoch{};
  if (!bounds.last && !replica.applied && next == Lsn{1} && replica.state.present() && replica.state.led) {
    lost_.push_back({replica.tablet, replica.state.schema, RangeOf(replica),
                     "neither the log nor the database has any of its records: it is empty"});
  }
  if (!bounds.last || bounds.last < next) return {};
  EBLA_TRY(log.Truncate(replica.tablet, next));
  for (bool gap = false; !gap;) {
    const auto entries = log.Read(replica.tablet, next, Lsn{UINT64_MAX}, kReadBytes);
    gap = !entries;
    if (entries && entries->empty()) return {};
    for (size_t i = 0; !gap && i < entries->size(); ++i) {
      const Version& version = (*entries)[i].version;
      // The end of an earlier log shows through where the record is lost that has cut it.
      gap = version.lsn != next || version.epoch < epoch;
      if (gap) break;
      next = next.Next();
      epoch = version.epoch;
      // The newest state may be lost, too.
      replica.state.promised = std::max(replica.state.promised, epoch);
    }
  }
  if (replica.state.present()) {
    lost_.push_back({replica.tablet, replica.state.schema, RangeOf(replica),
                     "the log lacks entry " + std::to_string(next.value) + ", so the entries from there to " +
                         std::to_string(bounds.last.value) + " are left out, and the records are as before them"});
  }
  return log.RemoveSuffix(replica.tablet, next);
}

bool SalvagedReplicas::Reaches(const TabletLog& log, const std::vector<RecoveredReplica>& replicas, TabletId tablet,
                               Lsn lsn) const {
  const RecoveredReplica* const parent = Find(replicas, tablet);
  if (parent == nullptr || left_out_.contains(tablet)) return false;
  return NextOf(*parent) <= lsn && log.Bounds(tablet).last >= lsn;
}

bool SalvagedReplicas::CanBeMade(const TabletLog& log, const std::vector<RecoveredReplica>& replicas,
                                 const RecoveredReplica& replica) const {
  const ReplicaState& state = replica.state;
  if (replica.applied) return true;
  if (!state.merged) return !state.lineage_parent || Reaches(log, replicas, state.lineage_parent, state.lineage_lsn);
  const auto reaches = [&](const MergedTablet& part) {
    const RecoveredReplica* const its = Find(replicas, part.tablet);
    const bool applied = its != nullptr && its->applied && its->applied->applied == part.freeze;
    return applied || Reaches(log, replicas, part.tablet, part.freeze.lsn);
  };
  return reaches(state.merged->left) && reaches(state.merged->right);
}

void SalvagedReplicas::LeaveOut(const RecoveredReplica& replica, const std::string& what) {
  left_out_.insert(replica.tablet);
  if (!replica.state.present()) return;
  lost_.push_back({replica.tablet, replica.state.schema, RangeOf(replica), what});
}

void SalvagedReplicas::NoteWithoutState(const TabletLog& log, const std::vector<RecoveredReplica>& replicas) {
  for (const TabletId tablet : log.Tablets()) {
    if (Find(replicas, tablet) != nullptr) continue;
    lost_.push_back({tablet, "", {}, "the log has lost its state, which tells its table and keys: it is left out"});
  }
}

Status SalvagedReplicas::Keep(TabletLog& log, std::vector<RecoveredReplica>& replicas) {
  for (const RecoveredReplica& replica : replicas) {
    if (replica.state.present()) schemas_[replica.state.table] = replica.state.schema;
  }
  if (!holes_.empty()) NoteWithoutState(log, replicas);
  for (RecoveredReplica& replica : replicas) EBLA_TRY(CutAtGap(log, replica));
  for (const RecoveredReplica& replica : replicas) {  // an id is above its parents'
    if (replica.state.present() && replica.state.incomplete) {
      LeaveOut(replica, "it is an unfinished copy of another server's, and left out");
    } else if (!CanBeMade(log, replicas, replica)) {
      LeaveOut(replica, "the log lacks what made it of another tablet, which has its keys as before that");
    }
  }
  // The parts of a merged tablet that cannot be made are as they were before.
  for (const RecoveredReplica& replica : replicas) {
    if (!left_out_.contains(replica.tablet) || !replica.state.merged) continue;
    for (RecoveredReplica& part : replicas) {
      const Merged& merged = *replica.state.merged;
      if (part.tablet == merged.left.tablet || part.tablet == merged.right.tablet) part.state.tombstone = false;
    }
  }
  std::erase_if(replicas, [this](const RecoveredReplica& replica) { return left_out_.contains(replica.tablet); });
  return {};
}

}  // namespace ebla::tabletserver

#include "master/procedures/merge_decision.h"

#include <algorithm>
#include <utility>

namespace ebla::master {

MergeStep NextMergeStep(const MergeFacts& facts) {
  if (facts.given_up) return MergeStep::kEnd;
  if (!facts.ahead) {
    if (facts.changed || facts.cancelled) return MergeStep::kGiveUp;
    if (facts.frozen) return MergeStep::kForward;
    return facts.failing ? MergeStep::kGiveUp : MergeStep::kFreeze;
  }
  if (facts.thawed) return MergeStep::kThaw;  // an answer to FREEZE that arrives late counts no more
  if (facts.told) return MergeStep::kForward;
  if (!facts.mine && facts.excluded) return MergeStep::kGiveUp;
  const bool unwanted = facts.changed || (facts.mine && facts.cancelled);
  if (!unwanted) {
    if (facts.frozen || facts.reported) return MergeStep::kForward;
    if (!facts.failing && !facts.cancelled) return MergeStep::kFreeze;
  }
  if (facts.mine) return MergeStep::kThaw;
  return facts.found ? MergeStep::kAwaitReport : MergeStep::kExclude;
}

idl::TabletNode MergedNode(const idl::TabletNode& left, const idl::TabletNode& right, idl::Merged merged) {
  idl::TabletNode node;
  node.info = left.info;
  node.info.tabletId = left.merge.intoId;
  node.info.range.endKey = right.info.range.endKey;
  node.info.epoch = merged.position.epoch;
  node.__set_merged(std::move(merged));
  return node;
}

idl::Merged MergedOf(const idl::TabletNode& left, const idl::TabletNode& right, const idl::FreezeResult& left_frozen,
                     const idl::FreezeResult& right_frozen) {
  idl::Merged merged;
  for (const auto& [node, frozen, part] :
       {std::tuple(&left, &left_frozen, &merged.left), std::tuple(&right, &right_frozen, &merged.right)}) {
    part->tabletId = node->info.tabletId;
    part->range = node->info.range;
    part->freeze = frozen->freeze;
    merged.position.lsn = std::max(merged.position.lsn, frozen->freeze.lsn + 1);
    merged.tabletTimeMs = std::max(merged.tabletTimeMs, frozen->tabletTimeMs);
  }
  merged.position.epoch = std::max(left.info.epoch, right.info.epoch) + 1;
  if (left.merge.__isset.intoEpoch) merged.position.epoch = left.merge.intoEpoch;
  return merged;
}

bool IsMergeOf(const idl::Merged& merged, const idl::TabletNode& left, const idl::TabletNode& right) {
  for (const auto& [node, part] : {std::pair(&left, &merged.left), std::pair(&right, &merged.right)}) {
    if (part->tabletId != node->info.tabletId || part->range != node->info.range) return false;
    if (part->freeze.epoch != node->merge.epoch || part->freeze.lsn >= merged.position.lsn) return false;
  }
  return merged.position.epoch == left.merge.intoEpoch;
}

}  // namespace ebla::master

#include "tests/sim/cluster/catalog_watch.h"

#include <utility>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/master_types.h"

namespace ebla::sim {
namespace {

std::string Joined(const std::vector<ServerName>& names) {
  std::string text;
  for (const ServerName& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

}  // namespace

void CatalogWatch::Look() {
  const auto& nodes = coordination_.tree().nodes();
  const std::string root = std::string(coordination::layout::kTablets) + "/";
  std::map<std::string, Tablet> now;
  for (auto at = nodes.lower_bound(root); at != nodes.end() && at->first.starts_with(root); ++at) {
    if (at->second.data.empty()) continue;  // a shard's node
    const auto known = tablets_.find(at->first);
    if (known != tablets_.end() && known->second.seen_version == at->second.version) {
      now.insert(tablets_.extract(known));
      continue;
    }
    const auto node = coordination::DecodeNode<idl::TabletNode>(at->second.data, at->first);
    if (!node.has_value()) continue;
    Tablet tablet{TabletId{static_cast<uint64_t>(node->info.tabletId)},
                  Epoch{static_cast<uint64_t>(node->info.epoch)},
                  node->info.primary,
                  node->info.voters,
                  node->info.learners,
                  node->info.state == idl::TabletState::CREATING,
                  TableId{static_cast<uint64_t>(node->info.tableId)},
                  node->info.range.startKey,
                  node->info.range.endKey,
                  node->__isset.split,
                  TabletId{static_cast<uint64_t>(node->merge.intoId)},
                  Epoch{static_cast<uint64_t>(node->merge.epoch)},
                  node->__isset.merged,
                  at->second.version,
                  node->__isset.split ? TabletId{static_cast<uint64_t>(node->split.childId)} : TabletId(),
                  node->__isset.transfer && node->transfer.toEpoch == node->info.epoch ? node->transfer.fromPrimary
                                                                                       : ServerName()};
    if (tablet.joining && known == tablets_.end()) NoteMerged(*node);
    NoteIntent(known == tablets_.end() ? nullptr : &known->second, tablet);
    if (known != tablets_.end()) Compare(at->first, known->second, tablet);
    now.emplace(at->first, std::move(tablet));
  }
  tablets_ = std::move(now);
}

void CatalogWatch::NoteMerged(const idl::TabletNode& node) {
  if (!merged_away_.insert(TabletId{static_cast<uint64_t>(node.merged.left.tabletId)}).second) return;
  merged_away_.insert(TabletId{static_cast<uint64_t>(node.merged.right.tabletId)});
  ++counts_.merges;
  log_.Add("catalog", std::to_string(node.info.tabletId) + " takes the place of " +
                          std::to_string(node.merged.left.tabletId) + " and " +
                          std::to_string(node.merged.right.tabletId) + ", epoch " + std::to_string(node.info.epoch) +
                          " led by " + node.info.primary + " of " + Joined(node.info.voters));
}

// A master may remove a merge's intent only with the tablet, or once a later epoch of the tablet has ended the freeze.
void CatalogWatch::NoteIntent(const Tablet* before, const Tablet& now) {
  if (now.into) freezes_.try_emplace({now.id, now.into}, now.freezing);
  if (before == nullptr || !before->into || before->into == now.into || now.epoch > before->freezing) return;
  given_up_early_.try_emplace(now.id, "tablet " + std::to_string(now.id.value) + " is no more to be merged into " +
                                          std::to_string(before->into.value) + ", though it may be frozen in epoch " +
                                          std::to_string(now.epoch.value) + " still");
}

std::vector<std::string> CatalogWatch::Problems() const {
  std::vector<std::string> problems;
  for (const auto& [tablet, what] : given_up_early_) problems.push_back(what);
  return problems;
}

std::string CatalogWatch::Uncovered(TableId table) const {
  std::map<std::string, const Tablet*> by_start;
  for (const auto& [path, tablet] : tablets_) {
    if (tablet.table != table) continue;
    if (!by_start.emplace(tablet.first_key, &tablet).second) return "two tablets begin at \"" + tablet.first_key + "\"";
  }
  std::string at;
  bool ended = false;
  for (const auto& [start, tablet] : by_start) {
    if (ended || start != at)
      return "tablet " + std::to_string(tablet->id.value) + " begins at \"" + start +
             "\", where the one before ends at \"" + at + "\"";
    at = tablet->end_key;
    ended = at.empty();
  }
  return ended ? "" : "nobody has the keys from \"" + at + "\" on";
}

void CatalogWatch::Compare(const std::string& path, const Tablet& before, const Tablet& now) {
  if (now.epoch == before.epoch || !before.epoch || before.voters.empty()) return;
  if (before.creating && now.voters != before.voters) recreated_.insert(now.id);
  const bool membership = now.voters != before.voters || now.learners != before.learners;
  const bool moved = now.primary != before.primary;
  if (membership) ++counts_.memberships;
  // PROTOCOL 12. The primary may change even then, because a primary obeys an order to transfer that arrives late.
  if (membership && before.child && now.child == before.child) {
    problems_.push_back("tablet " + std::to_string(now.id.value) + " has other members in epoch " +
                        std::to_string(now.epoch.value) + ", though it is to be split");
  }
  const bool taken_back = moved && now.primary == before.before;
  if (moved && !taken_back) ++(now.before.empty() ? counts_.failovers : counts_.transfers);
  if (!membership && (!moved || taken_back)) ++counts_.same_again;
  log_.Add("catalog", path.substr(path.rfind('/') + 1) + " epoch " + std::to_string(now.epoch.value) + " led by " +
                          now.primary + " of " + Joined(now.voters) +
                          (now.learners.empty() ? "" : ", learning " + Joined(now.learners)));
}

}  // namespace ebla::sim

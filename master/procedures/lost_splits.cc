#include "master/procedures/lost_splits.h"

#include <set>

namespace ebla::master {
namespace {

// Compares two ends of ranges.
bool EndsBefore(const std::string& one, const std::string& other) {
  return !one.empty() && (other.empty() || one < other);
}

}  // namespace

Result<std::vector<idl::LostSplit>> LostSplits(const Image& image, const TabletEntry& tablet, const std::string& end) {
  const std::string& to = tablet.splitting() ? tablet.node.split.key : tablet.node.info.range.endKey;
  std::vector<idl::LostSplit> lost;
  std::string at = end;
  const auto cut = [&](TabletId child, const std::string& key) {
    if (!EndsBefore(key, at)) return;  // the log has it
    idl::LostSplit& split = lost.emplace_back();
    split.childId = static_cast<int64_t>(child.value);
    split.key = at = key;
  };
  // Ids are drawn in order, and each split leaves less.
  for (const TabletId id : image.ChildrenOf(tablet.id())) {
    const TabletEntry* child = image.Tablet(id);
    if (child && child->node.info.range.startKey >= to) cut(id, child->node.info.range.startKey);
  }
  if (tablet.splitting()) cut(tablet.child(), tablet.node.split.key);
  if (at == to) return lost;
  return Error(Code::kNotFound, "its log ends it elsewhere than the catalog does");
}

bool HoldsInParent(const Image& image, const Report& report, const TabletEntry& tablet) {
  auto child = static_cast<int64_t>(tablet.id().value);
  const TabletEntry* at = &tablet;
  while (at && at->node.__isset.parentId) {
    const int64_t parent = at->node.parentId;
    if (const idl::TabletLoad* load = report.Find(TabletId{static_cast<uint64_t>(parent)})) {
      const bool applied = load->__isset.lastSplit && load->lastSplit.childId >= child;
      // A tablet that began empty, or was copied from such a tablet, has applied no split, and ends where the catalog
      // cut it.
      const bool reaches = !load->__isset.endKey || EndsBefore(tablet.node.info.range.startKey, load->endKey);
      return !load->incomplete && !load->failed && !applied && reaches;
    }
    child = parent;
    at = image.Tablet(TabletId{static_cast<uint64_t>(parent)});
  }
  return false;
}

}  // namespace ebla::master

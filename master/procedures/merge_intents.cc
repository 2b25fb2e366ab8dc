#include "master/procedures/merge_intents.h"

#include <algorithm>

#include "common/base/features.h"
#include "common/base/lineage.h"
#include "master/catalog/rules.h"
#include "master/cluster/options.h"
#include "master/procedures/caught_up.h"

namespace ebla::master {
namespace {

// Why the tablet is not to be merged at present; OK: it is led, and all of its voters live and are caught up.
Status CheckSide(const Context& context, const TabletReconciler& reconciler, const TabletEntry& tablet) {
  const std::string which = "tablet " + IdText(tablet.id());
  // Its creation would miss the two, and make them again.
  const TableEntry* table = context.image().LivingTable(tablet);
  if (!table || !table->serving()) return Error(Code::kUnavailable, "the table of " + which + " is still being made");
  if (tablet.splitting()) return Error(Code::kUnavailable, which + " is being split: it is merged after that");
  if (tablet.failovers_only()) return Error(Code::kUnavailable, which + " is being merged already");
  const idl::TabletLoad* load = reconciler.SettledLoad(tablet);
  if (!load)
    return Error(Code::kUnavailable,
                 which + " is not settled at present: it needs a primary, and a majority of its voters live");
  if (tablet.node.__isset.move)
    return Error(Code::kUnavailable, "a replica of " + which + " is being moved: it is merged after that");
  if (!tablet.node.info.learners.empty()) {
    return Error(Code::kUnavailable, "a replica of " + which + " is being made: it is merged after that");
  }
  for (const ServerName& voter : tablet.node.info.voters) {
    if (!context.servers.IsLive(voter))
      return Error(Code::kUnavailable, which + " has a replica on " + voter + ", which is not live");
    const idl::TabletLoad* its = context.servers.LoadOf(voter, tablet.id());
    const bool whole = its && !its->failed && !its->incomplete && !its->forgetful;
    if (!whole || (voter != tablet.node.info.primary && !CaughtUp(*load, voter))) {
      return Error(Code::kUnavailable, which + "'s replica on " + voter + " is not caught up with its primary");
    }
  }
  return {};
}

void PutIntent(const TabletEntry& tablet, idl::MergeIntent intent, TabletId neighbour, const RequestOrigin& origin,
               Change& change) {
  idl::TabletNode node = tablet.node;
  intent.neighbourId = static_cast<int64_t>(neighbour.value);
  intent.epoch = node.info.epoch;
  Put(origin, intent);
  node.__set_merge(intent);
  change.PutTablet(std::move(node));
}

}  // namespace

std::string IdText(TabletId tablet) { return std::to_string(tablet.value); }

std::string Both(const Neighbours& two) { return "tablets " + IdText(two.left) + " and " + IdText(two.right); }

bool SameServers(std::vector<ServerName> one, std::vector<ServerName> other) {
  std::ranges::sort(one);
  std::ranges::sort(other);
  return one == other;
}

bool MergeOf(const TabletEntry& one, const TabletEntry& other) {
  return one.merging() && one.neighbour() == other.id();
}

std::string Changed(const TabletEntry& left, const TabletEntry& right) {
  if (!MergeOf(left, right) || !MergeOf(right, left) || left.into() != right.into())
    return "one of them is not being merged any more";
  for (const TabletEntry* tablet : {&left, &right}) {
    const bool later = tablet->node.info.epoch != tablet->node.merge.epoch;
    if (later && rules::MergeNeedsItsEpochs()) return "tablet " + IdText(tablet->id()) + " was failed over";
    if (!tablet->node.info.learners.empty()) return "tablet " + IdText(tablet->id()) + " has got a learner";
  }
  if (!SameServers(left.node.info.voters, right.node.info.voters))
    return "they do not lie on the same servers any more";
  return "";
}

Result<Neighbours> FindNeighbours(const Image& image, const std::string& name, const std::string& key) {
  const TableEntry* table = image.Table(name);
  if (!table || table->node.state == idl::TableState::DROPPING) return NoTable(name);
  const Image::StartKeys& starts = image.TabletsOf(table->id());
  const auto right = starts.find(key);
  if (right != starts.end() && right != starts.begin()) return Neighbours{std::prev(right)->second, right->second};
  if (key.empty() || right != starts.end()) {
    return Error(
        Code::kInvalidArgument,
        "table " + name + "'s first tablet has none before it: name the key where the second of the two begins");
  }
  const auto after = starts.upper_bound(key);
  const std::string holder = after == starts.begin() ? "" : std::prev(after)->first;
  return Error(Code::kInvalidArgument, "no tablet of table " + name + " begins at \"" + EscapeBytes(key) +
                                           "\"; the one that holds it begins at \"" + EscapeBytes(holder) + "\"");
}

std::optional<Neighbours> NeighboursOf(const Image& image, const std::set<TabletId>& merging) {
  const TabletEntry* one = merging.empty() ? nullptr : image.Tablet(*merging.begin());
  if (!one || !one->merging()) return std::nullopt;
  const TabletEntry* other = image.Tablet(one->neighbour());
  const bool ordered = !other || one->node.info.range.startKey < other->node.info.range.startKey;
  return ordered ? Neighbours{one->id(), one->neighbour()} : Neighbours{one->neighbour(), one->id()};
}

Status CheckMerge(const Image& image, const Neighbours& two) {
  const TabletEntry *left = image.Tablet(two.left), *right = image.Tablet(two.right);
  if (!left || !right || !image.LivingTable(*left)) return Error(Code::kNotFound, "one of " + Both(two) + " is gone");
  const bool meet = left->table() == right->table() && !left->node.info.range.endKey.empty() &&
                    left->node.info.range.endKey == right->node.info.range.startKey;
  return meet ? Status() : Error(Code::kConditionFailed, Both(two) + " are no neighbours");
}

Result<Change> BeginMerge(const Context& context, const TabletReconciler& reconciler, const Neighbours& two,
                          const RequestOrigin& origin) {
  const Image& image = context.image();
  EBLA_TRY(CheckMerge(image, two));
  const TabletEntry &left = *image.Tablet(two.left), &right = *image.Tablet(two.right);
  Change change;
  if (MergeOf(left, right) && MergeOf(right, left)) return change;
  EBLA_TRY(CheckSide(context, reconciler, left));
  EBLA_TRY(CheckSide(context, reconciler, right));
  if (!SameServers(left.node.info.voters, right.node.info.voters)) {
    return Error(Code::kUnavailable, Both(two) + " do not lie on the same servers");
  }
  const TabletId into = LineageId(two.left, image.next_id());
  idl::MergeIntent intent;
  intent.intoId = static_cast<int64_t>(into.value);
  if (context.options.features->Has(kMergesWithoutCoordinator)) {
    intent.__set_term(static_cast<int64_t>(context.catalog.term()));
    intent.__set_intoEpoch(std::max(left.node.info.epoch, right.node.info.epoch) + 1);
  }
  PutIntent(left, intent, two.right, origin, change);
  PutIntent(right, intent, two.left, origin, change);
  change.SetNextId(into.value + 1);
  return change;
}

}  // namespace ebla::master

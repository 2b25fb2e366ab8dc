#include "master/catalog/image.h"

#include <algorithm>
#include <array>

namespace ebla::master {
namespace {

std::vector<ServerName> Holders(const idl::TabletInfo& info) {
  std::vector<ServerName> servers = info.voters;
  servers.insert(servers.end(), info.learners.begin(), info.learners.end());
  return servers;
}

std::array<TabletId, 2> Parts(const TabletEntry& merged_tablet) {
  const idl::Merged& merged = merged_tablet.node.merged;
  return {TabletId{static_cast<uint64_t>(merged.left.tabletId)},
          TabletId{static_cast<uint64_t>(merged.right.tabletId)}};
}

}  // namespace

std::string Joined(const std::vector<ServerName>& servers) {
  std::string text;
  for (const ServerName& server : servers) text += (text.empty() ? "" : ", ") + server;
  return text;
}

Error NoTable(const std::string& name) { return Error(Code::kNoSuchTable, "no table \"" + EscapeBytes(name) + "\""); }

Error NoServer(const ServerName& name, Code code) { return Error(code, "no server \"" + EscapeBytes(name) + "\""); }

bool TabletEntry::HeldBy(const ServerName& server) const {
  return IsIn(server, node.info.voters) || IsIn(server, node.info.learners);
}

const TableEntry* Image::Table(const std::string& name) const {
  auto found = tables_.find(name);
  return found == tables_.end() ? nullptr : &found->second;
}

const TableEntry* Image::Table(TableId id) const {
  const auto found = table_by_id_.find(id);
  return found == table_by_id_.end() ? nullptr : found->second;
}

const TabletEntry* Image::Tablet(TabletId id) const {
  const auto found = tablet_by_id_.find(id);
  return found == tablet_by_id_.end() ? nullptr : found->second;
}

const TableEntry* Image::LivingTable(const TabletEntry& tablet) const {
  const TableEntry* table = Table(tablet.table());
  return table && table->node.state != idl::TableState::DROPPING ? table : nullptr;
}

const Image::StartKeys& Image::TabletsOf(TableId table) const {
  static const StartKeys none;
  auto found = by_start_.find(table);
  return found == by_start_.end() ? none : found->second;
}

const std::set<TabletId>& Image::HeldBy(const ServerName& server) const {
  static const std::set<TabletId> none;
  auto found = by_server_.find(server);
  return found == by_server_.end() ? none : found->second;
}

const std::set<TabletId>& Image::LedBy(const ServerName& server) const {
  static const std::set<TabletId> none;
  auto found = by_primary_.find(server);
  return found == by_primary_.end() ? none : found->second;
}

std::vector<const TabletEntry*> Image::Locate(TableId table, const KeyRange& range, size_t limit, bool* more) const {
  std::vector<const TabletEntry*> found;
  *more = false;
  const StartKeys& starts = TabletsOf(table);
  auto it = starts.upper_bound(range.start);
  if (it != starts.begin()) --it;
  for (; it != starts.end(); ++it) {
    if (!range.end.empty() && it->first >= range.end && !found.empty()) break;
    const TabletEntry* tablet = Tablet(it->second);
    const KeyRange held{tablet->node.info.range.startKey, tablet->node.info.range.endKey};
    if (!held.Overlaps(range)) {
      if (!range.end.empty() && held.start >= range.end) break;
      continue;
    }
    if (found.size() == limit) {
      *more = true;
      break;
    }
    found.push_back(tablet);
  }
  return found;
}

const std::set<TabletId>& Image::ChildrenOf(TabletId id) const {
  static const std::set<TabletId> none;
  auto found = children_.find(id);
  return found == children_.end() ? none : found->second;
}

const TabletEntry* Image::PartOf(TabletId into) const {
  const auto found = merges_.find(into);
  return found == merges_.end() || found->second.empty() ? nullptr : Tablet(*found->second.begin());
}

TabletId Image::MergedInto(TabletId id) const {
  const auto found = merged_into_.find(id);
  return found == merged_into_.end() ? TabletId{} : found->second;
}

bool Image::NamedByIntent(TabletId id) const {
  return std::ranges::any_of(tables_, [&](const auto& item) {
    const idl::TableNode& node = item.second.node;
    const uint64_t first = static_cast<uint64_t>(node.firstTabletId);
    return node.state == idl::TableState::CREATING && id.value >= first &&
           id.value < first + item.second.tablets_wanted();
  });
}

void Image::PutTable(idl::TableNode node, int version) {
  const std::string name = node.schema.name;
  EraseTable(name);
  const TableEntry& entry = tables_[name] = {std::move(node), version};
  table_by_id_[entry.id()] = &entry;
}

void Image::EraseTable(const std::string& name) {
  auto found = tables_.find(name);
  if (found == tables_.end()) return;
  table_by_id_.erase(found->second.id());
  tables_.erase(found);
}

void Image::PutTablet(idl::TabletNode node, int version) {
  TabletEntry entry{std::move(node), version};
  const TabletId id = entry.id();
  EraseTablet(id);
  by_start_[entry.table()][entry.node.info.range.startKey] = id;
  for (const ServerName& server : Holders(entry.node.info)) by_server_[server].insert(id);
  by_primary_[entry.node.info.primary].insert(id);
  if (entry.splitting()) splits_[entry.child()] = id;
  if (entry.merging()) merges_[entry.into()].insert(id);
  if (entry.merge_unfinished()) {
    unfinished_merges_.insert(id);
    for (const TabletId part : Parts(entry)) merged_into_[part] = id;
  }
  if (entry.node.__isset.parentId) children_[TabletId{static_cast<uint64_t>(entry.node.parentId)}].insert(id);
  if (!entry.node.info.learners.empty() || entry.node.__isset.move) changing_.insert(id);
  tablet_by_id_[id] = &(tablets_[id] = std::move(entry));
}

void Image::EraseTablet(TabletId id) {
  if (!tablet_by_id_.contains(id)) return;
  const auto found = tablets_.find(id);
  const TabletEntry& entry = found->second;
  if (auto table = by_start_.find(entry.table()); table != by_start_.end()) {
    auto start = table->second.find(entry.node.info.range.startKey);
    if (start != table->second.end() && start->second == id) table->second.erase(start);
    if (table->second.empty()) by_start_.erase(table);
  }
  for (const ServerName& server : Holders(entry.node.info)) {
    auto held = by_server_.find(server);
    if (held == by_server_.end()) continue;
    held->second.erase(id);
    if (held->second.empty()) by_server_.erase(held);
  }
  if (auto led = by_primary_.find(entry.node.info.primary); led != by_primary_.end()) {
    led->second.erase(id);
    if (led->second.empty()) by_primary_.erase(led);
  }
  if (entry.splitting()) splits_.erase(entry.child());
  if (entry.merging()) {
    const auto merge = merges_.find(entry.into());
    if (merge != merges_.end() && merge->second.erase(id) > 0 && merge->second.empty()) merges_.erase(merge);
  }
  if (unfinished_merges_.erase(id) > 0) {
    for (const TabletId part : Parts(entry)) merged_into_.erase(part);
  }
  if (entry.node.__isset.parentId) {
    const auto siblings = children_.find(TabletId{static_cast<uint64_t>(entry.node.parentId)});
    if (siblings != children_.end() && siblings->second.erase(id) > 0 && siblings->second.empty())
      children_.erase(siblings);
  }
  changing_.erase(id);
  tablet_by_id_.erase(id);
  tablets_.erase(found);
}

void Image::SetNextId(uint64_t next_id, int version) {
  next_id_ = next_id;
  next_id_version_ = version;
}

}  // namespace ebla::master

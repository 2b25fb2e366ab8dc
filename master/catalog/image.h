// master/catalog/image.h
// The catalog as the leading master holds it in memory: every table and tablet with the version of its znode, and the
// indexes that routing and reconciling need. It is a copy of what the coordinator holds, changed only after the
// coordinator has agreed (catalog.h); it decides nothing.
// Invariants: 1. A tablet's table need not be there (a reload may read the tablet first); look-ups allow for that.
//             2. by_start names exactly the tablets of the image that belong to the table.
//             3. The indexes by id point into the ordered maps, whose entries do not move, so an image is moved, never
//                copied.
// Threads:    thread-compatible; owned by the master's executor.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"
#include "idl/master_types.h"
#include "master/catalog/rules.h"

namespace ebla::master {

struct TableEntry {
  idl::TableNode node;
  int version = 0;  // of the znode

  TableId id() const { return TableId{static_cast<uint64_t>(node.schema.tableId)}; }
  bool serving() const { return node.state == idl::TableState::SERVING; }
  // How many tablets the table has once it is made.
  size_t tablets_wanted() const { return node.pendingSplitPoints.size() + 1; }
};

// A tablet's primary, and the epoch that it leads.
struct PrimaryAt {
  ServerName server;
  Epoch epoch;
};

struct TabletEntry {
  idl::TabletNode node;
  int version = 0;  // of the znode

  TabletId id() const { return TabletId{static_cast<uint64_t>(node.info.tabletId)}; }
  TableId table() const { return TableId{static_cast<uint64_t>(node.info.tableId)}; }
  Epoch epoch() const { return Epoch{static_cast<uint64_t>(node.info.epoch)}; }
  bool splitting() const { return node.__isset.split; }
  TabletId child() const { return TabletId{static_cast<uint64_t>(node.split.childId)}; }  // where splitting()
  // To become one with its neighbour (PROTOCOL 14).
  bool merging() const { return node.__isset.merge; }
  TabletId into() const { return TabletId{static_cast<uint64_t>(node.merge.intoId)}; }            // where merging()
  TabletId neighbour() const { return TabletId{static_cast<uint64_t>(node.merge.neighbourId)}; }  // where merging()
  // Servers may be ahead of the catalog: they have the merged tablet, or lead the tablet in thaw_epoch() (PROTOCOL 14).
  bool merges_ahead() const { return merging() && node.merge.__isset.term; }
  // The same, and nothing of it is given up.
  bool merge_open() const { return merges_ahead() && !node.merge.givenUp; }
  // The epoch in which the master that wrote the intent ends the freeze ahead of the catalog; where merges_ahead().
  Epoch thaw_epoch() const { return Epoch{static_cast<uint64_t>(node.merge.epoch) + 1}; }
  // The first epoch of the merged tablet; where merges_ahead().
  Epoch into_epoch() const { return Epoch{static_cast<uint64_t>(node.merge.intoEpoch)}; }
  // The greatest epoch that a server may have reached.
  Epoch epoch_max() const { return merges_ahead() ? std::max(epoch(), thaw_epoch()) : epoch(); }
  // A voter may not have merged the two yet.
  bool merge_unfinished() const { return node.__isset.merged; }
  // Nothing but a failover changes its primary or replicas meanwhile (PROTOCOL 12).
  bool failovers_only() const {
    return (splitting() && rules::IntentExcludesOtherChanges()) || merging() || merge_unfinished();
  }
  // The primary that the catalog names.
  PrimaryAt named() const { return {node.info.primary, epoch()}; }
  // A transfer put that primary there. Reports tell whether the previous primary has released the tablet (PROTOCOL 1).
  bool by_transfer() const { return node.__isset.transfer && node.transfer.toEpoch == node.info.epoch; }
  // The primary before the transfer, where by_transfer().
  PrimaryAt previous() const {
    return {node.transfer.fromPrimary, Epoch{static_cast<uint64_t>(node.transfer.fromEpoch)}};
  }
  bool creating() const { return node.info.state == idl::TabletState::CREATING; }
  bool HeldBy(const ServerName& server) const;  // as voter or learner
};

inline bool IsIn(const ServerName& server, const std::vector<ServerName>& servers) {
  return std::ranges::find(servers, server) != servers.end();
}

// "ts-1, ts-2", for people.
std::string Joined(const std::vector<ServerName>& servers);

// The master's errors for names that do not exist.
Error NoTable(const std::string& name);
Error NoServer(const ServerName& name, Code code = Code::kNotFound);

class Image {
 public:
  using StartKeys = std::map<std::string, TabletId, std::less<>>;

  Image() = default;
  Image(Image&&) = default;
  Image& operator=(Image&&) = default;

  const TableEntry* Table(const std::string& name) const;
  const TableEntry* Table(TableId id) const;
  const TabletEntry* Tablet(TabletId id) const;
  const std::map<std::string, TableEntry>& tables() const { return tables_; }
  const std::map<TabletId, TabletEntry>& tablets() const { return tablets_; }
  // The table that the tablet may still serve; null: it is dropped or being dropped.
  const TableEntry* LivingTable(const TabletEntry& tablet) const;
  // The table's tablets by start key; empty when there are none.
  const StartKeys& TabletsOf(TableId table) const;
  // Tablets that name the server as voter or learner.
  const std::set<TabletId>& HeldBy(const ServerName& server) const;
  // Tablets that name the server as their primary.
  const std::set<TabletId>& LedBy(const ServerName& server) const;
  // The tablets that overlap `range`, in key order, at most `limit`; `more` tells whether there are further ones.
  std::vector<const TabletEntry*> Locate(TableId table, const KeyRange& range, size_t limit, bool* more) const;
  // Whether a table still being created is to have this tablet.
  bool NamedByIntent(TabletId id) const;
  // Whether a tablet is being split into itself and this one, whose replicas are there before the catalog has it.
  bool NamedBySplit(TabletId id) const { return splits_.contains(id); }
  // Whether two tablets are being merged into this one, which the catalog does not have before they are.
  bool NamedByMerge(TabletId id) const { return merges_.contains(id); }
  // One of the two that are being merged into the tablet; null: none are.
  const TabletEntry* PartOf(TabletId into) const;
  // The tablet that the given one was merged into, while some voters may not have merged it yet, so that its replica is
  // no orphan there. No value: no such merge.
  TabletId MergedInto(TabletId id) const;
  // Created empty, in the first epoch, over the range that it has: a voter that does not know it then is complete.
  // Never a split's child, nor its parent, whose log has what is the child's by now (PROTOCOL 6).
  bool CreatedEmpty(const TabletEntry& tablet) const {
    const bool never_split = !tablet.node.__isset.parentId && ChildrenOf(tablet.id()).empty();
    return tablet.node.info.epoch == 1 && (never_split || !rules::OnlyNeverSplitBeginsEmpty());
  }
  // The existing tablets that were split off the tablet.
  const std::set<TabletId>& ChildrenOf(TabletId id) const;
  // The tablets that are being split, by the child's id.
  const std::map<TabletId, TabletId>& splits() const { return splits_; }
  // The tablets that are being merged, by the id of the resulting tablet.
  const std::map<TabletId, std::set<TabletId>>& merges() const { return merges_; }
  // The tablets that are merge_unfinished().
  const std::set<TabletId>& unfinished_merges() const { return unfinished_merges_; }
  // The tablets with learners or a move.
  const std::set<TabletId>& changing() const { return changing_; }

  uint64_t next_id() const { return next_id_; }
  int next_id_version() const { return next_id_version_; }

  void PutTable(idl::TableNode node, int version);
  void EraseTable(const std::string& name);
  void PutTablet(idl::TabletNode node, int version);
  void EraseTablet(TabletId id);
  void SetNextId(uint64_t next_id, int version);

 private:
  std::map<std::string, TableEntry> tables_;
  std::unordered_map<TableId, const TableEntry*> table_by_id_;
  std::map<TabletId, TabletEntry> tablets_;
  std::unordered_map<TabletId, const TabletEntry*> tablet_by_id_;
  std::unordered_map<TableId, StartKeys> by_start_;
  std::unordered_map<ServerName, std::set<TabletId>> by_server_;
  std::unordered_map<ServerName, std::set<TabletId>> by_primary_;
  std::map<TabletId, TabletId> splits_;  // child -> parent, of open intents
  std::unordered_map<TabletId, std::set<TabletId>> children_;
  std::map<TabletId, std::set<TabletId>> merges_;  // of open intents
  std::set<TabletId> unfinished_merges_;
  std::set<TabletId> changing_;
  std::unordered_map<TabletId, TabletId> merged_into_;  // of `unfinished_merges_`, by what they were made of
  uint64_t next_id_ = 1;
  int next_id_version_ = 0;
};

}  // namespace ebla::master

#include "master/procedures/adopt.h"

#include <glog/logging.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "common/base/number_limits.h"
#include "master/catalog/table_rules.h"

namespace ebla::master {
namespace {

constexpr int64_t kMargin = 1'000;

struct Holder {
  ServerName server;
  const idl::TabletLoad* load = nullptr;
};
using Holders = std::vector<Holder>;

bool RangeWithin(const idl::KeyRange& range, const idl::KeyRange& of) {
  return range.startKey == of.startKey && (of.endKey.empty() || (!range.endKey.empty() && range.endKey <= of.endKey));
}

std::string Quoted(const std::string& key) { return key.empty() ? "the end" : "\"" + key + "\""; }

class AdoptionPlanner {
 public:
  AdoptionPlanner(const Image& image, const Servers& servers, const std::vector<ServerName>& without)
      : image_(image), servers_(servers), without_(without) {}

  Adoption Run() {
    plan_.next_id = image_.next_id();
    TakeReports();
    std::erase_if(tablets_, [this](const auto& item) { return MergeWasGivenUp(item.second); });
    if (greatest_id_ >= image_.next_id()) plan_.next_id = greatest_id_ + 1 + kMargin;
    for (const auto& [id, holders] : tablets_) PlanTablet(TabletId{static_cast<uint64_t>(id)}, holders);
    Supersede();
    PlanTables();
    CheckOverlaps();
    std::ranges::sort(plan_.tablets, std::ranges::greater{},
                      [](const idl::AdoptedTablet& tablet) { return tablet.tablet.tabletId; });
    NoteUnheld();
    return std::move(plan_);
  }

 private:
  void Problem(std::string text) { plan_.problems.push_back(std::move(text)); }

  // An operator who names servers in --without has given up what they alone hold.
  void ReportGap(const std::string& what) {
    if (without_.empty()) return Problem(what + ": start the server that has them");
    plan_.notes.push_back(what + ": they are given up");
  }

  // The report of a server that counts; null, with the problem noted, where there is none.
  const Report* ReportOf(const ServerName& name, const Server& server) {
    const bool given_up = std::ranges::find(without_, name) != without_.end();
    if (!server.node && !server.last_live && !server.report) return nullptr;
    if (given_up) {
      if (!server.live && server.report) Outbid(server.report->body);
      if (server.live) Problem("server " + name + " is named in --without, but is live: end it, or do not name it");
      plan_.notes.push_back("server " + name + " is left out: what it alone holds is given up");
      return nullptr;
    }
    if (!server.live) {
      Problem("server " + name + " is not live: start it or, if it is gone for good, name it: --without " + name);
      return nullptr;
    }
    const Report* report = server.CurrentReport();
    if (report && report->body.described) return report;
    Problem("server " + name + " has not reported its replicas yet: try again in a moment");
    return nullptr;
  }

  void TakeIds(const idl::TabletLoad& load) {
    greatest_id_ = std::max(greatest_id_, static_cast<uint64_t>(load.tabletId));
    if (load.__isset.frozenInto) greatest_id_ = std::max(greatest_id_, static_cast<uint64_t>(load.frozenInto));
    if (!load.__isset.lastSplit) return;
    greatest_id_ = std::max(greatest_id_, static_cast<uint64_t>(load.lastSplit.childId));
    plan_.parents[load.lastSplit.childId] = load.tabletId;
  }

  // A server merged two tablets ahead of the catalog, and a majority then continued with the two (PROTOCOL 14): at
  // least one of them has an entry after its FREEZE, which no merged tablet has.
  bool MergeWasGivenUp(const Holders& holders) const {
    const auto goes_on = [this](const idl::MergedTablet& part) {
      const auto its = tablets_.find(part.tabletId);
      return its != tablets_.end() && std::ranges::any_of(its->second, [&](const Holder& holder) {
               const std::pair log(holder.load->lastEpoch, holder.load->lastLsn);
               return log > std::pair(part.freeze.epoch, part.freeze.lsn);
             });
    };
    return std::ranges::any_of(holders, [&](const Holder& holder) {
      const idl::Merged& merged = holder.load->merged;
      return holder.load->__isset.merged && (goes_on(merged.left) || goes_on(merged.right));
    });
  }

  // Ids and epochs that a given-up server had are not assigned again.
  void Outbid(const idl::HeartbeatRequest& report) {
    for (const idl::TabletLoad& load : report.tablets) {
      TakeIds(load);
      given_up_[load.tabletId].push_back({report.server, &load});
    }
    for (const int64_t table : report.tables) greatest_id_ = std::max(greatest_id_, static_cast<uint64_t>(table));
  }

  void TakeReports() {
    for (const auto& [name, server] : servers_.all()) {
      const Report* report = ReportOf(name, server);
      if (!report) continue;
      for (const idl::TabletLoad& load : report->body.tablets) {
        tablets_[load.tabletId].push_back({name, &load});
        TakeIds(load);
      }
      for (const int64_t table : report->body.tables)
        greatest_id_ = std::max(greatest_id_, static_cast<uint64_t>(table));
      for (const idl::TableSchema& schema : report->body.schemas) {
        idl::TableSchema& newest = schemas_[schema.tableId];
        if (newest.schemaVersion < schema.schemaVersion) newest = schema;
      }
    }
  }

  // The primary of the greatest epoch that has one, unless some replica has an entry of a later epoch. A later epoch
  // that is only followed or promised somewhere does not end this primary's service, so its acknowledged writes must
  // not be lost.
  static const Holder* LeaderOf(const Holders& holders) {
    const Holder* leader = nullptr;
    int64_t logged = 0;
    for (const Holder& holder : holders) {
      const idl::TabletLoad& load = *holder.load;
      logged = std::max(logged, load.lastEpoch);
      if (load.leading && load.barrierCommitted && (!leader || load.epoch > leader->load->epoch)) leader = &holder;
    }
    return leader && leader->load->epoch >= logged ? leader : nullptr;
  }

  static const Holder* LongestOf(const Holders& holders) {
    const auto log = [](const Holder* holder) { return std::pair(holder->load->lastEpoch, holder->load->lastLsn); };
    const Holder* best = nullptr;
    for (const Holder& holder : holders) {
      if (!holder.load->incomplete && (!best || log(&holder) > log(best))) best = &holder;
    }
    return best;
  }

  static int64_t GreatestEpoch(const Holders& holders, int64_t catalog) {
    int64_t greatest = catalog;
    for (const Holder& holder : holders) {
      const idl::TabletLoad& load = *holder.load;
      greatest = std::max(
          {greatest, load.epoch, load.promisedEpoch, load.refusedForEpoch, load.releasedEpoch, load.lastEpoch});
    }
    return greatest;
  }

  // Only splits change a range, so the replica with the narrowest range has applied the most.
  template <class Counts>
  static const Holder* NarrowestOf(const Holders& holders, Counts counts) {
    const Holder* best = nullptr;
    for (const Holder& holder : holders) {
      if (!counts(*holder.load)) continue;
      if (!best || best->load->detail.range.endKey.empty() ||
          (!holder.load->detail.range.endKey.empty() &&
           holder.load->detail.range.endKey < best->load->detail.range.endKey)) {
        best = &holder;
      }
    }
    return best;
  }
  // A replica that is being copied knows its range only once the copy has begun.
  static const Holder* NarrowestOf(const Holders& holders) {
    return NarrowestOf(holders, [](const idl::TabletLoad& load) { return !load.incomplete; });
  }

  bool IsOfMemory(const idl::TabletLoad& load) const {
    const TableEntry* known = image_.Table(TableId{static_cast<uint64_t>(load.detail.tableId)});
    const auto schema = schemas_.find(load.detail.tableId);
    if (known) return IsInMemory(known->node.schema);
    return schema != schemas_.end() && IsInMemory(schema->second);
  }
  // A memory tablet that no replica holds any more: the server that knew best where it was. Null: it is no such tablet.
  const Holder* ForgottenOf(const Holders& holders) const {
    if (NarrowestOf(holders)) return nullptr;
    return NarrowestOf(holders, [this](const idl::TabletLoad& load) { return load.forgetful && IsOfMemory(load); });
  }
  const Holder* PlaceOf(const Holders& holders) const {
    const Holder* complete = NarrowestOf(holders);
    return complete ? complete : ForgottenOf(holders);
  }

  // Whether the tablet is as the catalog says, or as the split that it has begun will leave it: that is completed as
  // ever.
  static bool AsCatalogued(const TabletEntry& known, const idl::KeyRange& range) {
    if (range == known.node.info.range) return true;
    return known.splitting() && range.startKey == known.node.info.range.startKey &&
           range.endKey == known.node.split.key;
  }

  // Its parent has been split again since the catalog began to split this one off.
  bool Outrun(TabletId child) const {
    const auto parent = image_.splits().find(child);
    if (parent == image_.splits().end()) return false;
    const auto holders = tablets_.find(static_cast<int64_t>(parent->second.value));
    const Holder* narrowest = holders == tablets_.end() ? nullptr : PlaceOf(holders->second);
    return narrowest && !AsCatalogued(*image_.Tablet(parent->second), narrowest->load->detail.range);
  }

  void PlanTablet(TabletId id, const Holders& holders) {
    const TabletEntry* known = image_.Tablet(id);
    Holders all = holders;  // with those that are given up: their epochs count, and nothing else
    const auto given_up = given_up_.find(static_cast<int64_t>(id.value));
    if (given_up != given_up_.end()) std::ranges::copy(given_up->second, std::back_inserter(all));
    // Promises are outbid without being adopted, but for those that are further ahead than honest masters come.
    const auto driven_up = [&](const Holder& holder) {
      const Epoch promised{static_cast<uint64_t>(holder.load->promisedEpoch)};
      if (!known || !limits::IsLeap(known->epoch(), promised, limits::kReportedEpochLeapMax)) return false;
      plan_.driven_up = "server " + holder.server + " has promised epoch " + std::to_string(promised.value) +
                        " of tablet " + std::to_string(id.value) + ", higher than any master can raise it";
      return true;
    };
    const auto ahead = [&](const Holder& holder) {
      return driven_up(holder) || (known && StaleCatalogCheck::EpochOf(*holder.load) > known->node.info.epoch);
    };
    const bool unknown =
        !known && (id.value >= image_.next_id() || image_.NamedByIntent(id) || image_.NamedByMerge(id) || Outrun(id));
    const Holder* complete = PlaceOf(holders);
    // A server may have lost the tablet before a split that the catalog knows of.
    const bool told = complete && (!complete->load->incomplete || !known ||
                                   RangeWithin(complete->load->detail.range, known->node.info.range));
    const bool split = known && told && !AsCatalogued(*known, complete->load->detail.range);
    if (!unknown && !split && !(known && std::ranges::any_of(all, ahead))) return;
    const std::string which = "tablet " + std::to_string(id.value);
    idl::AdoptedTablet adopted;
    for (const Holder& holder : holders) adopted.holders.push_back(holder.server);
    adopted.known = known != nullptr;
    idl::TabletInfo& info = adopted.tablet;
    if (!complete) return Problem(which + ": no server that reports it has a complete replica");
    const idl::ReplicaDetail& detail = complete->load->detail;
    info.tabletId = static_cast<int64_t>(id.value);
    info.tableId = known ? known->node.info.tableId : detail.tableId;
    info.range = known && !split ? known->node.info.range : detail.range;
    info.epoch = GreatestEpoch(all, known ? known->node.info.epoch : 0) + kMargin;
    info.state = idl::TabletState::SERVING;
    for (const Holder& holder : holders) {
      if (holder.load->incomplete) continue;
      const idl::ReplicaDetail& its = holder.load->detail;
      const bool within = !split || RangeWithin(info.range, known->node.info.range);
      if (its.range.startKey == info.range.startKey && its.tableId == info.tableId && within) continue;
      return Problem(which + ": " + holder.server + " holds another range or table than " +
                     (known ? "the catalog says" : complete->server) + "; which is right is not known");
    }
    if (const Holder* leader = LeaderOf(holders)) {
      adopted.led = true;
      info.primary = leader->server;
      info.voters = {leader->server};
      for (const idl::ReplicaProgress& peer : leader->load->peers) {
        (peer.voter ? info.voters : info.learners).push_back(peer.server);
      }
    } else {
      const Holder* longest = LongestOf(holders);
      if (!longest) {
        longest = complete;
        plan_.notes.push_back(which + ", of a table in memory, begins empty: no server has its data any more");
      }
      info.primary = longest->server;
      info.voters = {longest->server};
      for (const Holder& holder : holders) {
        if (holder.server != longest->server) info.learners.push_back(holder.server);
      }
    }
    plan_.tablets.push_back(std::move(adopted));
  }

  // Its merged successor has been split since: later tablets have all of its keys, and no server has it any more.
  bool CoveredByLater(const idl::TabletInfo& info) const {
    if (tablets_.contains(info.tabletId)) return false;
    std::map<std::string, const idl::KeyRange*> later;  // by start key
    for (const idl::AdoptedTablet& other : plan_.tablets) {
      if (other.tablet.tableId == info.tableId && other.tablet.tabletId > info.tabletId)
        later[other.tablet.range.startKey] = &other.tablet.range;
    }
    std::string at = info.range.startKey;
    bool some = false;
    for (const auto& [start, range] : later) {
      const bool ends_before = !range->endKey.empty() && range->endKey <= at;
      if (ends_before) continue;
      if (start > at) return false;
      some = true;
      at = range->endKey;
      if (at.empty() || (!info.range.endKey.empty() && at >= info.range.endKey)) return some;
    }
    return false;
  }

  // Ids are drawn in order, and if two tablets ever had a key, the later one has it, because a split gives the upper
  // half the greater id, and so does a merge the whole. If a later tablet has all of a tablet's range, that tablet was
  // merged.
  void Supersede() {
    const auto within = [](const idl::TabletInfo& of, const idl::TabletInfo& info) {
      return of.tableId == info.tableId && of.tabletId > info.tabletId && of.range.startKey <= info.range.startKey &&
             (of.range.endKey.empty() || (!info.range.endKey.empty() && info.range.endKey <= of.range.endKey));
    };
    const auto made_later = [&](const idl::TabletInfo& info) {
      return std::ranges::any_of(plan_.tablets,
                                 [&](const idl::AdoptedTablet& other) { return within(other.tablet, info); });
    };
    for (const auto& [id, tablet] : image_.tablets()) {
      if (!made_later(tablet.node.info) && !CoveredByLater(tablet.node.info)) continue;
      plan_.superseded.insert(id);
      plan_.notes.push_back("tablet " + std::to_string(id.value) +
                            " has since been merged into one that is adopted, and is removed");
    }
    std::erase_if(plan_.tablets, [&](const idl::AdoptedTablet& tablet) {
      return plan_.superseded.contains(TabletId{static_cast<uint64_t>(tablet.tablet.tabletId)}) ||
             made_later(tablet.tablet);
    });
  }

  // Checks the ranges as the catalog will have them. If two overlap, it is not known which was split off which.
  void CheckOverlaps() {
    // of each table that changes, by start key
    std::map<int64_t, std::map<std::string, const idl::TabletInfo*>> ranges;
    std::set<int64_t> planned;
    for (const idl::AdoptedTablet& tablet : plan_.tablets) planned.insert(tablet.tablet.tabletId);
    const auto add = [&](const idl::TabletInfo& info) {
      const auto [at, fresh] = ranges[info.tableId].emplace(info.range.startKey, &info);
      if (!fresh) ProblemOfTwo(*at->second, info);
    };
    for (const idl::AdoptedTablet& tablet : plan_.tablets) add(tablet.tablet);
    for (const auto& [id, tablet] : image_.tablets()) {
      const bool changes = ranges.contains(tablet.node.info.tableId) && image_.LivingTable(tablet);
      if (changes && !planned.contains(tablet.node.info.tabletId) && !plan_.superseded.contains(id))
        add(tablet.node.info);
    }
    for (const auto& [table, starts] : ranges) {
      const idl::TabletInfo* before = nullptr;
      for (const auto& [start, info] : starts) {
        const bool overlap = before && (before->range.endKey.empty() || before->range.endKey > start);
        if (overlap) ProblemOfTwo(*before, *info);
        if (before && before->range.endKey < start && !overlap) NoteGap(*before, start);
        before = info;
      }
      if (before && !before->range.endKey.empty()) NoteGap(*before, "");
    }
  }

  void ProblemOfTwo(const idl::TabletInfo& one, const idl::TabletInfo& other) {
    Problem("tablets " + std::to_string(one.tabletId) + " and " + std::to_string(other.tabletId) +
            " overlap as they are reported: a replica that was split is missing. Start the servers that have it");
  }

  // In a table of the catalog: a range that was split off, and that no server reports.
  void NoteGap(const idl::TabletInfo& before, const std::string& to) {
    const TableEntry* table = image_.Table(TableId{static_cast<uint64_t>(before.tableId)});
    if (!table || !table->serving()) return;  // CheckWhole reports it; or it is being created
    ReportGap("no server that reports has the keys from " + Quoted(before.range.endKey) + " to " + Quoted(to) +
              ", which were split off tablet " + std::to_string(before.tabletId) + " or lie beside it");
  }

  void PlanTables() {
    std::map<int64_t, std::vector<const idl::AdoptedTablet*>> made;
    for (idl::AdoptedTablet& tablet : plan_.tablets) {
      const int64_t table = tablet.tablet.tableId;
      const TableEntry* known = image_.Table(TableId{static_cast<uint64_t>(table)});
      const auto schema = schemas_.find(table);
      tablet.table = known ? known->node.schema.name : schema != schemas_.end() ? schema->second.name : "";
      if (!tablet.known) made[table].push_back(&tablet);
      if (tablet.known) made.try_emplace(table);
    }
    for (const auto& [id, schema] : schemas_) made.try_emplace(id);
    for (auto& [id, tablets] : made) PlanTable(id, tablets);
  }

  void PlanTable(int64_t id, std::vector<const idl::AdoptedTablet*>& tablets) {
    const TableEntry* known = image_.Table(TableId{static_cast<uint64_t>(id)});
    const auto schema = schemas_.find(id);
    if (known) {
      if (schema != schemas_.end() && schema->second.schemaVersion > known->node.schema.schemaVersion) {
        AddTable(schema->second, true, tablets.size());
      }
      return;
    }
    if (tablets.empty()) return;  // of replicas that are orphans
    if (schema == schemas_.end())
      return Problem("table " + std::to_string(id) + ": no server that reports its tablets knows its schema");
    if (const TableEntry* other = image_.Table(schema->second.name)) {
      return Problem("table " + schema->second.name + ", id " + std::to_string(id) +
                     ": the catalog has another one of that " + "name, id " + std::to_string(other->id().value) +
                     ". If that one was dropped, drop it again: ebla table drop " + schema->second.name);
    }
    CheckWhole(schema->second.name, tablets);
    AddTable(schema->second, false, tablets.size());
  }

  // A range that no tablet has would stay without one for ever.
  void CheckWhole(const std::string& name, std::vector<const idl::AdoptedTablet*>& tablets) {
    std::ranges::sort(tablets, {}, [](const idl::AdoptedTablet* tablet) { return tablet->tablet.range.startKey; });
    std::string at;
    bool ended = false;
    const auto gap = [&](const std::string& to) {
      ReportGap("table " + name + ": no server that reports has the keys from " +
                (at.empty() ? "the first" : Quoted(at)) + " to " + Quoted(to));
    };
    for (const idl::AdoptedTablet* tablet : tablets) {
      if (tablet->tablet.range.startKey != at) gap(tablet->tablet.range.startKey);
      at = tablet->tablet.range.endKey;
      ended = at.empty();
    }
    if (!ended) gap("");
  }

  void AddTable(const idl::TableSchema& schema, bool known, size_t tablets) {
    idl::AdoptedTable table;
    table.schema = schema;
    table.known = known;
    table.tablets = static_cast<int32_t>(tablets);
    plan_.tables.push_back(std::move(table));
  }

  // Tables of the catalog of which no server has anything were most likely dropped after the restored state.
  void NoteUnheld() {
    for (const auto& [name, table] : image_.tables()) {
      const auto& tablets = image_.TabletsOf(table.id());
      const auto held = [&](const auto& item) { return tablets_.contains(static_cast<int64_t>(item.second.value)); };
      if (!table.serving() || tablets.empty() || std::ranges::any_of(tablets, held)) continue;
      plan_.notes.push_back("table " + name +
                            " is in the catalog, but no server that reports has anything of it. If it was " +
                            "dropped, drop it again: ebla table drop " + name);
    }
  }

  const Image& image_;
  const Servers& servers_;
  const std::vector<ServerName>& without_;
  Adoption plan_;
  std::map<int64_t, Holders> tablets_;
  std::map<int64_t, Holders> given_up_;
  std::map<int64_t, idl::TableSchema> schemas_;  // the newest reported
  uint64_t greatest_id_ = 0;
};

}  // namespace

Adoption PlanAdoption(const Image& image, const Servers& servers, const std::vector<ServerName>& without) {
  return AdoptionPlanner(image, servers, without).Run();
}

namespace {

// The second of the two also continues with its intent.
bool KeepsIntent(const Image& image, const Adoption& plan, const TabletEntry& tablet) {
  const TabletEntry* other = tablet.merging() ? image.Tablet(tablet.neighbour()) : nullptr;
  return other && other->merging() && other->neighbour() == tablet.id() && !plan.superseded.contains(other->id());
}

}  // namespace

Result<Change> AdoptCluster::Next(const Image& image) const {
  const Adoption plan = PlanAdoption(image, context_.servers, without_);
  if (!plan.problems.empty()) return Error(Code::kConditionFailed, plan.problems.front());
  Change change;
  for (const idl::AdoptedTable& table : plan.tables) {
    const TableEntry* known = image.Table(TableId{static_cast<uint64_t>(table.schema.tableId)});
    idl::TableNode node;
    if (known) node = known->node;
    if (!known) node.state = idl::TableState::SERVING;
    node.schema = table.schema;
    LOG(WARNING) << "adopting table " << node.schema.name << ", id " << node.schema.tableId;
    change.PutTable(std::move(node));
  }
  for (const TabletId tablet : plan.superseded) {
    LOG(WARNING) << "tablet " << tablet << " is removed: it was merged into one that is adopted";
    // No later look at the catalog would find the intent that it leaves to a tablet that is not adopted.
    const TabletEntry& gone = *image.Tablet(tablet);
    const auto is_other = [&](const idl::AdoptedTablet& planned) {
      return planned.tablet.tabletId == gone.node.merge.neighbourId;
    };
    if (KeepsIntent(image, plan, gone) && std::ranges::none_of(plan.tablets, is_other)) {
      idl::TabletNode node = image.Tablet(gone.neighbour())->node;
      node.__isset.merge = false;
      change.PutTablet(std::move(node));
    }
    change.EraseTablet(tablet);
  }
  for (const idl::AdoptedTablet& tablet : plan.tablets) {
    if (change.full()) return change;
    idl::TabletNode node;
    const TabletEntry* known = image.Tablet(TabletId{static_cast<uint64_t>(tablet.tablet.tabletId)});
    const bool same_range = known && known->node.info.range == tablet.tablet.range;
    if (same_range && known->splitting()) node.__set_split(known->node.split);  // its child is as in the intent
    // A merge that is under way is given up, for its epoch, by both or none; one that is done may still have to be
    // merged.
    if (known && KeepsIntent(image, plan, *known)) node.__set_merge(known->node.merge);
    if (known && known->merges_ahead()) node.merge.givenUp = true;  // no server may be ahead of what is adopted
    if (same_range && known->merge_unfinished()) node.__set_merged(known->node.merged);
    if (known && known->node.__isset.parentId) node.__set_parentId(known->node.parentId);
    if (known) node.timesEmptied = known->node.timesEmptied;
    if (known) node.emptiedMs = known->node.emptiedMs;
    const auto parent = plan.parents.find(tablet.tablet.tabletId);
    if (parent != plan.parents.end()) node.__set_parentId(parent->second);
    node.info = tablet.tablet;
    LOG(WARNING) << "adopting tablet " << node.info.tabletId << " of " << tablet.table << " at epoch "
                 << node.info.epoch << ", primary " << node.info.primary
                 << (tablet.led ? ", its primary" : ", with the longest log");
    change.PutTablet(std::move(node));
  }
  if (change.empty() && plan.next_id != image.next_id()) change.SetNextId(plan.next_id);
  return change;
}

void AdoptCluster::Step(coordination::Callback<Progress> done) {
  const Adoption plan = PlanAdoption(context_.image(), context_.servers, without_);
  if (!plan.problems.empty()) return done(Progress::Done(Error(Code::kConditionFailed, plan.problems.front())));
  if (plan.empty(context_.image())) {
    on_adopted_();
    return done(Progress::Done());
  }
  const bool late = context_.executor.Now() >= until();
  context_.catalog.Commit([this](const Image& image) { return Next(image); },
                          [late, done = std::move(done)](Status status) mutable {
                            if (status.ok()) return done(Progress::Again());
                            const bool over = late || status.code() == Code::kConditionFailed;
                            done(over ? Progress::Done(std::move(status)) : Progress::Later(std::move(status)));
                          });
}

}  // namespace ebla::master

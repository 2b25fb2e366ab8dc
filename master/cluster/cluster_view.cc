#include "master/cluster/cluster_view.h"

#include <algorithm>

#include "common/rpc/idl_convert.h"
#include "master/catalog/table_rules.h"

namespace ebla::master {
namespace {

constexpr double kMicros = 1e6;
constexpr double kMergePartMax = 0.5;

SplitFinding FindingOf(idl::SplitFindingKind::type kind) {
  switch (kind) {
    case idl::SplitFindingKind::KEY: return SplitFinding::kKey;
    case idl::SplitFindingKind::POPULAR_KEY: return SplitFinding::kPopularKey;
    case idl::SplitFindingKind::ONE_DIRECTION: return SplitFinding::kOneDirection;
    default: return SplitFinding::kNoKey;
  }
}

Rates RatesOf(const idl::TabletLoad& load) {
  const auto rate = [](double value) { return static_cast<float>(std::max(value, 0.0)); };
  return {.reads = rate(load.readsPerSecond),
          .writes = rate(load.writesPerSecond),
          .read_bytes = rate(load.readBytesPerSecond),
          .write_bytes = rate(load.writeBytesPerSecond),
          .cpu = rate(load.cpuMicrosPerSecond / kMicros)};
}

bool Busier(const Rates& a, const Rates& b) {
  return a.cpu != b.cpu ? a.cpu > b.cpu : a.operations() + a.write_bytes > b.operations() + b.write_bytes;
}

TableView TableOf(const TableEntry& entry) {
  const idl::TableOptions& options = entry.node.schema.options;
  TableView table;
  table.id = entry.id();
  table.name = entry.node.schema.name;
  table.replicas = ReplicasOf(entry.node.schema);
  if (options.__isset.splitBytes) table.split_bytes = options.splitBytes;
  if (options.__isset.splitOpsPerSecond) table.split_operations = static_cast<double>(options.splitOpsPerSecond);
  if (options.__isset.mergeBytes && table.split_bytes > 0) {
    table.merge_part =
        std::min(kMergePartMax, static_cast<double>(options.mergeBytes) / static_cast<double>(table.split_bytes));
  }
  table.key_group = rpc::FromIdl(options.keyGroup);
  return table;
}

class Maker {
 public:
  explicit Maker(const ViewSources& sources) : sources_(sources) {}

  ClusterView Make() {
    view_.now = sources_.now;
    AddServers();
    view_.tablets.reserve(sources_.image.tablets().size());
    for (const auto& [name, table] : sources_.image.tables()) {
      if (table.node.state != idl::TableState::DROPPING) AddTable(table);
    }
    return std::move(view_);
  }

 private:
  void AddServers() {
    for (const auto& [name, server] : sources_.servers) {
      PlannedServer planned = Servers::ForPlanner(name, server);
      const Report* report = server.CurrentReport();
      if (report) planned.cpu = report->body.cpuFraction;
      planned.lost = !server.live && sources_.now - server.changed >= sources_.lost_after;
      planned.surplus = planned.draining && sources_.surplus.contains(name);
      AddServer(std::move(planned), report);
    }
  }

  ServerIndex AddServer(PlannedServer server, const Report* report) {
    const auto index = static_cast<ServerIndex>(view_.servers.size());
    indices_.emplace(server.name, index);
    view_.servers.push_back(std::move(server));
    reports_.push_back(report);
    return index;
  }

  // Servers known by their replicas alone (of a restored coordinator) are last.
  ServerIndex IndexOf(const ServerName& name) {
    const auto found = indices_.find(name);
    if (found != indices_.end()) return found->second;
    PlannedServer server;
    server.name = name;
    server.lost = true;
    return AddServer(std::move(server), nullptr);
  }

  void AddTable(const TableEntry& table) {
    const auto index = static_cast<TableIndex>(view_.tables.size());
    view_.tables.push_back(TableOf(table));
    for (const auto& [start, id] : sources_.image.TabletsOf(table.id())) {
      const TabletEntry* entry = sources_.image.Tablet(id);
      if (entry && !entry->creating() && !entry->node.info.voters.empty()) AddTablet(*entry, index);
    }
  }

  void AddTablet(const TabletEntry& entry, TableIndex table) {
    TabletView& tablet = view_.tablets.emplace_back();
    const idl::TabletInfo& info = entry.node.info;
    tablet.id = entry.id();
    tablet.table = table;
    tablet.range = rpc::FromIdl(info.range);
    AddMembers(entry, tablet);
    const bool copying = !tablet.learners.empty() || entry.node.__isset.move;
    tablet.state = entry.failovers_only()    ? TabletState::kIntentOpen
                   : copying                 ? TabletState::kCopying
                   : sources_.settled(entry) ? TabletState::kSettled
                                             : TabletState::kUnsettled;
    AddLoad(tablet, static_cast<int64_t>(sources_.primary(entry).epoch.value));
    const TabletPast past = sources_.pasts.Of(tablet.id);
    tablet.last_split = past.split;
    tablet.last_merge = past.merged;
    tablet.last_failed = past.failed;
    tablet.held_until = past.held_until;
  }

  // The target server of a move counts as if the copy were under way already.
  void AddMembers(const TabletEntry& entry, TabletView& tablet) {
    const idl::TabletInfo& info = entry.node.info;
    const ServerName primary = sources_.primary(entry).server;
    if (IsIn(primary, info.voters)) tablet.voters.Add(IndexOf(primary));
    for (const ServerName& voter : info.voters) Add(voter, tablet.voters, tablet);
    for (const ServerName& learner : info.learners) Add(learner, tablet.learners, tablet);
    if (entry.node.__isset.move) Add(entry.node.move.toServer, tablet.learners, tablet);
  }

  void Add(const ServerName& name, Members& members, const TabletView& tablet) {
    const ServerIndex server = IndexOf(name);
    if (!tablet.voters.Contains(server) && !tablet.learners.Contains(server)) members.Add(server);
  }

  void AddLoad(TabletView& tablet, int64_t epoch) {
    for (const ServerIndex voter : tablet.voters) {
      const idl::TabletLoad* load = reports_[voter] ? reports_[voter]->Find(tablet.id) : nullptr;
      if (!load) continue;
      if (voter == tablet.primary()) {
        tablet.size_bytes = load->sizeBytes;
        if (load->leading && load->epoch == epoch) AddLed(tablet, *load);
        continue;
      }
      if (tablet.size_bytes == 0) tablet.size_bytes = load->sizeBytes;
      if (const Rates rates = RatesOf(*load); Busier(rates, tablet.followed)) tablet.followed = rates;
    }
  }

  static void AddLed(TabletView& tablet, const idl::TabletLoad& load) {
    tablet.led = RatesOf(load);
    if (load.__isset.splitFinding) {
      tablet.finding = FindingOf(load.splitFinding.kind);
      tablet.split_key = load.splitFinding.key;
      tablet.middle_key = load.splitFinding.middleKey;
    }
    if (!load.__isset.peaks) return;
    tablet.peaks.operations = static_cast<float>(load.peaks.operationsPerSecond);
    tablet.peaks.cpu = static_cast<float>(load.peaks.cpuMicrosPerSecond / kMicros);
    tablet.history = std::chrono::milliseconds(std::max<int64_t>(0, load.peaks.coveredMs));
  }

  const ViewSources& sources_;
  ClusterView view_;
  std::unordered_map<ServerName, ServerIndex> indices_;
  std::vector<const Report*> reports_;  // by server
};

}  // namespace

void TabletPasts::Observe(const Image& image, MonotonicTime now) {
  std::erase_if(known_, [&](TabletId tablet) { return !image.Tablet(tablet); });
  std::erase_if(pasts_, [&](const auto& item) { return !known_.contains(item.first) && !image.Tablet(item.first); });
  for (const auto& [id, tablet] : image.tablets()) {
    if (!known_.insert(id).second || !began_) continue;
    pasts_[id].split = now;
    if (tablet.node.__isset.parentId) pasts_[TabletId{static_cast<uint64_t>(tablet.node.parentId)}].split = now;
  }
  began_ = true;
}

TabletPast TabletPasts::Of(TabletId tablet) const {
  const auto found = pasts_.find(tablet);
  return found == pasts_.end() ? TabletPast() : found->second;
}

ClusterView MakeClusterView(const ViewSources& sources) { return Maker(sources).Make(); }

}  // namespace ebla::master

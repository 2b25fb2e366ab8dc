#include "master/host/replies.h"

#include <algorithm>
#include <set>

#include "common/rpc/idl_convert.h"

namespace ebla::master {
namespace {

constexpr int kRetryAfterMs = 50;
constexpr size_t kOrphansMax = 100;

// The catalog's view, but with the present primary: a transfer's target leads once the tablet is released to it.
idl::TabletInfo InfoOf(const LeaderTerm& leader_term, const TabletEntry& tablet) {
  idl::TabletInfo info = tablet.node.info;
  const PrimaryAt primary = leader_term.reconciler().PrimaryOf(tablet);
  info.primary = primary.server;
  info.epoch = static_cast<int64_t>(primary.epoch.value);
  return info;
}

// The last report of the tablet's primary, or null.
const idl::TabletLoad* PrimaryLoad(const LeaderTerm& leader_term, const TabletEntry& tablet) {
  const PrimaryAt primary = leader_term.reconciler().PrimaryOf(tablet);
  const idl::TabletLoad* load = leader_term.servers().LoadOf(primary.server, tablet.id());
  return load && static_cast<uint64_t>(load->epoch) == primary.epoch.value ? load : nullptr;
}

bool Serves(const TabletEntry& tablet, const idl::TabletLoad* load) {
  return tablet.node.info.state == idl::TabletState::SERVING && load && load->leading;
}

// The last reports of the tablet's holders, voters first.
std::vector<idl::ReplicaReport> ReplicasOf(const LeaderTerm& leader_term, const TabletEntry& tablet) {
  std::vector<idl::ReplicaReport> replicas;
  for (const auto* servers : {&tablet.node.info.voters, &tablet.node.info.learners}) {
    for (const ServerName& name : *servers) {
      idl::ReplicaReport& replica = replicas.emplace_back();
      replica.server = name;
      const Report* report = leader_term.servers().ReportOf(name);
      replica.reported = report != nullptr;
      const idl::TabletLoad* load = report ? report->Find(tablet.id()) : nullptr;
      if (load) replica.__set_load(*load);
    }
  }
  return replicas;
}

// A table that clients may see.
const TableEntry* VisibleTable(const TableEntry* table) {
  return table && table->node.state != idl::TableState::DROPPING ? table : nullptr;
}

idl::TabletLocation LocationOf(const LeaderTerm& leader_term, const TabletEntry& tablet) {
  const idl::TabletInfo info = InfoOf(leader_term, tablet);
  idl::TabletLocation location;
  location.tabletId = info.tabletId;
  location.range = info.range;
  location.epoch = info.epoch;
  for (const auto* servers : {&info.voters, &info.learners}) {
    for (const ServerName& name : *servers) {
      const Server* server = leader_term.servers().Find(name);
      if (!server || !server->last_live) continue;  // its address is not known
      idl::Replica replica;
      replica.server = name;
      replica.endpoint = server->last_live->endpoint;
      replica.voter = servers == &info.voters;
      if (!server->last_live->rack.empty()) replica.__set_rack(server->last_live->rack);
      if (name == info.primary && info.state == idl::TabletState::SERVING) location.primary = name;
      location.replicas.push_back(std::move(replica));
    }
  }
  return location;
}

// The tablet time that the tablet's primary reported lately; 0: none.
int64_t TabletTimeOf(const LeaderTerm& leader_term, const TabletEntry& tablet, MonotonicTime now, Duration age_max) {
  const Report* report = leader_term.servers().ReportOf(leader_term.reconciler().PrimaryOf(tablet).server);
  if (!report || now - report->received > age_max) return 0;
  const idl::TabletLoad* load = report->Find(tablet.id());
  return load && load->leading ? load->tabletTimeMs : 0;
}

}  // namespace

void SetHeader(idl::MasterReplyHeader& header, const Status& status) {
  header.code = rpc::ToIdl(status.code());
  if (!status.message().empty()) header.__set_message(status.message());
  if (status.code() == Code::kComeAgain || status.code() == Code::kOverloaded) header.__set_retryAfterMs(kRetryAfterMs);
}

idl::LocateReply Locate(const LeaderTerm& leader_term, const idl::LocateRequest& request, MonotonicTime now,
                        Duration tablet_time_age_max) {
  idl::LocateReply reply;
  const TableEntry* table = VisibleTable(leader_term.image().Table(TableId{static_cast<uint64_t>(request.tableId)}));
  const KeyRange range = rpc::FromIdl(request.range);
  if (!table) {
    SetHeader(reply.header, Error(Code::kNoSuchTable, "no table with id " + std::to_string(request.tableId)));
    return reply;
  }
  if (request.limit < 0 || range.Empty()) {
    SetHeader(reply.header,
              Error(Code::kInvalidArgument, range.Empty() ? "the range is empty or inverted" : "limit is negative"));
    return reply;
  }
  const int limit = std::min(request.limit == 0 ? kLocateLimitDefault : request.limit, kLocateLimitMax);
  int64_t least = 0;
  for (const TabletEntry* tablet :
       leader_term.image().Locate(table->id(), range, static_cast<size_t>(limit), &reply.more)) {
    reply.tablets.push_back(LocationOf(leader_term, *tablet));
    const int64_t time = TabletTimeOf(leader_term, *tablet, now, tablet_time_age_max);
    if (time <= 0) continue;
    reply.tablets.back().__set_tabletTimeMs(time);
    if (least == 0 || time < least) least = time;
  }
  if (least > 0) reply.__set_tabletTimeMs(least);
  return reply;
}

idl::TableSummary Summarize(const LeaderTerm& leader_term, const TableEntry& table) {
  idl::TableSummary summary;
  summary.schema = table.node.schema;
  for (const auto& [start, id] : leader_term.image().TabletsOf(table.id())) {
    const TabletEntry& tablet = *leader_term.image().Tablet(id);
    const auto voters = static_cast<int32_t>(tablet.node.info.voters.size());
    summary.replicasLeast = summary.tablets == 0 ? voters : std::min(summary.replicasLeast, voters);
    ++summary.tablets;
    summary.timesEmptied += tablet.node.timesEmptied;
    if (tablet.node.timesEmptied > 0) {
      const int64_t age_ms = std::max<int64_t>(0, leader_term.context().executor.TimeOfDayMs() - tablet.node.emptiedMs);
      summary.emptiedAgeMs = summary.emptiedAgeMs < 0 ? age_ms : std::min(summary.emptiedAgeMs, age_ms);
    }
    const idl::TabletLoad* load = PrimaryLoad(leader_term, tablet);
    if (Serves(tablet, load)) ++summary.tabletsServing;
    if (!load) continue;
    summary.sizeBytes += load->sizeBytes;
    summary.records += load->records;
    summary.readsPerSecond += load->readsPerSecond;
    summary.writesPerSecond += load->writesPerSecond;
  }
  for (const auto& [name, server] : leader_term.servers().all()) {
    const Report* report = server.CurrentReport();
    if (!report) continue;
    for (const idl::MemoryTableUse& use : report->body.memoryTables) {
      if (use.tableId != summary.schema.tableId) continue;
      summary.memory.push_back(use);
      summary.memory.back().server = name;
    }
  }
  return summary;
}

idl::ListTablesReply ListTables(const LeaderTerm& leader_term) {
  idl::ListTablesReply reply;
  for (const auto& [name, table] : leader_term.image().tables()) {
    if (VisibleTable(&table)) reply.tables.push_back(Summarize(leader_term, table));
  }
  return reply;
}

idl::DescribeTableReply DescribeTable(const LeaderTerm& leader_term, const idl::DescribeTableRequest& request) {
  idl::DescribeTableReply reply;
  const TableEntry* table =
      VisibleTable(request.name.empty() ? leader_term.image().Table(TableId{static_cast<uint64_t>(request.tableId)})
                                        : leader_term.image().Table(request.name));
  if (table) {
    reply.__set_table(Summarize(leader_term, *table));
  } else {
    SetHeader(reply.header, request.name.empty()
                                ? Error(Code::kNoSuchTable, "no table with id " + std::to_string(request.tableId))
                                : NoTable(request.name));
  }
  return reply;
}

namespace {

idl::ServerState::type StateOf(const Server& server, MonotonicTime silent_since) {
  if (!server.live) return idl::ServerState::LOST;
  return server.ReportsSince(silent_since) ? idl::ServerState::LIVE : idl::ServerState::SILENT;
}

// The server's last report. If it is silent or lost, its leaderships and rates are outdated.
void TakeReport(const LeaderTerm& leader_term, const ServerName& name, const Report& report,
                idl::ServerSummary& summary) {
  const idl::HeartbeatRequest& body = report.body;
  summary.diskFreeBytes = body.diskFreeBytes;
  summary.diskTotalBytes = body.diskTotalBytes;
  summary.version = body.version;
  summary.writesRefused = body.writesRefused;
  summary.insecure = body.insecure;
  if (body.__isset.scrub) summary.__set_scrub(body.scrub);
  if (body.__isset.disk) summary.__set_disk(body.disk);
  summary.clockAheadMs = report.clock_ahead_ms;
  summary.cacheUsedBytes = body.cacheUsedBytes;
  const bool live = summary.state == idl::ServerState::LIVE;
  if (live) summary.cpuFraction = body.cpuFraction;
  for (const idl::TabletLoad& load : body.tablets) {
    const TabletEntry* entry = leader_term.image().Tablet(TabletId{static_cast<uint64_t>(load.tabletId)});
    if ((!entry || !entry->HeldBy(name)) && summary.strays.size() < kOrphansMax)
      summary.strays.push_back(load.tabletId);
    summary.sizeBytes += load.sizeBytes;
    if (!live) continue;
    summary.leading += load.leading ? 1 : 0;
    summary.readsPerSecond += load.readsPerSecond;
    summary.writesPerSecond += load.writesPerSecond;
  }
}

}  // namespace

idl::ListServersReply ListServers(const LeaderTerm& leader_term, MonotonicTime now, MonotonicTime silent_since) {
  idl::ListServersReply reply;
  for (const auto& [name, server] : leader_term.servers().all()) {
    if (!server.node && !server.last_live) continue;  // reported, and never registered
    idl::ServerSummary& summary = reply.servers.emplace_back();
    summary.name = name;
    summary.state = StateOf(server, silent_since);
    if (server.node) {
      summary.uuid = server.node->uuid;
      summary.draining = server.node->draining;
      summary.maintenance = server.node->maintenance;
      summary.note = leader_term.replication_manager().WhyNotDrained(name);
    }
    if (server.last_live) {
      summary.endpoint = server.last_live->endpoint;
      summary.http = server.last_live->http;
      summary.incarnation = server.last_live->incarnation;
      if (!server.last_live->rack.empty()) summary.__set_rack(server.last_live->rack);
    }
    summary.tablets = static_cast<int32_t>(leader_term.image().HeldBy(name).size());
    summary.sinceHeartbeatMs = -1;
    if (!server.report) continue;
    summary.sinceHeartbeatMs =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - server.report->received).count();
    TakeReport(leader_term, name, *server.report, summary);
  }
  return reply;
}

Result<TabletId> FindTablet(const LeaderTerm& leader_term, const std::string& name, const std::string& key) {
  const TableEntry* table = VisibleTable(leader_term.image().Table(name));
  if (!table) return NoTable(name);
  bool more = false;
  const auto found = leader_term.image().Locate(table->id(), KeyRange{key, key + std::string(1, '\0')}, 1, &more);
  if (found.empty()) return Error(Code::kUnavailable, "table " + name + " is still being created");
  return found[0]->id();
}

std::map<std::string, idl::ServerAddress> Addresses(const LeaderTerm& leader_term, uint64_t since) {
  std::map<std::string, idl::ServerAddress> addresses;
  for (const auto& [name, server] : leader_term.servers().all()) {
    if (!server.last_live || server.address_version <= since) continue;  // its address is not known, or not new
    idl::ServerAddress& address = addresses[name];
    address.endpoint = server.last_live->endpoint;
    address.incarnation = server.last_live->incarnation;
    address.live = server.live.has_value();
    if (!server.last_live->rack.empty()) address.__set_rack(server.last_live->rack);
  }
  return addresses;
}

idl::ListTabletsReply ListTablets(const LeaderTerm& leader_term, const idl::ListTabletsRequest& request) {
  idl::ListTabletsReply reply;
  const TableEntry* only = nullptr;
  if (!request.table.empty()) {
    only = VisibleTable(leader_term.image().Table(request.table));
    if (!only) {
      SetHeader(reply.header, NoTable(request.table));
      return reply;
    }
  }
  if (!request.server.empty() && !leader_term.servers().Find(request.server)) {
    SetHeader(reply.header, NoServer(request.server));
    return reply;
  }
  const size_t limit = static_cast<size_t>(request.limit <= 0 ? kListTabletsLimitDefault
                                                              : std::min(request.limit, kListTabletsLimitDefault));
  const auto& tablets = leader_term.image().tablets();
  for (auto it = tablets.upper_bound(TabletId{static_cast<uint64_t>(std::max<int64_t>(0, request.afterTabletId))});
       it != tablets.end(); ++it) {
    const TabletEntry& tablet = it->second;
    if (only && tablet.table() != only->id()) continue;
    if (!request.server.empty() && !tablet.HeldBy(request.server)) continue;
    if (reply.tablets.size() == limit) {
      reply.more = true;
      break;
    }
    idl::TabletSummary summary;
    summary.info = InfoOf(leader_term, tablet);
    if (const TableEntry* table = leader_term.image().Table(tablet.table())) summary.table = table->node.schema.name;
    if (const idl::TabletLoad* load = PrimaryLoad(leader_term, tablet)) summary.__set_load(*load);
    if (request.replicas) summary.replicas = ReplicasOf(leader_term, tablet);
    reply.tablets.push_back(std::move(summary));
  }
  return reply;
}

namespace {

int64_t MsSince(MonotonicTime then, MonotonicTime now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - then).count();
}

idl::PlannedAction ToIdl(const Action& action, MonotonicTime began, MonotonicTime now) {
  idl::PlannedAction planned;
  planned.rule = Name(action.rule);
  planned.what = ToString(action);
  planned.reason = action.reason;
  planned.tabletId = static_cast<int64_t>(action.tablet.value);
  planned.ageMs = MsSince(began, now);
  return planned;
}

// The origin of an intent in the catalog, and its reason.
std::string DescribeOrigin(idl::AskedBy::type by, const std::string& reason) {
  switch (by) {
    case idl::AskedBy::OPERATOR: return "an operator asked for it";
    case idl::AskedBy::PLANNER: return "an earlier master's planner: " + reason;
    case idl::AskedBy::DRAIN: return reason;
    default: return "an operator's, a drain's, or begun under an earlier master";
  }
}

// Intents that stand in the catalog: an operator's, a drain's, or those of an earlier master's planner.
void AddIntents(const LeaderTerm& leader_term, std::vector<idl::PlannedAction>& under_way) {
  std::set<int64_t> listed;
  for (const idl::PlannedAction& action : under_way) listed.insert(action.tabletId);
  for (const auto& [id, tablet] : leader_term.image().tablets()) {
    if (under_way.size() >= kUnderWayMax) return;
    if (listed.contains(tablet.node.info.tabletId)) continue;
    Action action{.tablet = id};
    std::string reason;
    int64_t since_ms = 0;
    const auto take = [&](const auto& intent) {
      reason = DescribeOrigin(intent.askedBy, intent.reason);
      since_ms = intent.sinceMs;
    };
    if (tablet.splitting()) {
      action.kind = ActionKind::kSplit;
      action.key = tablet.node.split.key;
      take(tablet.node.split);
    } else if (tablet.merging()) {
      if (listed.contains(tablet.node.merge.neighbourId)) continue;  // with the other one
      action.kind = ActionKind::kMerge;
      action.neighbour = tablet.neighbour();
      take(tablet.node.merge);
    } else if (tablet.node.__isset.move) {
      action.kind = ActionKind::kMove;
      action.from = tablet.node.move.fromServer;
      action.to = tablet.node.move.toServer;
      take(tablet.node.move);
    } else {
      continue;
    }
    listed.insert(tablet.node.info.tabletId);
    idl::PlannedAction& open = under_way.emplace_back();
    open.rule = "catalog";
    open.what = ToString(action);
    open.tabletId = tablet.node.info.tabletId;
    open.reason = std::move(reason);
    open.ageMs = since_ms > 0 ? std::max<int64_t>(0, leader_term.context().executor.TimeOfDayMs() - since_ms) : -1;
  }
}

}  // namespace

idl::BalanceReply DescribeBalance(const LeaderTerm& leader_term, MonotonicTime now) {
  const BalanceDriver& balance_driver = leader_term.balance_driver();
  idl::BalanceReply reply;
  reply.enabled = balance_driver.on().value_or(true);
  reply.passAgeMs = balance_driver.passed() ? MsSince(*balance_driver.passed(), now) : -1;
  for (const Action& action : balance_driver.plan().actions)
    reply.planned.push_back(ToIdl(action, *balance_driver.passed(), now));
  for (const auto& [id, record] : balance_driver.under_way())
    reply.underWay.push_back(ToIdl(record.action, record.began, now));
  AddIntents(leader_term, reply.underWay);
  for (const BalanceDriver::ActionRecord& record : balance_driver.done()) {
    reply.done.push_back(ToIdl(record.action, record.began, now));
    reply.done.back().outcome = record.status.ok() ? "done" : record.status.ToString();
  }
  if (!balance_driver.waits_for().ok()) {
    idl::RefusedAction& waits = reply.refused.emplace_back();
    waits.rule = "every rule";
    waits.cause = "waits";
    waits.detail = balance_driver.waits_for().message();
  }
  for (const Rejection& rejection : balance_driver.plan().rejected) {
    idl::RefusedAction& refused = reply.refused.emplace_back();
    refused.rule = Name(rejection.rule);
    refused.cause = Name(rejection.cause);
    refused.tabletId = static_cast<int64_t>(rejection.tablet.value);
    refused.server = rejection.server;
    refused.detail = rejection.detail;
  }
  return reply;
}

idl::ListAccessReply DescribeAccess(Result<idl::AccessNode> access, const Image* image, bool secrets) {
  idl::ListAccessReply reply;
  if (!access) {
    SetHeader(reply.header, access.error());
    return reply;
  }
  reply.access = *std::move(access);
  const auto name = [&](int64_t id) {
    const TableEntry* table = image == nullptr ? nullptr : image->Table(TableId{static_cast<uint64_t>(id)});
    if (table != nullptr) reply.tables[id] = table->node.schema.name;
  };
  reply.access.unknownUserKey.clear();
  for (idl::User& user : reply.access.users) {
    for (const idl::Grant& grant : user.grants) name(grant.tableId);
    if (secrets) continue;
    const int32_t iterations = user.secret.iterations;
    user.secret = {};
    user.secret.iterations = iterations;
  }
  for (const idl::Role& role : reply.access.roles) {
    for (const idl::Grant& grant : role.grants) name(grant.tableId);
  }
  for (const idl::TableLimits& limits : reply.access.tables) name(limits.tableId);
  return reply;
}

idl::ClusterVersionReply ListVersions(const LeaderTerm& leader_term,
                                      const std::vector<coordination::Candidate>& masters, const std::string& leader,
                                      MonotonicTime silent_since) {
  idl::ClusterVersionReply reply;
  reply.level = leader_term.cluster_level().level();
  reply.held = leader_term.cluster_level().held();
  for (const Feature& feature : kFeatures) {
    idl::FeatureInfo& info = reply.features.emplace_back();
    info.name = feature.name;
    info.level = feature.level;
    info.what = feature.what;
  }
  for (const coordination::Candidate& master : masters) {
    idl::ProcessVersion& process = reply.processes.emplace_back();
    process.role = idl::ProcessRole::MASTER;
    process.name = master.name;
    process.endpoint = rpc::ToIdl(master.endpoint);
    process.live = true;
    process.leader = master.name == leader;
    process.version = master.version;
    process.protocol = master.protocol;
    process.featureLevel = LevelOr1(master.feature_level);
  }
  std::ranges::sort(reply.processes, {}, &idl::ProcessVersion::name);
  for (const auto& [name, server] : leader_term.servers().all()) {
    if (!server.node && !server.last_live) continue;  // reported, and never registered
    idl::ProcessVersion& process = reply.processes.emplace_back();
    process.role = idl::ProcessRole::TABLET_SERVER;
    process.name = name;
    if (server.last_live) process.endpoint = server.last_live->endpoint;
    process.live = server.ReportsSince(silent_since);
    process.featureLevel = ClusterLevel::LevelOf(server);
    // A server that has come back may be another build than the one that reported before.
    const Report* report = server.CurrentReport();
    if (!server.live && server.report) report = &*server.report;
    if (!report) continue;
    process.version = report->body.version;
    process.protocol = report->body.protocolVersion;
    process.storeFormat = report->body.storeFormat;
  }
  return reply;
}

idl::RecoverTabletReply ToReply(const RecoverySurvey& survey) {
  idl::RecoverTabletReply reply;
  for (const HolderSeen& seen : survey.holders) {
    idl::ReplicaState& replica = reply.replicas.emplace_back();
    replica.server = seen.server;
    replica.voter = seen.voter;
    replica.live = seen.live;
    replica.reported = seen.reported;
    replica.known = seen.known;
    replica.last = rpc::ToPosition(seen.last);
    replica.appliedLsn = static_cast<int64_t>(seen.applied.value);
    replica.incomplete = seen.incomplete;
    replica.forgetful = seen.may_have_lost_writes;
    replica.lost = seen.lost;
  }
  reply.refusal = survey.refusal.message();
  reply.chosen = survey.choice.value_or("");
  reply.loss = survey.loss;
  return reply;
}

}  // namespace ebla::master

// A FakeCluster's masters.
#include <algorithm>

#include "client/testing/fake_handlers.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client::testing {

namespace {

void Refuse(idl::MasterReplyHeader& header, idl::Code::type code, const std::string& message) {
  header.__set_code(code);
  header.__set_message(message);
}

bool Exists(const FakeState& state, const std::string& table, idl::MasterReplyHeader& header) {
  if (state.tables.Has(table)) return true;
  Refuse(header, idl::Code::NO_SUCH_TABLE, "no table \"" + table + "\"");
  return false;
}

idl::TableSummary Summary(const FakeState& state, const FakeTable& table) {
  idl::TableSummary summary;
  summary.schema.tableId = table.id;
  summary.schema.name = table.name;
  summary.schema.schemaVersion = 1;
  summary.schema.options = table.options;
  summary.tablets = static_cast<int32_t>(table.tablets.size());
  summary.tabletsServing = state.faults.serving ? summary.tablets : 0;
  summary.replicasLeast = std::min(table.options.replicas, static_cast<int32_t>(state.tables.servers().size()));
  summary.records = static_cast<int64_t>(table.records.size());
  return summary;
}

void Locate(FakeState& state, int64_t now_ms, const idl::LocateRequest& request, idl::LocateReply& reply) {
  const FakeTable* table = state.tables.ById(request.tableId);
  if (table == nullptr) return Refuse(reply.header, idl::Code::NO_SUCH_TABLE, "no such table");
  const KeyRange wanted = rpc::FromIdl(request.range);
  for (const auto& [start, tablet] : table->tablets) {
    if (!tablet.range.Overlaps(wanted)) continue;
    if (static_cast<int>(reply.tablets.size()) == request.limit) {
      reply.more = true;
      break;
    }
    idl::TabletLocation location;
    location.tabletId = tablet.id;
    location.range = rpc::ToIdl(tablet.range);
    location.epoch = tablet.epoch;
    if (state.faults.serving) location.primary = tablet.primary;
    for (const auto* replicas : {&tablet.voters, &tablet.learners}) {
      for (const ServerName& name : *replicas) {
        idl::Replica replica;
        replica.server = name;
        replica.endpoint = rpc::ToIdl(state.endpoints[name]);
        replica.voter = replicas == &tablet.voters;
        if (state.masters.racks.contains(name)) replica.__set_rack(state.masters.racks[name]);
        location.replicas.push_back(replica);
      }
    }
    if (state.masters.routing_tells_time && tablet.told) {
      const int64_t time_ms = now_ms + tablet.ahead_ms;
      if (state.masters.routing_tells_each) location.__set_tabletTimeMs(time_ms);
      reply.__set_tabletTimeMs(reply.__isset.tabletTimeMs ? std::min(reply.tabletTimeMs, time_ms) : time_ms);
    }
    reply.tablets.push_back(location);
  }
}

void MergeAt(FakeState& state, const idl::MergeTabletsRequest& request, idl::MergeTabletsReply& reply) {
  FakeTable& table = state.tables.Named(request.table);
  const auto right = table.tablets.find(request.key);
  if (right == table.tablets.end() || right == table.tablets.begin()) {
    return Refuse(reply.header, idl::Code::INVALID_ARGUMENT,
                  "no tablet of table " + request.table + " but the first begins there");
  }
  if (state.masters.merges_under_way > 0) {
    --state.masters.merges_under_way;
    return Refuse(reply.header, idl::Code::UNKNOWN_OUTCOME, "the merge is under way, and goes on");
  }
  const FakeTablet& merged = table.Join(std::prev(right)->first, state.tables.NextId());
  reply.tablet.tabletId = merged.id;
  reply.tablet.range = rpc::ToIdl(merged.range);
  reply.__isset.tablet = true;
}

void SplitAt(FakeState& state, const idl::SplitTabletRequest& request, idl::SplitTabletReply& reply) {
  const FakeTablet& tablet = state.tables.At(request.table, request.key);
  reply.tablet.tabletId = tablet.id;
  if (tablet.range.start == request.key) {
    return Refuse(reply.header, idl::Code::INVALID_ARGUMENT, "a tablet begins there already");
  }
  state.tables.Split(request.table, request.key);
  const FakeTablet& child = state.tables.At(request.table, request.key);
  reply.__isset.tablet = true;
  reply.child.tabletId = child.id;
  reply.child.range = rpc::ToIdl(child.range);
  reply.__isset.child = true;
}

// Every tablet has lost all of its voters but the last.
void Recover(const std::vector<ServerName>& servers, const FakeFaults& faults, const idl::RecoverTabletRequest& request,
             idl::RecoverTabletReply& reply) {
  for (const ServerName& name : servers) {
    idl::ReplicaState& replica = reply.replicas.emplace_back();
    replica.server = name;
    replica.voter = true;
    replica.live = faults.lost_logs.empty() ? name == servers.back() : !faults.away.contains(name);
    replica.lost = faults.lost_logs.contains(name);
    replica.reported = replica.known = name != servers.front();
    replica.last.epoch = 3;
    replica.last.lsn = replica.live ? 40 : 44;
    replica.appliedLsn = 38;
  }
  reply.chosen = servers.back();
  reply.loss = "four entries";
  if (!request.server.empty() && request.server != reply.chosen) {
    reply.refusal = "server " + request.server + " is not live";
    reply.chosen.clear();
  }
  if (!reply.refusal.empty() && request.acceptDataLoss) {
    Refuse(reply.header, idl::Code::CONDITION_FAILED, reply.refusal);
  }
}

// A planner that never finds more than one thing to do.
void Balance(FakeMasters& masters, const idl::BalanceRequest& request, idl::BalanceReply& reply) {
  if (request.__isset.enabled) masters.planner_on = request.enabled;
  reply.enabled = masters.planner_on;
  reply.passAgeMs = request.now ? 0 : 3'000;
  idl::PlannedAction action;
  action.rule = "split";
  action.what = "split tablet 7 at \"m\"";
  action.reason = "3,000 operations/s, over 2,500 operations/s for 30 s";
  action.tabletId = 7;
  reply.planned = {action};
  if (masters.planner_on) reply.underWay = {action};
  action.what = "transfer tablet 8 from ts-1 to ts-2";
  action.rule = "balance";
  action.tabletId = 8;
  action.ageMs = 61'000;
  action.outcome = "done";
  reply.done = {action};
  idl::RefusedAction refused;
  refused.rule = "balance";
  refused.cause = "not yet";
  refused.server = "ts-1";
  refused.detail = "ts-1 has 900 operations/s, the mean is 500 operations/s";
  reply.refused = {refused};
  if (request.view) {  // in pages of a few bytes
    const std::string text = "{\"view\": 1, \"now_ms\": 5000}\n{\"server\": \"ts-1\"}\n";
    reply.viewId = 9;
    reply.viewBytes = static_cast<int64_t>(text.size());
    reply.view = text.substr(static_cast<size_t>(request.viewOffset), 20);
  }
}

// Runs until it is asked for a third time.
void Compact(FakeState& state, const idl::CompactTableRequest& request, idl::CompactTableReply& reply) {
  int& asked = state.masters.compactions_asked[request.table];
  if (request.start && asked == 0) {
    asked = 1;
  } else if (asked > 0) {
    ++asked;
  }
  for (const ServerName& name : state.tables.servers()) {
    if (!request.server.empty() && request.server != name) continue;
    idl::Compaction& one = reply.servers.emplace_back();
    one.server = name;
    one.ageMs = asked == 0 ? -1 : 2'500;
    one.running = asked > 0 && asked < 3;
    if (asked == 0) continue;
    one.bytesBefore = int64_t{64} << 20;
    one.bytesAfter = int64_t{one.running ? 48 : 16} << 20;
    if (state.faults.away.contains(name)) {
      one = {};
      one.server = name;
      one.ageMs = -1;
      one.code = idl::Code::UNAVAILABLE;
      one.message = "server " + name + " is not live";
    }
  }
}

// ---- what tablets report

void Meter(const FakeTables& tables, const FakeTablet& tablet, idl::TabletLoad& load) {
  std::vector<std::string> keys;
  for (const auto& [name, table] : tables.all()) {
    if (!std::ranges::any_of(table.tablets, [&](const auto& item) { return item.second.id == tablet.id; })) continue;
    for (const auto& [key, record] : table.records) {
      if (tablet.range.Contains(key)) keys.push_back(key);
    }
  }
  load.records = static_cast<int64_t>(keys.size());
  load.sizeBytes = load.records * 1024;
  if (keys.size() < 2) return;
  load.splitFinding.middleKey = keys[keys.size() / 2];
  load.__isset.splitFinding = true;
  load.peaks.operationsPerSecond = 900;
  load.peaks.coveredMs = 300'000;
  load.__isset.peaks = true;
  for (const ServerName& voter : tablet.voters) {
    if (voter == tablet.primary) continue;
    idl::ReplicaProgress& peer = load.peers.emplace_back();
    peer.server = voter;
    peer.voter = true;
    peer.silentMs = 40;
    peer.flushedLsn = load.lastLsn;
  }
}

// Tablets with greater ids are busier, and followers read a tenth.
idl::TabletLoad LoadAt(const FakeState& state, const FakeTablet& tablet, const ServerName& server) {
  idl::TabletLoad load;
  load.tabletId = tablet.id;
  load.epoch = tablet.epoch;
  load.sizeBytes = state.masters.tablet_bytes;
  load.leading = server == tablet.primary;
  load.barrierApplied = load.leading && state.faults.barriers_applied;
  load.failed = state.faults.failed.contains(server);
  load.appliedLsn = state.faults.AppliedAt(server);
  load.lastLsn = state.tables.last_lsn();
  load.schemaVersion = 1;
  load.readsPerSecond = static_cast<double>(tablet.id) * (load.leading ? 100 : 10);
  load.writesPerSecond = load.leading ? static_cast<double>(tablet.id) : 0;
  load.readBytesPerSecond = load.readsPerSecond * 1024;
  load.writeBytesPerSecond = load.writesPerSecond * 1024;
  load.cpuMicrosPerSecond = load.readsPerSecond * 10;
  if (load.leading && tablet.id % 2 == 0) {
    load.splitFinding.kind = idl::SplitFindingKind::POPULAR_KEY;
    load.splitFinding.popularKey = tablet.range.start + "hot\"" + std::to_string(tablet.id);
    load.splitFinding.part = 0.62;
    load.__isset.splitFinding = true;
  }
  if (state.masters.metered && load.leading) Meter(state.tables, tablet, load);
  if (load.leading && !state.faults.heard()) {
    for (const ServerName& voter : tablet.voters) {
      if (voter == tablet.primary) continue;
      idl::ReplicaProgress& peer = load.peers.emplace_back();
      peer.server = voter;
      peer.voter = peer.incomplete = true;
      peer.silentMs = -1;
    }
  }
  return load;
}

idl::TabletSummary Summary(const FakeState& state, const FakeTable& table, const FakeTablet& tablet, bool replicas) {
  idl::TabletSummary summary;
  summary.table = table.name;
  summary.info.tabletId = tablet.id;
  summary.info.tableId = table.id;
  summary.info.range = rpc::ToIdl(tablet.range);
  summary.info.epoch = tablet.epoch;
  summary.info.primary = tablet.primary;
  summary.info.voters = tablet.voters;
  summary.info.learners = tablet.learners;
  summary.info.state = idl::TabletState::SERVING;
  if (state.faults.serving) summary.__set_load(LoadAt(state, tablet, tablet.primary));
  for (const auto* holders : {&tablet.voters, &tablet.learners}) {
    for (const ServerName& holder : *holders) {
      if (!replicas) break;
      idl::ReplicaReport& replica = summary.replicas.emplace_back();
      replica.server = holder;
      replica.reported = !state.faults.away.contains(holder);
      if (replica.reported) replica.__set_load(LoadAt(state, tablet, holder));
      if (!state.faults.lost_logs.contains(holder)) continue;
      replica.load.lost = replica.load.forgetful = true;
      replica.load.leading = false;
    }
  }
  return summary;
}

void List(FakeState& state, const idl::ListTabletsRequest& request, idl::ListTabletsReply& reply) {
  state.faults.Listed();
  std::map<int64_t, idl::TabletSummary> all;
  for (const auto& [name, table] : state.tables.all()) {
    if (!request.table.empty() && request.table != name) continue;
    for (const auto& [start, tablet] : table.tablets) {
      const auto holds = [&](const std::vector<ServerName>& replicas) {
        return std::ranges::find(replicas, request.server) != replicas.end();
      };
      if (!request.server.empty() && !holds(tablet.voters) && !holds(tablet.learners)) continue;
      all[tablet.id] = Summary(state, table, tablet, request.replicas);
    }
  }
  for (const auto& [id, summary] : all) {
    if (id <= request.afterTabletId) continue;
    if (static_cast<int>(reply.tablets.size()) == std::min(request.limit, 2)) {  // small pages, to be walked
      reply.more = true;
      break;
    }
    reply.tablets.push_back(summary);
  }
}

class FakeMaster final : public idl::MasterServiceCobSvNull {
 public:
  FakeMaster(FakeCluster& cluster, int index) : cluster_(cluster), index_(index) {}

  void describeTable(Cob<idl::DescribeTableReply> done, const idl::DescribeTableRequest& request) override {
    ++cluster_.Lock()->requests.counts.describes;
    OfTable(done, request.name, [](FakeState& state, FakeTable& table, idl::DescribeTableReply& reply) {
      reply.__set_table(Summary(state, table));
    });
  }

  void locate(Cob<idl::LocateReply> done, const idl::LocateRequest& request) override {
    ++cluster_.Lock()->requests.counts.locates;
    AsLeader(done, [&](FakeState& state, idl::LocateReply& reply) { Locate(state, cluster_.NowMs(), request, reply); });
  }

  void createTable(Cob<idl::CreateTableReply> done, const idl::CreateTableRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::CreateTableReply& reply) {
      if (state.tables.Has(request.name)) {
        return Refuse(reply.header, idl::Code::TABLE_EXISTS, "table \"" + request.name + "\" exists");
      }
      const int replicas = request.options.__isset.replicas ? request.options.replicas : 1;
      state.tables.Add(request.name, request.splitPoints, static_cast<size_t>(replicas));
      FakeTable& table = state.tables.Named(request.name);
      table.options = request.options;
      if (!table.options.__isset.replicas) table.options.__set_replicas(1);
      reply.__set_schema(Summary(state, table).schema);
    });
  }

  void alterTable(Cob<idl::AlterTableReply> done, const idl::AlterTableRequest& request) override {
    OfTable(done, request.name, [&](FakeState& state, FakeTable& table, idl::AlterTableReply& reply) {
      if (request.options.__isset.defaultTtlMs) table.options.__set_defaultTtlMs(request.options.defaultTtlMs);
      reply.__set_schema(Summary(state, table).schema);
    });
  }

  void dropTable(Cob<idl::DropTableByNameReply> done, const idl::DropTableByNameRequest& request) override {
    OfTable(done, request.name,
            [&](FakeState& state, FakeTable&, idl::DropTableByNameReply&) { state.tables.Drop(request.name); });
  }

  void listTables(Cob<idl::ListTablesReply> done, const idl::ListTablesRequest&) override {
    AsLeader(done, [](FakeState& state, idl::ListTablesReply& reply) {
      for (const auto& [name, table] : state.tables.all()) reply.tables.push_back(Summary(state, table));
    });
  }

  void listServers(Cob<idl::ListServersReply> done, const idl::ListServersRequest&) override {
    AsLeader(done, [](FakeState& state, idl::ListServersReply& reply) {
      for (const ServerName& name : state.tables.servers()) {
        idl::ServerSummary& server = reply.servers.emplace_back();
        server.name = name;
        server.endpoint = rpc::ToIdl(state.endpoints[name]);
        server.incarnation = 1;
        server.state = state.faults.away.contains(name) ? idl::ServerState::LOST : idl::ServerState::LIVE;
        server.strays = state.faults.orphans[name];
        server.__isset.disk = true;
        server.disk.timeOfDayMs = 1'700'000'000'000;
        if (state.faults.clock_doubts_ms.contains(name)) {
          server.clockAheadMs = server.disk.clockDoubtMs = state.faults.clock_doubts_ms[name];
          server.disk.clockWaits = 2;
        }
        server.sinceHeartbeatMs = 12;
        if (state.masters.racks.contains(name)) server.__set_rack(state.masters.racks[name]);
      }
    });
  }

  void listTablets(Cob<idl::ListTabletsReply> done, const idl::ListTabletsRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::ListTabletsReply& reply) {
      if (request.table.empty() || Exists(state, request.table, reply.header)) List(state, request, reply);
    });
  }

  void mergeTablets(Cob<idl::MergeTabletsReply> done, const idl::MergeTabletsRequest& request) override {
    OfTable(done, request.table,
            [&](FakeState& state, FakeTable&, idl::MergeTabletsReply& reply) { MergeAt(state, request, reply); });
  }

  void recoverTablet(Cob<idl::RecoverTabletReply> done, const idl::RecoverTabletRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::RecoverTabletReply& reply) {
      Recover(state.tables.servers(), state.faults, request, reply);
    });
  }

  void adopt(Cob<idl::AdoptReply> done, const idl::AdoptRequest&) override {
    AsLeader(done, [](FakeState&, idl::AdoptReply&) {});
  }

  void moveTablet(Cob<idl::MoveTabletReply> done, const idl::MoveTabletRequest&) override {
    AsLeader(done, [](FakeState& state, idl::MoveTabletReply& reply) {
      if (!state.masters.obeys) Refuse(reply.header, idl::Code::INVALID_ARGUMENT, "replicas stay where they are here");
    });
  }

  void balance(Cob<idl::BalanceReply> done, const idl::BalanceRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::BalanceReply& reply) { Balance(state.masters, request, reply); });
  }

  void splitTablet(Cob<idl::SplitTabletReply> done, const idl::SplitTabletRequest& request) override {
    OfTable(done, request.table,
            [&](FakeState& state, FakeTable&, idl::SplitTabletReply& reply) { SplitAt(state, request, reply); });
  }

  void listProcedures(Cob<idl::ListProceduresReply> done, const idl::ListProceduresRequest&) override {
    AsLeader(done, [](FakeState& state, idl::ListProceduresReply& reply) {
      reply.procedures = state.masters.procedures;
      reply.total = static_cast<int64_t>(reply.procedures.size());
    });
  }

  void cancelProcedure(Cob<idl::CancelProcedureReply> done, const idl::CancelProcedureRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::CancelProcedureReply& reply) {
      auto& all = state.masters.procedures;
      const auto found = std::ranges::find(all, request.id, &idl::ProcedureSummary::id);
      if (found == all.end()) {
        Refuse(reply.header, idl::Code::NOT_FOUND, "nothing of the id " + request.id + " is under way");
      } else if (!found->cancellable) {
        Refuse(reply.header, idl::Code::CONDITION_FAILED, request.id + " cannot be cancelled: " + found->cancelNote);
      } else {
        reply.outcome = "cancelled: " + found->cancelNote;
        all.erase(found);
      }
    });
  }

  void compactTable(Cob<idl::CompactTableReply> done, const idl::CompactTableRequest& request) override {
    OfTable(done, request.table,
            [&](FakeState& state, FakeTable&, idl::CompactTableReply& reply) { Compact(state, request, reply); });
  }

  void scrubServers(Cob<idl::ScrubServersReply> done, const idl::ScrubServersRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::ScrubServersReply& reply) {
      for (const ServerName& name : state.tables.servers()) {
        if ((!request.server.empty() && request.server != name) || state.faults.away.contains(name)) continue;
        idl::ScrubAnswer& one = reply.servers.emplace_back();
        one.server = name;
        if (!state.faults.scrubbing.contains(name)) continue;
        one.code = idl::Code::CONDITION_FAILED;
        one.message = "a pass is under way";
      }
      if (reply.servers.empty()) Refuse(reply.header, idl::Code::NOT_FOUND, "no server " + request.server + " lives");
    });
  }

  void setServer(Cob<idl::SetServerReply> done, const idl::SetServerRequest& request) override {
    AsLeader(done, [request](FakeState& state, idl::SetServerReply& reply) {
      reply.clockAccepted = request.acceptClock;
      if (request.acceptClock) state.faults.clock_doubts_ms.erase(request.name);
      if (!state.masters.obeys && !request.acceptClock)
        Refuse(reply.header, idl::Code::CONDITION_FAILED, "no other server can take its replicas");
    });
  }

  void removeServer(Cob<idl::RemoveServerReply> done, const idl::RemoveServerRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::RemoveServerReply& reply) {
      if (!state.masters.obeys) Refuse(reply.header, idl::Code::CONDITION_FAILED, "server " + request.name + " lives");
    });
  }

  void clusterVersion(Cob<idl::ClusterVersionReply> done, const idl::ClusterVersionRequest&) override {
    AsLeader(done, [](FakeState& state, idl::ClusterVersionReply& reply) { reply = state.masters.versions; });
  }

  void holdLevel(Cob<idl::HoldLevelReply> done, const idl::HoldLevelRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::HoldLevelReply&) { state.masters.versions.held = request.hold; });
  }

  void changeAccess(Cob<idl::ChangeAccessReply> done, const idl::ChangeAccessRequest& request) override {
    AsLeader(done, [&](FakeState& state, idl::ChangeAccessReply&) {
      state.access_changes.insert(state.access_changes.end(), request.changes.begin(), request.changes.end());
    });
  }

  void listAccess(Cob<idl::ListAccessReply> done, const idl::ListAccessRequest&) override {
    AsLeader(done, [](FakeState& state, idl::ListAccessReply& reply) { reply = state.access; });
  }

  void clusterInfo(Cob<idl::ClusterInfoReply> done, const idl::ClusterInfoRequest&) override {
    idl::ClusterInfoReply reply;
    Describe(*cluster_.Lock(), reply);
    done(reply);
  }

 private:
  // Answers with what `fill` makes of the state, or by refusal where another master leads. Not under the lock.
  template <class Reply, class Fill>
  void AsLeader(const Cob<Reply>& done, Fill fill) {
    Reply reply;
    {
      const auto state = cluster_.Lock();
      if (state->masters.forbids) {
        Refuse(reply.header, idl::Code::PERMISSION_DENIED, "the test forbids it");
      } else if (Leads(state->masters, reply.header)) {
        fill(*state, reply);
      }
    }
    done(reply);
  }
  // The same for a request about a table, which there may not be.
  template <class Reply, class Fill>
  void OfTable(const Cob<Reply>& done, const std::string& table, Fill fill) {
    AsLeader(done, [&](FakeState& state, Reply& reply) {
      if (Exists(state, table, reply.header)) fill(state, state.tables.Named(table), reply);
    });
  }

  bool Leads(const FakeMasters& masters, idl::MasterReplyHeader& header) const {
    if (masters.leader == index_) return true;
    Refuse(header, idl::Code::NOT_PRIMARY, "this master is a standby");
    if (masters.leader >= 0 && masters.standbys_know_leader) NameLeader(masters, header);
    return false;
  }
  static void NameLeader(const FakeMasters& masters, idl::MasterReplyHeader& header) {
    header.__set_leader(rpc::ToIdl(masters.endpoints[static_cast<size_t>(masters.leader)]));
  }

  void Describe(const FakeState& state, idl::ClusterInfoReply& reply) const {
    const FakeMasters& masters = state.masters;
    reply.clusterId = "fake";
    reply.term = 7;
    for (size_t i = 0; i < masters.endpoints.size(); ++i) {
      idl::MasterSummary& master = reply.masters.emplace_back();
      master.name = "master-" + std::to_string(i + 1);
      master.endpoint = rpc::ToIdl(masters.endpoints[i]);
      master.leader = static_cast<int>(i) == masters.leader;
    }
    reply.leading = masters.leader == index_;
    if (reply.leading) {
      reply.liveServers = static_cast<int32_t>(state.tables.servers().size());
      reply.tables = static_cast<int32_t>(state.tables.all().size());
    } else if (masters.leader >= 0) {
      NameLeader(masters, reply.header);
    }
  }

  FakeCluster& cluster_;
  const int index_;
};

}  // namespace

std::shared_ptr<idl::MasterServiceCobSvIf> MakeFakeMaster(FakeCluster& cluster, int index) {
  return std::make_shared<FakeMaster>(cluster, index);
}

}  // namespace ebla::client::testing

// The Thrift handlers of a FakeCluster's masters: each takes the lock, asks the model, answers.
#include <algorithm>

#include "client/testing/fake_cluster.h"
#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client::testing {

namespace {

template <class Reply>
using Cob = std::function<void(const Reply&)>;

}  // namespace

class FakeCluster::MasterHandler final : public idl::MasterServiceCobSvNull {
 public:
  MasterHandler(FakeCluster& cluster, int index) : cluster_(cluster), index_(index) {}

  void describeTable(Cob<idl::DescribeTableReply> done, const idl::DescribeTableRequest& request) override {
    idl::DescribeTableReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      ++cluster_.counts_.describes;
      if (Leads(reply.header) && Exists(request.name, reply.header)) {
        reply.__set_table(cluster_.Summary(cluster_.tables_.at(request.name)));
      }
    }
    done(reply);
  }

  void locate(Cob<idl::LocateReply> done, const idl::LocateRequest& request) override {
    idl::LocateReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      ++cluster_.counts_.locates;
      if (Leads(reply.header)) Locate(request, reply);
    }
    done(reply);
  }

  void createTable(Cob<idl::CreateTableReply> done, const idl::CreateTableRequest& request) override {
    idl::CreateTableReply reply;
    bool create = false;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        create = !cluster_.tables_.contains(request.name);
        if (!create) Refuse(reply.header, idl::Code::TABLE_EXISTS, "table \"" + request.name + "\" exists");
      }
    }
    if (create) {
      const int replicas = request.options.__isset.replicas ? request.options.replicas : 1;
      cluster_.AddTable(request.name, request.splitPoints, static_cast<size_t>(replicas));
      MutexLock lock(cluster_.mutex_);
      Table& table = cluster_.tables_.at(request.name);
      table.options = request.options;
      if (!table.options.__isset.replicas) table.options.__set_replicas(1);
      reply.__set_schema(cluster_.Summary(table).schema);
    }
    done(reply);
  }

  void alterTable(Cob<idl::AlterTableReply> done, const idl::AlterTableRequest& request) override {
    idl::AlterTableReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header) && Exists(request.name, reply.header)) {
        Table& table = cluster_.tables_.at(request.name);
        if (request.options.__isset.defaultTtlMs) table.options.__set_defaultTtlMs(request.options.defaultTtlMs);
        reply.__set_schema(cluster_.Summary(table).schema);
      }
    }
    done(reply);
  }

  void dropTable(Cob<idl::DropTableByNameReply> done, const idl::DropTableByNameRequest& request) override {
    idl::DropTableByNameReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header) && Exists(request.name, reply.header)) cluster_.tables_.erase(request.name);
    }
    done(reply);
  }

  void listTables(Cob<idl::ListTablesReply> done, const idl::ListTablesRequest&) override {
    idl::ListTablesReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        for (const auto& [name, table] : cluster_.tables_) reply.tables.push_back(cluster_.Summary(table));
      }
    }
    done(reply);
  }

  void listServers(Cob<idl::ListServersReply> done, const idl::ListServersRequest&) override {
    idl::ListServersReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        for (const ServerName& name : cluster_.servers_) {
          idl::ServerSummary server;
          server.name = name;
          server.endpoint = rpc::ToIdl(cluster_.endpoints_[name]);
          server.incarnation = 1;
          server.state = cluster_.away_.contains(name) ? idl::ServerState::LOST : idl::ServerState::LIVE;
          server.strays = cluster_.orphans_[name];
          server.sinceHeartbeatMs = 12;
          if (cluster_.racks_.contains(name)) server.__set_rack(cluster_.racks_[name]);
          reply.servers.push_back(server);
        }
      }
    }
    done(reply);
  }

  void listTablets(Cob<idl::ListTabletsReply> done, const idl::ListTabletsRequest& request) override {
    idl::ListTabletsReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header) && (request.table.empty() || Exists(request.table, reply.header))) List(request, reply);
    }
    done(reply);
  }

  void mergeTablets(Cob<idl::MergeTabletsReply> done, const idl::MergeTabletsRequest& request) override {
    idl::MergeTabletsReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header) && Exists(request.table, reply.header)) MergeAt(request, reply);
    }
    done(reply);
  }

  // Every tablet has lost all of its voters but the last.
  void recoverTablet(Cob<idl::RecoverTabletReply> done, const idl::RecoverTabletRequest& request) override {
    idl::RecoverTabletReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) Recover(request, reply);
    }
    done(reply);
  }

  void adopt(Cob<idl::AdoptReply> done, const idl::AdoptRequest&) override {
    idl::AdoptReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      Leads(reply.header);
    }
    done(reply);
  }

  void moveTablet(Cob<idl::MoveTabletReply> done, const idl::MoveTabletRequest&) override {
    idl::MoveTabletReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) Refuse(reply.header, idl::Code::INVALID_ARGUMENT, "replicas stay where they are here");
    }
    done(reply);
  }

  // A planner that never finds more than one thing to do.
  void balance(Cob<idl::BalanceReply> done, const idl::BalanceRequest& request) override {
    idl::BalanceReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        if (request.__isset.enabled) cluster_.planner_ = request.enabled;
        reply.enabled = cluster_.planner_;
        reply.passAgeMs = request.now ? 0 : 3'000;
        idl::PlannedAction action;
        action.rule = "split";
        action.what = "split tablet 7 at \"m\"";
        action.reason = "3,000 operations/s, over 2,500 operations/s for 30 s";
        action.tabletId = 7;
        reply.planned = {action};
        if (cluster_.planner_) reply.underWay = {action};
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
    }
    done(reply);
  }

  void splitTablet(Cob<idl::SplitTabletReply> done, const idl::SplitTabletRequest& request) override {
    idl::SplitTabletReply reply;
    bool split = false;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header) && Exists(request.table, reply.header)) {
        const Tablet& tablet = cluster_.At(cluster_.tables_.at(request.table), request.key);
        split = tablet.range.start != request.key;
        if (!split) Refuse(reply.header, idl::Code::INVALID_ARGUMENT, "a tablet begins there already");
        reply.tablet.tabletId = tablet.id;
      }
    }
    if (split) {
      cluster_.Split(request.table, request.key);
      MutexLock lock(cluster_.mutex_);
      const Tablet& child = cluster_.At(cluster_.tables_.at(request.table), request.key);
      reply.__set_tablet(reply.tablet);
      reply.child.tabletId = child.id;
      reply.child.range = rpc::ToIdl(child.range);
      reply.__isset.child = true;
    }
    done(reply);
  }

  void listProcedures(Cob<idl::ListProceduresReply> done, const idl::ListProceduresRequest&) override {
    idl::ListProceduresReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) reply.procedures = cluster_.procedures_;
      reply.total = static_cast<int64_t>(reply.procedures.size());
    }
    done(reply);
  }

  void cancelProcedure(Cob<idl::CancelProcedureReply> done, const idl::CancelProcedureRequest& request) override {
    idl::CancelProcedureReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      auto& all = cluster_.procedures_;
      const auto found = std::ranges::find(all, request.id, &idl::ProcedureSummary::id);
      if (!Leads(reply.header)) {
      } else if (found == all.end()) {
        Refuse(reply.header, idl::Code::NOT_FOUND, "nothing of the id " + request.id + " is under way");
      } else if (!found->cancellable) {
        Refuse(reply.header, idl::Code::CONDITION_FAILED, request.id + " cannot be cancelled: " + found->cancelNote);
      } else {
        reply.outcome = "cancelled: " + found->cancelNote;
        all.erase(found);
      }
    }
    done(reply);
  }

  // Runs until it is asked for a third time.
  void compactTable(Cob<idl::CompactTableReply> done, const idl::CompactTableRequest& request) override {
    idl::CompactTableReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header) && Exists(request.table, reply.header)) {
        int& asked = cluster_.compacted_[request.table];
        if (request.start && asked == 0)
          asked = 1;
        else if (asked > 0)
          ++asked;
        for (const ServerName& name : cluster_.servers_) {
          if (!request.server.empty() && request.server != name) continue;
          idl::Compaction& one = reply.servers.emplace_back();
          one.server = name;
          one.ageMs = asked == 0 ? -1 : 2'500;
          one.running = asked > 0 && asked < 3;
          if (asked == 0) continue;
          one.bytesBefore = int64_t{64} << 20;
          one.bytesAfter = int64_t{one.running ? 48 : 16} << 20;
          if (cluster_.away_.contains(name)) {
            one = {};
            one.server = name;
            one.ageMs = -1;
            one.code = idl::Code::UNAVAILABLE;
            one.message = "server " + name + " is not live";
          }
        }
      }
    }
    done(reply);
  }

  void setServer(Cob<idl::SetServerReply> done, const idl::SetServerRequest&) override {
    idl::SetServerReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header))
        Refuse(reply.header, idl::Code::CONDITION_FAILED, "no other server can take its replicas");
    }
    done(reply);
  }

  void removeServer(Cob<idl::RemoveServerReply> done, const idl::RemoveServerRequest& request) override {
    idl::RemoveServerReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) Refuse(reply.header, idl::Code::CONDITION_FAILED, "server " + request.name + " lives");
    }
    done(reply);
  }

  void clusterVersion(Cob<idl::ClusterVersionReply> done, const idl::ClusterVersionRequest&) override {
    idl::ClusterVersionReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      if (Leads(reply.header)) reply.processes = cluster_.versions_;
    }
    done(reply);
  }

  void clusterInfo(Cob<idl::ClusterInfoReply> done, const idl::ClusterInfoRequest&) override {
    idl::ClusterInfoReply reply;
    {
      MutexLock lock(cluster_.mutex_);
      reply.clusterId = "fake";
      reply.term = 7;
      for (int i = 0; i < cluster_.masters_; ++i) {
        idl::MasterSummary master;
        master.name = "master-" + std::to_string(i + 1);
        master.endpoint = rpc::ToIdl(cluster_.master_endpoints_[static_cast<size_t>(i)]);
        master.leader = i == cluster_.leader_;
        reply.masters.push_back(master);
      }
      reply.leading = cluster_.leader_ == index_;
      if (reply.leading) {
        reply.liveServers = static_cast<int32_t>(cluster_.servers_.size());
        reply.tables = static_cast<int32_t>(cluster_.tables_.size());
      } else if (cluster_.leader_ >= 0) {
        reply.header.__set_leader(rpc::ToIdl(cluster_.master_endpoints_[static_cast<size_t>(cluster_.leader_)]));
      }
    }
    done(reply);
  }

 private:
  static void Refuse(idl::MasterReplyHeader& header, idl::Code::type code, const std::string& message) {
    header.__set_code(code);
    header.__set_message(message);
  }
  bool Leads(idl::MasterReplyHeader& header) const EBLA_REQUIRES(cluster_.mutex_) {
    if (cluster_.leader_ == index_) return true;
    Refuse(header, idl::Code::NOT_PRIMARY, "this master is a standby");
    if (cluster_.leader_ >= 0 && cluster_.standbys_know_) {
      header.__set_leader(rpc::ToIdl(cluster_.master_endpoints_[static_cast<size_t>(cluster_.leader_)]));
    }
    return false;
  }
  bool Exists(const std::string& name, idl::MasterReplyHeader& header) const EBLA_REQUIRES(cluster_.mutex_) {
    if (cluster_.tables_.contains(name)) return true;
    Refuse(header, idl::Code::NO_SUCH_TABLE, "no table \"" + name + "\"");
    return false;
  }
  void Locate(const idl::LocateRequest& request, idl::LocateReply& reply) EBLA_REQUIRES(cluster_.mutex_) {
    Table* table = cluster_.ById(request.tableId);
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
      if (cluster_.serving_) location.primary = tablet.primary;
      for (const auto* replicas : {&tablet.voters, &tablet.learners}) {
        for (const ServerName& name : *replicas) {
          idl::Replica replica;
          replica.server = name;
          replica.endpoint = rpc::ToIdl(cluster_.endpoints_[name]);
          replica.voter = replicas == &tablet.voters;
          if (cluster_.racks_.contains(name)) replica.__set_rack(cluster_.racks_[name]);
          location.replicas.push_back(replica);
        }
      }
      if (cluster_.routing_tells_time_ && tablet.told) {
        const int64_t time_ms = cluster_.now_ms_() + tablet.ahead_ms;
        if (cluster_.routing_tells_each_) location.__set_tabletTimeMs(time_ms);
        reply.__set_tabletTimeMs(reply.__isset.tabletTimeMs ? std::min(reply.tabletTimeMs, time_ms) : time_ms);
      }
      reply.tablets.push_back(location);
    }
  }
  void MergeAt(const idl::MergeTabletsRequest& request, idl::MergeTabletsReply& reply) EBLA_REQUIRES(cluster_.mutex_) {
    Table& table = cluster_.tables_.at(request.table);
    const auto right = table.tablets.find(request.key);
    if (right == table.tablets.end() || right == table.tablets.begin()) {
      return Refuse(reply.header, idl::Code::INVALID_ARGUMENT,
                    "no tablet of table " + request.table + " but the first begins there");
    }
    if (cluster_.merges_under_way_ > 0) {
      --cluster_.merges_under_way_;
      return Refuse(reply.header, idl::Code::UNKNOWN_OUTCOME, "the merge is under way, and goes on");
    }
    const Tablet& merged = cluster_.Join(table, std::prev(right)->first);
    reply.tablet.tabletId = merged.id;
    reply.tablet.range = rpc::ToIdl(merged.range);
    reply.__isset.tablet = true;
  }
  void Recover(const idl::RecoverTabletRequest& request, idl::RecoverTabletReply& reply) const
      EBLA_REQUIRES(cluster_.mutex_) {
    for (const ServerName& name : cluster_.servers_) {
      idl::ReplicaState& replica = reply.replicas.emplace_back();
      replica.server = name;
      replica.voter = true;
      replica.live = name == cluster_.servers_.back();
      replica.reported = replica.known = name != cluster_.servers_.front();
      replica.last.epoch = 3;
      replica.last.lsn = replica.live ? 40 : 44;
      replica.appliedLsn = 38;
    }
    reply.chosen = cluster_.servers_.back();
    reply.loss = "four entries";
    if (!request.server.empty() && request.server != reply.chosen) {
      reply.refusal = "server " + request.server + " is not live";
      reply.chosen.clear();
    }
    if (!reply.refusal.empty() && request.acceptDataLoss) {
      Refuse(reply.header, idl::Code::CONDITION_FAILED, reply.refusal);
    }
  }
  // Tablets with greater ids are busier, and followers read a tenth.
  idl::TabletLoad LoadAt(const Tablet& tablet, const ServerName& server) const EBLA_REQUIRES(cluster_.mutex_) {
    idl::TabletLoad load;
    load.tabletId = tablet.id;
    load.epoch = tablet.epoch;
    load.sizeBytes = cluster_.tablet_bytes_;
    load.leading = server == tablet.primary;
    load.barrierApplied = load.leading && cluster_.barriers_applied_;
    load.failed = cluster_.failed_.contains(server);
    load.appliedLsn = cluster_.AppliedAt(server);
    load.lastLsn = cluster_.next_lsn_;
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
    if (cluster_.metered_ && load.leading) Meter(tablet, load);
    return load;
  }
  void Meter(const Tablet& tablet, idl::TabletLoad& load) const EBLA_REQUIRES(cluster_.mutex_) {
    std::vector<std::string> keys;
    for (const auto& [name, table] : cluster_.tables_) {
      if (!std::ranges::any_of(table.tablets, [&](const auto& item) { return item.second.id == tablet.id; })) continue;
      for (const auto& [key, record] : table.data) {
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
  void List(const idl::ListTabletsRequest& request, idl::ListTabletsReply& reply) EBLA_REQUIRES(cluster_.mutex_) {
    if (cluster_.lists_until_serving_ > 0 && --cluster_.lists_until_serving_ == 0) cluster_.serving_ = true;
    std::map<int64_t, idl::TabletSummary> all;
    for (const auto& [name, table] : cluster_.tables_) {
      if (!request.table.empty() && request.table != name) continue;
      for (const auto& [start, tablet] : table.tablets) {
        const auto holds = [&](const std::vector<ServerName>& replicas) {
          return std::ranges::find(replicas, request.server) != replicas.end();
        };
        if (!request.server.empty() && !holds(tablet.voters) && !holds(tablet.learners)) continue;
        idl::TabletSummary summary;
        summary.table = name;
        summary.info.tabletId = tablet.id;
        summary.info.tableId = table.id;
        summary.info.range = rpc::ToIdl(tablet.range);
        summary.info.epoch = tablet.epoch;
        summary.info.primary = tablet.primary;
        summary.info.voters = tablet.voters;
        summary.info.learners = tablet.learners;
        summary.info.state = idl::TabletState::SERVING;
        if (cluster_.serving_) summary.__set_load(LoadAt(tablet, tablet.primary));
        for (const auto* holders : {&tablet.voters, &tablet.learners}) {
          for (const ServerName& holder : *holders) {
            if (!request.replicas) break;
            idl::ReplicaReport& replica = summary.replicas.emplace_back();
            replica.server = holder;
            replica.reported = !cluster_.away_.contains(holder);
            if (replica.reported) replica.__set_load(LoadAt(tablet, holder));
          }
        }
        all[tablet.id] = summary;
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

  FakeCluster& cluster_;
  const int index_;
};

std::shared_ptr<idl::MasterServiceCobSvIf> FakeCluster::Master(int index) {
  return std::make_shared<MasterHandler>(*this, index);
}
}  // namespace ebla::client::testing

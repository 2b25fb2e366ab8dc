#include "client/testing/fake_cluster.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>

#include "common/rpc/idl_convert.h"

namespace ebla::client::testing {

namespace {

template <class Reply>
using Cob = std::function<void(const Reply&)>;

}  // namespace

// ---- masters

class FakeCluster::MasterHandler final : public idl::MasterServiceCobSvNull {
 public:
  MasterHandler(FakeCluster& cluster, int index) : cluster_(cluster), index_(index) {}

  void describeTable(Cob<idl::DescribeTableReply> done, const idl::DescribeTableRequest& request) override {
    idl::DescribeTableReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
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
      std::lock_guard lock(cluster_.mutex_);
      ++cluster_.counts_.locates;
      if (Leads(reply.header)) Locate(request, reply);
    }
    done(reply);
  }

  void createTable(Cob<idl::CreateTableReply> done, const idl::CreateTableRequest& request) override {
    idl::CreateTableReply reply;
    bool create = false;
    {
      std::lock_guard lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        create = !cluster_.tables_.contains(request.name);
        if (!create) Refuse(reply.header, idl::Code::TABLE_EXISTS, "table \"" + request.name + "\" exists");
      }
    }
    if (create) {
      cluster_.AddTable(request.name, request.splitPoints);
      std::lock_guard lock(cluster_.mutex_);
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
      std::lock_guard lock(cluster_.mutex_);
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
      std::lock_guard lock(cluster_.mutex_);
      if (Leads(reply.header) && Exists(request.name, reply.header)) cluster_.tables_.erase(request.name);
    }
    done(reply);
  }

  void listTables(Cob<idl::ListTablesReply> done, const idl::ListTablesRequest&) override {
    idl::ListTablesReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        for (const auto& [name, table] : cluster_.tables_) reply.tables.push_back(cluster_.Summary(table));
      }
    }
    done(reply);
  }

  void listServers(Cob<idl::ListServersReply> done, const idl::ListServersRequest&) override {
    idl::ListServersReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      if (Leads(reply.header)) {
        for (const ServerName& name : cluster_.servers_) {
          idl::ServerSummary server;
          server.name = name;
          server.endpoint = rpc::ToIdl(cluster_.endpoints_[name]);
          server.incarnation = 1;
          server.sinceHeartbeatMs = 12;
          reply.servers.push_back(server);
        }
      }
    }
    done(reply);
  }

  void listTablets(Cob<idl::ListTabletsReply> done, const idl::ListTabletsRequest& request) override {
    idl::ListTabletsReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      if (Leads(reply.header) && (request.table.empty() || Exists(request.table, reply.header))) List(request, reply);
    }
    done(reply);
  }

  void clusterInfo(Cob<idl::ClusterInfoReply> done, const idl::ClusterInfoRequest&) override {
    idl::ClusterInfoReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      reply.clusterId = "fake";
      reply.term = 7;
      for (int i = 0; i < cluster_.masters_; ++i) {
        idl::MasterSummary master;
        master.name = "master-" + std::to_string(i + 1);
        master.endpoint = rpc::ToIdl(cluster_.master_endpoints_[static_cast<size_t>(i)]);
        master.leader = i == cluster_.leader_;
        reply.masters.push_back(master);
      }
      reply.liveServers = static_cast<int32_t>(cluster_.servers_.size());
      reply.tables = static_cast<int32_t>(cluster_.tables_.size());
    }
    done(reply);
  }

 private:
  static void Refuse(idl::MasterReplyHeader& header, idl::Code::type code, const std::string& message) {
    header.__set_code(code);
    header.__set_message(message);
  }
  bool Leads(idl::MasterReplyHeader& header) const {
    if (cluster_.leader_ == index_) return true;
    Refuse(header, idl::Code::NOT_PRIMARY, "this master is a standby");
    if (cluster_.leader_ >= 0 && cluster_.standbys_know_) {
      header.__set_leader(rpc::ToIdl(cluster_.master_endpoints_[static_cast<size_t>(cluster_.leader_)]));
    }
    return false;
  }
  bool Exists(const std::string& name, idl::MasterReplyHeader& header) const {
    if (cluster_.tables_.contains(name)) return true;
    Refuse(header, idl::Code::NO_SUCH_TABLE, "no table \"" + name + "\"");
    return false;
  }
  void Locate(const idl::LocateRequest& request, idl::LocateReply& reply) {
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
      idl::Replica replica;
      replica.server = tablet.primary;
      replica.endpoint = rpc::ToIdl(cluster_.endpoints_[tablet.primary]);
      replica.voter = true;
      location.replicas.push_back(replica);
      reply.tablets.push_back(location);
    }
    if (cluster_.routing_tells_time_) reply.__set_tabletTimeMs(cluster_.now_ms_());
  }
  void List(const idl::ListTabletsRequest& request, idl::ListTabletsReply& reply) {
    std::map<int64_t, idl::TabletSummary> all;
    for (const auto& [name, table] : cluster_.tables_) {
      if (!request.table.empty() && request.table != name) continue;
      for (const auto& [start, tablet] : table.tablets) {
        if (!request.server.empty() && request.server != tablet.primary) continue;
        idl::TabletSummary summary;
        summary.table = name;
        summary.info.tabletId = tablet.id;
        summary.info.tableId = table.id;
        summary.info.range = rpc::ToIdl(tablet.range);
        summary.info.epoch = tablet.epoch;
        summary.info.primary = tablet.primary;
        summary.info.voters = {tablet.primary};
        summary.info.state = idl::TabletState::SERVING;
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

// ---- tablet servers

class FakeCluster::ServerHandler final : public idl::TabletServiceCobSvNull {
 public:
  ServerHandler(FakeCluster& cluster, ServerName name) : cluster_(cluster), name_(std::move(name)) {}

  void get(Cob<idl::GetReply> done, const idl::GetRequest& request) override {
    idl::GetReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      ++cluster_.counts_.gets;
      cluster_.last_read_ = request.options;
      Table* table = nullptr;
      Tablet* tablet = nullptr;
      if (!cluster_.Refused(name_, request.header, request.key, reply.header, &table, &tablet)) {
        if (const Stored* stored = cluster_.Live(*table, request.key)) {
          reply.__set_record(cluster_.ToRecord(*stored));
        } else {
          reply.header.__set_code(idl::Code::NOT_FOUND);
        }
      }
    }
    done(reply);
  }

  void multiGet(Cob<idl::MultiGetReply> done, const idl::MultiGetRequest& request) override {
    idl::MultiGetReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      ++cluster_.counts_.multi_gets;
      Table* table = nullptr;
      Tablet* tablet = nullptr;
      int room = cluster_.multi_get_room_;
      if (!cluster_.Refused(name_, request.header, request.keys.front(), reply.header, &table, &tablet)) {
        for (const std::string& key : request.keys) {
          idl::MultiGetResult result;
          const Stored* stored = cluster_.Live(*table, key);
          if (cluster_.At(*table, key).primary != name_) {
            result.code = idl::Code::WRONG_TABLET;
          } else if (stored == nullptr) {
            result.code = idl::Code::NOT_FOUND;
          } else if (room-- <= 0) {
            result.code = idl::Code::OVERLOADED;
          } else {
            result.__set_record(cluster_.ToRecord(*stored));
          }
          reply.results.push_back(std::move(result));
        }
      }
    }
    done(reply);
  }

  void write(Cob<idl::WriteReply> done, const idl::WriteRequest& request) override {
    idl::WriteReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      ++cluster_.counts_.write_attempts;
      cluster_.write_log_.push_back(request);
      Table* table = nullptr;
      Tablet* tablet = nullptr;
      if (!cluster_.Refused(name_, request.header, request.writes.front().key, reply.header, &table, &tablet)) {
        cluster_.Execute(*table, *tablet, request, reply);
      }
      reply.header.__set_tabletTimeMs(cluster_.now_ms_());
    }
    done(reply);
  }

  void scan(Cob<idl::ScanReply> done, const idl::ScanRequest& request) override {
    idl::ScanReply reply;
    {
      std::lock_guard lock(cluster_.mutex_);
      ++cluster_.counts_.scans;
      Table* table = cluster_.ById(request.header.tableId);
      std::string key = request.range.startKey;
      if (request.reverse && table != nullptr) {
        // Whoever serves the last keys below the end.
        auto it = request.range.endKey.empty() ? table->tablets.end() : table->tablets.lower_bound(request.range.endKey);
        key = std::max(key, std::prev(it)->first);
      }
      Tablet* tablet = nullptr;
      if (!cluster_.Refused(name_, request.header, key, reply.header, &table, &tablet)) {
        cluster_.Scan(*table, *tablet, request, reply);
      }
    }
    done(reply);
  }

 private:
  FakeCluster& cluster_;
  const ServerName name_;
};

// ---- the model

FakeCluster::FakeCluster(std::function<int64_t()> now_ms, std::vector<ServerName> servers, int masters)
    : now_ms_(std::move(now_ms)),
      servers_(std::move(servers)),
      masters_(masters),
      master_endpoints_(static_cast<size_t>(masters)) {}
FakeCluster::~FakeCluster() = default;

std::shared_ptr<idl::MasterServiceCobSvIf> FakeCluster::Master(int index) {
  return std::make_shared<MasterHandler>(*this, index);
}
std::shared_ptr<idl::TabletServiceCobSvIf> FakeCluster::Server(const ServerName& name) {
  return std::make_shared<ServerHandler>(*this, name);
}
void FakeCluster::SetEndpoint(const ServerName& server, rpc::Endpoint endpoint) {
  std::lock_guard lock(mutex_);
  endpoints_[server] = std::move(endpoint);
}
void FakeCluster::SetMasterEndpoint(int index, rpc::Endpoint endpoint) {
  std::lock_guard lock(mutex_);
  master_endpoints_[static_cast<size_t>(index)] = std::move(endpoint);
}

int64_t FakeCluster::AddTable(const std::string& name, const std::vector<std::string>& split_points) {
  std::lock_guard lock(mutex_);
  Table table;
  table.id = NextId();
  table.name = name;
  table.options.__set_replicas(1);
  std::string start;
  for (size_t i = 0; i <= split_points.size(); ++i) {
    const std::string end = i < split_points.size() ? split_points[i] : "";
    table.tablets[start] = {NextId(), {start, end}, 1, servers_[i % servers_.size()]};
    start = end;
  }
  const int64_t id = table.id;
  tables_[name] = std::move(table);
  return id;
}

void FakeCluster::DropTable(const std::string& name) {
  std::lock_guard lock(mutex_);
  tables_.erase(name);
}

void FakeCluster::Split(const std::string& table, const std::string& key) {
  std::lock_guard lock(mutex_);
  Table& where = ByName(table);
  Tablet& left = At(where, key);
  if (left.range.start == key) return;
  Tablet right{NextId(), {key, left.range.end}, left.epoch, left.primary};
  left.range.end = key;
  where.tablets[key] = std::move(right);
}

void FakeCluster::Merge(const std::string& table, const std::string& key) {
  std::lock_guard lock(mutex_);
  Table& where = ByName(table);
  Tablet left = At(where, key);
  if (left.range.end.empty()) return;
  const Tablet right = where.tablets.at(left.range.end);
  where.tablets.erase(right.range.start);
  where.tablets[left.range.start] = {NextId(), {left.range.start, right.range.end},
                                     std::max(left.epoch, right.epoch) + 1, left.primary};
}

void FakeCluster::Move(const std::string& table, const std::string& key, const ServerName& to) {
  std::lock_guard lock(mutex_);
  Tablet& tablet = At(ByName(table), key);
  tablet.primary = to;
  ++tablet.epoch;
}

void FakeCluster::Put(const std::string& table, const std::string& key, const std::string& value) {
  std::lock_guard lock(mutex_);
  idl::Version version;
  version.epoch = 1;
  version.lsn = ++next_lsn_;
  ByName(table).data[key] = {value, version, 0};
}

FakeCluster::Tablet FakeCluster::Find(const std::string& table, const std::string& key) const {
  std::lock_guard lock(mutex_);
  return const_cast<FakeCluster*>(this)->At(ByName(table), key);
}

std::vector<FakeCluster::Tablet> FakeCluster::Tablets(const std::string& table) const {
  std::lock_guard lock(mutex_);
  std::vector<Tablet> tablets;
  for (const auto& [start, tablet] : ByName(table).tablets) tablets.push_back(tablet);
  return tablets;
}

std::map<std::string, std::string> FakeCluster::Data(const std::string& table) const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::string> data;
  for (const auto& [key, stored] : ByName(table).data) data[key] = stored.value;
  return data;
}

void FakeCluster::AnswerNext(const ServerName& server, idl::Code::type code, int times, int retry_after_ms) {
  std::lock_guard lock(mutex_);
  for (int i = 0; i < times; ++i) faults_[server].push_back({code, retry_after_ms});
}
void FakeCluster::SetHints(bool with_hints) {
  std::lock_guard lock(mutex_);
  hints_ = with_hints;
}
void FakeCluster::SetLeader(int index) {
  std::lock_guard lock(mutex_);
  leader_ = index;
}
void FakeCluster::SetStandbysKnowLeader(bool known) {
  std::lock_guard lock(mutex_);
  standbys_know_ = known;
}
void FakeCluster::SetServing(bool serving) {
  std::lock_guard lock(mutex_);
  serving_ = serving;
}
void FakeCluster::SetPageRows(int rows) {
  std::lock_guard lock(mutex_);
  page_rows_ = rows;
}
void FakeCluster::SetWindow(int64_t oldest_ms) {
  std::lock_guard lock(mutex_);
  oldest_ms_ = oldest_ms;
}
void FakeCluster::SetRoutingTellsTime(bool tells) {
  std::lock_guard lock(mutex_);
  routing_tells_time_ = tells;
}
void FakeCluster::SetMultiGetRoom(int records) {
  std::lock_guard lock(mutex_);
  multi_get_room_ = records;
}

FakeCluster::Counts FakeCluster::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}
std::vector<idl::WriteRequest> FakeCluster::write_log() const {
  std::lock_guard lock(mutex_);
  return write_log_;
}
idl::RequestHeader FakeCluster::last_header() const {
  std::lock_guard lock(mutex_);
  return last_header_;
}
idl::ReadOptions FakeCluster::last_read() const {
  std::lock_guard lock(mutex_);
  return last_read_;
}

FakeCluster::Table* FakeCluster::ById(int64_t id) {
  for (auto& [name, table] : tables_) {
    if (table.id == id) return &table;
  }
  return nullptr;
}

FakeCluster::Table& FakeCluster::ByName(const std::string& name) const {
  const auto found = tables_.find(name);
  CHECK(found != tables_.end()) << "the test names a table that it did not make: " << name;
  return found->second;
}

FakeCluster::Tablet& FakeCluster::At(Table& table, const std::string& key) {
  return std::prev(table.tablets.upper_bound(key))->second;
}

idl::TableSummary FakeCluster::Summary(const Table& table) const {
  idl::TableSummary summary;
  summary.schema.tableId = table.id;
  summary.schema.name = table.name;
  summary.schema.schemaVersion = 1;
  summary.schema.options = table.options;
  summary.tablets = static_cast<int32_t>(table.tablets.size());
  summary.tabletsServing = serving_ ? summary.tablets : 0;
  summary.records = static_cast<int64_t>(table.data.size());
  return summary;
}

bool FakeCluster::Refused(const ServerName& server, const idl::RequestHeader& request, const std::string& key,
                          idl::ReplyHeader& reply, Table** table, Tablet** tablet) {
  last_header_ = request;
  const auto refuse = [&](idl::Code::type code, const std::string& message) {
    reply.__set_code(code);
    reply.__set_message(message);
    return true;
  };
  std::deque<Fault>& faults = faults_[server];
  if (!faults.empty()) {
    const Fault fault = faults.front();
    faults.pop_front();
    if (fault.retry_after_ms > 0) reply.__set_retryAfterMs(fault.retry_after_ms);
    return refuse(fault.code, "a fault that the test ordered");
  }
  *table = ById(request.tableId);
  if (*table == nullptr) return refuse(idl::Code::NO_SUCH_TABLE, "no such table here");
  *tablet = &At(**table, key);
  if ((*tablet)->primary != server) {
    ++counts_.wrong_place;
    if (hints_) {
      idl::Hint hint;
      hint.tabletId = (*tablet)->id;
      hint.range = rpc::ToIdl((*tablet)->range);
      hint.epoch = (*tablet)->epoch;
      hint.primary = (*tablet)->primary;
      hint.__set_endpoint(rpc::ToIdl(endpoints_[(*tablet)->primary]));
      reply.__set_hint(hint);
    }
    return refuse(idl::Code::WRONG_TABLET, "not here");
  }
  idl::Version applied;
  applied.epoch = (*tablet)->epoch;
  applied.lsn = next_lsn_;
  reply.__set_applied(applied);
  if (request.tabletId != (*tablet)->id || request.epoch != (*tablet)->epoch) {
    reply.__set_tabletId((*tablet)->id);
    reply.__set_epoch((*tablet)->epoch);
    reply.__set_range(rpc::ToIdl((*tablet)->range));
  }
  return false;
}

const FakeCluster::Stored* FakeCluster::Live(const Table& table, const std::string& key) const {
  const auto found = table.data.find(key);
  if (found == table.data.end()) return nullptr;
  const bool expired = found->second.expires_ms > 0 && found->second.expires_ms <= now_ms_();
  return expired ? nullptr : &found->second;
}

idl::Record FakeCluster::ToRecord(const Stored& stored) const {
  idl::Record record;
  record.value = stored.value;
  record.version = stored.version;
  if (stored.expires_ms > 0) record.__set_expiresAtMs(stored.expires_ms);
  return record;
}

bool FakeCluster::ConditionHolds(const Table& table, const idl::Write& write) const {
  if (!write.__isset.condition) return true;
  const Stored* stored = Live(table, write.key);
  switch (write.condition.kind) {
    case idl::ConditionKind::ABSENT: return stored == nullptr;
    case idl::ConditionKind::EXISTS: return stored != nullptr;
    case idl::ConditionKind::VERSION_IS: return stored != nullptr && stored->version == write.condition.version;
  }
  return false;
}

bool FakeCluster::ExecuteOne(Table& table, const idl::Write& write, const idl::Version& version, idl::WriteReply& reply) {
  const int64_t expires = write.__isset.ttlMs && write.ttlMs > 0 ? now_ms_() + write.ttlMs : 0;
  switch (write.kind) {
    case idl::WriteKind::PUT:
      table.data[write.key] = {write.value, version, expires};
      return true;
    case idl::WriteKind::DELETE:
      table.data.erase(write.key);
      return true;
    case idl::WriteKind::CHECK:
      return true;
    case idl::WriteKind::INCREMENT: {
      int64_t sum = 0;
      if (const Stored* stored = Live(table, write.key)) {
        const char* end = stored->value.data() + stored->value.size();
        const auto parsed = std::from_chars(stored->value.data(), end, sum);
        if (parsed.ec != std::errc() || parsed.ptr != end) return false;
      }
      sum += write.delta;
      table.data[write.key] = {std::to_string(sum), version, expires};
      reply.counters.push_back(sum);
      reply.__isset.counters = true;
      return true;
    }
  }
  return false;
}

void FakeCluster::Execute(Table& table, const Tablet& tablet, const idl::WriteRequest& request, idl::WriteReply& reply) {
  const std::pair id{request.clientId, request.sequence};
  if (const auto found = answered_.find(id); found != answered_.end()) {
    reply = found->second;
    return;
  }
  const auto fail = [&](idl::Code::type code, const std::string& message, size_t index) {
    reply.header.__set_code(code);
    reply.header.__set_message(message);
    reply.__set_failedIndex(static_cast<int32_t>(index));
    answered_[id] = reply;
  };
  if (!request.header.__isset.tabletTimeMs) {
    reply.header.__set_code(idl::Code::COME_AGAIN);
    reply.header.__set_message("a write needs a tablet time");
    return;
  }
  if (request.header.tabletTimeMs < oldest_ms_) {
    reply.header.__set_code(idl::Code::UNKNOWN_OUTCOME);
    reply.header.__set_message("older than the window");
    return;
  }
  for (size_t i = 0; i < request.writes.size(); ++i) {
    if (!tablet.range.Contains(request.writes[i].key)) {
      return fail(idl::Code::INVALID_ARGUMENT, "the batch spans tablets", i);
    }
    if (!ConditionHolds(table, request.writes[i])) {
      return fail(idl::Code::CONDITION_FAILED, "the condition does not hold", i);
    }
  }
  idl::Version version;
  version.epoch = tablet.epoch;
  version.lsn = ++next_lsn_;
  for (size_t i = 0; i < request.writes.size(); ++i) {
    if (!ExecuteOne(table, request.writes[i], version, reply)) {
      return fail(idl::Code::INVALID_ARGUMENT, "the value is not a decimal number", i);
    }
  }
  ++counts_.writes_executed;
  reply.__set_version(version);
  reply.header.__set_applied(version);
  answered_[id] = reply;
}

void FakeCluster::Scan(Table& table, const Tablet& tablet, const idl::ScanRequest& request, idl::ScanReply& reply) {
  const KeyRange wanted = rpc::FromIdl(request.range);
  const KeyRange here = wanted.Intersect(tablet.range);
  std::vector<std::string> keys;
  for (const auto& [key, stored] : table.data) {
    if (here.Contains(key)) keys.push_back(key);
  }
  if (request.reverse) std::ranges::reverse(keys);
  const int limit = request.limit > 0 ? std::min(request.limit, page_rows_) : page_rows_;
  KeyRange remaining = wanted;
  for (const std::string& key : keys) {
    if (static_cast<int>(reply.records.size()) == limit) {
      reply.remaining = rpc::ToIdl(remaining);
      return;
    }
    idl::ScanRecord record;
    record.key = key;
    record.record = ToRecord(table.data.at(key));
    if (request.keysOnly) record.record.value.clear();
    reply.records.push_back(record);
    (request.reverse ? remaining.end : remaining.start) = request.reverse ? key : KeyAfter(key);
  }
  // This tablet is done; the next one's part remains.
  if (request.reverse) {
    remaining.end = here.start;
    reply.done = here.start.empty() || here.start <= wanted.start;
  } else {
    remaining.start = here.end;
    reply.done = here.end.empty() || here.end == wanted.end;
  }
  if (reply.done) remaining = KeyRange{"x", "x"};
  reply.remaining = rpc::ToIdl(remaining);
}

}  // namespace ebla::client::testing

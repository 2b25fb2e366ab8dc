#include "client/testing/fake_cluster.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>

#include "common/base/crc32.h"
#include "common/base/mutex.h"
#include "common/rpc/idl_convert.h"

namespace ebla::client::testing {

namespace {

constexpr int64_t kWindowMs = 600'000;  // for which writes are remembered

}  // namespace

// ---- the model

FakeCluster::FakeCluster(std::function<int64_t()> now_ms, std::vector<ServerName> servers, int masters)
    : now_ms_(std::move(now_ms)),
      servers_(std::move(servers)),
      masters_(masters),
      master_endpoints_(static_cast<size_t>(masters)) {}
FakeCluster::~FakeCluster() = default;

void FakeCluster::SetEndpoint(const ServerName& server, rpc::Endpoint endpoint) {
  MutexLock lock(mutex_);
  endpoints_[server] = std::move(endpoint);
}
void FakeCluster::SetMasterEndpoint(int index, rpc::Endpoint endpoint) {
  MutexLock lock(mutex_);
  master_endpoints_[static_cast<size_t>(index)] = std::move(endpoint);
}

int64_t FakeCluster::AddTable(const std::string& name, const std::vector<std::string>& split_points, size_t replicas) {
  MutexLock lock(mutex_);
  Table table;
  table.id = NextId();
  table.name = name;
  table.options.__set_replicas(static_cast<int32_t>(replicas));
  std::string start;
  for (size_t i = 0; i <= split_points.size(); ++i) {
    const std::string end = i < split_points.size() ? split_points[i] : "";
    Tablet tablet{NextId(), {start, end}, 1, servers_[i % servers_.size()], {}, {}};
    for (size_t r = 0; r < std::min(replicas, servers_.size()); ++r) {
      tablet.voters.push_back(servers_[(i + r) % servers_.size()]);
    }
    table.tablets[start] = std::move(tablet);
    start = end;
  }
  const int64_t id = table.id;
  tables_[name] = std::move(table);
  return id;
}

void FakeCluster::AddLearner(const std::string& table, const std::string& key, const ServerName& learner) {
  MutexLock lock(mutex_);
  At(ByName(table), key).learners.push_back(learner);
}

void FakeCluster::SetDefaultRead(const std::string& table, idl::ReadLevel::type level) {
  MutexLock lock(mutex_);
  ByName(table).options.__set_defaultReadLevel(level);
}

void FakeCluster::SetDefaultWrite(const std::string& table, idl::WriteLevel::type level) {
  MutexLock lock(mutex_);
  ByName(table).options.__set_defaultWriteLevel(level);
}

void FakeCluster::AddUnresolved(const ServerName& server, const std::string& table, idl::KeptWrite write) {
  MutexLock lock(mutex_);
  unresolved_[{server, ByName(table).id}].push_back(std::move(write));
}

void FakeCluster::SetRack(const ServerName& server, const std::string& rack) {
  MutexLock lock(mutex_);
  racks_[server] = rack;
}

void FakeCluster::DropTable(const std::string& name) {
  MutexLock lock(mutex_);
  tables_.erase(name);
}

void FakeCluster::Split(const std::string& table, const std::string& key) {
  MutexLock lock(mutex_);
  Table& where = ByName(table);
  Tablet& left = At(where, key);
  if (left.range.start == key) return;
  Tablet right = left;
  right.id = NextId();
  right.range = {key, left.range.end};
  left.range.end = key;
  left.split = true;
  where.tablets[key] = std::move(right);
}

void FakeCluster::Merge(const std::string& table, const std::string& key) {
  MutexLock lock(mutex_);
  Table& where = ByName(table);
  if (!At(where, key).range.end.empty()) Join(where, key);
}

FakeCluster::Tablet& FakeCluster::Join(Table& table, const std::string& key) {
  Tablet& joined = At(table, key);
  const Tablet right = table.tablets.at(joined.range.end);
  table.tablets.erase(right.range.start);
  joined.id = NextId();
  joined.range.end = right.range.end;
  joined.epoch = std::max(joined.epoch, right.epoch) + 1;
  return joined;
}

void FakeCluster::Move(const std::string& table, const std::string& key, const ServerName& to) {
  MutexLock lock(mutex_);
  Tablet& tablet = At(ByName(table), key);
  if (std::ranges::find(tablet.voters, to) == tablet.voters.end()) {
    std::ranges::replace(tablet.voters, tablet.primary, to);
  }
  tablet.primary = to;
  ++tablet.epoch;
}

void FakeCluster::Put(const std::string& table, const std::string& key, const std::string& value) {
  MutexLock lock(mutex_);
  idl::Version version;
  version.epoch = 1;
  version.lsn = ++next_lsn_;
  ByName(table).data[key] = {value, version, 0};
}

FakeCluster::Tablet FakeCluster::Find(const std::string& table, const std::string& key) const {
  MutexLock lock(mutex_);
  return const_cast<FakeCluster*>(this)->At(ByName(table), key);
}

std::vector<FakeCluster::Tablet> FakeCluster::Tablets(const std::string& table) const {
  MutexLock lock(mutex_);
  std::vector<Tablet> tablets;
  for (const auto& [start, tablet] : ByName(table).tablets) tablets.push_back(tablet);
  return tablets;
}

std::map<std::string, std::string> FakeCluster::Data(const std::string& table) const {
  MutexLock lock(mutex_);
  std::map<std::string, std::string> data;
  for (const auto& [key, stored] : ByName(table).data) data[key] = stored.value;
  return data;
}

void FakeCluster::AnswerNext(const ServerName& server, idl::Code::type code, int times, int retry_after_ms,
                             const std::string& message) {
  MutexLock lock(mutex_);
  for (int i = 0; i < times; ++i) faults_[server].push_back({code, retry_after_ms, message});
}
void FakeCluster::Lag(const ServerName& server) {
  MutexLock lock(mutex_);
  Lagging& lagging = lagging_[server];
  lagging.lsn = next_lsn_;
  for (const auto& [name, table] : tables_) lagging.data[table.id] = table.data;
}
void FakeCluster::CatchUp(const ServerName& server) {
  MutexLock lock(mutex_);
  lagging_.erase(server);
}
void FakeCluster::LoseWrite(const Version& version) {
  MutexLock lock(mutex_);
  lost_.push_back(version);
}
void FakeCluster::SetHints(bool with_hints) {
  MutexLock lock(mutex_);
  hints_ = with_hints;
}
void FakeCluster::SetLeader(int index) {
  MutexLock lock(mutex_);
  leader_ = index;
}
void FakeCluster::SetStandbysKnowLeader(bool known) {
  MutexLock lock(mutex_);
  standbys_know_ = known;
}
void FakeCluster::SetServing(bool serving) {
  MutexLock lock(mutex_);
  serving_ = serving;
}
void FakeCluster::SetPageRows(int rows) {
  MutexLock lock(mutex_);
  page_rows_ = rows;
}
void FakeCluster::SetWindow(int64_t oldest_ms) {
  MutexLock lock(mutex_);
  oldest_ms_ = oldest_ms;
}
void FakeCluster::SetClockBack(int64_t ms) {
  MutexLock lock(mutex_);
  back_ms_ = ms;
}
void FakeCluster::SetRoutingTellsTime(bool tells) {
  MutexLock lock(mutex_);
  routing_tells_time_ = tells;
}
void FakeCluster::SetRoutingTellsEach(bool each) {
  MutexLock lock(mutex_);
  routing_tells_each_ = each;
}
void FakeCluster::SetTabletClock(const std::string& table, const std::string& key, int64_t ahead_ms, bool told) {
  MutexLock lock(mutex_);
  Tablet& tablet = At(ByName(table), key);
  tablet.ahead_ms = ahead_ms;
  tablet.told = told;
}
void FakeCluster::SetMergesUnderWay(int times) {
  MutexLock lock(mutex_);
  merges_under_way_ = times;
}

void FakeCluster::SetTabletBytes(int64_t bytes) {
  MutexLock lock(mutex_);
  tablet_bytes_ = bytes;
}

void FakeCluster::SetMultiGetRoom(int records) {
  MutexLock lock(mutex_);
  multi_get_room_ = records;
}
void FakeCluster::SetMetered() {
  MutexLock lock(mutex_);
  metered_ = true;
}
void FakeCluster::SetVersions(std::vector<idl::ProcessVersion> versions) {
  MutexLock lock(mutex_);
  versions_ = std::move(versions);
}
void FakeCluster::SetProcedures(std::vector<idl::ProcedureSummary> procedures) {
  MutexLock lock(mutex_);
  procedures_ = std::move(procedures);
}

FakeCluster::Counts FakeCluster::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}
std::vector<idl::WriteRequest> FakeCluster::write_log() const {
  MutexLock lock(mutex_);
  return write_log_;
}
idl::RequestHeader FakeCluster::last_header() const {
  MutexLock lock(mutex_);
  return last_header_;
}
idl::ReadOptions FakeCluster::last_read() const {
  MutexLock lock(mutex_);
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
  summary.replicasLeast = std::min(table.options.replicas, static_cast<int32_t>(servers_.size()));
  summary.records = static_cast<int64_t>(table.data.size());
  return summary;
}

void FakeCluster::SetAway(const ServerName& server) {
  MutexLock lock(mutex_);
  away_.insert(server);
}
void FakeCluster::ServeAfter(int lists) {
  MutexLock lock(mutex_);
  serving_ = false;
  lists_until_serving_ = lists;
}
void FakeCluster::SetFailed(const ServerName& server) {
  MutexLock lock(mutex_);
  failed_.insert(server);
}
void FakeCluster::SetBarriersApplied(bool applied) {
  MutexLock lock(mutex_);
  barriers_applied_ = applied;
}
void FakeCluster::SetOrphan(const ServerName& server, int64_t tablet) {
  MutexLock lock(mutex_);
  orphans_[server].push_back(tablet);
}
void FakeCluster::Damage(const ServerName& server, const std::string& key) {
  MutexLock lock(mutex_);
  damaged_.insert({server, key});
}

bool FakeCluster::Fails(const ServerName& server, idl::ReplyHeader& reply) {
  std::deque<Fault>& faults = faults_[server];
  if (faults.empty()) return false;
  const Fault fault = std::move(faults.front());
  faults.pop_front();
  if (fault.retry_after_ms > 0) reply.__set_retryAfterMs(fault.retry_after_ms);
  reply.__set_code(fault.code);
  reply.__set_message(fault.message);
  return true;
}

// One record a page, so that whoever compares has to go on.
void FakeCluster::Sum(const ServerName& server, const idl::ChecksumRequest& request, idl::ChecksumReply& reply) {
  const Table* table = ById(request.header.tableId);
  if (table == nullptr) return reply.header.__set_code(idl::Code::WRONG_TABLET);
  const auto tablet = std::ranges::find_if(table->tablets, [&](const auto& start_and_tablet) {
    return start_and_tablet.second.id == request.header.tabletId;
  });
  if (tablet == table->tablets.end()) return reply.header.__set_code(idl::Code::WRONG_TABLET);
  const KeyRange& range = tablet->second.range;
  const auto lagging = lagging_.find(server);
  const Records& data = lagging == lagging_.end() ? table->data : lagging->second.data[table->id];
  reply.range = rpc::ToIdl(range);
  reply.appliedLsn = AppliedAt(server);
  reply.done = true;
  for (auto it = data.lower_bound(std::max(request.fromKey, range.start)); it != data.end(); ++it) {
    if (!range.Contains(it->first)) break;
    if (reply.records == 1) {
      reply.done = false;
      reply.nextKey = it->first;
      break;
    }
    ++reply.records;
    reply.bytes += static_cast<int64_t>(it->first.size() + it->second.value.size());
    reply.checksum = Crc32(it->second.value, Crc32(it->first)) + (damaged_.contains({server, it->first}) ? 1 : 0);
  }
}

int64_t FakeCluster::AppliedAt(const ServerName& server) const {
  const auto lagging = lagging_.find(server);
  return lagging == lagging_.end() ? next_lsn_ : lagging->second.lsn;
}

const Version* FakeCluster::LostOf(const idl::RequestHeader& request, const std::string& key) const {
  for (const idl::TokenRange& seen : request.token.ranges) {
    if (!rpc::FromIdl(seen.range).Contains(key)) continue;
    for (const Version& lost : lost_) {
      if (std::ranges::find(seen.pendingPrimary, rpc::ToIdl(lost)) != seen.pendingPrimary.end()) return &lost;
    }
  }
  return nullptr;
}

bool FakeCluster::FollowerServes(const ServerName& server, const idl::RequestHeader& request,
                                 const idl::ReadOptions* read, const Table& table, const std::string& key) const {
  if (read == nullptr) return false;
  const auto level = read->level == idl::ReadLevel::DEFAULT ? table.options.defaultReadLevel : read->level;
  switch (level) {
    case idl::ReadLevel::EVENTUAL: return true;
    case idl::ReadLevel::BOUNDED: return !lagging_.contains(server);
    case idl::ReadLevel::SESSION:
      return std::ranges::none_of(request.token.ranges, [&](const idl::TokenRange& seen) {
        mutex_.AssertHeld();
        if (!rpc::FromIdl(seen.range).Contains(key)) return false;
        int64_t needed = seen.applied.lsn;
        for (const idl::Version& own : seen.pendingPrimary) needed = std::max(needed, own.lsn);
        return needed > AppliedAt(server);
      });
    default: return false;
  }
}

bool FakeCluster::Refused(const ServerName& server, const idl::RequestHeader& request, const idl::ReadOptions* read,
                          const std::string& key, idl::ReplyHeader& reply, Served& served) {
  last_header_ = request;
  if (read != nullptr) last_read_ = *read;
  const auto refuse = [&](idl::Code::type code, const std::string& message) {
    reply.__set_code(code);
    reply.__set_message(message);
    return true;
  };
  Table* const table = served.table = ById(request.tableId);
  Tablet* const tablet = served.tablet = table == nullptr ? nullptr : &At(*table, key);
  idl::Version applied;
  applied.epoch = tablet == nullptr ? 0 : tablet->epoch;
  applied.lsn = AppliedAt(server);
  if (Fails(server, reply)) {
    if (reply.code == idl::Code::LOST_WRITE) reply.__set_applied(applied);
    return true;
  }
  if (table == nullptr) return refuse(idl::Code::NO_SUCH_TABLE, "no such table here");
  const bool follows =
      tablet->primary != server && (std::ranges::find(tablet->voters, server) != tablet->voters.end() ||
                                    std::ranges::find(tablet->learners, server) != tablet->learners.end());
  if (tablet->primary != server && !(follows && FollowerServes(server, request, read, *table, key))) {
    ++counts_.wrong_place;
    if (hints_) {
      idl::Hint hint;
      hint.tabletId = tablet->id;
      hint.range = rpc::ToIdl(tablet->range);
      hint.epoch = tablet->epoch;
      hint.primary = tablet->primary;
      hint.__set_endpoint(rpc::ToIdl(endpoints_[tablet->primary]));
      reply.__set_hint(hint);
    }
    return refuse(follows ? idl::Code::NOT_PRIMARY : idl::Code::WRONG_TABLET, "not here");
  }
  reply.__set_applied(applied);
  const bool in_session = read != nullptr && read->level == idl::ReadLevel::SESSION;
  if (const Version* lost = in_session ? LostOf(request, key) : nullptr) {
    return refuse(idl::Code::LOST_WRITE, "version " + lost->ToString() + " was rolled back by a failover");
  }
  const auto lagging = lagging_.find(server);
  served.data = lagging == lagging_.end() ? &table->data : &lagging->second.data[table->id];
  if (request.tabletId != tablet->id || request.epoch != tablet->epoch || tablet->split) {
    reply.__set_tabletId(tablet->id);
    reply.__set_epoch(tablet->epoch);
    reply.__set_range(rpc::ToIdl(tablet->range));
  }
  return false;
}

const FakeCluster::Stored* FakeCluster::Live(const Records& data, const std::string& key) const {
  const auto found = data.find(key);
  if (found == data.end()) return nullptr;
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
  const Stored* stored = Live(table.data, write.key);
  switch (write.condition.kind) {
    case idl::ConditionKind::ABSENT: return stored == nullptr;
    case idl::ConditionKind::EXISTS: return stored != nullptr;
    case idl::ConditionKind::VERSION_IS: return stored != nullptr && stored->version == write.condition.version;
  }
  return false;
}

bool FakeCluster::ExecuteOne(Table& table, const idl::Write& write, const idl::Version& version,
                             idl::WriteReply& reply) {
  const int64_t expires = write.__isset.ttlMs && write.ttlMs > 0 ? now_ms_() + write.ttlMs : 0;
  switch (write.kind) {
    case idl::WriteKind::PUT: table.data[write.key] = {write.value, version, expires}; return true;
    case idl::WriteKind::DELETE: table.data.erase(write.key); return true;
    case idl::WriteKind::CHECK: return true;
    case idl::WriteKind::INCREMENT: {
      int64_t sum = 0;
      if (const Stored* stored = Live(table.data, write.key)) {
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

void FakeCluster::Execute(Table& table, const Tablet& tablet, const idl::WriteRequest& request,
                          idl::WriteReply& reply) {
  const std::pair id{request.clientId, request.sequence};
  if (const auto found = answered_.find(id); found != answered_.end()) {
    idl::ReplyHeader header = std::exchange(reply, found->second).header;
    if (!reply.__isset.version) return;
    header.applied.epoch = tablet.epoch;  // by now it is applied, and by whoever leads now
    header.applied.lsn = next_lsn_;
    reply.header = std::move(header);
    return;
  }
  const auto fail = [&](idl::Code::type code, const std::string& message, size_t index) {
    mutex_.AssertHeld();
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
  if (request.header.tabletTimeMs > TimeOf(tablet)) {
    reply.header.__set_code(idl::Code::COME_AGAIN);
    reply.header.__set_message("the write's tablet time is later than the tablet's clock");
    reply.header.__set_retryAfterMs(1000);
    return;
  }
  if (request.header.tabletTimeMs < oldest_ms_ || request.header.tabletTimeMs + kWindowMs < TimeOf(tablet)) {
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
  idl::Version applied = version;
  if (request.level == idl::WriteLevel::PRIMARY) --applied.lsn;  // answered before it is
  reply.header.__set_applied(applied);
  answered_[id] = reply;
}

void FakeCluster::Scan(const Served& served, const idl::ScanRequest& request, idl::ScanReply& reply) {
  const KeyRange wanted = rpc::FromIdl(request.range);
  const KeyRange here = wanted.Intersect(served.tablet->range);
  std::vector<std::string> keys;
  for (const auto& [key, stored] : *served.data) {
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
    record.record = ToRecord(served.data->at(key));
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

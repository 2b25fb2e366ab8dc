#include "client/core/admin/admin_convert.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/idl_convert.h"
#include "ebla/level_names.h"

namespace ebla::client {
namespace {

// A number that the wire cannot hold becomes the nearest one that it can, which the master refuses as out of bounds;
// cut off, it could become a number that is fine.
template <class To, class From>
To Nearest(From number) {
  using Limits = std::numeric_limits<To>;
  if (std::cmp_less(number, Limits::min())) return Limits::min();
  if (std::cmp_greater(number, Limits::max())) return Limits::max();
  return static_cast<To>(number);
}

}  // namespace

std::string AddressOf(const idl::Endpoint& endpoint) {
  if (endpoint.host.empty() || endpoint.port <= 0) return {};
  return rpc::Endpoint{endpoint.host, static_cast<uint16_t>(endpoint.port)}.ToString();
}

idl::TableOptions ToIdl(const TableOptions& options) {
  idl::TableOptions out;
  if (options.replicas) out.__set_replicas(*options.replicas);
  if (options.compression) out.__set_compression(static_cast<idl::Compression::type>(*options.compression));
  if (options.durability) out.__set_durability(static_cast<idl::Durability::type>(*options.durability));
  if (options.interval) out.__set_intervalMs(Nearest<int32_t>(options.interval->count()));
  if (options.key_group) {
    idl::KeyGroup group;
    if (options.key_group->prefix_bytes) group.__set_prefixBytes(Nearest<int32_t>(*options.key_group->prefix_bytes));
    if (options.key_group->delimiter) group.__set_delimiter(std::string(1, *options.key_group->delimiter));
    if (options.key_group->all) group.__set_all(true);
    out.__set_keyGroup(group);
  }
  if (options.last_write_wins) out.__set_lastWriteWins(*options.last_write_wins);
  if (options.default_ack) out.__set_defaultWriteLevel(static_cast<idl::WriteLevel::type>(*options.default_ack));
  if (options.default_read) {
    out.__set_defaultReadLevel(static_cast<idl::ReadLevel::type>(options.default_read->level()));
    if (options.default_read->level() == Read::Level::kBounded) {
      out.__set_defaultBoundedMs(options.default_read->bound().count());
    }
  }
  if (options.default_ttl) out.__set_defaultTtlMs(options.default_ttl->count());
  if (options.split_bytes) out.__set_splitBytes(Nearest<int64_t>(*options.split_bytes));
  if (options.split_ops_per_second) out.__set_splitOpsPerSecond(Nearest<int64_t>(*options.split_ops_per_second));
  if (options.merge_bytes) out.__set_mergeBytes(Nearest<int64_t>(*options.merge_bytes));
  if (options.memory) out.__set_memory(*options.memory);
  if (options.eviction) out.__set_eviction(FormatEviction(*options.eviction));
  if (options.memory_limit) out.__set_memoryLimit(Nearest<int64_t>(*options.memory_limit));
  return out;
}

TableOptions FromIdl(const idl::TableOptions& options) {
  TableOptions out;
  const auto& set = options.__isset;
  using std::chrono::milliseconds;
  if (set.replicas) out.replicas = options.replicas;
  if (set.compression) out.compression = static_cast<TableCompression>(options.compression);
  if (set.durability) out.durability = static_cast<TableDurability>(options.durability);
  if (set.intervalMs) out.interval = milliseconds(options.intervalMs);
  if (set.keyGroup) {
    TableKeyGroup group;
    if (options.keyGroup.__isset.prefixBytes) group.prefix_bytes = static_cast<uint32_t>(options.keyGroup.prefixBytes);
    if (options.keyGroup.__isset.delimiter && !options.keyGroup.delimiter.empty()) {
      group.delimiter = options.keyGroup.delimiter.front();
    }
    group.all = options.keyGroup.__isset.all && options.keyGroup.all;
    if (group.prefix_bytes || group.delimiter || group.all) out.key_group = group;
  }
  if (set.lastWriteWins) out.last_write_wins = options.lastWriteWins;
  if (set.defaultWriteLevel) out.default_ack = static_cast<Ack>(options.defaultWriteLevel);
  if (set.defaultReadLevel) {
    switch (static_cast<Read::Level>(options.defaultReadLevel)) {
      case Read::Level::kDefault: out.default_read = Read(); break;
      case Read::Level::kStrong: out.default_read = Read::Strong(); break;
      case Read::Level::kSession: out.default_read = Read::InSession(); break;
      case Read::Level::kBounded: out.default_read = Read::Bounded(milliseconds(options.defaultBoundedMs)); break;
      case Read::Level::kEventual: out.default_read = Read::Eventual(); break;
    }
  }
  if (set.defaultTtlMs) out.default_ttl = milliseconds(options.defaultTtlMs);
  if (set.splitBytes) out.split_bytes = static_cast<uint64_t>(options.splitBytes);
  if (set.splitOpsPerSecond) out.split_ops_per_second = static_cast<uint64_t>(options.splitOpsPerSecond);
  if (set.mergeBytes) out.merge_bytes = static_cast<uint64_t>(options.mergeBytes);
  if (set.memory) out.memory = options.memory;
  if (set.eviction) out.eviction = EvictionNamed(options.eviction);
  if (set.memoryLimit) out.memory_limit = static_cast<uint64_t>(options.memoryLimit);
  return out;
}

TableInfo FromIdl(const idl::TableSummary& summary) {
  TableInfo info;
  info.name = summary.schema.name;
  info.id = TableId{static_cast<uint64_t>(summary.schema.tableId)};
  info.schema_version = static_cast<uint64_t>(summary.schema.schemaVersion);
  info.options = FromIdl(summary.schema.options);
  info.tablets = summary.tablets;
  info.tablets_serving = summary.tabletsServing;
  info.replicas_least = summary.replicasLeast;
  info.size_bytes = summary.sizeBytes;
  info.records = summary.records;
  info.reads_per_second = summary.readsPerSecond;
  info.writes_per_second = summary.writesPerSecond;
  for (const idl::MemoryTableUse& use : summary.memory) {
    info.memory.push_back({use.server, use.bytes, use.records, use.limitBytes, use.evicted, use.refused});
  }
  info.times_emptied = summary.timesEmptied;
  if (summary.emptiedAgeMs >= 0) info.since_emptied = std::chrono::milliseconds(summary.emptiedAgeMs);
  return info;
}

namespace {

constexpr int64_t kSilentMs = 1'000;  // a live follower answers within a heartbeat

TabletLoadInfo FromIdl(const idl::TabletLoad& load) {
  const bool found = load.__isset.splitFinding;
  return {.size_bytes = load.sizeBytes,
          .records = load.records,
          .reads_per_second = load.readsPerSecond,
          .writes_per_second = load.writesPerSecond,
          .read_bytes_per_second = load.readBytesPerSecond,
          .write_bytes_per_second = load.writeBytesPerSecond,
          .cpu_micros_per_second = load.cpuMicrosPerSecond,
          .leading = load.leading,
          .popular_key = load.splitFinding.popularKey,
          .popular_part = load.splitFinding.part,
          .barrier_applied = load.barrierApplied,
          .cache_misses_per_second = load.cacheMissesPerSecond,
          .peak_operations_per_second = load.peaks.operationsPerSecond,
          .peak_cpu_micros_per_second = load.peaks.cpuMicrosPerSecond,
          .peaks_of = std::chrono::milliseconds(std::max<int64_t>(0, load.peaks.coveredMs)),
          .split_finding = found ? static_cast<SplitFindingKind>(load.splitFinding.kind) : SplitFindingKind::kNotKnown,
          .split_key = load.splitFinding.key,
          .middle_key = load.splitFinding.middleKey};
}

ReplicaReport FromIdl(const idl::ReplicaReport& replica) {
  ReplicaReport out;
  out.server = replica.server;
  out.reported = replica.reported;
  out.known = replica.__isset.load;
  if (!out.known) return out;
  const idl::TabletLoad& load = replica.load;
  out.epoch = Epoch{static_cast<uint64_t>(load.epoch)};
  out.applied = static_cast<uint64_t>(load.appliedLsn);
  out.last = {Epoch{static_cast<uint64_t>(load.lastEpoch)}, Lsn{static_cast<uint64_t>(load.lastLsn)}};
  out.schema_version = static_cast<uint64_t>(load.schemaVersion);
  out.incomplete = load.incomplete;
  out.may_have_lost_writes = load.forgetful;
  out.lost = load.lost;
  out.failed = load.failed;
  out.damaged = load.damaged;
  out.differs_from = load.differsFrom;
  out.promised = Epoch{static_cast<uint64_t>(load.promisedEpoch)};
  out.primary = load.primary;
  for (const idl::ReplicaProgress& peer : load.peers) {
    ReplicaProgressInfo& progress = out.peers.emplace_back();
    progress.server = peer.server;
    progress.voter = peer.voter;
    progress.copying = peer.copying;
    progress.incomplete = peer.incomplete;
    progress.flushed = static_cast<uint64_t>(std::max<int64_t>(0, peer.flushedLsn));
    if (peer.silentMs >= 0) progress.silent = std::chrono::milliseconds(peer.silentMs);
  }
  out.load = FromIdl(load);
  return out;
}

}  // namespace

TabletSummary FromIdl(const idl::TabletSummary& summary) {
  TabletSummary out;
  out.id = TabletId{static_cast<uint64_t>(summary.info.tabletId)};
  out.table_id = TableId{static_cast<uint64_t>(summary.info.tableId)};
  out.table = summary.table;
  out.range = rpc::FromIdl(summary.info.range);
  out.epoch = Epoch{static_cast<uint64_t>(summary.info.epoch)};
  out.primary = summary.info.primary;
  out.voters = summary.info.voters;
  out.learners = summary.info.learners;
  out.status = static_cast<TabletStatus>(summary.info.state);
  if (summary.__isset.load) {
    out.load = FromIdl(summary.load);
    for (const idl::ReplicaProgress& peer : summary.load.peers) {
      if (!peer.incomplete && !peer.copying) continue;
      out.incomplete.push_back(peer.server);
      if (peer.silentMs < 0 || peer.silentMs >= kSilentMs) out.silent.push_back(peer.server);
    }
  }
  for (const idl::ReplicaReport& replica : summary.replicas) out.replicas.push_back(FromIdl(replica));
  return out;
}

namespace {

// All zero from a server of a build that does not tell it.
DiskInfo FromIdl(const idl::DiskReport& report) {
  using std::chrono::milliseconds;
  DiskInfo disk;
  disk.failure = report.failure;
  disk.slowest_sync = milliseconds(std::max<int64_t>(0, report.slowestSyncMs));
  disk.sync_under_way = milliseconds(std::max<int64_t>(0, report.syncUnderWayMs));
  disk.loss = report.loss;
  disk.lost_replicas = std::max(0, report.lostReplicas);
  disk.catalog_damage = report.catalogDamage;
  return disk;
}

}  // namespace

ServerSummary FromIdl(const idl::ServerSummary& summary) {
  ServerSummary out;
  out.name = summary.name;
  out.uuid = summary.uuid;
  out.address = AddressOf(summary.endpoint);
  out.http_address = AddressOf(summary.http);
  out.incarnation = Incarnation{static_cast<uint64_t>(summary.incarnation)};
  out.live = summary.state == idl::ServerState::LIVE;
  out.silent = summary.state == idl::ServerState::SILENT;
  if (summary.__isset.rack) out.rack = summary.rack;
  out.tablets = summary.tablets;
  out.leading = summary.leading;
  if (summary.sinceHeartbeatMs >= 0) out.since_heartbeat = std::chrono::milliseconds(summary.sinceHeartbeatMs);
  out.disk_free_bytes = summary.diskFreeBytes;
  out.disk_total_bytes = summary.diskTotalBytes;
  out.size_bytes = summary.sizeBytes;
  out.reads_per_second = summary.readsPerSecond;
  out.writes_per_second = summary.writesPerSecond;
  out.disk = FromIdl(summary.disk);
  out.writes_refused = summary.writesRefused && out.disk.failure.empty();
  out.insecure = summary.insecure;
  out.draining = summary.draining;
  out.maintenance = summary.maintenance;
  out.note = summary.note;
  out.cpu_fraction = summary.cpuFraction;
  out.cache_used_bytes = summary.cacheUsedBytes;
  for (const int64_t orphan : summary.strays) out.orphans.push_back(TabletId{static_cast<uint64_t>(orphan)});
  out.version = summary.version;
  using std::chrono::milliseconds;
  if (summary.__isset.disk && summary.disk.timeOfDayMs > 0)
    out.clock = {milliseconds(summary.clockAheadMs), milliseconds(summary.disk.clockDoubtMs), summary.disk.clockWaits};
  if (!summary.__isset.scrub) return out;
  ScrubInfo& scrub = out.scrub.emplace();
  scrub.period = milliseconds(std::max<int64_t>(0, summary.scrub.periodMs));
  scrub.age = milliseconds(std::max<int64_t>(0, summary.scrub.ageMs));
  if (summary.scrub.damageAgeMs >= 0) scrub.since_damage = milliseconds(summary.scrub.damageAgeMs);
  return out;
}

ClusterAdoption FromIdl(const idl::AdoptReply& reply) {
  ClusterAdoption adoption;
  adoption.reason = reply.reason;
  adoption.problems = reply.problems;
  adoption.notes = reply.notes;
  adoption.next_id = static_cast<uint64_t>(reply.nextId);
  adoption.next_id_then = static_cast<uint64_t>(reply.nextIdThen);
  for (const idl::AdoptedTable& table : reply.tables) {
    adoption.tables.push_back({table.schema.name, TableId{static_cast<uint64_t>(table.schema.tableId)},
                               static_cast<uint64_t>(table.schema.schemaVersion), table.known, table.tablets});
  }
  for (const idl::AdoptedTablet& tablet : reply.tablets) {
    idl::TabletSummary summary;
    summary.info = tablet.tablet;
    summary.table = tablet.table;
    adoption.tablets.push_back({FromIdl(summary), tablet.known, tablet.led, tablet.holders});
  }
  return adoption;
}

TabletRecovery FromIdl(const idl::RecoverTabletReply& reply) {
  TabletRecovery recovery;
  for (const idl::ReplicaState& replica : reply.replicas) {
    ReplicaSummary& summary = recovery.replicas.emplace_back();
    summary.server = replica.server;
    summary.voter = replica.voter;
    summary.live = replica.live;
    summary.reported = replica.reported;
    summary.known = replica.known;
    summary.last = rpc::FromIdl(replica.last);
    summary.applied = static_cast<uint64_t>(replica.appliedLsn);
    summary.incomplete = replica.incomplete;
    summary.may_have_lost_writes = replica.forgetful;
    summary.lost = replica.lost;
  }
  recovery.refusal = reply.refusal;
  recovery.chosen = reply.chosen;
  recovery.loss = reply.loss;
  return recovery;
}

namespace {

std::vector<PlannedAction> FromIdl(const std::vector<idl::PlannedAction>& actions) {
  std::vector<PlannedAction> out;
  for (const idl::PlannedAction& action : actions) {
    PlannedAction& planned = out.emplace_back();
    planned.rule = action.rule;
    planned.what = action.what;
    planned.reason = action.reason;
    planned.tablet = TabletId{static_cast<uint64_t>(std::max<int64_t>(0, action.tabletId))};
    if (action.ageMs >= 0) planned.age = std::chrono::milliseconds(action.ageMs);
    planned.outcome = action.outcome;
  }
  return out;
}

}  // namespace

PlannerState FromIdl(idl::BalanceReply reply) {
  PlannerState state;
  state.enabled = reply.enabled;
  if (reply.passAgeMs >= 0) state.since_pass = std::chrono::milliseconds(reply.passAgeMs);
  state.planned = FromIdl(reply.planned);
  state.under_way = FromIdl(reply.underWay);
  state.done = FromIdl(reply.done);
  for (const idl::RefusedAction& action : reply.refused) {
    if (action.cause == "waits") {
      state.waits_for = action.detail;
      continue;
    }
    state.refused.push_back({action.rule, action.cause,
                             TabletId{static_cast<uint64_t>(std::max<int64_t>(0, action.tabletId))}, action.server,
                             action.detail});
  }
  state.view = std::move(reply.view);
  return state;
}

Procedures FromIdl(const idl::ListProceduresReply& reply) {
  Procedures procedures;
  procedures.total = static_cast<size_t>(std::max<int64_t>(0, reply.total));
  for (const idl::ProcedureSummary& one : reply.procedures) {
    ProcedureInfo& info = procedures.listed.emplace_back();
    info.id = one.id;
    info.kind = one.kind;
    info.tablet = TabletId{static_cast<uint64_t>(std::max<int64_t>(0, one.tabletId))};
    if (one.__isset.range) info.range = rpc::FromIdl(one.range);
    info.table = one.table;
    info.server = one.server;
    info.from_server = one.fromServer;
    info.asked_by = one.askedBy <= idl::AskedBy::MASTER ? static_cast<AskedBy>(one.askedBy) : AskedBy::kUnknown;
    info.reason = one.reason;
    if (one.ageMs >= 0) info.age = std::chrono::milliseconds(one.ageMs);
    info.age_of_term = one.ageOfTerm;
    info.step = one.step;
    info.waits_for = one.waitsFor;
    info.cancellable = one.cancellable;
    info.cancel_note = one.cancelNote;
    info.done_units = one.doneUnits;
    info.all_units = one.allUnits;
    info.unit = one.unit;
  }
  return procedures;
}

std::vector<CompactionInfo> FromIdl(const idl::CompactTableReply& reply) {
  std::vector<CompactionInfo> servers;
  for (const idl::Compaction& one : reply.servers) {
    CompactionInfo& info = servers.emplace_back();
    info.server = one.server;
    info.running = one.running;
    info.outcome = Status(static_cast<Code>(one.code), one.message);
    if (one.ageMs >= 0) info.age = std::chrono::milliseconds(one.ageMs);
    info.bytes_before = one.bytesBefore;
    info.bytes_after = one.bytesAfter;
  }
  return servers;
}

ClusterInfo FromIdl(const idl::ClusterInfoReply& reply) {
  ClusterInfo info;
  info.cluster_id = reply.clusterId;
  info.term = static_cast<uint64_t>(reply.term);
  for (const idl::MasterSummary& master : reply.masters) {
    info.masters.push_back({master.name, AddressOf(master.endpoint), master.leader});
  }
  info.from_leader = reply.leading;
  info.live_servers = reply.liveServers;
  info.known_servers = reply.knownServers;
  info.safe_mode = reply.safeMode;
  info.copies = reply.copies;
  info.tables = reply.tables;
  info.tablets = reply.tablets;
  info.version = reply.version;
  if (reply.__isset.coordinatorAwayMs) info.coordinator_away = std::chrono::milliseconds(reply.coordinatorAwayMs);
  return info;
}

TabletPlace FromIdl(const idl::TabletLocation& location) {
  TabletPlace place;
  place.id = TabletId{static_cast<uint64_t>(location.tabletId)};
  place.range = rpc::FromIdl(location.range);
  place.epoch = Epoch{static_cast<uint64_t>(location.epoch)};
  place.primary = location.primary;
  for (const idl::Replica& replica : location.replicas) {
    if (replica.server == location.primary) place.primary_address = AddressOf(replica.endpoint);
    place.replicas.push_back({replica.server, AddressOf(replica.endpoint), replica.rack, replica.voter});
  }
  return place;
}

}  // namespace ebla::client

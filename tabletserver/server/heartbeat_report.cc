#include "tabletserver/server/heartbeat_report.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "common/coordination/node_codec.h"
#include "common/rpc/idl_convert.h"
#include "tabletserver/maintenance/replica_comparer.h"
#include "tabletserver/maintenance/scrubber.h"
#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/server/clock_guard.h"
#include "tabletserver/server/tabletserver_host.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"

namespace ebla::tabletserver {
namespace {

// Steps of changes of members, and new tablets, that hurry a heartbeat; there are as many moves of a drain at a time.
constexpr size_t kStepsHurriedMax = 16;

void FillReplication(const TabletView& view, MonotonicTime now, idl::TabletLoad& load) {
  load.promisedEpoch = static_cast<int64_t>(view.promised.value);
  load.barrierCommitted = view.barrier_committed;
  load.refusedForEpoch = static_cast<int64_t>(view.refused_for.value);
  load.releasedEpoch = static_cast<int64_t>(view.transferred_epoch.value);
  load.releasedTo = view.transferred_to;
  load.incomplete = view.incomplete;
  load.forgetful = view.may_have_lost_writes;
  load.lost = view.lost;
  load.primary = view.primary;
  if (view.schema != nullptr && view.schema->in_memory && !view.incomplete) load.__set_endKey(view.range.end);
  if (view.frozen_into) load.__set_frozenInto(static_cast<int64_t>(view.frozen_into.value));
  if (view.merged != nullptr) load.__set_merged(ToIdl(*view.merged));
  if (view.last_split != nullptr) load.__set_lastSplit(ToIdl(*view.last_split));
  for (const PeerProgress& peer : view.peers) {
    idl::ReplicaProgress& progress = load.peers.emplace_back();
    progress.server = peer.peer;
    progress.voter = peer.voter;
    progress.copying = peer.copying;
    progress.incomplete = peer.incomplete;
    progress.flushedLsn = static_cast<int64_t>(peer.flushed.value);
    progress.acknowledgedLsn = static_cast<int64_t>(peer.acknowledged.value);
    progress.silentMs = peer.heard == MonotonicTime{}
                            ? -1
                            : std::chrono::duration_cast<std::chrono::milliseconds>(now - peer.heard).count();
  }
}

// For a catalog that has forgotten the replica.
void Describe(const TabletView& view, idl::TabletLoad& load, std::map<TableId, idl::TableSchema>& schemas) {
  idl::ReplicaDetail detail;
  detail.tableId = static_cast<int64_t>(view.table.value);
  detail.range = rpc::ToIdl(view.range);
  load.__set_detail(detail);
  if (view.schema == nullptr) return;
  auto schema = coordination::DecodeNode<idl::TableSchema>(view.schema->encoded, "a replica's schema");
  if (!schema) return;
  idl::TableSchema& newest = schemas[view.table];
  if (newest.schemaVersion < schema->schemaVersion) newest = std::move(*schema);
}

}  // namespace

// ---- between heartbeats ---------------------------------------------------------------------------------------------

// A follower waits for its primary, also right after a start, but not for ever.
bool HeartbeatReport::PrimarySilent(const TabletHandle& handle, const TabletView& view, MonotonicTime now) const {
  if (view.role != RoleKind::kFollower) return false;
  const MonotonicTime heard{Duration(handle.heard_ns.load(std::memory_order_relaxed))};
  return now - std::max(heard, started_) > options_.suspect_after;
}

HeartbeatReport::Step HeartbeatReport::StepOf(const TabletView& view) {
  if (view.role != RoleKind::kPrimary) return {.epoch = view.epoch};
  const auto whole = std::ranges::count_if(view.peers, [](const PeerProgress& peer) {
    return peer.heard != MonotonicTime{} && !peer.copying && !peer.incomplete;
  });
  return {view.epoch, view.barrier_committed, static_cast<size_t>(whole)};
}

// The master should not learn a second later that tablets have lost their primary, that a new tablet serves, or that a
// step of a move is done, because clients and operators may wait for that. The next heartbeat tells of many at once (a
// failover, large tables).
void HeartbeatReport::Watch(std::function<void()> hurry) {
  hurry_ = std::move(hurry);
  LookAtTablets();
}

void HeartbeatReport::StopWatch() { ports_.control.Cancel(watch_); }

void HeartbeatReport::LookAtTablets() {
  const MonotonicTime now = ports_.control.Now();
  std::set<TabletId> silent;
  size_t steps = 0;
  for (const auto& handle : ports_.directory.snapshot()->All()) {
    const auto view = handle->view();
    if (view == nullptr) continue;
    if (PrimarySilent(*handle, *view, now)) silent.insert(handle->tablet);
    if (!view->barrier_committed || view->role != RoleKind::kPrimary) continue;
    const auto reported = last_reported_.find(handle->tablet);
    if (reported == last_reported_.end() || reported->second != StepOf(*view)) ++steps;
  }
  const bool more = !std::includes(silent_.begin(), silent_.end(), silent.begin(), silent.end());
  silent_ = std::move(silent);
  const bool stepped = steps > 0 && steps <= kStepsHurriedMax;
  if (more || stepped) hurry_();
  watch_ = ports_.control.After(options_.suspect_after / 7, [this] { LookAtTablets(); });
}

// ---- a heartbeat ----------------------------------------------------------------------------------------------------

void HeartbeatReport::Fill(idl::HeartbeatRequest& request) {
  const MonotonicTime now = ports_.control.Now();
  const TabletStore::Health health = ports_.store.health();
  const TabletStore::Damage damage = ports_.store.damage();
  request.server = options_.identity.name;
  request.incarnation = static_cast<int64_t>(options_.identity.incarnation.value);
  request.version = options_.build_version;
  request.storeFormat = options_.store_format;
  request.featureLevel = options_.features->own();
  request.insecure = options_.insecure;
  std::unordered_map<TabletId, LoadReport> loads;
  std::unordered_map<TabletId, Step> reported;
  std::map<TableId, idl::TableSchema> schemas;
  bool damaged = !damage.Empty();
  for (const auto& handle : ports_.directory.snapshot()->All()) {
    const auto view = handle->view();
    if (view == nullptr) continue;
    reported.emplace(handle->tablet, StepOf(*view));
    LoadReport& report = loads.emplace(handle->tablet, std::move(loads_[handle->tablet])).first->second;
    idl::TabletLoad& load = request.tablets.emplace_back();
    load.tabletId = static_cast<int64_t>(handle->tablet.value);
    load.epoch = static_cast<int64_t>(view->epoch.value);
    load.leading = view->role == RoleKind::kPrimary;
    load.sizeBytes = handle->size_bytes.load(std::memory_order_relaxed);
    load.records = handle->records.load(std::memory_order_relaxed);
    report.Fill(*handle, *view, now, peaks_of_, load);
    load.tabletTimeMs = load.leading ? static_cast<int64_t>(view->time.Now(now).value) : 0;
    load.barrierApplied = view->barrier_applied;
    load.appliedLsn = static_cast<int64_t>(view->applied.lsn.value);
    load.lastLsn = static_cast<int64_t>(view->last_appended.lsn.value);
    load.lastEpoch = static_cast<int64_t>(view->last_appended.epoch.value);
    load.schemaVersion = view->schema == nullptr ? 0 : view->schema->version;
    load.primarySilent = PrimarySilent(*handle, *view, now);
    FillReplication(*view, now, load);
    // once a dead store is started again its replicas are back
    load.failed = !view->failure.empty() && health.status.ok();
    ReplicaComparer::Verdict compared = ports_.comparer.Of(handle, *view);
    load.damaged = damage.Hits(handle->tablet, view->table) || compared.odd;
    load.differsFrom = std::move(compared.others);
    damaged |= load.damaged || !load.differsFrom.empty();
    load.damaged |= view->lost;  // a scrub has nothing to report, but it is made anew all the same
    if (request.described) Describe(*view, load, schemas);
  }
  for (auto& [table, schema] : schemas) request.schemas.push_back(std::move(schema));
  loads_ = std::move(loads);  // without the tablets that are gone
  last_reported_ = std::move(reported);
  for (const TableId table : ports_.store.Tables()) request.tables.push_back(static_cast<int64_t>(table.value));
  FillScrub(damaged, request);
  if (InMemoryStore* const memory = ports_.store.memory_tables()) {
    for (const MemoryUse& use : memory->Uses()) request.memoryTables.push_back(ToIdl(use));
  }
  FillDisk(health, request);
  request.cacheUsedBytes = health.cache_bytes;
  const double cpu = options_.cpu_seconds();
  const double seconds = std::chrono::duration<double>(now - reported_).count();
  if (seconds > 0) request.cpuFraction = (cpu - cpu_seconds_) / seconds;
  cpu_seconds_ = cpu;
  reported_ = now;
}

void HeartbeatReport::FillDisk(const TabletStore::Health& health, idl::HeartbeatRequest& request) const {
  const auto milliseconds = [](Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  request.diskFreeBytes = health.disk_free_bytes;
  request.diskTotalBytes = health.disk_total_bytes;
  // A master of an earlier build knows nothing else of a store that has failed.
  request.writesRefused = health.room != DiskRoom::kAll || !health.status.ok();
  idl::DiskReport disk;
  if (!health.status.ok()) disk.failure = health.status.message();
  disk.slowestSyncMs = milliseconds(health.syncs.slowest);
  disk.syncUnderWayMs = milliseconds(health.syncs.under_way);
  if (ports_.store.lost_replicas().loss()) disk.loss = tabletserver::Describe(*ports_.store.lost_replicas().loss());
  disk.lostReplicas = static_cast<int32_t>(std::ranges::count(request.tablets, true, &idl::TabletLoad::lost));
  FillClock(disk);
  disk.catalogDamage = options_.catalog_damage();
  request.__set_disk(disk);
}

void HeartbeatReport::FillClock(idl::DiskReport& report) const {
  const ClockGuard::State clock = ports_.clock.state();
  report.timeOfDayMs = clock.machine_ms;
  report.clockDoubtMs = clock.doubt_ms;
  report.clockWaits = static_cast<int32_t>(clock.waiting);
}

void HeartbeatReport::FillScrub(bool damaged, idl::HeartbeatRequest& request) {
  if (ports_.scrubber == nullptr) return;
  const auto milliseconds = [](Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  const MonotonicTime now = ports_.control.Now();
  if (damaged) damaged_ = now;
  idl::ScrubReport report;
  report.periodMs = milliseconds(options_.scrub.period);
  report.ageMs = milliseconds(ports_.scrubber->state().age);
  report.damageAgeMs = damaged_ ? milliseconds(now - *damaged_) : -1;
  request.__set_scrub(report);
}

}  // namespace ebla::tabletserver

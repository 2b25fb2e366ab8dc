#include "tabletserver/server/metrics.h"

#include <string>
#include <utility>

#include "common/http/metric_families.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = http::MetricFamilies;
using Labels = http::MetricLabels;

void AddOperations(const OperationStats& stats, Families& families) {
  std::array<OperationStats::Counts, kOperationNames.size()> counts;
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = stats.Read(static_cast<Operation>(i));
  MetricFamily& refused =
      families.Add("operations_refused_total",
                   "Operations answered with anything but OK, NOT_FOUND or CONDITION_FAILED.", MetricType::Counter);
  for (size_t i = 0; i < counts.size(); ++i) {
    Families::Put(refused, {{"operation", kOperationNames[i]}}, counts[i].refused);
  }
  MetricFamily& answered = families.Add(
      "operations_total", "Requests answered, by the level asked for and the answer's code.", MetricType::Counter);
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto& levels = static_cast<Operation>(i) == Operation::kWrite ? kWriteLevelNames : kReadLevelNames;
    for (size_t level = 0; level < levels.size(); ++level) {
      for (size_t code = 0; code < OperationStats::kCodes.size(); ++code) {
        const uint64_t answers = counts[i].answers[level][code];
        // Of what has never happened there is no series: there are 320 of them.
        if (answers == 0) continue;
        Families::Put(answered,
                      {{"operation", kOperationNames[i]},
                       {"level", levels[level]},
                       {"code", std::string(CodeName(OperationStats::kCodes[code]))}},
                      answers);
      }
    }
  }
  MetricFamily& seconds =
      families.Add("operation_seconds", "Time from a request's arrival to its reply.", MetricType::Histogram);
  for (size_t i = 0; i < counts.size(); ++i) {
    ClientMetric& metric = seconds.metric.emplace_back();
    metric.label = {{"operation", kOperationNames[i]}};
    metric.histogram.sample_count = counts[i].count;
    metric.histogram.sample_sum = counts[i].seconds;
    uint64_t cumulative = 0;
    for (size_t b = 0; b < OperationStats::kBucketMicros.size(); ++b) {
      cumulative += counts[i].buckets[b];
      metric.histogram.bucket.push_back({cumulative, static_cast<double>(OperationStats::kBucketMicros[b]) / 1e6});
    }
  }
}

// A table that has no schema here yet goes by its number.
std::string TableName(const TabletView& view) {
  if (view.schema != nullptr) {
    Result<std::string> name = NameOfTable(view.schema->encoded);
    if (name && !name->empty()) return *std::move(name);
  }
  return std::to_string(view.table.value);
}

void AddTablets(const TabletDirectory& directory, Families& families) {
  MetricFamily& reads = families.Add("tablet_reads_total", "Keys and pages read.", MetricType::Counter);
  MetricFamily writes{"ebla_tablet_writes_total", "Write requests.", MetricType::Counter, {}};
  MetricFamily bytes{"ebla_tablet_size_bytes", "Estimated size.", MetricType::Gauge, {}};
  MetricFamily records{"ebla_tablet_records", "Estimated records.", MetricType::Gauge, {}};
  MetricFamily pending{"ebla_tablet_pending_bytes", "Bytes logged and not yet applied.", MetricType::Gauge, {}};
  MetricFamily busy{"ebla_tablet_busy_seconds_total", "Time spent executing operations.", MetricType::Counter, {}};
  size_t leading = 0;
  size_t present = 0;
  for (const auto& handle : directory.snapshot()->All()) {
    const auto view = handle->view();
    if (view == nullptr) continue;
    ++present;
    if (view->role == RoleKind::kPrimary) ++leading;
    const Labels labels = {{"table", TableName(*view)}, {"tablet", std::to_string(handle->tablet.value)}};
    const LoadTotals totals = handle->load.totals();
    Families::Put(reads, labels, totals.reads);
    Families::Put(writes, labels, totals.writes);
    Families::Put(busy, labels, static_cast<double>(totals.busy_ns) / 1e9);
    Families::Put(bytes, labels, handle->size_bytes.load(std::memory_order_relaxed));
    Families::Put(records, labels, handle->records.load(std::memory_order_relaxed));
    Families::Put(pending, labels, view->pending_bytes);
  }
  for (MetricFamily* family : {&writes, &bytes, &records, &pending, &busy}) {
    families.Add(family->name.substr(5), family->help, family->type).metric = std::move(family->metric);
  }
  families.Gauge("tablets", "Replicas on this server.", present);
  families.Gauge("tablets_leading", "Replicas on this server that are primaries.", leading);
}

void AddStore(const TabletStore& store, uint64_t checkpoints, Families& families) {
  const TabletStore::Health health = store.health();
  families.Gauge("store_healthy", "1 unless the store has failed.", health.status.ok() ? 1 : 0);
  families.Gauge("store_writes_refused", "1 while free disk space is below the reserve.",
                 health.writes_refused ? 1 : 0);
  families.Gauge("store_disk_free_bytes", "Free space on the data directory's disk.", health.disk_free_bytes);
  families.Gauge("store_disk_total_bytes", "Size of the data directory's disk.", health.disk_total_bytes);
  families.Gauge("store_cache_bytes", "Bytes in the store's cache.", health.cache_bytes);
  families.Counter("store_cache_misses_total", "Pages read from disk.", health.cache_misses);
  families.Counter("store_flushes_total", "Flushes of the log, each for all writes that wait.", health.flushes);
  families.Counter("store_checkpoints_total", "Checkpoints finished.", checkpoints);
  families.Gauge("store_log_bytes", "Bytes logged since the last checkpoint.", store.LogBytesSinceCheckpoint());
}

void AddMemoryTables(const TabletStore& store, const TabletDirectory& directory, Families& families) {
  if (store.memory_tables() == nullptr) return;
  std::map<TableId, std::string> names;
  for (const auto& handle : directory.snapshot()->All()) {
    const auto view = handle->view();
    if (view != nullptr) names.try_emplace(handle->table, TableName(*view));
  }
  MetricFamily& bytes =
      families.Add("memory_table_bytes", "Memory that a table in memory takes on this server.", MetricType::Gauge);
  MetricFamily logs{"ebla_memory_table_log_bytes", "Of it, what its tablets' logs take.", MetricType::Gauge, {}};
  MetricFamily records{"ebla_memory_table_records", "Its records here.", MetricType::Gauge, {}};
  MetricFamily limit{
      "ebla_memory_table_limit_bytes", "Most that it may take here; 0: no limit.", MetricType::Gauge, {}};
  MetricFamily evicted{"ebla_memory_table_evicted_total",
                       "Records evicted for want of room, by tablets led here.",
                       MetricType::Counter,
                       {}};
  MetricFamily refused{"ebla_memory_table_refused_total", "Writes refused for want of room.", MetricType::Counter, {}};
  for (const MemoryUse& use : store.memory_tables()->Uses()) {
    const auto name = names.find(use.table);
    const Labels labels = {{"table", name == names.end() ? std::to_string(use.table.value) : name->second}};
    Families::Put(bytes, labels, use.bytes);
    Families::Put(logs, labels, use.log_bytes);
    Families::Put(records, labels, use.records);
    Families::Put(limit, labels, use.limit_bytes);
    Families::Put(evicted, labels, use.evicted);
    Families::Put(refused, labels, use.refused);
  }
  for (MetricFamily* family : {&logs, &records, &limit, &evicted, &refused}) {
    families.Add(family->name.substr(5), family->help, family->type).metric = std::move(family->metric);
  }
}

void AddScrub(const TabletStore& store, const Scrubber::State& scrub, const ReplicaComparer::State& compared,
              Families& families) {
  const TabletStore::Damage damage = store.damage();
  families.Counter("scrub_bytes_total", "Bytes of files that were read and checked for damage.", scrub.bytes);
  families.Counter("scrub_passes_total", "Passes over all files that were finished.", scrub.passes);
  families.Gauge("scrub_age_seconds", "Since the last finished pass began; before there was one, since the start.",
                 std::chrono::duration<double>(scrub.age).count());
  families.Gauge("store_damaged_tables", "Tables whose file here is damaged, and not yet made anew.",
                 damage.tables.size());
  families.Gauge("store_damaged_logs", "Tablets whose log here is damaged, and not yet made anew.", damage.logs.size());
  families.Counter("compare_pages_total", "Pages of replicas that were compared with another replica's, and are equal.",
                   compared.pages);
  families.Counter("compare_missed_total",
                   "Pages of replicas that could not be compared, and are left for the next pass.", compared.missed);
  families.Counter("compare_differences_total", "Differences of replicas that were seen twice.", compared.differences);
  families.Gauge("replicas_odd", "Replicas here that differ from the others, which agree, and are not yet made anew.",
                 compared.odd);
  families.Gauge("replicas_undecided", "Replicas here that differ from another, and nobody can tell which is right.",
                 compared.undecided);
}

void AddUnresolved(const TabletStore::Health& health, const HintDelivery::Figures& figures, Families& families) {
  families.Gauge("any_pending_entries", "Hinted writes (level ANY) not yet delivered.", health.hinted_entries);
  families.Gauge("any_pending_bytes", "Size of the hinted writes (level ANY) not yet delivered.", health.hinted_bytes);
  families.Gauge("undone_entries", "Rolled-back PRIMARY writes that are unresolved.", health.rolled_back_entries);
  families.Gauge("undone_bytes", "Size of the rolled-back PRIMARY writes that are unresolved.",
                 health.rolled_back_bytes);
  families.Gauge("conflict_records", "Hinted and rolled-back writes that wait for an operator.", figures.conflicts);
  families.Counter("delivered_total", "Hinted and rolled-back writes delivered to their primary.", figures.delivered);
  families.Counter("delivery_dropped_total", "Hinted and rolled-back writes dropped with their table.",
                   figures.dropped);
  families.Gauge("delivery_oldest_seconds", "Age of the oldest hinted or rolled-back write that is to be delivered.",
                 static_cast<double>(figures.oldest_age_ms) / 1000);
}

}  // namespace

std::vector<MetricFamily> TabletServerMetrics::Collect() const {
  Families families;
  AddOperations(server_.stats(), families);
  AddTablets(server_.directory(), families);
  AddStore(server_.store(), server_.checkpointer().finished(), families);
  AddMemoryTables(server_.store(), server_.directory(), families);
  AddScrub(server_.store(), server_.scrubber().state(), server_.comparer().state(), families);
  const ShardCounters& shards = server_.shard_counters();
  families.Gauge("overlay_bytes", "Bytes logged and not yet applied, of all tablets.", shards.unapplied_bytes.load());
  families.Counter("log_entries_total", "Entries appended to the logs of tablets.", shards.appended_entries.load());
  families.Counter("shard_rounds_total", "Rounds that the shards have run.", shards.rounds.load());
  families.Counter("writes_refused_total", "Writes refused because a limit or the disk was full.",
                   shards.writes_refused.load());
  AddUnresolved(server_.store().health(), server_.hint_delivery().figures(), families);
  families.Gauge("reads_waiting", "Reads that wait for a reader thread.", server_.readers().waiting());
  families.Gauge("loop_threads", "Threads that run the event loops at present.", loop_threads_.active());
  families.AddProcess("tabletserver", rpc_.Stats(), server_.refusals().count());
  families.AddCoordinator(coordinator_.away());
  return families.Take();
}

}  // namespace ebla::tabletserver

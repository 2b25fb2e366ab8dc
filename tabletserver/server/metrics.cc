#include "tabletserver/server/metrics.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "common/http/metric_families.h"
#include "tabletserver/service/translate.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"

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
        // Combinations that never happened have no series, because there are 320 of them.
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

// The figures of a tablet, and of a table's tablets here together.
struct TabletFigures {
  double reads = 0, writes = 0, busy_seconds = 0, bytes = 0, records = 0, pending_bytes = 0, tablets = 0;

  TabletFigures& operator+=(const TabletFigures& more) {
    reads += more.reads;
    writes += more.writes;
    busy_seconds += more.busy_seconds;
    bytes += more.bytes;
    records += more.records;
    pending_bytes += more.pending_bytes;
    tablets += more.tablets;
    return *this;
  }
};

TabletFigures FiguresOf(const TabletHandle& handle, const TabletView& view) {
  const LoadTotals totals = handle.load.totals();
  return {.reads = static_cast<double>(totals.reads),
          .writes = static_cast<double>(totals.writes),
          .busy_seconds = static_cast<double>(totals.busy_ns) / 1e9,
          .bytes = static_cast<double>(handle.size_bytes.load(std::memory_order_relaxed)),
          .records = static_cast<double>(handle.records.load(std::memory_order_relaxed)),
          .pending_bytes = static_cast<double>(view.pending_bytes),
          .tablets = 1};
}

// `of`: "tablet" or "table", which begins the names.
void AddFigures(const std::string& of, const std::vector<std::pair<Labels, TabletFigures>>& all, Families& families) {
  const auto add = [&](const std::string& name, const char* help, MetricType type, double TabletFigures::* value) {
    MetricFamily& family = families.Add(of + "_" + name, help, type);
    for (const auto& [labels, figures] : all) Families::Put(family, labels, figures.*value);
  };
  add("reads_total", "Keys and pages read.", MetricType::Counter, &TabletFigures::reads);
  add("writes_total", "Write requests.", MetricType::Counter, &TabletFigures::writes);
  add("size_bytes", "Estimated size.", MetricType::Gauge, &TabletFigures::bytes);
  add("records", "Estimated records.", MetricType::Gauge, &TabletFigures::records);
  add("pending_bytes", "Bytes logged and not yet applied.", MetricType::Gauge, &TabletFigures::pending_bytes);
  add("busy_seconds_total", "Time spent executing operations.", MetricType::Counter, &TabletFigures::busy_seconds);
}

// A counter of a table falls when a replica leaves this server, which Prometheus takes for a restart.
void AddTablets(const TabletDirectory& directory, bool each_tablet, Families& families) {
  std::map<std::string, TabletFigures> tables;
  std::vector<std::pair<Labels, TabletFigures>> tablets;
  size_t leading = 0;
  size_t present = 0;
  for (const auto& handle : directory.snapshot()->All()) {
    const auto view = handle->view();
    if (view == nullptr) continue;
    ++present;
    if (view->role == RoleKind::kPrimary) ++leading;
    const std::string table = TableName(*view);
    const TabletFigures figures = FiguresOf(*handle, *view);
    tables[table] += figures;
    if (each_tablet) tablets.push_back({{{"table", table}, {"tablet", std::to_string(handle->tablet.value)}}, figures});
  }
  std::vector<std::pair<Labels, TabletFigures>> sums;
  for (const auto& [table, figures] : tables) sums.push_back({{{"table", table}}, figures});
  AddFigures("table", sums, families);
  MetricFamily& replicas = families.Add("table_tablets", "Replicas of the table's tablets here.", MetricType::Gauge);
  for (const auto& [labels, figures] : sums) Families::Put(replicas, labels, figures.tablets);
  if (each_tablet) AddFigures("tablet", tablets, families);
  families.Gauge("tablets", "Replicas on this server.", present);
  families.Gauge("tablets_leading", "Replicas on this server that are primaries.", leading);
}

void AddStore(const TabletStore& store, uint64_t checkpoints, Families& families) {
  const TabletStore::Health health = store.health();
  families.Gauge("store_healthy", "1 unless the store has failed.", health.status.ok() ? 1 : 0);
  families.Gauge("store_writes_refused", "1 while free disk space is below the reserve, and only deletes pass.",
                 health.room == DiskRoom::kAll ? 0 : 1);
  families.Gauge("store_disk_free_bytes", "Free space on the data directory's disk.", health.disk_free_bytes);
  families.Gauge("store_disk_total_bytes", "Size of the data directory's disk.", health.disk_total_bytes);
  families.Gauge("store_cache_bytes", "Bytes in the store's cache.", health.cache_bytes);
  families.Counter("store_cache_misses_total", "Pages read from disk.", health.cache_misses);
  families.Gauge("store_buffer_bytes", "Applied writes of sorted tables that are in no file yet.", health.buffer_bytes);
  families.Gauge("store_runs", "Runs of all sorted tables.", health.runs);
  families.Gauge("store_run_filter_bytes", "Memory of the filters of these runs.", health.filter_bytes);
  families.Gauge("store_merge_bytes_left", "Bytes that merges of runs under way still have to read.",
                 health.merge_bytes_left);
  families.Gauge("store_slowest_sync_seconds",
                 "Slowest sync of the log that ended in the last 30 seconds, or the present one so far.",
                 std::chrono::duration<double>(std::max(health.syncs.slowest, health.syncs.under_way)).count());
  families.Counter("store_flushes_total", "Flushes of the log, each for all writes that wait.", health.flushes);
  families.Counter("store_checkpoints_total", "Checkpoints finished.", checkpoints);
  families.Gauge("store_log_bytes", "Bytes logged since the last checkpoint.", store.health().log_bytes);
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
  MetricFamily logs{
      "ebla_memory_table_log_bytes", "Part of that memory that its tablets' logs take.", MetricType::Gauge, {}};
  MetricFamily records{"ebla_memory_table_records", "Records of the table on this server.", MetricType::Gauge, {}};
  MetricFamily limit{
      "ebla_memory_table_limit_bytes", "Most memory that the table may take here; 0: no limit.", MetricType::Gauge, {}};
  MetricFamily evicted{"ebla_memory_table_evicted_total",
                       "Records evicted because the table was full, by primaries on this server.",
                       MetricType::Counter,
                       {}};
  MetricFamily refused{
      "ebla_memory_table_refused_total", "Writes refused because the table was full.", MetricType::Counter, {}};
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
  families.Gauge("replicas_odd",
                 "Replicas here that differ from the other replicas, which agree, and that are not yet copied again.",
                 compared.odd);
  families.Gauge("replicas_undecided",
                 "Replicas here that differ from another one, when no majority shows which is right.",
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

void AddStalls(const rpc::StallWatch& watch, Families& families) {
  const auto add = [&, all = watch.figures()](const char* name, const char* help, const auto& value) {
    MetricFamily& family = families.Add(name, help, MetricType::Counter);
    for (const rpc::StallWatch::Figures& one : all) Families::Put(family, {{"loop", one.loop}}, value(one));
  };
  add("loop_stalls_total", "How often a loop or a shard was held up for 100 ms or more; the log names the function.",
      [](const auto& one) { return one.stalls; });
  add("loop_stalled_seconds_total", "Time for which a loop or a shard was held up, in stalls of 100 ms or more.",
      [](const auto& one) { return std::chrono::duration<double>(one.stalled).count(); });
}

}  // namespace

std::vector<MetricFamily> TabletServerMetrics::Collect() const {
  Families families;
  AddOperations(server_.stats(), families);
  AddTablets(server_.directory(), each_tablet_(), families);
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
  AddStalls(stalls_, families);
  families.AddProcess("tabletserver", rpc_.Stats(), server_.refusals().count());
  families.AddCoordinator(coordinator_.away());
  return families.Take();
}

}  // namespace ebla::tabletserver

#include "master/host/metrics.h"

#include "common/base/mutex.h"
#include "common/http/metric_families.h"

namespace ebla::master {
namespace {

prometheus::MetricFamily Family(std::string name, std::string help, prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {std::move(name), std::move(help), type, {std::move(metric)}};
}

// Numbers of one name that differ in their labels.
class Labelled {
 public:
  Labelled(std::string name, std::string help, prometheus::MetricType type)
      : family_{std::move(name), std::move(help), type, {}} {}

  void Add(std::vector<prometheus::ClientMetric::Label> labels, double value) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    (family_.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  }
  prometheus::MetricFamily Take() { return std::move(family_); }

 private:
  prometheus::MetricFamily family_;
};

constexpr auto Number = [](auto count) { return static_cast<double>(count); };

using Samples = std::vector<std::pair<http::MetricLabels, double>>;

// Under its name with "_total", which Prometheus asks of a counter, and under the name of before, as a gauge, because
// dashboards of operators know that one.
void AddCounter(const std::string& name, const std::string& help, const Samples& samples,
                std::vector<prometheus::MetricFamily>& families) {
  using enum prometheus::MetricType;
  Labelled total("ebla_" + name + "_total", help, Counter);
  Labelled before("ebla_" + name, "Deprecated: ebla_" + name + "_total has the same numbers.", Gauge);
  for (const auto& [labels, value] : samples) {
    total.Add(labels, value);
    before.Add(labels, value);
  }
  families.push_back(total.Take());
  families.push_back(before.Take());
}

// Figures of the planner in this master's term.
void AddPlanner(const MasterStats& stats, std::vector<prometheus::MetricFamily>& families) {
  using enum prometheus::MetricType;
  const PlannerCounts& counts = stats.planner;
  families.push_back(
      Family("ebla_master_planner_on", "1 while the planner's plans are carried out.", Gauge, stats.planner_on));
  AddCounter("planner_passes", "Passes of the planner over the cluster.", {{{}, Number(counts.passes)}}, families);
  AddCounter("planner_passes_put_off", "Passes that were due but not made, for example in safe mode.",
             {{{}, Number(counts.put_off)}}, families);
  AddCounter("planner_pass_seconds", "Time that all passes took.", {{{}, counts.pass_seconds}}, families);
  families.push_back(Family("ebla_master_planner_last_pass_seconds", "Time that the latest pass took.", Gauge,
                            counts.last_pass_seconds));
  Samples actions;
  for (const auto& [kind, of] : counts.actions) {
    actions.push_back({{{"kind", Name(kind)}, {"outcome", "begun"}}, Number(of.begun)});
    actions.push_back({{{"kind", Name(kind)}, {"outcome", "done"}}, Number(of.done)});
    actions.push_back({{{"kind", Name(kind)}, {"outcome", "failed"}}, Number(of.failed)});
  }
  AddCounter("planner_actions", "Actions of the planner, by kind and outcome.", actions, families);
  Samples refused;
  for (const auto& [what, times] : counts.refused)
    refused.push_back({{{"rule", Name(what.first)}, {"cause", Name(what.second)}}, Number(times)});
  AddCounter("planner_refused", "Actions that the planner rejected for this cause, counted once in each pass.", refused,
             families);
  Labelled open("ebla_master_procedures_open", "Procedures under way, as ebla procedure list shows them.", Gauge);
  for (const auto& [kind, number] : stats.procedures_by_kind) open.Add({{"kind", kind}}, static_cast<double>(number));
  families.push_back(open.Take());
}

}  // namespace

void MasterMetrics::Refresh() {
  if (stopped_) return;
  const MasterStats stats = master_.Stats();
  {
    MutexLock lock(mutex_);
    stats_ = stats;
    knows_leader_ = master_.leader().has_value();
  }
  // A caller that waits for this master to be ready does not wait for the next half second.
  const bool settled = stats.ready || (!stats.leading && master_.leader().has_value());
  master_.executor().After(std::chrono::milliseconds(settled ? 500 : 10), if_alive_([this] { Refresh(); }));
}

Status MasterMetrics::Ready() const {
  MutexLock lock(mutex_);
  if (stats_.ready || (!stats_.leading && knows_leader_)) return {};
  if (std::string refused = master_.coordinator_watch().Refusal(); !refused.empty())
    return {Code::kPermissionDenied, std::move(refused)};
  return Error(Code::kUnavailable, stats_.leading
                                       ? "is the leader, but is still reading the catalog"
                                       : "no leader is known: the coordinator (ZooKeeper) has not answered so far");
}

std::vector<prometheus::MetricFamily> MasterMetrics::Collect() const {
  MasterStats stats;
  {
    MutexLock lock(mutex_);
    stats = stats_;
  }
  std::vector<prometheus::MetricFamily> families;
  const auto gauge = [&](std::string name, std::string help, double value) {
    families.push_back(Family("ebla_master_" + name, std::move(help), prometheus::MetricType::Gauge, value));
  };
  gauge("leading", "1 while this master is the leader.", stats.leading);
  gauge("ready", "1 while this master is the leader and has read the catalog.", stats.ready);
  gauge("term", "This master's leader term; 0 on a standby.", static_cast<double>(stats.term));
  gauge("tables", "Tables in the catalog.", static_cast<double>(stats.tables));
  gauge("tablets", "Tablets in the catalog.", static_cast<double>(stats.tablets));
  gauge("servers", "Tablet servers that have joined, live or not.", static_cast<double>(stats.servers));
  gauge("live_servers", "Tablet servers that are live and report.", static_cast<double>(stats.live_servers));
  gauge("unsettled_tablets", "Tablets whose primary is live, but does not serve yet as the catalog says.",
        static_cast<double>(stats.unsettled_tablets));
  gauge("tablets_without_majority", "Tablets most of whose voters do not live.",
        static_cast<double>(stats.lacking.majority));
  gauge("tablets_without_primary", "Tablets that no live server leads, though most of their voters live.",
        static_cast<double>(stats.lacking.primary));
  gauge("tablets_under_replicated", "Tablets with a primary and fewer live voters than their table wants.",
        static_cast<double>(stats.lacking.replicas));
  gauge("memory_tablets_emptied",
        "How often tablets of tables in memory have begun empty, as no server had their data any more.",
        static_cast<double>(stats.lacking.times_emptied));
  gauge("procedures", "Procedures under way.", static_cast<double>(stats.procedures));
  gauge("copies", "Replicas that are being made.", static_cast<double>(stats.copies));
  gauge("safe_mode",
        "1 while nothing is repaired, as too few servers are live or they report more than the catalog knows.",
        !stats.safe_mode.empty());
  gauge("beyond_catalog", "1 while servers report ids or epochs that the catalog never had; see ebla cluster info.",
        stats.stale_catalog);
  gauge("cluster_level", "The cluster's feature level, as `ebla cluster version` has it; 0 on a standby.", stats.level);
  gauge("cluster_level_held", "1 while an operator holds the level.", stats.level_held);
  gauge("unknown_ids", "Reported tablets whose id the catalog never assigned.", static_cast<double>(stats.unknown_ids));
  AddPlanner(stats, families);
  if (rpc_) {
    http::MetricFamilies process;
    process.AddProcess("master", rpc_->Stats(), master_.refusals().count());
    process.AddCoordinator(master_.coordinator_watch().away());
    for (auto& family : process.Take()) families.push_back(std::move(family));
  }
  return families;
}

}  // namespace ebla::master

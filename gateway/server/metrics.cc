#include "gateway/server/metrics.h"

#include "common/http/metric_families.h"
#include "common/process/process.h"

namespace ebla::gateway {
namespace {

using prometheus::MetricType;

struct OfProtocol {
  std::string protocol;
  std::vector<std::string> names;
  Totals totals;
};

void AddProcessMetrics(http::MetricFamilies& families) {
  http::MetricFamilies::Put(
      families.Add("build_info", "Always 1: the labels say what this process is and which build it runs.",
                   MetricType::Gauge),
      {{"role", "gateway"}, {"version", std::string(process::BuildVersion())}}, 1);
  const process::Usage usage = process::ReadUsage();
  families.Counter("process_cpu_seconds_total", "Processor time used.", usage.cpu_seconds);
  families.Gauge("process_resident_bytes", "Resident memory.", usage.resident_bytes);
}

void AddConnectionMetrics(const std::vector<OfProtocol>& all, http::MetricFamilies& families) {
  const auto each = [&](const char* name, const char* help, MetricType type, uint64_t Totals::* what) {
    prometheus::MetricFamily& family = families.Add(name, help, type);
    for (const OfProtocol& of : all) http::MetricFamilies::Put(family, {{"protocol", of.protocol}}, of.totals.*what);
  };
  each("gateway_connections", "Open connections.", MetricType::Gauge, &Totals::connections);
  each("gateway_connections_accepted_total", "Connections accepted.", MetricType::Counter,
       &Totals::connections_accepted);
  each("gateway_connections_refused_total", "Connections refused because of the limit.", MetricType::Counter,
       &Totals::connections_refused);
  each("gateway_connections_broken_total", "Connections closed because of what they sent, or did not read.",
       MetricType::Counter, &Totals::connections_broken);
  each("gateway_received_bytes_total", "Bytes received from clients.", MetricType::Counter, &Totals::bytes_in);
  each("gateway_sent_bytes_total", "Bytes sent to clients.", MetricType::Counter, &Totals::bytes_out);
  each("gateway_in_flight", "Commands under way.", MetricType::Gauge, &Totals::in_flight);
}

void AddCommandMetrics(const std::vector<OfProtocol>& all, http::MetricFamilies& families) {
  // Few of the hundreds of commands are used. Metrics that alerts read have all commands from the start, so that rate()
  // sees the first use.
  enum class Shown : uint8_t { kAlways, kOnceUsed };
  const auto each = [&](const char* name, const char* help, uint64_t CommandTotals::* what, Shown shown) {
    prometheus::MetricFamily& family = families.Add(name, help, MetricType::Counter);
    for (const OfProtocol& of : all) {
      for (size_t kind = 0; kind < of.names.size(); ++kind) {
        if (shown == Shown::kOnceUsed && of.totals.kinds[kind].commands == 0) continue;
        http::MetricFamilies::Put(family, {{"protocol", of.protocol}, {"command", of.names[kind]}},
                                  of.totals.kinds[kind].*what);
      }
    }
  };
  each("gateway_commands_total", "Commands answered.", &CommandTotals::commands, Shown::kAlways);
  each("gateway_errors_total", "Commands answered with an error.", &CommandTotals::errors, Shown::kAlways);
  each("gateway_hits_total", "Keys that commands found.", &CommandTotals::hits, Shown::kOnceUsed);
  each("gateway_misses_total", "Keys that commands did not find.", &CommandTotals::misses, Shown::kOnceUsed);
  prometheus::MetricFamily& seconds =
      families.Add("gateway_command_seconds", "Time from a command's arrival to its reply.", MetricType::Histogram);
  for (const OfProtocol& of : all) {
    for (size_t kind = 0; kind < of.names.size(); ++kind) {
      const CommandTotals& totals = of.totals.kinds[kind];
      if (totals.commands == 0) continue;
      prometheus::ClientMetric& metric = seconds.metric.emplace_back();
      metric.label = {{"protocol", of.protocol}, {"command", of.names[kind]}};
      metric.histogram.sample_count = totals.commands;
      metric.histogram.sample_sum = totals.seconds;
      uint64_t cumulative = 0;
      for (size_t i = 0; i < kLatencyMicros.size(); ++i) {
        cumulative += totals.buckets[i];
        metric.histogram.bucket.push_back({cumulative, static_cast<double>(kLatencyMicros[i]) / 1e6});
      }
    }
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> Metrics::Collect() const {
  std::vector<OfProtocol> all;
  for (const auto& [protocol, statistics] : statistics_)
    all.push_back({protocol, statistics->names(), statistics->Sum()});
  http::MetricFamilies families;
  AddProcessMetrics(families);
  AddConnectionMetrics(all, families);
  AddCommandMetrics(all, families);
  return families.Take();
}

}  // namespace ebla::gateway

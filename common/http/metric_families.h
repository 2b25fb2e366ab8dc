// common/http/metric_families.h
// Builds what a Prometheus scrape is answered with, and the figures that every process shows alike.
// Place:   master/host/metrics.cc and tabletserver/server/metrics.cc, one object per scrape.
// Threads: thread-compatible.
#pragma once

#include <prometheus/metric_family.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/rpc/server.h"

namespace ebla::http {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

class MetricFamilies {
 public:
  // `name` without the prefix "ebla_"; a counter's ends in "_total".
  prometheus::MetricFamily& Add(std::string name, std::string help, prometheus::MetricType type) {
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = "ebla_" + std::move(name);
    family.help = std::move(help);
    family.type = type;
    return family;
  }
  void Gauge(std::string name, std::string help, const auto& value) {
    Put(Add(std::move(name), std::move(help), prometheus::MetricType::Gauge), {}, value);
  }
  void Counter(std::string name, std::string help, const auto& value) {
    Put(Add(std::move(name), std::move(help), prometheus::MetricType::Counter), {}, value);
  }
  static void Put(prometheus::MetricFamily& family, MetricLabels labels, const auto& value) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    (family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        static_cast<double>(value);
  }
  // The build, the processor time, the memory and the RPC server of this process.
  // `unbelievable`: messages refused (common/base/refusals.h).
  void AddProcess(std::string_view role, const rpc::ServerStats& rpc, uint64_t unbelievable);
  // Whether this process reaches its coordinator; `away`: since when it does not.
  void AddCoordinator(const std::optional<Duration>& away);

  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace ebla::http

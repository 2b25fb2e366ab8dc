// gateway/server/metrics.h
// The metrics of a gateway. This file alone has their names.
// Place:   host/gateway_host.h makes one, which main.cc gives to the HTTP server.
// Threads: Collect from any.
#pragma once

#include <prometheus/collectable.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/server/statistics.h"

namespace ebla::gateway {

class Metrics final : public prometheus::Collectable {
 public:
  // `statistics`, by protocol, outlive it.
  explicit Metrics(std::vector<std::pair<std::string, const Statistics*>> statistics)
      : statistics_(std::move(statistics)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::vector<std::pair<std::string, const Statistics*>> statistics_;
};

}  // namespace ebla::gateway

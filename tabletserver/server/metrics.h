// tabletserver/server/metrics.h
// A tablet server's /metrics, gathered from counters and views when it is asked for, nothing before.
// Place:   server_process.cc gives it to the HTTP server.
// Threads: Collect() from any one thread at a time.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <vector>

#include "common/coordination/connection_watch.h"
#include "common/process/process.h"
#include "common/rpc/loop_threads.h"
#include "common/rpc/server.h"
#include "common/rpc/stall_watch.h"
#include "tabletserver/server/tabletserver_host.h"

namespace ebla::tabletserver {

class TabletServerMetrics final : public prometheus::Collectable {
 public:
  // All outlive this. `each_tablet`: whether a scrape is told of each tablet, besides the sums by table.
  TabletServerMetrics(const TabletServer& server, const rpc::RpcServer& rpc, const rpc::LoopThreads& loop_threads,
                      const rpc::StallWatch& stalls, const coordination::ConnectionWatch& coordinator,
                      std::function<bool()> each_tablet)
      : server_(server),
        rpc_(rpc),
        loop_threads_(loop_threads),
        stalls_(stalls),
        coordinator_(coordinator),
        each_tablet_(std::move(each_tablet)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const TabletServer& server_;
  const rpc::RpcServer& rpc_;
  const rpc::LoopThreads& loop_threads_;
  const rpc::StallWatch& stalls_;
  const coordination::ConnectionWatch& coordinator_;
  const std::function<bool()> each_tablet_;
};

}  // namespace ebla::tabletserver

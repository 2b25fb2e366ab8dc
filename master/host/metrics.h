// master/host/metrics.h
// A master's /metrics and /readyz: a copy of its numbers that its executor renews each half second, so that the page
// calls no other thread.
// Place:   main.cc and tools/standalone pass it to the HTTP server.
// Threads: Start and Stop on the executor; Collect and Ready from any thread.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/rpc/server.h"
#include "master/host/master_host.h"

namespace ebla::master {

class MasterMetrics final : public prometheus::Collectable {
 public:
  // `rpc` is null where another host of this process shows the process's own numbers. Both outlive this.
  MasterMetrics(const Master& master, const rpc::RpcServer* rpc) : master_(master), rpc_(rpc) {}

  void Start() { Refresh(); }
  // On the executor: nothing is renewed any more, and the master may go.
  void Stop() { stopped_ = true; }
  std::vector<prometheus::MetricFamily> Collect() const override;
  // OK if it leads and has read the catalog, or is a standby and knows the leader.
  Status Ready() const;
  // The services that it lacks though it is ready; empty: none.
  std::string Degraded() const { return master_.coordinator_watch().Describe(); }

 private:
  void Refresh();

  const Master& master_;
  const rpc::RpcServer* const rpc_;
  mutable Mutex mutex_;
  MasterStats stats_ EBLA_GUARDED_BY(mutex_);
  bool knows_leader_ EBLA_GUARDED_BY(mutex_) = false;
  bool stopped_ = false;    // the executor's
  CallbackGuard if_alive_;  // the executor's
};

}  // namespace ebla::master

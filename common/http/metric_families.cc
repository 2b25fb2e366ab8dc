#include "common/http/metric_families.h"

#include "common/process/process.h"

namespace ebla::http {

void MetricFamilies::AddProcess(std::string_view role, const rpc::ServerStats& rpc, uint64_t unbelievable) {
  Put(Add("build_info", "Always 1: the labels say what this process is and which build it runs.",
          prometheus::MetricType::Gauge),
      {{"role", std::string(role)}, {"version", std::string(process::BuildVersion())}}, 1);
  const process::Usage usage = process::ReadUsage();
  Counter("process_cpu_seconds_total", "Processor time used.", usage.cpu_seconds);
  Gauge("process_resident_bytes", "Resident memory.", usage.resident_bytes);
  Counter("rpc_requests_total", "Requests received.", rpc.requests);
  Gauge("rpc_in_flight", "Requests not yet answered.", rpc.in_flight);
  Gauge("rpc_connections", "Open connections.", rpc.connections);
  Counter("rpc_connections_accepted_total", "Connections accepted.", rpc.connections_accepted);
  Counter("rpc_connections_refused_total", "Connections refused because of the limit.", rpc.connections_refused);
  Counter("rpc_connections_broken_total", "Connections closed because of what they sent, or did not read.",
          rpc.connections_broken);
  Counter("rpc_denied_total", "Calls refused because the caller lacks permission.", rpc.denied);
  Counter("rpc_limited_total", "Calls over the limits of their user or table.", rpc.limited);
  Counter("messages_unbelievable_total",
          "Messages of other processes, or parts of them, refused because their numbers are impossible.", unbelievable);
  Counter("rpc_received_bytes_total", "Bytes received.", rpc.bytes_in);
  Counter("rpc_sent_bytes_total", "Bytes sent.", rpc.bytes_out);
}

void MetricFamilies::AddCoordinator(const std::optional<Duration>& away) {
  Gauge("coordinator_connected", "1 while the coordinator (ZooKeeper) is reached.", !away.has_value());
  Gauge("coordinator_away_seconds", "How long the coordinator has not been reached; 0 while it is.",
        away ? std::chrono::duration<double>(*away).count() : 0.0);
}

}  // namespace ebla::http

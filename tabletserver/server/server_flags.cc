#include "tabletserver/server/server_flags.h"

#include <gflags/gflags.h>

#include <atomic>
#include <iostream>

DEFINE_string(data_dir, "", "directory of this server alone: identity, store, logs; made when missing");
DEFINE_string(name, "", "this server's name in its cluster, such as ts-1; needed once, for a new data directory");
DEFINE_string(listen, "127.0.0.1:7410", "address for clients, peers and the master; port 0: the system picks");
DEFINE_string(advertise, "", "host:port under which others reach this server; default: what it listens on");
DEFINE_string(http_listen, "127.0.0.1:7411", "address for /metrics, /healthz, /readyz and /flags");
DEFINE_string(rack, "", "where this server stands, for the placement of replicas");
DEFINE_int32(event_loops, 2, "threads that take requests and serve reads from cache");
DEFINE_int32(shards, 1, "threads that own the tablets' writes");
DEFINE_int32(readers, 4, "threads for reads that wait for the disk");
DEFINE_int32(max_connections, 10'000, "client connections; further ones are closed at once");
DEFINE_int32(max_in_flight, 1024, "requests in flight on one connection; then it is not read");
DEFINE_int32(max_frame_mb, 16, "largest request");
DEFINE_int32(cache_mb, 1024, "WiredTiger's cache");
DEFINE_int32(interval_ms, 1000,
             "tables with interval durability are fsynced at least this often, or as often as one here asks");
DEFINE_int32(
    disk_reserve_mb, 1024,
    "free disk space below which writes are refused; as much again stands in a ballast file, so that a new server "
    "takes writes with twice this free. 0: no reserve");
DEFINE_int32(overlay_mb_per_tablet, 64, "writes logged and not yet applied, per tablet; then OVERLOADED");
DEFINE_int32(overlay_mb, 512, "the same for the whole server");
DEFINE_int32(window_minutes, 10, "how long a write's result is remembered for retries");
DEFINE_int32(window_sequences, 1024, "results remembered per client");
DEFINE_int32(window_mb, 16, "results remembered per tablet");
DEFINE_int32(checkpoint_seconds, 60, "time between checkpoints");
DEFINE_int32(checkpoint_log_mb, 1024, "log after which a checkpoint is taken early");
DEFINE_int32(log_kept_mb, 1024,
             "log of one tablet kept for replicas that are behind; who falls further behind is copied afresh");
DEFINE_int32(heartbeat_ms, 1000, "time between reports to the master");
DEFINE_int32(purge_turn_ms, 50, "time between two chunks of 1000 records looked at for expired ones");
DEFINE_int64(copy_bytes_per_second, 64 << 20, "how fast this server sends copies of tablets, all together");
DEFINE_int32(
    deletes_kept_hours, 24,
    "how long a delete in a last_write_wins table is remembered, and a write of level ANY or a rolled-back one of "
    "PRIMARY may "
    "take to reach its primary; the same on every server");
DEFINE_int32(any_pending_mb, 256, "writes of level ANY taken and not yet delivered; then OVERLOADED");
DEFINE_int32(any_pending_entries, 1'000'000, "the same, as their number");
DEFINE_int32(conflicts_mb, 256, "kept of PRIMARY writes that failovers rolled back; then PRIMARY is OVERLOADED");
DEFINE_int32(slow_operation_ms, 100, "operations that take longer are logged");

namespace ebla::tabletserver {
namespace {

// These flags may change while the server runs; operations look at these copies.
std::atomic<int64_t> slow_operation_ms{100};

bool SlowOperationChanged(const char*, int32_t value) {
  slow_operation_ms.store(value);
  return value >= 0;
}
DEFINE_validator(slow_operation_ms, &SlowOperationChanged);

std::atomic<int64_t> copy_bytes_per_second{64 << 20};

bool CopyRateChanged(const char*, int64_t value) {
  copy_bytes_per_second.store(value);
  return value > 0;
}
DEFINE_validator(copy_bytes_per_second, &CopyRateChanged);

bool Positive(const char* flag, int32_t value) {
  if (value > 0) return true;
  std::cerr << "--" << flag << " must be positive\n";
  return false;
}
DEFINE_validator(event_loops, &Positive);
DEFINE_validator(shards, &Positive);
DEFINE_validator(readers, &Positive);
DEFINE_validator(max_connections, &Positive);
DEFINE_validator(max_in_flight, &Positive);
DEFINE_validator(max_frame_mb, &Positive);
DEFINE_validator(cache_mb, &Positive);
DEFINE_validator(interval_ms, &Positive);
DEFINE_validator(overlay_mb_per_tablet, &Positive);
DEFINE_validator(overlay_mb, &Positive);
DEFINE_validator(window_minutes, &Positive);
DEFINE_validator(window_sequences, &Positive);
DEFINE_validator(window_mb, &Positive);
DEFINE_validator(checkpoint_seconds, &Positive);
DEFINE_validator(checkpoint_log_mb, &Positive);
DEFINE_validator(log_kept_mb, &Positive);
DEFINE_validator(heartbeat_ms, &Positive);
DEFINE_validator(purge_turn_ms, &Positive);
DEFINE_validator(deletes_kept_hours, &Positive);
DEFINE_validator(any_pending_mb, &Positive);
DEFINE_validator(any_pending_entries, &Positive);
DEFINE_validator(conflicts_mb, &Positive);

constexpr int64_t Megabytes(int64_t n) { return n << 20; }

}  // namespace

const std::string* DataDirFlag() { return &FLAGS_data_dir; }

Result<ServerProcessOptions> OptionsFromFlags() {
  if (FLAGS_data_dir.empty()) {
    return Error(Code::kInvalidArgument, "no data directory named; give one with --data_dir");
  }
  ServerProcessOptions options;
  options.data_dir = FLAGS_data_dir;
  options.name = FLAGS_name;
  EBLA_ASSIGN(options.rpc.listen, rpc::Endpoint::Parse(FLAGS_listen));
  options.rpc.frame_bytes_max = static_cast<size_t>(Megabytes(FLAGS_max_frame_mb));
  options.rpc.connections_max = static_cast<size_t>(FLAGS_max_connections);
  options.rpc.in_flight_max = static_cast<size_t>(FLAGS_max_in_flight);
  options.advertise = FLAGS_advertise;
  EBLA_ASSIGN(options.http_listen, rpc::Endpoint::Parse(FLAGS_http_listen));
  options.settable_flags = {"slow_operation_ms", "copy_bytes_per_second", "v", "minloglevel"};
  options.event_loops = static_cast<size_t>(FLAGS_event_loops);
  options.shards = static_cast<size_t>(FLAGS_shards);
  options.readers = static_cast<size_t>(FLAGS_readers);
  options.store.cache_bytes = Megabytes(FLAGS_cache_mb);
  options.store.interval = std::chrono::milliseconds(FLAGS_interval_ms);
  options.store.disk_reserve_bytes = Megabytes(FLAGS_disk_reserve_mb);
  TabletServerOptions& server = options.server;
  server.rack = FLAGS_rack;
  server.shard.dedup_window.window_ms = int64_t{FLAGS_window_minutes} * 60'000;
  server.shard.dedup_window.sequences_per_client_max = static_cast<uint64_t>(FLAGS_window_sequences);
  server.shard.dedup_window.bytes_max = static_cast<size_t>(Megabytes(FLAGS_window_mb));
  server.shard.unapplied_bytes_max = static_cast<size_t>(Megabytes(FLAGS_overlay_mb_per_tablet));
  server.shard.server_unapplied_bytes_max = Megabytes(FLAGS_overlay_mb);
  server.shard.log_retention.bytes_max = static_cast<uint64_t>(Megabytes(FLAGS_log_kept_mb));
  server.shard.tombstone_retention = std::chrono::hours(FLAGS_deletes_kept_hours);
  server.purge_and_size_tasks.tombstone_retention = server.shard.tombstone_retention;
  server.shard.rolled_back_bytes_max = Megabytes(FLAGS_conflicts_mb);
  server.hinted_writes.bytes_max = Megabytes(FLAGS_any_pending_mb);
  server.hinted_writes.entries_max = FLAGS_any_pending_entries;
  server.checkpoint.period = std::chrono::seconds(FLAGS_checkpoint_seconds);
  server.checkpoint.log_bytes = Megabytes(FLAGS_checkpoint_log_mb);
  server.purge_and_size_tasks.turn = std::chrono::milliseconds(FLAGS_purge_turn_ms);
  server.master.heartbeat_period = std::chrono::milliseconds(FLAGS_heartbeat_ms);
  server.slow_operation = [] { return std::chrono::milliseconds(slow_operation_ms.load(std::memory_order_relaxed)); };
  server.copy_bytes_per_second = [] { return copy_bytes_per_second.load(std::memory_order_relaxed); };
  return options;
}

}  // namespace ebla::tabletserver

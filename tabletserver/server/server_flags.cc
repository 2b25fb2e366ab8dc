#include "tabletserver/server/server_flags.h"

#include <gflags/gflags.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "common/base/processors.h"
#include "common/base/record_functions.h"
#include "common/process/addresses.h"
#include "common/process/bounded_flag.h"
#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "functions/memcached/record_function.h"
#include "functions/redis/record_function.h"

DEFINE_string(data_dir, "",
              "Directory of this server alone, for its identity, store and logs. It is made when missing.");
DEFINE_string(name, "", "This server's name in its cluster, such as ts-1. Needed once, for a new data directory.");
DEFINE_string(listen, "127.0.0.1:7410",
              "Address for clients, other tablet servers and the master. With port 0 the system picks a port.");
DEFINE_string(advertise, "", "host:port under which others reach this server. Empty: the address it listens on.");
DEFINE_string(http_listen, "127.0.0.1:7411", "Address for /metrics, /healthz, /readyz and /flags.");
DEFINE_string(rack, "",
              "Name of the rack this server stands in. A tablet's replicas go to different racks where possible.");
DEFINE_BOUNDED(
    int32, event_loops, 0, 0, 1024, "loops",
    "Loops that take requests and serve reads from the cache, on as many threads as their load pays for. 0: one for "
    "each processor, up to eight.");
DEFINE_BOUNDED(int32, shards, 0, 0, 256, "threads",
               "Threads that own the tablets and execute their writes. 0: one for every two processors.");
DEFINE_BOUNDED(int32, readers, 4, 1, 256, "threads", "Threads for reads that wait for the disk.");
DEFINE_BOUNDED(
    int32, max_connections, 10'000, 1, 1'000'000, "connections",
    "Most connections at a time. Further ones are closed at once. Where they have certificates, users together "
    "take five eighths of them, and one user half of those.");
DEFINE_BOUNDED(int32, max_in_flight, 1024, 1, 1'000'000, "requests",
               "Most requests in flight on one connection. At this number the server reads no more from it for now.");
DEFINE_BOUNDED(int32, user_calls_least, ebla::rpc::CallWindow::kLeast, 1, 1'000'000, "requests",
               "How many requests of one user each event loop may always have in flight. Further ones wait while "
               "processors are short and another user has fewer in flight. Raising it gives heavy users more "
               "throughput and makes light users wait longer.");
DEFINE_BOUNDED(int32, max_frame_mb, 16, 1, 1024, "MiB", "Largest request, in MiB. A larger one closes its connection.");
DEFINE_BOUNDED(int32, cache_mb, 1024, 1, 1 << 24, "MiB", "Size of WiredTiger's cache, in MiB.");
DEFINE_BOUNDED(int32, memory_tables_mb, 0, 0, 1 << 24, "MiB",
               "Most memory that tables in memory take together, in MiB. 0: half of what this machine has.");
DEFINE_BOUNDED(
    int32, interval_ms, 1000, 1, 3'600'000, "ms",
    "How often the logs of tables with interval durability are fsynced, unless one of them asks for more often.");
DEFINE_BOUNDED(int32, disk_reserve_mb, 1024, 0, 1 << 24, "MiB",
               "Free disk space below which writes are refused. A ballast file takes as much again, so a new server "
               "needs twice this free to take writes. 0: no reserve.");
DEFINE_BOUNDED(
    int32, overlay_mb_per_tablet, 64, 1, 1 << 20, "MiB",
    "How much one tablet may have logged and not yet applied, in MiB. Beyond it, its writes are answered OVERLOADED.");
DEFINE_BOUNDED(int32, overlay_mb, 512, 1, 1 << 20, "MiB",
               "How much all tablets together may have logged and not yet applied, in MiB. Beyond it, writes are "
               "answered OVERLOADED.");
DEFINE_BOUNDED(int32, window_minutes, 10, 1, 525'600, "minutes",
               "How long a tablet remembers the result of a write, to answer a retry of it.");
DEFINE_BOUNDED(int32, window_sequences, 1024, 1, 1'000'000, "results",
               "How many results a tablet remembers per client.");
DEFINE_BOUNDED(int32, window_mb, 16, 1, 1 << 20, "MiB",
               "How much memory a tablet may use for remembered results, in MiB.");
DEFINE_BOUNDED(int32, checkpoint_seconds, 60, 1, 86'400, "s", "Time between checkpoints.");
DEFINE_BOUNDED(int32, checkpoint_log_mb, 1024, 1, 1 << 24, "MiB",
               "After this much new log, in MiB, a checkpoint is taken early.");
DEFINE_BOUNDED(
    int32, log_kept_mb, 1024, 1, 1 << 24, "MiB",
    "How much log a tablet retains for replicas that are behind, in MiB. A replica that is further behind is "
    "copied anew.");
DEFINE_BOUNDED(
    int32, log_followed_mb, 4096, 1, 1 << 24, "MiB",
    "How much log stays for `ebla backup archive` while it follows, and for ten minutes after, in MiB. If it "
    "falls further behind, some moments cannot be restored.");
DEFINE_BOUNDED(
    int32, scrub_period_s, 86'400, 0, 31'536'000, "s",
    "How often all files are read and checked for damage, in seconds from the beginning of one pass to that of "
    "the next. 0: never.");
DEFINE_BOUNDED(int64, scrub_bytes_per_second, 8 << 20, 1, int64_t{1} << 40, "bytes/s",
               "How fast files are read for that.");
DEFINE_BOUNDED(int32, heartbeat_ms, 1000, 1, 600'000, "ms", "Time between reports to the master.");
DEFINE_BOUNDED(int32, purge_turn_ms, 50, 1, 3'600'000, "ms",
               "Pause between two chunks of 1000 records that are searched for expired ones.");
DEFINE_BOUNDED(int64, copy_bytes_per_second, 64 << 20, 1, int64_t{1} << 40, "bytes/s",
               "How fast this server sends copies of tablets, all copies together.");
DEFINE_BOUNDED(
    int32, deletes_kept_hours, 24, 1, 87'600, "hours",
    "Tombstone retention: how long a last_write_wins table remembers a delete. Hinted and rolled-back writes "
    "must reach their primary within this time. Give every server the same value.");
DEFINE_BOUNDED(
    int32, any_pending_mb, 256, 1, 1 << 24, "MiB",
    "Size limit of the hinted writes (level ANY) that are not yet delivered, in MiB. Beyond it, level ANY is answered "
    "OVERLOADED.");
DEFINE_BOUNDED(
    int32, any_pending_entries, 1'000'000, 1, 1'000'000'000, "writes",
    "Limit of the number of hinted writes that are not yet delivered. Beyond it, level ANY is answered OVERLOADED.");
DEFINE_BOUNDED(
    int32, conflicts_mb, 256, 1, 1 << 24, "MiB",
    "Size limit of unresolved rolled-back writes, in MiB. Beyond it, writes of level PRIMARY are answered OVERLOADED.");
DEFINE_bool(metrics_of_each_tablet, false,
            "Let /metrics show six figures of each tablet (ebla_tablet_...), besides the sums by table. A scrape of a "
            "server with thousands of tablets then has tens of thousands of lines.");
DEFINE_BOUNDED(int32, slow_operation_ms, 100, 0, 3'600'000, "ms", "Operations that take longer are logged.");

namespace ebla::tabletserver {
namespace {

// A copy for /metrics, while POST /flags may change the flag.
std::atomic<bool> each_tablet = false;
bool EachTabletChanged(const char*, bool value) {
  each_tablet.store(value, std::memory_order_relaxed);
  return true;
}
DEFINE_validator(metrics_of_each_tablet, &EachTabletChanged);

// What it opens beside its clients' connections: tables, segments of the log, HTTP, peers.
constexpr size_t kOtherFiles = 2'048;

// Of this machine, or of the container that this process may use no more of.
int64_t MachineMemoryBytes() {
  const int64_t all = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  std::ifstream file("/sys/fs/cgroup/memory.max");
  int64_t granted = 0;
  return file >> granted && granted > 0 ? std::min(all, granted) : all;  // "max": all
}
constexpr int64_t Megabytes(int64_t n) { return n << 20; }

// More loops than processors take turns of the kernel's, which are longer than requests are.
size_t EventLoops(int flag) { return flag > 0 ? static_cast<size_t>(flag) : std::min<size_t>(Processors(), 8); }

// The others are for the event loops: where both have half of the processors, neither waits for the other
// (docs/lab/log.md).
size_t Shards(int flag) { return flag > 0 ? static_cast<size_t>(flag) : std::max<size_t>(1, Processors() / 2); }

}  // namespace

const std::string* DataDirFlag() { return &FLAGS_data_dir; }

Result<ServerProcessOptions> OptionsFromFlags() {
  if (FLAGS_data_dir.empty()) {
    return Error(Code::kInvalidArgument, "no data directory is named: give one with --data_dir=DIRECTORY");
  }
  ServerProcessOptions options;
  options.data_dir = FLAGS_data_dir;
  options.name = FLAGS_name;
  EBLA_ASSIGN(options.rpc.listen, process::ListenFlag("listen", FLAGS_listen));
  options.rpc.frame_bytes_max = static_cast<size_t>(Megabytes(FLAGS_max_frame_mb));
  options.rpc.connections_max = static_cast<size_t>(FLAGS_max_connections);
  process::CheckOpenFiles(options.rpc.connections_max + kOtherFiles, "max_connections");
  options.rpc.in_flight_max = static_cast<size_t>(FLAGS_max_in_flight);
  options.rpc.user_calls = std::make_shared<rpc::CallWindow>(static_cast<size_t>(FLAGS_user_calls_least));
  options.advertise = FLAGS_advertise;
  EBLA_ASSIGN(options.http_listen, process::ListenFlag("http_listen", FLAGS_http_listen));
  EBLA_ASSIGN(options.rpc.tls, process::ServerCertificates());
  options.rpc.password_logins = process::PasswordLogins();
  EBLA_TRY(process::CheckExposure({options.rpc.listen, options.http_listen}));
  EBLA_ASSIGN([[maybe_unused]] const rpc::Endpoint advertised,
              process::AdvertisedAddress(FLAGS_advertise, options.rpc.listen));
  options.server.insecure = process::IsExposed({options.rpc.listen, options.http_listen});
  options.settable_flags = {
      "slow_operation_ms", "copy_bytes_per_second", "scrub_bytes_per_second", "metrics_of_each_tablet", "v",
      "minloglevel"};
  options.metrics_of_each_tablet = [] { return each_tablet.load(std::memory_order_relaxed); };
  options.event_loops = EventLoops(FLAGS_event_loops);
  options.shards = Shards(FLAGS_shards);
  options.readers = static_cast<size_t>(FLAGS_readers);
  options.store.cache_bytes = Megabytes(FLAGS_cache_mb);
  options.memory_tables_bytes =
      FLAGS_memory_tables_mb > 0 ? Megabytes(FLAGS_memory_tables_mb) : MachineMemoryBytes() / 2;
  options.store.interval = std::chrono::milliseconds(FLAGS_interval_ms);
  options.store.log_followed_bytes = Megabytes(FLAGS_log_followed_mb);
  options.store.disk_reserve_bytes = Megabytes(FLAGS_disk_reserve_mb);
  TabletServerOptions& server = options.server;
  server.features = std::make_shared<Features>(process::FeatureLevel());
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
  server.slow_operation = [] { return std::chrono::milliseconds(bounded_slow_operation_ms.Get()); };
  server.scrub.period = std::chrono::seconds(FLAGS_scrub_period_s);
  server.scrub.bytes_per_second = [] { return bounded_scrub_bytes_per_second.Get(); };
  const auto functions = std::make_shared<RecordFunctions>();
  functions->Add(std::string(memcached::kFunctionName), memcached::ApplyOrder);
  functions->Add(std::string(redis::kFunctionName), redis::ApplyCommand);
  server.shard.functions = functions;
  server.copy_bytes_per_second = [] { return bounded_copy_bytes_per_second.Get(); };
  return options;
}

}  // namespace ebla::tabletserver

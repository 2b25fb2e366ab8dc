#include "tabletserver/server/server_flags.h"

#include <gflags/gflags.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "common/base/functions.h"
#include "common/base/processors.h"
#include "common/process/addresses.h"
#include "common/process/bounded_flag.h"
#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "functions/counted/counted.h"
#include "functions/memcached/record_function.h"
#include "functions/redis/record_function.h"

DEFINE_string(data_dir, "",
              "Directory for this server's identity, store and logs. No other server may use it. It is created if it "
              "does not exist.");
DEFINE_string(name, "",
              "This server's name in its cluster, such as ts-1. A new data directory needs it once; later starts read "
              "it from there.");
DEFINE_bool(
    begin_empty, false,
    "Set the data in --data_dir aside and begin without it, as another server. Only where no start can use that "
    "data: it is moved to DATA_DIR/lost-1 (then -2), and nothing is deleted. Leave the flag out afterwards.");
DEFINE_string(listen, "127.0.0.1:7410",
              "Address for clients, other tablet servers and the master. With port 0 the system picks a port.");
DEFINE_string(advertise, "",
              "host:port that clients, other servers and the master use for this server. Empty: the --listen address.");
DEFINE_string(http_listen, "127.0.0.1:7411",
              "Address for /metrics, /healthz, /readyz and /flags. With port 0 the system picks a port.");
DEFINE_string(rack, "",
              "Name of this server's rack. The master puts a tablet's replicas into different racks if it can.");
DEFINE_BOUNDED(
    int32, event_loops, 0, 0, 1024, "loops",
    "Event loops that receive requests and serve reads from the cache. The server runs them on as many threads as "
    "their load needs, so more loops serve more load at once. 0: one for each processor, up to eight.");
DEFINE_BOUNDED(int32, shards, 0, 0, 256, "threads",
               "Shards: threads that own tablets and execute their writes. More shards execute more writes at once, "
               "but leave less processor time for event loops. 0: one for every two processors.");
DEFINE_BOUNDED(int32, readers, 4, 1, 256, "threads",
               "Threads for reads that wait for the disk. More threads read more from the disk at once.");
DEFINE_BOUNDED(int32, max_connections, 10'000, 1, 1'000'000, "connections",
               "Most open connections. The server closes further ones at once. If users have certificates, all users "
               "together may hold five eighths of the connections, and one user half of those. A higher limit needs "
               "more open files and more memory.");
DEFINE_BOUNDED(int32, max_in_flight, 1024, 1, 1'000'000, "requests",
               "Most requests in flight on one connection. At this number the server reads no further request from the "
               "connection until one is answered. A higher limit lets one connection use more memory.");
DEFINE_BOUNDED(int32, user_calls_least, ebla::rpc::CallWindow::kLeast, 1, 1'000'000, "requests",
               "Requests of one user that each event loop always allows in flight. Further ones wait while processors "
               "are short and another user has fewer in flight. Raising it gives heavy users more throughput and makes "
               "light users wait longer.");
DEFINE_BOUNDED(int32, max_frame_mb, 16, 1, 1024, "MiB",
               "Largest request. A larger one closes its connection. A higher limit lets one request use more memory.");
DEFINE_BOUNDED(int32, cache_mb, 1024, 1, 1 << 24, "MiB",
               "Size of WiredTiger's cache. A larger cache serves more reads without the disk.");
DEFINE_BOUNDED(
    int32, memory_mb, 0, 0, 1 << 24, "MiB",
    "Memory for tables on disk. The cache takes half of it, the buffers of sorted tables an eighth, and "
    "writes not yet applied an eighth, in place of --cache_mb and --overlay_mb. The rest is for the process. "
    "Tables in memory come on top (--memory_tables_mb). 0: the other flags say it.");
DEFINE_bool(sorted_tables, true,
            "Keep the records of tables that are made from now on in sorted runs instead of b-trees. Data beyond "
            "memory is then written several times faster, and read faster. A build before sorted tables cannot open a "
            "store that has one.");
DEFINE_BOUNDED(int32, memory_tables_mb, 0, 0, 1 << 24, "MiB",
               "Most memory that all tables in memory take together. A higher limit holds more records before the "
               "server evicts or refuses some. 0: half of the machine's memory.");
DEFINE_BOUNDED(
    int32, interval_ms, 1000, 1, 3'600'000, "ms",
    "Time between two fsyncs of the log for tables with interval durability, unless one of these tables asks for a "
    "shorter one. A longer time costs less disk work, but a power failure loses more acknowledged writes.");
DEFINE_BOUNDED(int32, disk_reserve_mb, 1024, 0, 1 << 24, "MiB",
               "Free disk space below which the server refuses writes. A ballast file takes as much again, so a new "
               "server needs twice this free before it accepts writes. A larger reserve leaves more room to repair a "
               "full disk. 0: no reserve.");
DEFINE_BOUNDED(int32, overlay_mb_per_tablet, 64, 1, 1 << 20, "MiB",
               "Most writes of one tablet that are logged and not yet applied. Beyond it, the tablet answers further "
               "writes with OVERLOADED. A higher limit absorbs longer bursts and takes more memory.");
DEFINE_BOUNDED(int32, overlay_mb, 512, 1, 1 << 20, "MiB",
               "Most writes of all tablets together that are logged and not yet applied. Beyond it, the server answers "
               "further writes with OVERLOADED. A higher limit absorbs longer bursts and takes more memory.");
DEFINE_BOUNDED(int32, window_minutes, 10, 1, 525'600, "minutes",
               "How long a tablet remembers the result of a write, so that a retry gets the same result. A longer time "
               "makes later retries safe and takes more memory.");
DEFINE_BOUNDED(int32, window_sequences, 1024, 1, 1'000'000, "results",
               "Results of writes that a tablet remembers for each client. More results make retries safe for clients "
               "with more writes in flight, and take more memory.");
DEFINE_BOUNDED(
    int32, window_mb, 16, 1, 1 << 20, "MiB",
    "Most memory of one tablet for remembered results. Beyond it, the tablet forgets the oldest ones early.");
DEFINE_BOUNDED(int32, checkpoint_seconds, 60, 1, 86'400, "s",
               "Time between two checkpoints. A longer time costs less disk work, but leaves more log to keep and to "
               "replay at a start.");
DEFINE_BOUNDED(int32, checkpoint_log_mb, 1024, 1, 1 << 24, "MiB",
               "Size of new log after which the server takes a checkpoint early. A larger size costs fewer "
               "checkpoints, but leaves more log to keep and to replay at a start.");
DEFINE_BOUNDED(int32, log_kept_mb, 1024, 1, 1 << 24, "MiB",
               "Log that a tablet retains for replicas that lag behind. A replica that lags further behind receives a "
               "new copy. A larger size avoids copies and takes more disk.");
DEFINE_BOUNDED(
    int32, log_followed_mb, 4096, 1, 1 << 24, "MiB",
    "Log that the server retains for `ebla backup archive` while it follows, and for ten minutes afterwards. If the "
    "archive falls further behind, some moments cannot be restored. A larger size takes more disk.");
DEFINE_BOUNDED(int32, scrub_period_s, 86'400, 0, 31'536'000, "s",
               "Time from the start of one scrub to the start of the next. A scrub reads all files and checks them for "
               "damage. A longer time costs less disk work, but finds damage later. 0: never.");
DEFINE_BOUNDED(
    int64, scrub_bytes_per_second, 8 << 20, 1, int64_t{1} << 40, "bytes/s",
    "Speed at which a scrub reads files. A higher speed finishes earlier and takes more of the disk's time.");
DEFINE_BOUNDED(int32, heartbeat_ms, 1000, 1, 600'000, "ms",
               "Time between two heartbeats to the master. A longer time costs less traffic, but the master sees "
               "changes of load and state later.");
DEFINE_BOUNDED(int32, purge_turn_ms, 50, 1, 3'600'000, "ms",
               "Pause after each chunk of 1000 records that the server searches for expired ones. A longer pause costs "
               "less work, but expired records keep their space longer.");
DEFINE_BOUNDED(int64, copy_bytes_per_second, 64 << 20, 1, int64_t{1} << 40, "bytes/s",
               "Speed at which this server sends copies of tablets, all copies together. A higher speed repairs and "
               "moves tablets faster, and takes more of the disk and the network.");
DEFINE_BOUNDED(int32, clock_leap_max_s, 86'400, 0, 315'360'000, "s",
               "How far the machine's clock may have advanced between two starts of the server in different boots of "
               "the machine. Beyond it the server doubts its clock, and what it keeps expires late until NTP, a "
               "master's clock or an operator (ebla server clock) confirms it. A larger value fits machines that rest "
               "for long and have neither, but lets a wrong clock expire records early.");
DEFINE_BOUNDED(int32, deletes_kept_hours, 24, 1, 87'600, "hours",
               "Tombstone retention: how long a last_write_wins table remembers a delete. Hinted and rolled-back "
               "writes must reach their primary within this time. A longer time allows longer outages and takes more "
               "disk. Give every server the same value.");
DEFINE_BOUNDED(int32, any_pending_mb, 256, 1, 1 << 24, "MiB",
               "Most hinted writes (level ANY), by size, that wait for delivery. Beyond it, the server answers level "
               "ANY with OVERLOADED. A higher limit survives longer outages and takes more memory and disk.");
DEFINE_BOUNDED(int32, any_pending_entries, 1'000'000, 1, 1'000'000'000, "writes",
               "Most hinted writes (level ANY), by number, that wait for delivery. Beyond it, the server answers level "
               "ANY with OVERLOADED. A higher limit survives longer outages and takes more memory and disk.");
DEFINE_BOUNDED(int32, conflicts_mb, 256, 1, 1 << 24, "MiB",
               "Most unresolved rolled-back writes, by size. Beyond it, the server answers writes of level PRIMARY "
               "with OVERLOADED. A higher limit leaves an operator more time to resolve them, and takes more disk.");
DEFINE_bool(metrics_of_each_tablet, false,
            "Let /metrics show six figures of each tablet (ebla_tablet_...), besides the sums by table. A scrape of a "
            "server with thousands of tablets then has tens of thousands of lines.");
DEFINE_BOUNDED(int32, slow_operation_ms, 100, 0, 3'600'000, "ms",
               "Duration above which an operation is logged as slow. A longer time logs fewer operations. 0: every "
               "operation is logged.");

namespace ebla::tabletserver {
namespace {

// A copy for /metrics, while POST /flags may change the flag.
std::atomic<bool> each_tablet = false;
bool EachTabletChanged(const char*, bool value) {
  each_tablet.store(value, std::memory_order_relaxed);
  return true;
}
DEFINE_validator(metrics_of_each_tablet, &EachTabletChanged);

// The memory of this machine, or of the container that limits this process.
int64_t MachineMemoryBytes() {
  const int64_t all = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  std::ifstream file("/sys/fs/cgroup/memory.max");
  int64_t granted = 0;
  return file >> granted && granted > 0 ? std::min(all, granted) : all;  // "max": all
}
constexpr int64_t Megabytes(int64_t n) { return n << 20; }

constexpr int kMemoryMbMin = 64;

// Bounds of the memory that tables on disk take.
struct Memory {
  int64_t cache_bytes = 0;
  int64_t buffer_bytes = 0;  // 0: as the cache suggests
  int64_t unapplied_bytes = 0;
};
Memory MemoryFromFlags() {
  if (FLAGS_memory_mb == 0) {
    return {.cache_bytes = Megabytes(FLAGS_cache_mb), .unapplied_bytes = Megabytes(FLAGS_overlay_mb)};
  }
  const int64_t all = Megabytes(FLAGS_memory_mb);
  return {.cache_bytes = all / 2, .buffer_bytes = all / 8, .unapplied_bytes = all / 8};
}

// More loops than processors take turns of the kernel's, which are longer than requests are.
size_t EventLoops(int flag) { return flag > 0 ? static_cast<size_t>(flag) : std::min<size_t>(Processors(), 8); }

// The other half is for the event loops, so that neither half waits for the other (docs/lab/log.md).
size_t Shards(int flag) { return flag > 0 ? static_cast<size_t>(flag) : std::max<size_t>(1, Processors() / 2); }

void SetStore(const Memory& memory, WtStoreOptions& store) {
  store.cache_bytes = memory.cache_bytes;
  store.buffer_bytes = memory.buffer_bytes;
  store.sorted_tables = FLAGS_sorted_tables;
  store.interval = std::chrono::milliseconds(FLAGS_interval_ms);
  store.log_followed_bytes = Megabytes(FLAGS_log_followed_mb);
  store.disk_reserve_bytes = Megabytes(FLAGS_disk_reserve_mb);
}

}  // namespace

const std::string* DataDirFlag() { return &FLAGS_data_dir; }

Result<ServerProcessOptions> OptionsFromFlags() {
  if (FLAGS_data_dir.empty()) {
    return Error(Code::kInvalidArgument, "no data directory is named: give one with --data_dir=DIRECTORY");
  }
  ServerProcessOptions options;
  options.data_dir = FLAGS_data_dir;
  options.name = FLAGS_name;
  options.begin_empty = FLAGS_begin_empty;
  EBLA_ASSIGN(options.rpc.listen, process::ListenFlag("listen", FLAGS_listen));
  options.rpc.frame_bytes_max = static_cast<size_t>(Megabytes(FLAGS_max_frame_mb));
  options.rpc.connections_max = static_cast<size_t>(FLAGS_max_connections);
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
  if (FLAGS_memory_mb > 0 && FLAGS_memory_mb < kMemoryMbMin) {
    return Error(Code::kInvalidArgument, "--memory_mb=" + std::to_string(FLAGS_memory_mb) + " is too little: give " +
                                             std::to_string(kMemoryMbMin) + " or more, or 0 for the other flags");
  }
  const Memory memory = MemoryFromFlags();
  SetStore(memory, options.store);
  options.memory_tables_bytes =
      FLAGS_memory_tables_mb > 0 ? Megabytes(FLAGS_memory_tables_mb) : MachineMemoryBytes() / 2;
  TabletServerOptions& server = options.server;
  server.features = std::make_shared<Features>(process::FeatureLevel());
  options.store.features = server.features;
  server.rack = FLAGS_rack;
  server.shard.dedup_window.window_ms = int64_t{FLAGS_window_minutes} * 60'000;
  server.shard.dedup_window.sequences_per_client_max = static_cast<uint64_t>(FLAGS_window_sequences);
  server.shard.dedup_window.bytes_max = static_cast<size_t>(Megabytes(FLAGS_window_mb));
  server.shard.unapplied_bytes_max = static_cast<size_t>(Megabytes(FLAGS_overlay_mb_per_tablet));
  server.shard.server_unapplied_bytes_max = memory.unapplied_bytes;
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
  server.clock.leap_max = std::chrono::seconds(FLAGS_clock_leap_max_s);
  server.scrub.bytes_per_second = [] { return bounded_scrub_bytes_per_second.Get(); };
  const auto functions = std::make_shared<Functions>();
  functions->Add(std::string(memcached::kFunctionName), memcached::ApplyOrder);
  functions->Add(std::string(redis::kFunctionName), redis::ApplyCommand);
  counted::AddTo(*functions);
  server.shard.functions = functions;
  server.copy_bytes_per_second = [] { return bounded_copy_bytes_per_second.Get(); };
  return options;
}

}  // namespace ebla::tabletserver

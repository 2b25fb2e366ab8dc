// ebla-standalone: a whole Ebla in one process, for development and for what one machine can carry.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <iostream>

#include "common/process/process.h"
#include "tools/standalone/standalone.h"

DEFINE_string(data_dir, "", "where everything is kept; made when missing. The only flag that is needed");
DEFINE_string(name, "standalone", "this server's name; needed once, for a new data directory");
DEFINE_string(listen, "127.0.0.1:7400", "address for clients; port 0: the system picks");
DEFINE_string(advertise, "", "host:port under which clients reach it; default: what it listens on");
DEFINE_string(http_listen, "127.0.0.1:7401", "address for /metrics, /healthz, /readyz and /flags");
DEFINE_int32(event_loops, 2, "threads that take requests and serve reads from cache");
DEFINE_int32(shards, 1, "threads that own the tablets' writes");
DEFINE_int32(readers, 4, "threads for reads that wait for the disk");
DEFINE_int32(cache_mb, 1024, "WiredTiger's cache");
DEFINE_int32(interval_ms, 1000, "tables with interval durability are fsynced at least this often");
DEFINE_int32(disk_reserve_mb, 1024, "free disk space below which writes are refused; 0: no reserve");
DEFINE_int32(checkpoint_seconds, 60, "time between checkpoints");

namespace {

using ebla::Result;
using ebla::Status;

bool Positive(const char* flag, int32_t value) {
  if (value > 0) return true;
  std::cerr << "--" << flag << " must be positive\n";
  return false;
}
DEFINE_validator(event_loops, &Positive);
DEFINE_validator(shards, &Positive);
DEFINE_validator(readers, &Positive);
DEFINE_validator(cache_mb, &Positive);
DEFINE_validator(interval_ms, &Positive);
DEFINE_validator(checkpoint_seconds, &Positive);

Result<ebla::standalone::StandaloneOptions> OptionsFromFlags() {
  if (FLAGS_data_dir.empty()) {
    return ebla::Error(ebla::Code::kInvalidArgument, "no data directory named; give one with --data_dir");
  }
  ebla::standalone::StandaloneOptions options;
  ebla::tabletserver::ServerProcessOptions& server = options.server;
  server.data_dir = FLAGS_data_dir;
  server.name = FLAGS_name;
  EBLA_ASSIGN(server.rpc.listen, ebla::rpc::Endpoint::Parse(FLAGS_listen));
  EBLA_ASSIGN(server.http_listen, ebla::rpc::Endpoint::Parse(FLAGS_http_listen));
  server.advertise = FLAGS_advertise;
  server.settable_flags = {"v", "minloglevel"};
  server.event_loops = static_cast<size_t>(FLAGS_event_loops);
  server.shards = static_cast<size_t>(FLAGS_shards);
  server.readers = static_cast<size_t>(FLAGS_readers);
  server.store.cache_bytes = int64_t{FLAGS_cache_mb} << 20;
  server.store.interval = std::chrono::milliseconds(FLAGS_interval_ms);
  server.store.disk_reserve_bytes = int64_t{FLAGS_disk_reserve_mb} << 20;
  server.server.checkpoint.period = std::chrono::seconds(FLAGS_checkpoint_seconds);
  server.server.on_refused = [](const Status& status) {
    std::cerr << "ebla-standalone: " << status.message() << "\n";
    ebla::process::RequestTermination();
  };
  options.master.name = FLAGS_name;
  return options;
}

int Fail(const Status& status) {
  LOG(ERROR) << status;
  std::cerr << "ebla-standalone: " << status.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  ebla::process::InitProcess({.role = "standalone",
                              .usage = "A whole Ebla in one process: master, tablet server and coordinator.\n"
                                       "  ebla-standalone --data_dir=DIRECTORY",
                              .data_dir = &FLAGS_data_dir},
                             argc, argv);
  auto options = OptionsFromFlags();
  if (!options) return Fail(options.error());
  auto standalone = ebla::standalone::Standalone::Start(*std::move(options));
  if (!standalone) return Fail(standalone.error());
  std::cout << "ebla-standalone serves at " << (*standalone)->endpoint().ToString() << ", http at "
            << (*standalone)->http_endpoint().ToString() << std::endl;
  ebla::process::WaitForTermination();
  (*standalone)->Stop(std::chrono::seconds(3));
  return 0;
}

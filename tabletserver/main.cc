// ebla-tabletserver: holds tablets, serves clients. conf/tabletserver.flags shows every flag that matters.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <atomic>
#include <iostream>

#include "common/base/count.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/process/process.h"
#include "common/process/zookeeper_flags.h"
#include "tabletserver/server/server_flags.h"
#include "tabletserver/server/server_process.h"
#include "tabletserver/storage/wiredtiger/verify_log.h"

DEFINE_string(zookeeper, "127.0.0.1:2181/ebla", "host:port[,host:port...][/chroot] of the cluster's ZooKeeper.");
DEFINE_int32(zookeeper_session_ms, 6000,
             "How long ZooKeeper may hear nothing from this server before it counts as lost.");
DEFINE_string(verify_log, "",
              "A data directory whose server does not run. Its whole log is read, what is in it is said, and the "
              "process ends: with 0 where the log is whole, else with 1.");

namespace {

using ebla::Result;
using ebla::Status;

bool ValidSession(const char*, int32_t ms) { return ms > 0; }
DEFINE_validator(zookeeper_session_ms, &ValidSession);

Result<std::unique_ptr<ebla::coordination::Coordinator>> OpenZooKeeper(ebla::Executor& executor) {
  ebla::coordination::ZooKeeperOptions zookeeper;
  zookeeper.servers = FLAGS_zookeeper;
  zookeeper.session_timeout = std::chrono::milliseconds(FLAGS_zookeeper_session_ms);
  EBLA_ASSIGN(zookeeper.auth, ebla::process::ZooKeeperSecret());
  return ebla::coordination::ZooKeeperCoordinator::Open(std::move(zookeeper), executor);
}

int Fail(const Status& status) {
  ebla::process::Complain(status);
  return 1;
}

int VerifyLog(const std::string& data_dir) {
  const auto say = [](int64_t done, int64_t all) {
    if (done % 16 == 0) std::cerr << "read " << done << " of " << all << " segments\n";
  };
  const auto summary = ebla::tabletserver::VerifyLogOf(data_dir, say);
  if (!summary) return Fail(summary.error());
  std::cout << "The log in " << data_dir << " is whole: " << ebla::Count(summary->segments, "segment") << " of "
            << (summary->bytes >> 20) << " MiB, " << ebla::Count(summary->entries, "entry", "entries") << " of "
            << ebla::Count(summary->tablets, "tablet") << ", " << ebla::Count(summary->values, "other value") << ".\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto lock = ebla::process::InitProcess(
      {.role = "tabletserver",
       .usage = "Holds tablets of an Ebla cluster and serves its clients.\n"
                "  ebla-tabletserver --name=ts-1 --data_dir=DIR --zookeeper=HOST:PORT/CHROOT",
       .data_dir = ebla::tabletserver::DataDirFlag(),
       .content = ebla::process::DirectoryLock::Content::kStore},
      argc, argv);
  if (!FLAGS_verify_log.empty()) return VerifyLog(FLAGS_verify_log);
  auto options = ebla::tabletserver::OptionsFromFlags();
  if (!options) return Fail(options.error());
  options->lock = std::move(lock);
  options->coordinator = OpenZooKeeper;
  options->server.registration.takeover_limit = 3 * std::chrono::milliseconds(FLAGS_zookeeper_session_ms);
  std::atomic<bool> refused = false;
  options->server.on_refused = [&refused](const Status& status) {
    ebla::process::Complain(status);
    refused = true;
    ebla::process::RequestTermination();
  };
  auto process = ebla::tabletserver::ServerProcess::Start(*std::move(options));
  if (!process) return Fail(process.error());
  LOG(INFO) << "serving at " << (*process)->endpoint().ToString() << ", http at "
            << (*process)->http_endpoint().ToString();
  ebla::process::WaitForTermination([&] { return (*process)->server().Ready(); }, "--zookeeper=" + FLAGS_zookeeper);
  LOG(INFO) << "stopping";
  (*process)->Stop(std::chrono::seconds(3));
  LOG(INFO) << "stopped";
  return refused ? 1 : 0;
}

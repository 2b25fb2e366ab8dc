// ebla-tabletserver: holds tablets, serves clients. conf/tabletserver.flags shows every flag that matters.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <atomic>
#include <iostream>
#include <utility>

#include "common/base/count.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "common/process/zookeeper_flags.h"
#include "tabletserver/server/begin_empty.h"
#include "tabletserver/server/identity.h"
#include "tabletserver/server/server_flags.h"
#include "tabletserver/server/server_process.h"
#include "tabletserver/storage/wiredtiger/verify_log.h"

DEFINE_string(verify_log, "",
              "Data directory of a server that does not run. The program reads its whole log, prints what the log "
              "holds, and exits: with 0 if the log is whole, else with 1.");

namespace {

using ebla::Status;
using ebla::process::OrRefuse;

int VerifyLog(const std::string& data_dir) {
  ebla::tabletserver::VerifyLogOptions options;
  options.progress = [](int64_t done, int64_t all) {
    if (done % 16 == 0) std::cerr << "read " << done << " of " << all << " segments\n";
  };
  if (const auto identity = ebla::tabletserver::ReadIdentity(data_dir)) {
    options.server = identity->uuid;
    options.life = identity->incarnation.Next().value;
  }
  const auto summary = OrRefuse(ebla::tabletserver::VerifyLog(data_dir, std::move(options)));
  std::cout << "The log in " << data_dir << " is whole: " << ebla::Count(summary.segments, "segment") << " of "
            << (summary.bytes >> 20) << " MiB, " << ebla::Count(summary.entries, "entry", "entries") << " of "
            << ebla::Count(summary.tablets, "tablet") << ", " << ebla::Count(summary.values, "other value") << ".\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ebla::tabletserver::ServerProcessOptions options;
  ebla::coordination::ZooKeeperOptions zookeeper;
  const auto check = [&]() -> Status {
    if (!FLAGS_verify_log.empty()) return {};
    EBLA_ASSIGN(zookeeper, ebla::process::ZooKeeperFromFlags());
    EBLA_ASSIGN(options, ebla::tabletserver::OptionsFromFlags());
    return {};
  };
  auto lock = ebla::process::InitProcess(
      {.role = "tabletserver",
       .usage = "Holds tablets of an Ebla cluster and serves its clients.\n"
                "  ebla-tabletserver --name=ts-1 --data_dir=DIR --zookeeper=HOST:PORT/CHROOT",
       .data_dir = ebla::tabletserver::DataDirFlag(),
       .content = ebla::process::DirectoryLock::Content::kStore,
       .check = check},
      argc, argv);
  if (!FLAGS_verify_log.empty()) return VerifyLog(FLAGS_verify_log);
  options.audit = OrRefuse(ebla::process::OpenAuditLog());
  options.lock = std::move(lock);
  options.loss_advice =
      "If the data of this server is lost, start it once with --begin_empty and another --name: its tables of several "
      "replicas are copied from other servers, and those of one replica lose the part that was here. Before that, "
      "ebla-standalone --salvage over the same --data_dir serves what can still be read of it";
  if (options.begin_empty) {
    const std::string aside = OrRefuse(ebla::tabletserver::BeginEmpty(options));
    std::cerr << "the former data of " << options.data_dir << " is in " << aside << "\n";
  }
  // Other servers have what this one's log has lost, as a rule, and make its replicas anew.
  options.store.joins_short = true;
  options.coordinator = [&zookeeper](ebla::Executor& executor) {
    return ebla::coordination::ZooKeeperCoordinator::Open(zookeeper, executor);
  };
  options.server.registration.takeover_limit = 3 * zookeeper.session_timeout;
  std::atomic<int> exit_code = 0;
  options.server.on_refused = [&exit_code, data_dir = options.data_dir](const Status& status) {
    ebla::process::Complain(Status(status.code(), data_dir + ": " + status.message()));
    exit_code = 1;  // the flags are right, and the cluster may take this server later
    ebla::process::RequestTermination();
  };
  const auto process = OrRefuse(ebla::tabletserver::ServerProcess::Start(std::move(options)));
  LOG(INFO) << "serving at " << process->endpoint().ToString() << ", http at " << process->http_endpoint().ToString();
  ebla::process::WaitForTermination([&] { return process->server().Ready(); }, "--zookeeper=" + zookeeper.servers);
  LOG(INFO) << "stopping";
  OrRefuse(process->Stop(std::chrono::seconds(3)));
  LOG(INFO) << "stopped";
  return exit_code.load();
}

// ebla-standalone: a whole Ebla in one process, for development and for what one machine can carry.
#include <gflags/gflags.h>

#include <atomic>
#include <iostream>

#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "tabletserver/server/server_flags.h"
#include "tools/standalone/standalone.h"

DEFINE_bool(splits, true, "Whether tablets may be split, by hand and by load.");

namespace {

using ebla::Status;

int Fail(const Status& status) {
  ebla::process::Complain(status);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  // Clients look for a master at this address. One server needs no name of its own.
  for (const auto& [flag, value] : {std::pair("name", "standalone"), std::pair("listen", "127.0.0.1:7400"),
                                    std::pair("http_listen", "127.0.0.1:7401")}) {
    gflags::SetCommandLineOptionWithMode(flag, value, gflags::SET_FLAGS_DEFAULT);
  }
  auto lock =
      ebla::process::InitProcess({.role = "standalone",
                                  .usage = "A whole Ebla in one process: master, tablet server and coordinator.\n"
                                           "  ebla-standalone --data_dir=DIRECTORY",
                                  .data_dir = ebla::tabletserver::DataDirFlag(),
                                  .content = ebla::process::DirectoryLock::Content::kStore},
                                 argc, argv);
  auto server = ebla::tabletserver::OptionsFromFlags();
  if (!server) return Fail(server.error());
  if (const Status status = ebla::process::CheckIsObeyed(server->rpc.tls.get(), ebla::process::Orders::kItself);
      !status.ok())
    return Fail(status);
  if (server->rpc.tls != nullptr) server->rpc.tls->TrustItself();
  server->lock = std::move(lock);
  ebla::standalone::StandaloneOptions options{.server = *std::move(server), .master = {}};
  options.master.name = options.server.name;
  options.master.replicas_default = 1;  // there is one server
  options.master.splits = FLAGS_splits;
  std::atomic<bool> refused = false;
  options.server.server.on_refused = [&refused](const Status& status) {
    ebla::process::Complain(status);
    refused = true;
    ebla::process::RequestTermination();
  };
  auto standalone = ebla::standalone::Standalone::Start(std::move(options));
  if (!standalone) return Fail(standalone.error());
  std::cout << "ebla-standalone serves at " << (*standalone)->endpoint().ToString() << ", http at "
            << (*standalone)->http_endpoint().ToString() << std::endl;
  ebla::process::WaitForTermination([&] { return (*standalone)->Ready(); });
  (*standalone)->Stop(std::chrono::seconds(3));
  return refused ? 1 : 0;
}

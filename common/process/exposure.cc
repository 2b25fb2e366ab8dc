#include "common/process/exposure.h"

#include <gflags/gflags.h>

#include "common/process/process.h"

DEFINE_bool(insecure, false,
            "Listen also on addresses that other machines reach and that TLS does not guard. Every machine that "
            "reaches them can then read, change and destroy everything.");

namespace ebla::process {

Status CheckUnguarded(const std::string& flag, const rpc::Endpoint& endpoint, const std::string& advice) {
  if (IsLoopback(endpoint)) return {};
  if (!FLAGS_insecure)
    return {Code::kInvalidArgument, "--" + flag + "=" + endpoint.ToString() +
                                        " can be reached from other machines, and nothing guards it: " + advice +
                                        ", listen on 127.0.0.1, or say --insecure where the network is your own"};
  Warn("--insecure: everybody that reaches " + endpoint.ToString() + " (--" + flag + ") is trusted");
  return {};
}

}  // namespace ebla::process

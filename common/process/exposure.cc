#include "common/process/exposure.h"

#include <gflags/gflags.h>
#include <glog/logging.h>
#include <netdb.h>

DEFINE_bool(insecure, false,
            "Listen on addresses that other machines reach, too, where TLS does not guard them. Whoever reaches them "
            "can read, change and destroy everything.");

namespace ebla::process {
namespace {

// Why the name has no address; empty: it has one.
std::string Unresolved(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failed != 0) return gai_strerror(failed);
  freeaddrinfo(found);
  return "";
}

}  // namespace

bool IsLoopback(const rpc::Endpoint& endpoint) {
  return endpoint.host.starts_with("127.") || endpoint.host == "::1" || endpoint.host == "localhost";
}

Status CheckUnguarded(const std::string& flag, const rpc::Endpoint& endpoint, const std::string& advice) {
  if (IsLoopback(endpoint)) return {};
  if (const std::string why = Unresolved(endpoint.host); !why.empty())
    return {Code::kInvalidArgument, "--" + flag + "=" + endpoint.ToString() + " names a host without an address (" +
                                        why + "): name an address of this machine, or 127.0.0.1"};
  if (!FLAGS_insecure)
    return {Code::kInvalidArgument, "--" + flag + "=" + endpoint.ToString() +
                                        " can be reached from other machines, and nothing guards it: " + advice +
                                        ", listen on 127.0.0.1, or say --insecure where the network is your own"};
  LOG(WARNING) << "--insecure: whoever reaches " << endpoint.ToString() << " (--" << flag << ") is trusted";
  return {};
}

}  // namespace ebla::process

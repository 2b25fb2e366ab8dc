#include "common/process/addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace ebla::process {
namespace {

// The host's addresses as v6 ones; a v4 address is mapped.
Result<std::vector<in6_addr>> Resolve(const std::string& flag, const rpc::Endpoint& endpoint) {
  const addrinfo hints{.ai_flags = AI_V4MAPPED | AI_ALL, .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int error = getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  if (error != 0 || found == nullptr) {
    return Error(error == EAI_AGAIN ? Code::kUnavailable : Code::kInvalidArgument,
                 "--" + flag + "=" + endpoint.ToString() + ": the host \"" + endpoint.host + "\" does not resolve (" +
                     gai_strerror(error) + "): name a host that this machine can look up, or a numeric address");
  }
  std::vector<in6_addr> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next)
    addresses.push_back(reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr);
  return addresses;
}

bool IsWildcard(const in6_addr& address) {
  const uint8_t* bytes = address.s6_addr;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&address);
  return IN6_IS_ADDR_UNSPECIFIED(&address) ||
         (mapped && std::all_of(bytes + 12, bytes + 16, [](auto b) { return b == 0; }));
}

}  // namespace

Result<rpc::Endpoint> EndpointFlag(const std::string& flag, const std::string& text) {
  auto endpoint = rpc::Endpoint::Parse(text);
  if (!endpoint) return Error(endpoint.error().code(), "--" + flag + ": " + endpoint.error().message());
  return endpoint;
}

Result<rpc::Endpoint> ListenFlag(const std::string& flag, const std::string& text) {
  EBLA_ASSIGN(rpc::Endpoint endpoint, EndpointFlag(flag, text));
  EBLA_ASSIGN([[maybe_unused]] const std::vector<in6_addr> addresses, Resolve(flag, endpoint));
  return endpoint;
}

Result<rpc::Endpoint> AdvertisedAddress(const std::string& advertise, const rpc::Endpoint& listening) {
  const bool named = !advertise.empty();
  const std::string flag = named ? "advertise" : "listen";
  rpc::Endpoint endpoint = listening;
  if (named) {
    EBLA_ASSIGN(endpoint, EndpointFlag(flag, advertise));
  }
  EBLA_ASSIGN(const std::vector<in6_addr> addresses, Resolve(flag, endpoint));
  if (std::ranges::any_of(addresses, [](const in6_addr& address) { return IsWildcard(address); })) {
    return Error(Code::kInvalidArgument,
                 "--" + flag + "=" + endpoint.ToString() +
                     " stands for every address of this machine, so others cannot know which to use: name one with "
                     "--advertise=HOST:PORT");
  }
  if (named && endpoint.port == 0) {
    return Error(Code::kInvalidArgument,
                 "--advertise=" + endpoint.ToString() +
                     " names port 0, to which no process can connect: name the port that others use");
  }
  return endpoint;
}

bool IsLoopback(const rpc::Endpoint& endpoint) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return endpoint.host == "localhost";
}

bool IsWildcard(const rpc::Endpoint& endpoint) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4) == 1) return v4.s_addr == INADDR_ANY;
  return inet_pton(AF_INET6, endpoint.host.c_str(), &v6) == 1 && IsWildcard(v6);
}

}  // namespace ebla::process

#include <charconv>

#include "common/rpc/channel.h"

namespace ebla::rpc {

std::string Endpoint::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::Parse(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return Error(Code::kInvalidArgument,
                 "\"" + std::string(text) + "\" is not an address: " + why + " (write host:port or [v6 address]:port)");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("it names no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return refuse("a v6 address needs brackets");
  }
  if (host.empty()) return refuse("it names no host");
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size())
    return refuse("the port is not a number up to 65535");
  return Endpoint{std::string(host), port};
}

}  // namespace ebla::rpc

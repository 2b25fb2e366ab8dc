#include "gateway/server/foreign_line.h"

#include <algorithm>
#include <cctype>

namespace ebla::gateway {
namespace {

constexpr std::string_view kSpeaksTls =
    "it speaks TLS, and this listener has no certificate: give the gateway --listen_tls_dir, or have the client "
    "connect "
    "without TLS";
constexpr std::string_view kTlsHandshake = "\x16\x03";

// Whatever the case of `word`.
bool BeginsWith(std::string_view word, std::string_view upper) {
  return word.size() >= upper.size() && std::ranges::equal(word.substr(0, upper.size()), upper, [](char a, char b) {
           return std::toupper(static_cast<unsigned char>(a)) == b;
         });
}
bool Is(std::string_view word, std::string_view upper) {
  return word.size() == upper.size() && BeginsWith(word, upper);
}

}  // namespace

std::string_view FaultOfFirstWord(std::string_view first) {
  if (Is(first, "POST") || Is(first, "HOST:")) return kSpeaksHttp;
  return first.starts_with(kTlsHandshake) ? kSpeaksTls : std::string_view();
}

std::string_view FaultOfRequestLine(std::string_view method, std::string_view target, std::string_view version) {
  static constexpr std::string_view kMethods[] = {"CONNECT", "DELETE", "GET", "HEAD",
                                                  "OPTIONS", "PATCH",  "PUT", "TRACE"};
  if (!BeginsWith(version, "HTTP/")) return {};
  // A command that sets a key to "HTTP/1.1" is none, unless the key looks like a path.
  const bool known = std::ranges::any_of(kMethods, [method](std::string_view one) { return Is(method, one); });
  return known || target.starts_with('/') || target == "*" ? kSpeaksHttp : std::string_view();
}

}  // namespace ebla::gateway

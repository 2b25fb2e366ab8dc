#include <glog/logging.h>

#include <algorithm>
#include <string>

#include "gateway/memcached/parser.h"
#include "tests/fuzz/targets.h"

namespace ebla::fuzz {
namespace {

std::string Shown(const gateway::memcached::Request& request) {
  std::string text = gateway::memcached::kVerbNames[static_cast<size_t>(request.verb)];
  for (const std::string& key : request.keys) {
    CHECK_LE(key.size(), gateway::memcached::kCacheKeyBytesMax);
    text += " " + std::to_string(key.size()) + ":" + key;
  }
  CHECK_LE(request.value.size(), gateway::memcached::kCacheValueBytesMax);
  text += " value " + request.value + " text " + request.text + " as " + request.key_as_sent;
  for (const uint64_t number :
       {uint64_t{request.flags}, static_cast<uint64_t>(request.exptime), request.cas, request.delta})
    text += " " + std::to_string(number);
  for (const bool flag : {request.noreply, request.quit, request.too_large, request.failed, request.meta.quiet})
    text += flag ? " 1" : " 0";
  for (const auto& flag : request.meta.all) text += std::string(" ") + flag.name + flag.token;
  return text + "\n";
}

// The requests that a parser makes of bytes in pieces of this size, as connection.h gives them to it.
std::string MemcachedRequestsIn(std::string_view bytes, size_t piece) {
  gateway::memcached::Parser parser;
  std::string waiting, found;
  while (!bytes.empty()) {
    const size_t size = std::min(piece, bytes.size());
    waiting += bytes.substr(0, size);
    bytes.remove_prefix(size);
    for (;;) {
      const auto parsed = parser.Next(waiting);
      CHECK_LE(parsed.bytes, waiting.size());
      waiting.erase(0, parsed.bytes);
      if (parsed.request) found += Shown(*parsed.request);
      if (parsed.end) return found + "end\n";
      if (parsed.bytes == 0 || waiting.empty()) break;
    }
  }
  return found;
}

}  // namespace

void MemcachedRequests(std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t piece = 1 + static_cast<unsigned char>(bytes[0]) % 32;
  bytes.remove_prefix(1);
  CHECK_EQ(MemcachedRequestsIn(bytes, bytes.size() + 1), MemcachedRequestsIn(bytes, piece));
}

}  // namespace ebla::fuzz

// gateway/memcached/parser.h
// Cuts Memcached's text and meta commands off a stream of bytes. Pure: the requests do not depend on how the bytes are
// cut up on their way.
// Place:      protocol.h makes commands of its requests; meta_parser.h reads the commands that begin with m.
// Source:     the protocol of memcached 1.6.18, and its answers to malformed commands, as observed.
// Invariants: 1. Waits for at most kCacheValueBytesMax bytes of a value, and 256 KiB of a line of keys. Skips a larger
//                value while it arrives. A longer line ends the connection.
// Errors:     a request that is answered in memcached's words.
// Threads:    its connection's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/memcached/request.h"

namespace ebla::gateway::memcached {

class Parser {
 public:
  struct Parsed {
    size_t bytes = 0;  // taken off the front
    std::optional<Request> request;
    bool end = false;             // no later byte can be understood
    std::string_view fault = {};  // with `end`: as in Protocol::Taken
  };

  // Looks at the front of all bytes that were not taken before. If it takes no byte, it needs more.
  Parsed Next(std::string_view bytes);

 private:
  Parsed Line(std::string_view bytes, size_t line_bytes);

  bool begun_ = false;  // bytes have arrived
  size_t scanned_ = 0;  // of the front, without an end of a line
  size_t wanted_ = 0;   // fewer bytes hold no whole command
  uint64_t skip_ = 0;   // bytes of a value to be skipped
};

using Tokens = std::vector<std::string_view>;

// A request with a known answer.
Request Fixed(std::string_view answer, bool noreply = false);
Request Mistake(std::string_view answer, bool noreply = false);
inline constexpr std::string_view kBadFormat = "CLIENT_ERROR bad command line format";

// A request, and the number of bytes of the value behind its line; none: no value. `skip`: the value is not wanted.
struct Head {
  Request request;
  std::optional<uint64_t> value_bytes;
  bool skip = false;
  std::string_view fault = {};  // the connection ends for it
};

}  // namespace ebla::gateway::memcached

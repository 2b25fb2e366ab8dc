#include <glog/logging.h>

#include <string>
#include <vector>

#include "gateway/redis/wire/request_reader.h"
#include "tests/fuzz/targets.h"

namespace ebla::fuzz {
namespace {

constexpr gateway::redis::RequestReader::Options kOptions{.string_bytes_max = 64,
                                                          .announced_bytes_max = 4'096,
                                                          .words_max = 32,
                                                          .request_bytes_max = 512,
                                                          .line_bytes_max = 128,
                                                          .words_max_before_login = 3,
                                                          .string_bytes_max_before_login = 32};

// The requests that a reader makes of pieces of this size, and their ends, a line each.
std::string RequestsIn(std::string_view bytes, size_t piece, bool strict) {
  gateway::redis::RequestReader reader(kOptions);
  reader.set_strict(strict);
  std::string found;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    std::string_view front = bytes.substr(0, piece);
    while (!front.empty()) {
      const auto request = reader.Read(front);
      if (!request) return found + "error " + request.error().message() + "\n";
      if (!*request) break;
      found += (*request)->too_long ? "too long" : "request";
      for (const std::string& word : (*request)->words) found += " " + std::to_string(word.size()) + ":" + word;
      found += "\n";
    }
    CHECK(front.empty()) << "a reader that wants more has left something";
    // Its words, a line, and the room that a vector of words has grown to.
    CHECK_LE(reader.held_bytes(),
             kOptions.request_bytes_max + 2 * kOptions.line_bytes_max + 2 * kOptions.words_max * sizeof(std::string));
  }
  return found;
}

}  // namespace

void RedisRequests(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto kind = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  const bool strict = (kind & 1) != 0;
  CHECK_EQ(RequestsIn(bytes, bytes.size() + 1, strict), RequestsIn(bytes, 1 + kind / 2 % 16, strict));
}

}  // namespace ebla::fuzz

#include "gateway/redis/testing/reply_length.h"

#include <charconv>
#include <cstdint>

namespace ebla::gateway::redis {
namespace {

std::optional<size_t> EndOfLine(std::string_view bytes, size_t from) {
  const size_t end = bytes.find("\r\n", from);
  return end == bytes.npos ? std::nullopt : std::optional(end + 2);
}

}  // namespace

std::optional<size_t> ReplyLength(std::string_view bytes) {
  const std::optional<size_t> line = EndOfLine(bytes, 0);
  if (!line) return std::nullopt;
  int64_t number = 0;
  std::from_chars(bytes.data() + 1, bytes.data() + *line, number);
  size_t length = *line;
  switch (bytes.front()) {
    case '$':
    case '=':
    case '!':
      if (number >= 0) length += static_cast<size_t>(number) + 2;
      return length <= bytes.size() ? std::optional(length) : std::nullopt;
    case '*':
    case '~':
    case '>':
    case '%':
      for (int64_t left = bytes.front() == '%' ? 2 * number : number; left > 0; --left) {
        const std::optional<size_t> next = ReplyLength(bytes.substr(length));
        if (!next) return std::nullopt;
        length += *next;
      }
      return length;
    default: return length;
  }
}

}  // namespace ebla::gateway::redis

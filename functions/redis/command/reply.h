// functions/redis/command/reply.h
// Writes replies of Redis's protocol, in the version that the connection speaks: RESP2, or RESP3 after HELLO 3.
// Source:  Redis's protocol specification.
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ebla::redis {

class Reply {
 public:
  explicit Reply(int protocol = 2) : resp3_(protocol >= 3) {}

  bool resp3() const { return resp3_; }
  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }

  Reply& Simple(std::string_view text) { return Line('+', text); }
  Reply& Ok() { return Simple("OK"); }
  // `text` begins with its code, as in "ERR no such key". Line ends become blanks.
  Reply& Failure(std::string_view text);
  Reply& Number(int64_t number) { return Line(':', std::to_string(number)); }
  Reply& Bulk(std::string_view bytes) { return Block('$', bytes); }
  Reply& Null() { return resp3_ ? Line('_', "") : Line('$', "-1"); }
  Reply& NullArray() { return resp3_ ? Line('_', "") : Line('*', "-1"); }
  Reply& Boolean(bool value) { return resp3_ ? Line('#', value ? "t" : "f") : Number(value ? 1 : 0); }
  // Text for a person; `format` has three letters.
  Reply& Verbatim(std::string_view text, std::string_view format = "txt");
  // Announces an array of so many replies, which follow. The same for the kinds below.
  Reply& Array(size_t size) { return Line('*', std::to_string(size)); }
  Reply& Map(size_t pairs) { return Line(resp3_ ? '%' : '*', std::to_string(resp3_ ? pairs : 2 * pairs)); }
  Reply& Set(size_t size) { return Line(resp3_ ? '~' : '*', std::to_string(size)); }
  Reply& Push(size_t size) { return Line(resp3_ ? '>' : '*', std::to_string(size)); }
  // Adds a reply that is encoded already.
  Reply& Add(std::string_view written) {
    bytes_ += written;
    return *this;
  }

 private:
  Reply& Line(char kind, std::string_view text) {
    bytes_ += kind;
    bytes_ += text;
    bytes_ += "\r\n";
    return *this;
  }
  Reply& Block(char kind, std::string_view bytes) {
    constexpr size_t kAroundMax = 32;
    bytes_.reserve(bytes_.size() + bytes.size() + kAroundMax);
    Line(kind, std::to_string(bytes.size()));
    bytes_ += bytes;
    bytes_ += "\r\n";
    return *this;
  }

  bool resp3_;
  std::string bytes_;
};

inline Reply& Reply::Failure(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return Line('-', line);
}

inline Reply& Reply::Verbatim(std::string_view text, std::string_view format) {
  if (!resp3_) return Bulk(text);
  return Block('=', std::string(format) + ":" + std::string(text));
}

}  // namespace ebla::redis

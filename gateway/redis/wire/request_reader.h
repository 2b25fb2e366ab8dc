// gateway/redis/wire/request_reader.h
// Cuts a connection's bytes into requests of Redis's protocol: arrays of bulk strings, or lines as a person types them.
// Pure.
// Bounds:  those of Options. A string longer than `string_bytes_max` is not kept, and its request has `too_long`, so
//          that it can still be answered. Bytes that are no request are an error in Redis's own words, after which the
//          connection ends.
// Memory:  an incomplete request holds the bytes that have arrived, and nothing for announced lengths.
// Source:  Redis's protocol specification (RESP2; requests of RESP3 are the same).
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {

struct Request {
  Words words;            // the command's name and its arguments; empty: an empty line, not to be answered
  bool too_long = false;  // a word was, and is empty here
  bool typed = false;     // as a line, not as an array
};

class RequestReader {
 public:
  struct Options {
    size_t string_bytes_max = 1 << 20;       // of a string that is kept
    size_t announced_bytes_max = 512 << 20;  // of any string
    size_t words_max = 1 << 20;              // of a request
    size_t request_bytes_max = 16 << 20;     // of the kept strings of a request
    size_t line_bytes_max = 64 << 10;        // of a typed line, and of a length
    size_t words_max_before_login = 10;      // with `strict`
    size_t string_bytes_max_before_login = 16384;
  };
  RequestReader() : RequestReader(Options()) {}
  explicit RequestReader(Options options) : options_(options) {}

  // Before a login, requests must be small.
  void set_strict(bool strict) { strict_ = strict; }

  // The bytes of an incomplete request.
  size_t held_bytes() const { return kept_bytes_ + begun_.size() + request_.words.capacity() * sizeof(std::string); }

  // Takes bytes off the front of `bytes`. Returns a complete request, or none after it took all bytes. The message of
  // an error is the reply, without the minus; no call may follow it.
  Result<std::optional<Request>> Read(std::string_view& bytes);

 private:
  // The next element to be read.
  enum class State { kStart, kLine, kCount, kLength, kString, kStringEnd };

  // A complete line, without its end: within the former `bytes`, or `whole`. None: more input is needed.
  Result<std::optional<std::string_view>> TakeLine(std::string_view& bytes, const char* too_long, std::string& whole);
  Status OnCount(std::string_view line);
  Status OnLength(std::string_view line);
  void TakeString(std::string_view& bytes);
  Result<Request> Typed(std::string_view line);
  Request Done();

  const Options options_;
  bool strict_ = false;
  State state_ = State::kStart;
  std::string begun_;  // the part of a line that has arrived
  Request request_;
  size_t words_left_ = 0;
  size_t string_left_ = 0;  // bytes
  bool keep_ = true;        // the string that is being read
  size_t kept_bytes_ = 0;
};

// The words of a line, cut by the rules of Redis's shell: by blanks, with "quotes" (\n \r \t \b \a \\ \" \xNN) and
// 'quotes' (\'). A quote without an end, or with something other than a blank behind it, makes the result none.
std::optional<std::vector<std::string>> SplitLine(std::string_view line);

}  // namespace ebla::gateway::redis

#include "gateway/memcached/parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "functions/memcached/numbers.h"
#include "gateway/memcached/meta_parser.h"
#include "gateway/server/foreign_line.h"

namespace ebla::gateway::memcached {
namespace {

constexpr size_t kLineBytesMax = 2048;  // of anything but keys to get
constexpr size_t kKeysLineBytesMax = 256 * 1024;
constexpr size_t kBlanksMax = 100;  // before a long line
constexpr std::string_view kSpeaksBinary = "it speaks Memcached's binary protocol, which Ebla does not serve";
constexpr std::string_view kLongLine = "it sent a line of more than 2048 bytes that is no get";
constexpr std::string_view kLongKeysLine = "it sent a get of more than 256 KiB";
constexpr std::string_view kNoReply = "noreply";
constexpr std::string_view kBadExptime = "CLIENT_ERROR invalid exptime argument";
constexpr uint64_t kValueBytesReadable = (uint64_t{1} << 31) - 3;

struct Named {
  std::string_view name;
  Verb verb;
};
constexpr Named kRetrievals[] = {
    {"get", Verb::kGet}, {"gets", Verb::kGets}, {"gat", Verb::kGat}, {"gats", Verb::kGats}};
constexpr Named kStores[] = {{"set", Verb::kSet},       {"add", Verb::kAdd},         {"replace", Verb::kReplace},
                             {"append", Verb::kAppend}, {"prepend", Verb::kPrepend}, {"cas", Verb::kCas}};

template <size_t kCount>
std::optional<Verb> VerbIn(const Named (&named)[kCount], std::string_view name) {
  for (const Named& one : named) {
    if (one.name == name) return one.verb;
  }
  return std::nullopt;
}

Tokens SplitLine(std::string_view line) {
  Tokens tokens;
  while (!line.empty()) {
    const size_t blank = std::min(line.find(' '), line.size());
    if (blank > 0) tokens.push_back(line.substr(0, blank));
    line.remove_prefix(std::min(blank + 1, line.size()));
  }
  return tokens;
}

bool HasNoReply(const Tokens& tokens) { return tokens.back() == kNoReply; }

Head JustAnswer(Request request) { return {.request = std::move(request), .value_bytes = std::nullopt}; }

Head Faulty(std::string_view fault) { return {.request = {}, .value_bytes = std::nullopt, .fault = fault}; }

Head ParseRetrieval(Verb verb, const Tokens& tokens) {
  const bool touches = verb == Verb::kGat || verb == Verb::kGats;
  if (tokens.size() < 2) return JustAnswer(Mistake("ERROR"));
  Request request{.verb = verb};
  if (touches) {
    const std::optional<int32_t> exptime = ReadTime(tokens[1]);
    if (!exptime) return JustAnswer(Mistake(kBadExptime));
    request.exptime = *exptime;
  }
  for (size_t i = touches ? 2 : 1; i < tokens.size(); ++i) {
    if (tokens[i].size() > kCacheKeyBytesMax) return JustAnswer(Mistake(kBadFormat));
    request.keys.emplace_back(tokens[i]);
  }
  return JustAnswer(std::move(request));
}

Head ParseStore(Verb verb, const Tokens& tokens) {
  const size_t words = verb == Verb::kCas ? 6 : 5;
  if (tokens.size() != words && tokens.size() != words + 1) return JustAnswer(Mistake("ERROR"));
  Request request{.verb = verb, .noreply = HasNoReply(tokens)};
  const std::optional<uint64_t> flags = ReadUnsigned(tokens[2]);
  const std::optional<int32_t> exptime = ReadTime(tokens[3]);
  const std::optional<int32_t> bytes = ReadSigned(tokens[4]);
  const std::optional<uint64_t> cas = verb == Verb::kCas ? ReadUnsigned(tokens[5]) : std::optional<uint64_t>(0);
  if (tokens[1].size() > kCacheKeyBytesMax || !flags || !exptime || !bytes || *bytes < 0 ||
      static_cast<uint64_t>(*bytes) > kValueBytesReadable || !cas)
    return JustAnswer(Mistake(kBadFormat, request.noreply));
  request.keys.emplace_back(tokens[1]);
  request.flags = static_cast<uint32_t>(*flags);  // memcached takes what fits of larger ones, too
  request.exptime = *exptime;
  request.cas = *cas;
  const bool skip = static_cast<size_t>(*bytes) > kCacheValueBytesMax;
  request.too_large = skip;
  return {.request = std::move(request), .value_bytes = static_cast<uint64_t>(*bytes), .skip = skip};
}

Head ParseArithmetic(Verb verb, const Tokens& tokens) {
  if (tokens.size() != 3 && tokens.size() != 4) return JustAnswer(Mistake("ERROR"));
  Request request{.verb = verb, .noreply = HasNoReply(tokens)};
  if (tokens[1].size() > kCacheKeyBytesMax) return JustAnswer(Mistake(kBadFormat, request.noreply));
  const std::optional<uint64_t> delta = ReadUnsigned(tokens[2]);
  if (!delta) return JustAnswer(Mistake("CLIENT_ERROR invalid numeric delta argument", request.noreply));
  request.keys.emplace_back(tokens[1]);
  request.delta = *delta;
  return JustAnswer(std::move(request));
}

Head ParseDelete(const Tokens& tokens) {
  if (tokens.size() < 2 || tokens.size() > 4) return JustAnswer(Mistake("ERROR"));
  Request request{.verb = Verb::kDelete, .noreply = tokens.size() > 2 && HasNoReply(tokens)};
  if (tokens.size() > 2) {  // clients of old name a delay, which must be 0
    const bool zero = tokens[2] == "0";
    const bool valid = tokens.size() == 3 ? zero || request.noreply : zero && request.noreply;
    if (!valid)
      return JustAnswer(
          Mistake("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]", request.noreply));
  }
  if (tokens[1].size() > kCacheKeyBytesMax) return JustAnswer(Mistake(kBadFormat, request.noreply));
  request.keys.emplace_back(tokens[1]);
  return JustAnswer(std::move(request));
}

Head ParseTouch(const Tokens& tokens) {
  if (tokens.size() != 3 && tokens.size() != 4) return JustAnswer(Mistake("ERROR"));
  Request request{.verb = Verb::kTouch, .noreply = HasNoReply(tokens)};
  if (tokens[1].size() > kCacheKeyBytesMax) return JustAnswer(Mistake(kBadFormat, request.noreply));
  const std::optional<int32_t> exptime = ReadTime(tokens[2]);
  if (!exptime) return JustAnswer(Mistake(kBadExptime, request.noreply));
  request.keys.emplace_back(tokens[1]);
  request.exptime = *exptime;
  return JustAnswer(std::move(request));
}

Head ParseFlushAll(const Tokens& tokens) {
  if (tokens.size() > 3) return JustAnswer(Mistake("ERROR"));
  Request request{.verb = Verb::kFlushAll, .noreply = HasNoReply(tokens)};
  if (tokens.size() > (request.noreply ? 2 : 1)) {
    const std::optional<int32_t> delay = ReadTime(tokens[1]);
    if (!delay) return JustAnswer(Mistake(kBadExptime, request.noreply));
    request.exptime = *delay;
  }
  return JustAnswer(std::move(request));
}

Head ParseVerbosity(const Tokens& tokens) {
  if (tokens.size() != 2 && tokens.size() != 3) return JustAnswer(Mistake("ERROR"));
  const bool noreply = HasNoReply(tokens);
  if (!(tokens.size() == 2 && noreply) && !ReadUnsigned(tokens[1])) return JustAnswer(Mistake(kBadFormat, noreply));
  return JustAnswer(Fixed("OK", noreply));
}

Head ParseLine(std::string_view line) {
  const Tokens tokens = SplitLine(line);
  if (tokens.empty() || tokens[0].size() < 2) return JustAnswer(Mistake("ERROR"));
  if (const std::string_view fault = FaultOfLine(tokens); !fault.empty()) return Faulty(fault);
  const std::string_view name = tokens[0];
  if (name.size() == 2 && name[0] == 'm') return ParseMeta(tokens);
  if (const auto verb = VerbIn(kRetrievals, name)) return ParseRetrieval(*verb, tokens);
  if (const auto verb = VerbIn(kStores, name)) return ParseStore(*verb, tokens);
  if (name == "incr") return ParseArithmetic(Verb::kIncr, tokens);
  if (name == "decr") return ParseArithmetic(Verb::kDecr, tokens);
  if (name == "delete") return ParseDelete(tokens);
  if (name == "touch") return ParseTouch(tokens);
  if (name == "flush_all") return ParseFlushAll(tokens);
  if (name == "verbosity") return ParseVerbosity(tokens);
  if (name == "version") return JustAnswer(Fixed("VERSION " + std::string(kVersionSpoken)));
  if (name == "stats")
    return JustAnswer({.verb = Verb::kStats, .text = tokens.size() > 1 ? std::string(tokens[1]) : ""});
  if (name == "quit") {
    Head head = JustAnswer(Fixed("", true));
    head.request.quit = true;
    return head;
  }
  // A line of no command, whatever its length.
  if (tokens.size() > 1 && tokens.back().starts_with("HTTP/")) return Faulty(kSpeaksHttp);
  return JustAnswer(Mistake("ERROR"));
}

// A line of a get may be longer than kLineBytesMax. The answer is the same however much of it has arrived.
bool MayBeLong(std::string_view bytes) {
  const size_t blanks = bytes.find_first_not_of(' ');
  if (blanks > kBlanksMax) return false;
  bytes.remove_prefix(blanks);
  return std::ranges::any_of(kRetrievals, [bytes](const Named& one) {
    return bytes.size() > one.name.size() && bytes.starts_with(one.name) && bytes[one.name.size()] == ' ';
  });
}

}  // namespace

Request Fixed(std::string_view answer, bool noreply) {
  return {.verb = Verb::kFixed, .noreply = noreply, .text = std::string(answer)};
}

Request Mistake(std::string_view answer, bool noreply) {
  Request request = Fixed(answer, noreply);
  request.failed = true;
  return request;
}

Parser::Parsed Parser::Next(std::string_view bytes) {
  if (skip_ > 0) {
    const size_t skipped = static_cast<size_t>(std::min<uint64_t>(skip_, bytes.size()));
    skip_ -= skipped;
    return {.bytes = skipped, .request = std::nullopt};
  }
  // The first message of the binary protocol begins with this byte. Its client would wait for ever.
  if (!std::exchange(begun_, true) && bytes.starts_with('\x80'))
    return {.bytes = bytes.size(), .request = std::nullopt, .end = true, .fault = kSpeaksBinary};
  if (bytes.size() < wanted_ || bytes.size() <= scanned_) return {};
  const void* newline = std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_);
  const size_t line_bytes =
      newline == nullptr ? bytes.size() : static_cast<size_t>(static_cast<const char*>(newline) - bytes.data()) + 1;
  if (line_bytes > kLineBytesMax && !MayBeLong(bytes))
    return {.bytes = bytes.size(), .request = std::nullopt, .end = true, .fault = kLongLine};
  if (line_bytes > kKeysLineBytesMax) {
    return {
        .bytes = bytes.size(), .request = Mistake("CLIENT_ERROR line too long"), .end = true, .fault = kLongKeysLine};
  }
  if (newline == nullptr) {
    scanned_ = bytes.size();
    return {};
  }
  scanned_ = 0;
  wanted_ = 0;
  return Line(bytes, line_bytes);
}

Parser::Parsed Parser::Line(std::string_view bytes, size_t line_bytes) {
  std::string_view line = bytes.substr(0, line_bytes - 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  line = line.substr(0, line.find('\0'));  // memcached reads a line as C reads a string
  Head head = ParseLine(line);
  if (!head.fault.empty()) return {.bytes = bytes.size(), .request = std::nullopt, .end = true, .fault = head.fault};
  if (!head.value_bytes) return {.bytes = line_bytes, .request = std::move(head.request)};
  const uint64_t value_bytes = *head.value_bytes;
  if (head.skip) {
    skip_ = value_bytes + 2;
    return {.bytes = line_bytes, .request = std::move(head.request)};
  }
  const size_t all = line_bytes + static_cast<size_t>(value_bytes) + 2;
  if (bytes.size() < all) {
    wanted_ = all;
    return {};
  }
  const std::string_view value = bytes.substr(line_bytes, static_cast<size_t>(value_bytes) + 2);
  if (!value.ends_with("\r\n"))
    return {.bytes = all, .request = Mistake("CLIENT_ERROR bad data chunk", head.request.noreply)};
  head.request.value = value.substr(0, static_cast<size_t>(value_bytes));
  return {.bytes = all, .request = std::move(head.request)};
}

}  // namespace ebla::gateway::memcached

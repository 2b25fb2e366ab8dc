#include "gateway/memcached/meta_parser.h"

#include <utility>

#include "functions/memcached/numbers.h"

namespace ebla::gateway::memcached {
namespace {

constexpr size_t kOpaqueBytesMax = 32;  // with the O
constexpr std::string_view kBadToken = "CLIENT_ERROR bad token in command line format";
constexpr std::string_view kBadKeyText = "CLIENT_ERROR error decoding key";
constexpr std::string_view kBadFlag = "CLIENT_ERROR invalid or duplicate flag";
constexpr std::string_view kKnownFlags = "bNTRlOPLkstcfvhuqFCMJDI";

Head MetaAnswer(Request request) { return {.request = std::move(request), .value_bytes = std::nullopt}; }

template <class Number>
std::string_view TakeNumber(const std::optional<Number>& read, auto& into, std::string_view fault) {
  if (!read) return fault;
  into = *read;
  return {};
}

// Returns the error of the flag, or an empty text.
std::string_view TakeFlag(char name, std::string_view token, MetaFlags& flags) {
  switch (name) {
    case 'b': flags.base64 = true; return {};
    case 'q': flags.quiet = true; return {};
    case 'v': flags.value = true; return {};
    case 'I': flags.invalidate = true; return {};
    case 'N': return TakeNumber(ReadTime(token), flags.vivify_ttl, kBadToken);
    case 'T': return TakeNumber(ReadTime(token), flags.new_ttl, kBadToken);
    case 'R': return TakeNumber(ReadTime(token), flags.recache_ttl, kBadToken);
    case 'C': return TakeNumber(ReadUnsigned(token), flags.cas, kBadToken);
    case 'J': return TakeNumber(ReadUnsigned(token), flags.initial, kBadToken);
    case 'D': return TakeNumber(ReadUnsigned(token), flags.delta, kBadToken);
    case 'F': {
      const std::optional<uint64_t> read = ReadUnsigned(token);
      if (!read) return kBadFormat;
      flags.client_flags = static_cast<uint32_t>(*read);
      return {};
    }
    case 'M':
      if (token.size() != 1) return "CLIENT_ERROR incorrect length for M token";
      flags.mode = token[0];
      return {};
    case 'O': return token.size() + 1 > kOpaqueBytesMax ? "CLIENT_ERROR opaque token too long" : std::string_view();
    default: return {};
  }
}

// Returns the error of the flags, or an empty text.
std::string_view TakeFlags(const Tokens& tokens, size_t from, MetaFlags& flags) {
  std::string_view fault;
  for (size_t i = from; i < tokens.size(); ++i) {
    const char name = tokens[i][0];
    if (static_cast<unsigned char>(name) >= 127 || flags.Has(name)) return "CLIENT_ERROR duplicate flag";
    if (!kKnownFlags.contains(name)) return "CLIENT_ERROR invalid flag";
    const std::string_view wrong = TakeFlag(name, tokens[i].substr(1), flags);
    if (!wrong.empty()) fault = wrong;
    flags.all.push_back({name, std::string(tokens[i].substr(1))});
  }
  return fault;
}

// Parses flags and key. Returns their error, or an empty text.
std::string_view TakeFlagsAndKey(const Tokens& tokens, size_t from, Request& request) {
  std::string_view fault = TakeFlags(tokens, from, request.meta);
  request.key_as_sent = tokens[1];
  if (!request.meta.base64) {
    request.keys = {request.key_as_sent};
    return fault;
  }
  std::optional<std::string> key = FromBase64(tokens[1]);
  if (!key) return fault.empty() ? kBadKeyText : fault;
  request.keys = {*std::move(key)};
  return fault;
}

Head ParseMetaSet(const Tokens& tokens) {
  if (tokens.size() < 2) return MetaAnswer(Mistake("ERROR"));
  if (tokens[1].size() > kCacheKeyBytesMax || tokens.size() < 3) return MetaAnswer(Mistake(kBadFormat));
  const std::optional<int32_t> bytes = ReadSigned(tokens[2]);
  if (!bytes || *bytes < 0) return MetaAnswer(Mistake(kBadFormat));
  Request request{.verb = Verb::kMetaSet};
  std::string_view fault = TakeFlagsAndKey(tokens, 3, request);
  const char mode = request.meta.mode;
  if (fault.empty() && mode != 0 && !std::string_view("EeAaPpRrSs").contains(mode))
    fault = "CLIENT_ERROR invalid mode for ms M token";
  if (!fault.empty()) return {.request = Mistake(fault), .value_bytes = static_cast<uint64_t>(*bytes), .skip = true};
  request.flags = request.meta.client_flags;
  request.exptime = request.meta.new_ttl.value_or(0);
  request.too_large = static_cast<size_t>(*bytes) > kCacheValueBytesMax;
  const bool skip = request.too_large;
  return {.request = std::move(request), .value_bytes = static_cast<uint64_t>(*bytes), .skip = skip};
}

Head ParseMetaDebug(const Tokens& tokens) {
  if (tokens.size() < 2 || tokens[1].size() > kCacheKeyBytesMax) return MetaAnswer(Mistake(kBadFormat));
  Request request{.verb = Verb::kMetaDebug, .keys = {std::string(tokens[1])}, .key_as_sent = std::string(tokens[1])};
  if (tokens.size() > 2 && tokens[2] == "b") {
    std::optional<std::string> key = FromBase64(tokens[1]);
    if (!key) return MetaAnswer(Mistake(kBadFormat));
    request.keys = {*std::move(key)};
    request.meta.base64 = true;
  }
  return MetaAnswer(std::move(request));
}

Head ParseOther(Verb verb, const Tokens& tokens) {
  if (tokens.size() < 2) return MetaAnswer(Mistake("ERROR"));
  if (tokens[1].size() > kCacheKeyBytesMax) return MetaAnswer(Mistake(kBadFormat));
  Request request{.verb = verb};
  const std::string_view fault = TakeFlagsAndKey(tokens, 2, request);
  if (!fault.empty()) return MetaAnswer(Mistake(verb == Verb::kMetaGet ? fault : kBadFlag));
  const char mode = request.meta.mode;
  if (verb == Verb::kMetaArithmetic && mode != 0 && !std::string_view("I+D-").contains(mode))
    return MetaAnswer(Mistake("CLIENT_ERROR invalid mode for ma M token"));
  return MetaAnswer(std::move(request));
}

int SixBits(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string bytes;
  uint32_t held = 0;
  for (size_t i = 0; i < text.size() - padding; ++i) {
    const int bits = SixBits(text[i]);
    if (bits < 0) return std::nullopt;
    held = held << 6 | static_cast<uint32_t>(bits);
    if (i % 4 == 0) continue;
    bytes.push_back(static_cast<char>(held >> (6 - 2 * (i % 4)) & 0xff));
  }
  return bytes;
}

Head ParseMeta(const Tokens& tokens) {
  switch (tokens[0][1]) {
    case 'g': return ParseOther(Verb::kMetaGet, tokens);
    case 's': return ParseMetaSet(tokens);
    case 'd': return ParseOther(Verb::kMetaDelete, tokens);
    case 'a': return ParseOther(Verb::kMetaArithmetic, tokens);
    case 'e': return ParseMetaDebug(tokens);
    case 'n': return MetaAnswer(Fixed("MN"));
    default: return MetaAnswer(Mistake("ERROR"));
  }
}

}  // namespace ebla::gateway::memcached

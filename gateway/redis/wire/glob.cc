#include "gateway/redis/wire/glob.h"

#include <utility>

namespace ebla::gateway::redis {
namespace {

// The class behind a '[' at `at`, which moves behind its ']'. A class without a ']' ends with the pattern.
bool InClass(std::string_view pattern, size_t& at, char c) {
  const bool inverted = at < pattern.size() && pattern[at] == '^';
  if (inverted) ++at;
  const auto byte = static_cast<unsigned char>(c);
  bool in = false;
  for (; at < pattern.size() && pattern[at] != ']'; ++at) {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      in |= pattern[++at] == c;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      auto first = static_cast<unsigned char>(pattern[at]), last = static_cast<unsigned char>(pattern[at + 2]);
      if (first > last) std::swap(first, last);
      in |= byte >= first && byte <= last;
      at += 2;
    } else {
      in |= pattern[at] == c;
    }
  }
  if (at < pattern.size()) ++at;
  return in != inverted;
}

// Compares one byte with the element at `at`, which moves behind it after a match. `seen`: the bytes of the element.
bool MatchesOne(std::string_view pattern, size_t& at, char c, size_t& seen) {
  if (at == pattern.size()) return false;
  size_t next = at + 1;
  bool matches = true;
  switch (pattern[at]) {
    case '*': return false;  // its caller's
    case '?': break;
    case '[': matches = InClass(pattern, next, c); break;
    case '\\':
      if (next < pattern.size()) {
        matches = pattern[next++] == c;
        break;
      }
      [[fallthrough]];
    default: matches = pattern[at] == c;
  }
  seen = next - at;
  if (matches) at = next;
  return matches;
}

}  // namespace

bool Matches(std::string_view pattern, std::string_view text, size_t& steps_left) {
  size_t at = 0, in_text = 0;
  size_t seen = 1;  // bytes of the pattern that were looked at since the steps were counted
  size_t behind_star = pattern.npos, tried = 0;  // where to go on, and from where in the text, if this does not match
  while (in_text < text.size()) {
    if (steps_left <= seen) return steps_left = 0, false;
    steps_left -= std::exchange(seen, 1);
    if (at < pattern.size() && pattern[at] == '*') {
      behind_star = ++at;
      tried = in_text;
    } else if (MatchesOne(pattern, at, text[in_text], seen)) {
      ++in_text;
    } else if (behind_star != pattern.npos) {
      at = behind_star;
      in_text = ++tried;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

std::string PrefixOf(std::string_view pattern) {
  std::string prefix;
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '*' || c == '?' || c == '[') break;
    if (c == '\\' && at + 1 < pattern.size()) ++at;
    prefix += pattern[at];
  }
  return prefix;
}

}  // namespace ebla::gateway::redis

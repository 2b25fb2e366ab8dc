// common/base/key_range.h
// A half-open range of keys, [start, end), ordered bytewise. An empty start is the lowest key; an empty end means no
// upper bound (no real key is empty, so both are free to mean that).
// Invariants: start <= end, or no end, once a request handler has validated it.
// Threads:    values.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla {

inline constexpr size_t kKeyBytesMax = 4096;
inline constexpr size_t kValueBytesMax = 1 << 20;
inline constexpr size_t kSplitKeyBytesMax = 256;

struct KeyRange {
  std::string start;
  std::string end;

  static KeyRange All() { return {}; }
  static KeyRange Prefix(std::string_view prefix);  // every key that begins with prefix

  bool Contains(std::string_view key) const { return key >= start && (end.empty() || key < end); }
  bool Contains(const KeyRange& other) const;
  bool ContainsBelow(std::string_view limit) const;  // the place just below it; an empty limit is above every key
  bool Overlaps(const KeyRange& other) const;
  bool Empty() const { return !end.empty() && start >= end; }
  KeyRange Intersect(const KeyRange& other) const;  // may be Empty()

  std::string ToString() const;  // ["a", "f"), with unprintable bytes as \xNN and "" for an open side
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
  friend std::ostream& operator<<(std::ostream& out, const KeyRange& range) { return out << range.ToString(); }
};

// The lowest key that is greater than every key with this prefix; empty when there is none (all bytes 0xff).
std::string PrefixEnd(std::string_view prefix);
// The lowest key after `key`.
std::string KeyAfter(std::string_view key);
// Printable form of any bytes: printable characters of UTF-8 as they are, \\ and \" escaped, all other bytes as \xNN.
// Unescape is its inverse, and refuses a malformed escape.
std::string EscapeBytes(std::string_view bytes);
Result<std::string> UnescapeBytes(std::string_view text);

// INVALID_ARGUMENT naming the limit when a key is empty or too long, or a value too long.
Status CheckKey(std::string_view key);
Status CheckValue(std::string_view value);

}  // namespace ebla

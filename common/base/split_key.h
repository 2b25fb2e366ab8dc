// common/base/split_key.h
// Finds a key at which a range may be cut: never within a key group, at the shortest text that separates two
// neighbours.
// Place:   tablet servers look for split keys by it, the master's planner fits what they found, tools make split
//          points.
// Threads: values.
#pragma once

#include <string>
#include <string_view>

#include "common/base/key_range.h"

namespace ebla {

// The part of a key that no split cuts; nothing set: each key is a group. The keys of a group begin alike, either in
// their first bytes, or through the first delimiter; or all keys are one group. If the delimiter is the least byte, \0,
// the text before it is a key of the group, too, because no key lies between them.
struct KeyGroupRule {
  size_t prefix_bytes = 0;
  std::string delimiter;
  bool all = false;

  // The first key of the group that `key` belongs to: the highest point at or below `key` that cuts no group.
  std::string Start(const std::string& key) const;
  // The keys of its group.
  KeyRange RangeOf(std::string_view key) const;
  friend bool operator==(const KeyGroupRule&, const KeyGroupRule&) = default;
};

// The shortest text above `below` and not above `above`, which is the greater one. A beginning of `above`, so that it
// cuts no group that `above` does not cut.
std::string ShortestSeparator(std::string_view below, std::string_view above);

}  // namespace ebla

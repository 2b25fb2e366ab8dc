#include "common/base/split_key.h"

#include <algorithm>

namespace ebla {

std::string KeyGroupRule::Start(const std::string& key) const { return RangeOf(key).start; }

KeyRange KeyGroupRule::RangeOf(std::string_view key) const {
  if (all) return KeyRange::All();
  if (prefix_bytes > 0 && key.size() >= prefix_bytes) return KeyRange::Prefix(key.substr(0, prefix_bytes));
  const size_t at = delimiter.empty() ? key.npos : key.find(delimiter);
  if (at != key.npos && delimiter.front() != '\0') return KeyRange::Prefix(key.substr(0, at + delimiter.size()));
  const std::string_view alone = key.substr(0, at);
  // Between a key and those that continue it after \0 lies no other.
  if (!delimiter.empty() && delimiter.front() == '\0')
    return {std::string(alone), PrefixEnd(std::string(alone) + '\0')};
  return {std::string(alone), KeyAfter(alone)};
}

std::string ShortestSeparator(std::string_view below, std::string_view above) {
  const size_t common = std::mismatch(below.begin(), below.end(), above.begin(), above.end()).first - below.begin();
  return std::string(above.substr(0, common + 1));
}

}  // namespace ebla

#include "common/base/split_key.h"

#include <algorithm>

namespace ebla {

std::string KeyGroupRule::Start(const std::string& key) const {
  if (prefix_bytes > 0) return key.substr(0, prefix_bytes);
  if (!delimiter.empty()) {
    const size_t at = key.find(delimiter);
    if (at != std::string::npos) return key.substr(0, delimiter.front() == '\0' ? at : at + delimiter.size());
  }
  return key;
}

std::string ShortestSeparator(std::string_view below, std::string_view above) {
  const size_t common = std::mismatch(below.begin(), below.end(), above.begin(), above.end()).first - below.begin();
  return std::string(above.substr(0, common + 1));
}

}  // namespace ebla

// common/base/split_text.h
// The parts of a list that people write in one word: "a,b,c".
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ebla {

// Empty parts, as in ",a,,b". kDrop: they mean nothing. kKeep: the caller judges them.
enum class EmptyParts : uint8_t { kKeep, kDrop };

// An empty text is one empty part.
inline std::vector<std::string> SplitText(std::string_view text, char separator, EmptyParts empty) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin || empty == EmptyParts::kKeep) parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace ebla

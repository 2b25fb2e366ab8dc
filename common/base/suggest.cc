#include "common/base/suggest.h"

#include <algorithm>

namespace ebla {

namespace {

// Optimal string alignment, three rows at a time.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t other = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, other});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

std::optional<std::string> Nearest(std::string_view typed, const std::vector<std::string>& candidates) {
  constexpr size_t kPrefixLeast = 3;
  std::optional<std::string> nearest;
  size_t least = std::max<size_t>(1, typed.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const bool begins = typed.size() >= kPrefixLeast && candidate.starts_with(typed);
    const size_t distance = begins ? 1 : Distance(typed, candidate);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

std::string DidYouMean(std::string_view typed, const std::vector<std::string>& candidates) {
  const std::optional<std::string> nearest = Nearest(typed, candidates);
  return nearest ? ", did you mean \"" + *nearest + "\"?" : "";
}

}  // namespace ebla

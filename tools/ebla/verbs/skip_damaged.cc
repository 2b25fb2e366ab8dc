#include "tools/ebla/verbs/skip_damaged.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace ebla::shell {

namespace {

// Keys that are alike for so many bytes beyond the last record's length are not told apart.
constexpr size_t kFinerBytes = 8;

// The middle of two keys, as numbers of so many bytes; the lower one itself: there is none between.
std::string Middle(const std::string& low, const std::string& high, size_t bytes) {
  const auto digit = [](const std::string& key, size_t i) {
    return i < key.size() ? static_cast<unsigned>(static_cast<unsigned char>(key[i])) : 0U;
  };
  std::vector<unsigned> sum(bytes);  // of two digits each
  for (size_t i = 0; i < bytes; ++i) sum[i] = digit(low, i) + digit(high, i);
  for (size_t i = bytes; i-- > 1;) {
    sum[i - 1] += sum[i] / 256;
    sum[i] %= 256;
  }
  std::string middle;
  unsigned rest = 0;
  for (const unsigned digits : sum) {
    const unsigned at = rest * 256 + digits;
    middle += static_cast<char>(at / 2);
    rest = at % 2;
  }
  while (middle.size() > low.size() && middle.ends_with('\0')) middle.pop_back();
  return middle;
}

}  // namespace

Result<std::string> EndOfDamage(const KeyRange& range, const ReadsFrom& readable) {
  std::string low = range.start;
  std::optional<std::string> high;
  // "abc\0", "abd", "ac", "b": each leaves more of the table out.
  for (size_t length = range.start.size(); length > 0 && !high; --length) {
    const std::string further = PrefixEnd(std::string_view(range.start).substr(0, length));
    if (further.empty() || !range.Contains(further)) break;
    EBLA_ASSIGN(const bool found, readable(further));
    if (found) high = further;
    if (!found) low = further;
  }
  // Keys with another first byte.
  for (int byte = low.empty() ? 0 : static_cast<unsigned char>(low[0]) + 1; !high && byte < 256; ++byte) {
    const std::string further(1, static_cast<char>(byte));
    if (further <= low) continue;
    if (!range.Contains(further)) break;
    EBLA_ASSIGN(const bool found, readable(further));
    if (found) high = further;
    if (!found) low = further;
  }
  if (!high && range.end.empty()) return range.end;
  if (!high) high = range.end;
  const size_t bytes = std::min(kKeyBytesMax, std::max({low.size(), high->size(), range.start.size()}) + kFinerBytes);
  for (;;) {
    const std::string middle = Middle(low, *high, bytes);
    if (middle <= low || middle >= *high) return *high;
    EBLA_ASSIGN(const bool found, readable(middle));
    (found ? *high : low) = middle;
  }
}

}  // namespace ebla::shell

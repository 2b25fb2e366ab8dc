#include "functions/memcached/numbers.h"

#include <algorithm>
#include <limits>

namespace ebla::memcached {
namespace {

constexpr int64_t kRelativeSecondsMax = 60 * 60 * 24 * 30;

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Digits {
  bool negative = false;
  uint64_t number = 0;
};

// None: no digit, too many of them, or something else right behind them.
std::optional<Digits> ReadDigits(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  Digits digits;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    digits.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  size_t count = 0;
  for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count) {
    if (__builtin_mul_overflow(digits.number, uint64_t{10}, &digits.number) ||
        __builtin_add_overflow(digits.number, static_cast<uint64_t>(text[count] - '0'), &digits.number))
      return std::nullopt;
  }
  if (count == 0 || (count < text.size() && !IsBlank(text[count]) && text[count] != '\0')) return std::nullopt;
  return digits;
}

}  // namespace

std::optional<uint64_t> ReadUnsigned(std::string_view text) {
  const std::optional<Digits> digits = ReadDigits(text);
  if (!digits) return std::nullopt;
  const uint64_t number = digits->negative ? uint64_t{0} - digits->number : digits->number;
  if (digits->negative && static_cast<int64_t>(number) < 0) return std::nullopt;
  return number;
}

std::optional<int32_t> ReadSigned(std::string_view text) {
  const std::optional<Digits> digits = ReadDigits(text);
  if (!digits || digits->number > uint64_t{1} << 31) return std::nullopt;
  const auto number = static_cast<int64_t>(digits->number) * (digits->negative ? -1 : 1);
  if (number > std::numeric_limits<int32_t>::max()) return std::nullopt;
  return static_cast<int32_t>(number);
}

std::optional<int32_t> ReadTime(std::string_view text) {
  const std::optional<Digits> digits = ReadDigits(text);
  if (!digits || digits->number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  const uint64_t number = digits->negative ? uint64_t{0} - digits->number : digits->number;
  return static_cast<int32_t>(static_cast<uint32_t>(number));
}

Lifetime LifetimeOf(int64_t exptime, int64_t now_ms) {
  if (exptime == 0) return Lifetime::Forever();
  if (exptime < 0) return Lifetime::Gone();
  if (exptime <= kRelativeSecondsMax) return Lifetime::For(std::chrono::seconds(exptime));
  return exptime * 1000 > now_ms ? Lifetime::Until(exptime * 1000) : Lifetime::Gone();
}

std::optional<int64_t> ExpiresMs(int64_t exptime, int64_t now_ms) {
  const Lifetime lifetime = LifetimeOf(exptime, now_ms);
  return lifetime.kind == Lifetime::Kind::kGone ? now_ms : lifetime.EndFrom(now_ms);
}

int64_t SecondsLeft(const std::optional<int64_t>& expires_ms, int64_t now_ms) {
  if (!expires_ms) return -1;
  return std::max<int64_t>((*expires_ms - now_ms + 999) / 1000, 0);
}

std::string PaddedNumber(uint64_t number, size_t length) {
  std::string text = std::to_string(number);
  if (text.size() < length) text.resize(length, ' ');
  return text;
}

}  // namespace ebla::memcached

#include "common/base/duration_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "common/base/number_limits.h"

namespace ebla {
namespace {

struct TimeUnit {
  std::string_view name;
  uint64_t ms;
};
constexpr TimeUnit kTimeUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

std::string_view TakeUnit(std::string_view& text) {
  const size_t digit = std::min(text.find_first_of("0123456789"), text.size());
  const std::string_view unit = text.substr(0, digit);
  text.remove_prefix(digit);
  return unit;
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  const auto wrong = [typed = std::string(text)](std::string_view why) {
    return Error(Code::kInvalidArgument, "\"" + typed + "\" is " + std::string(why));
  };
  constexpr uint64_t kMax = limits::kTtlMsMax;
  const std::string_view malformed = "not a duration: write for example 250ms, 2s, 30m, 12h, 7d or 1h30m";
  if (text.empty()) return wrong(malformed);
  uint64_t total = 0;
  bool too_long = false;  // said once the rest is known to be a duration
  while (!text.empty()) {
    uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec == std::errc::invalid_argument) return wrong(malformed);
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
    const std::string_view name = TakeUnit(text);
    const auto unit = std::ranges::find(kTimeUnits, name, &TimeUnit::name);
    if (unit == std::end(kTimeUnits)) return wrong(malformed);
    too_long |= parsed.ec != std::errc() || number > (kMax - total) / unit->ms;
    if (!too_long) total += number * unit->ms;
  }
  if (too_long) return wrong("too long: the largest duration is " + std::to_string(kMax / kTimeUnits[0].ms) + "d");
  return std::chrono::milliseconds(static_cast<int64_t>(total));
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  auto left = static_cast<uint64_t>(std::max<int64_t>(0, duration.count()));
  if (left == 0) return "0";
  std::string text;
  for (const TimeUnit& unit : kTimeUnits) {
    if (left < unit.ms) continue;
    text += std::to_string(left / unit.ms) + std::string(unit.name);
    left %= unit.ms;
  }
  return text;
}

}  // namespace ebla

// common/base/duration_text.h
// Durations as people write them: "250ms", "2s", "30m", "12h", "7d", or several, the largest first: "1h30m".
// Threads: functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ebla {

// "0" alone needs no unit. None: it is no duration.
std::optional<std::chrono::milliseconds> DurationIn(std::string_view text);
std::string FormatDuration(std::chrono::milliseconds duration);

}  // namespace ebla

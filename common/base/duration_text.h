// common/base/duration_text.h
// Durations as people write them: "250ms", "2s", "30m", "12h", "7d", or several with the largest first, as "1h30m".
// Errors:  INVALID_ARGUMENT, with the text and what may be written instead, or the largest duration.
// Threads: functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla {

// "0" alone needs no unit. No duration is longer than a record may live.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
std::string FormatDuration(std::chrono::milliseconds duration);

}  // namespace ebla

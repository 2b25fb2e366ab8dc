#include "tools/ebla/reports/progress.h"

#include <algorithm>
#include <cmath>

#include "common/base/count.h"
#include "common/base/duration_text.h"

namespace ebla::shell {

std::string ProgressText(uint64_t records, std::chrono::milliseconds elapsed, std::optional<double> part) {
  const double seconds = std::max(std::chrono::duration<double>(elapsed).count(), 0.001);
  std::string text = Count(records, "record") + ", " +
                     std::to_string(static_cast<uint64_t>(static_cast<double>(records) / seconds)) + "/s";
  if (!part) return text;
  const double done = std::clamp(*part, 0.0, 1.0);
  text += ", " + std::to_string(static_cast<int>(done * 100)) + "%";
  if (done <= 0) return text;
  const auto left = std::chrono::seconds(std::llround(std::min(seconds * (1 - done) / done, 1e9)));
  return text + ", " + (left.count() == 0 ? "0s" : FormatDuration(left)) + " left";
}

}  // namespace ebla::shell

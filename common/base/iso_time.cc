#include "common/base/iso_time.h"

#include <cstdio>
#include <ctime>

namespace ebla {

std::string IsoTime(int64_t ms_since_1970) {
  const std::time_t seconds = ms_since_1970 / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40] = "";
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(ms_since_1970 % 1000));
  return text;
}

}  // namespace ebla

// common/base/iso_time.h
// A moment as people and programs read it: "2026-11-25T04:30:00.250Z".
// Source:  ISO 8601, in UTC.
// Threads: a function of its argument.
#pragma once

#include <cstdint>
#include <string>

namespace ebla {

std::string IsoTime(int64_t ms_since_1970);

}  // namespace ebla

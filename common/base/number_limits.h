// common/base/number_limits.h
// The largest numbers that one process believes of another. A broken or hostile process may send any number. If the
// receiver believed one near 2^63, it would have no larger number left to count on to.
// Place:   request handlers check a message before acting on it (transport/peer_translate.h, service/control_service.h,
//          service/request_check.h, master/cluster); the core checks what only it can compare with its own state.
// Why so:  each limit lies far beyond what a cluster counts in its life, and so far below 2^63 that the next number,
//          and sums of many, never overflow.
// Threads: constants and functions of their arguments.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "common/base/ids.h"

namespace ebla::limits {

inline constexpr int64_t kEpochMax = int64_t{1} << 40;  // of epochs and of masters' terms
inline constexpr int64_t kLsnMax = int64_t{1} << 56;
inline constexpr int64_t kIdMax = int64_t{1} << 56;  // of tables and tablets
inline constexpr int64_t kBytesMax = int64_t{1} << 60;
inline constexpr int64_t kTtlMsMax = int64_t{1} << 52;     // of a record, from when it is put
inline constexpr int64_t kExpiryMsMax = int64_t{1} << 53;  // since 1970; no real clock shows it

// How far one message may take a receiver beyond what it knows: a number that honest processes count up by ones cannot
// have come further while it looked away. The master takes half the leap that servers take of it.
inline constexpr uint64_t kEpochLeapMax = uint64_t{1} << 21;
inline constexpr uint64_t kReportedEpochLeapMax = kEpochLeapMax / 2;
inline constexpr int64_t kTermLeapMax = int64_t{1} << 20;
inline constexpr uint64_t kIncarnationLeapMax = 16;

constexpr bool IsWithin(int64_t number, int64_t greatest) { return number >= 0 && number <= greatest; }
constexpr bool AreEpochs(std::initializer_list<int64_t> numbers) {
  return std::ranges::all_of(numbers, [](int64_t number) { return IsWithin(number, kEpochMax); });
}
constexpr bool AreLsns(std::initializer_list<int64_t> numbers) {
  return std::ranges::all_of(numbers, [](int64_t number) { return IsWithin(number, kLsnMax); });
}
constexpr bool IsLeap(Epoch from, Epoch to, uint64_t leap = kEpochLeapMax) {
  return to.value > from.value && to.value - from.value > leap;
}

// The latest time that is believed, in milliseconds: ten years from this clock's now, or from 2026 where it shows less,
// as a clock without a battery does.
constexpr int64_t LatestTime(int64_t time_of_day_ms) {
  constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1000;
  return std::max(time_of_day_ms, 56 * kYear) + 10 * kYear;
}

}  // namespace ebla::limits

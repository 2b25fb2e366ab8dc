// tests/bench/compare/keys.h
// The keys of the records that are compared, for Ebla and for the peers that have no load generator of their own.
// Their order is that of their numbers.
// Threads: functions.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

inline std::string RecordKey(int64_t n) { return "user" + std::to_string(1'000'000'000 + n); }
inline std::string RandomRecordKey() {
  thread_local std::minstd_rand random(std::random_device{}());
  return RecordKey(random() % kRecords);
}

}  // namespace ebla::bench

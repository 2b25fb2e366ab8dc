// tabletserver/service/operation_stats.h
// How many operations of each kind the server has answered, how many of them it refused, and how long they took.
// Place:   tablet_service.cc counts, metrics.cc shows.
// Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/base/executor.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

enum class Operation : uint8_t { kGet, kMultiGet, kWrite, kScan };
inline constexpr std::array<const char*, 4> kOperationNames = {"get", "multi_get", "write", "scan"};

class OperationStats {
 public:
  // Upper bounds of the buckets, in microseconds; the last one has none.
  static constexpr std::array<int64_t, 12> kBucketMicros = {10,    20,    50,     100,     200,       500,
                                                            1'000, 2'000, 10'000, 100'000, 1'000'000, 10'000'000};
  struct Counts {
    uint64_t count = 0;
    uint64_t refused = 0;  // answered with anything but OK, NOT_FOUND or CONDITION_FAILED
    double seconds = 0;
    std::array<uint64_t, kBucketMicros.size() + 1> buckets{};
  };

  void Count(Operation operation, Code code, Duration took) {
    PerOperation& mine = operations_[static_cast<size_t>(operation)];
    const int64_t micros = took.count() / 1000;
    size_t bucket = 0;
    while (bucket < kBucketMicros.size() && micros > kBucketMicros[bucket]) ++bucket;
    mine.buckets[bucket].fetch_add(1, std::memory_order_relaxed);
    mine.nanoseconds.fetch_add(static_cast<uint64_t>(took.count()), std::memory_order_relaxed);
    if (code != Code::kOk && code != Code::kNotFound && code != Code::kConditionFailed) {
      mine.refused.fetch_add(1, std::memory_order_relaxed);
    }
  }
  Counts Read(Operation operation) const {
    const PerOperation& mine = operations_[static_cast<size_t>(operation)];
    Counts counts;
    for (size_t i = 0; i < mine.buckets.size(); ++i) {
      counts.buckets[i] = mine.buckets[i].load(std::memory_order_relaxed);
      counts.count += counts.buckets[i];
    }
    counts.refused = mine.refused.load(std::memory_order_relaxed);
    counts.seconds = static_cast<double>(mine.nanoseconds.load(std::memory_order_relaxed)) / 1e9;
    return counts;
  }

 private:
  struct alignas(64) PerOperation {
    std::array<std::atomic<uint64_t>, kBucketMicros.size() + 1> buckets{};
    std::atomic<uint64_t> nanoseconds{0};
    std::atomic<uint64_t> refused{0};
  };
  std::array<PerOperation, kOperationNames.size()> operations_;
};

}  // namespace ebla::tabletserver

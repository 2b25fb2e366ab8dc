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

enum class Operation : uint8_t { kGet, kMultiGet, kWrite, kScan, kCall };
inline constexpr std::array<const char*, 5> kOperationNames = {"get", "multi_get", "write", "scan", "call"};

// By the numbers of ReadLevel and WriteLevel in thrift/types.thrift.
inline constexpr std::array<const char*, 5> kReadLevelNames = {"default", "strong", "session", "bounded", "eventual"};
inline constexpr std::array<const char*, 5> kWriteLevelNames = {"default", "majority", "all", "primary", "any"};

class OperationStats {
 public:
  // Upper bounds of the buckets, in microseconds; the last one has none. Three to a power of ten, so that a percentile
  // read from them is off by less than the half.
  static constexpr std::array<int64_t, 19> kBucketMicros = {
      10,     20,     50,      100,     200,     500,       1'000,     2'000,     5'000,     10'000,
      20'000, 50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000};
  static constexpr size_t kLevels = kReadLevelNames.size();
  // The codes by which answers are counted; any other code counts as INTERNAL.
  static constexpr std::array<Code, 16> kCodes = {
      Code::kOk,          Code::kNotFound,         Code::kConditionFailed, Code::kInvalidArgument,
      Code::kNoSuchTable, Code::kOverloaded,       Code::kUnavailable,     Code::kLostWrite,
      Code::kTableExists, Code::kDeadlineExceeded, Code::kUnknownOutcome,  Code::kInternal,
      Code::kWrongTablet, Code::kNotPrimary,       Code::kStaleEpoch,      Code::kComeAgain};
  struct Counts {
    uint64_t count = 0;
    double seconds = 0;
    std::array<uint64_t, kBucketMicros.size() + 1> buckets{};
    std::array<std::array<uint64_t, kCodes.size()>, kLevels> answers{};  // by level, then as kCodes
    uint64_t refused = 0;  // answered with anything but OK, NOT_FOUND or CONDITION_FAILED
  };

  // `level` as in the request, known or not.
  void Count(Operation operation, uint8_t level, Code code, Duration took) {
    PerOperation& mine = operations_[static_cast<size_t>(operation)];
    const int64_t micros = took.count() / 1000;
    size_t bucket = 0;
    while (bucket < kBucketMicros.size() && micros > kBucketMicros[bucket]) ++bucket;
    mine.buckets[bucket].fetch_add(1, std::memory_order_relaxed);
    mine.nanoseconds.fetch_add(static_cast<uint64_t>(took.count()), std::memory_order_relaxed);
    mine.answers[level < kLevels ? level : 0][Index(code)].fetch_add(1, std::memory_order_relaxed);
  }
  Counts Read(Operation operation) const {
    const PerOperation& mine = operations_[static_cast<size_t>(operation)];
    Counts counts;
    for (size_t i = 0; i < mine.buckets.size(); ++i) {
      counts.buckets[i] = mine.buckets[i].load(std::memory_order_relaxed);
      counts.count += counts.buckets[i];
    }
    for (size_t level = 0; level < kLevels; ++level) {
      for (size_t code = 0; code < kCodes.size(); ++code) {
        const uint64_t answers = mine.answers[level][code].load(std::memory_order_relaxed);
        counts.answers[level][code] = answers;
        if (code > Index(Code::kConditionFailed)) counts.refused += answers;
      }
    }
    counts.seconds = static_cast<double>(mine.nanoseconds.load(std::memory_order_relaxed)) / 1e9;
    return counts;
  }

 private:
  static constexpr size_t Index(Code code) {
    for (size_t i = 0; i < kCodes.size(); ++i) {
      if (kCodes[i] == code) return i;
    }
    return Index(Code::kInternal);
  }

  struct alignas(64) PerOperation {
    std::array<std::atomic<uint64_t>, kBucketMicros.size() + 1> buckets{};
    std::array<std::array<std::atomic<uint64_t>, kCodes.size()>, kLevels> answers{};
    std::atomic<uint64_t> nanoseconds{0};
  };
  std::array<PerOperation, kOperationNames.size()> operations_;
};

}  // namespace ebla::tabletserver

// tests/chaos/verdicts/counting.h
// A number that many clients only ever raise, by INCR, by WATCH and EXEC, by a script or by cas, and what each of them
// was told that it came to.
// Judged:  1. Two acknowledged steps share no part of the way: each made a part of its own.
//          2. A step begins no lower than where one ended that was answered before it was called; reads are steps of 0.
//          3. In the end the number is what was acknowledged, and of the unknown steps none, some or all, each once.
// Threads: Told() and Unknown() any; Judge() when nobody else calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "tests/chaos/verdicts/events.h"

namespace ebla::chaos {

class Counting {
 public:
  // Raised by `delta`, which is 0 for a read, and came to `sum`.
  void Told(const Span& span, int64_t delta, int64_t sum);
  // It may have been raised by this.
  void Unknown(int64_t delta);
  // `last`: what it is once nothing is under way any more. The problems; none: every promise was kept.
  std::vector<std::string> Judge(int64_t last) const;
  // Of a number that nobody counts, as a version: only that it never runs back. None at last: it is there no more.
  std::vector<std::string> JudgeReads(std::optional<int64_t> last) const;
  size_t told() const;

 private:
  struct Step {
    Span span;
    int64_t delta = 0;
    int64_t sum = 0;
  };
  static void JudgeParts(std::vector<Step> steps, std::vector<std::string>& problems);
  static void JudgeOrder(std::vector<Step> steps, std::vector<std::string>& problems);

  mutable Mutex mutex_;
  std::vector<Step> steps_ EBLA_GUARDED_BY(mutex_);
  int64_t unknown_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t unknown_least_ EBLA_GUARDED_BY(mutex_) = 0;  // the smallest of them
};

}  // namespace ebla::chaos

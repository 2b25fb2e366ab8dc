// tests/chaos/verdicts/counting.h
// A number that many clients only ever raise, by INCR, by WATCH and EXEC, by a script or by cas, and the sum in each
// answer.
// Judged:  1. Two acknowledged steps share no part of the way, because each made a separate part.
//          2. A step begins no lower than the end of a step that was answered before it was called; reads are steps of
//             0.
//          3. In the end the number has every acknowledged step, and of the unknown steps none, some or all, each once.
// Threads: Told() and Unknown() any; Judge() while no thread calls those.
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
  // An answer: the number was raised by `delta`, which is 0 for a read, to `sum`.
  void Told(const Span& span, int64_t delta, int64_t sum);
  // A request without an answer may have raised the number by `delta`.
  void Unknown(int64_t delta);
  // Returns the problems; none: every promise was kept. `last` is the number once no request is under way any more.
  std::vector<std::string> Judge(int64_t last) const;
  // For a number that clients do not count, such as a version, checks only that it never falls. Without a `last`
  // number the record is gone.
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

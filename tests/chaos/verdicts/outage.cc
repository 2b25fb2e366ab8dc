#include "tests/chaos/verdicts/outage.h"

#include <algorithm>
#include <cmath>

#include "common/base/mutex.h"

namespace ebla::chaos {

using std::chrono::milliseconds;

void OutageWatch::Answered(int tablet, bool write, WallClock::time_point asked, WallClock::time_point answered) {
  MutexLock lock(mutex_);
  Tablet& own = tablets_[static_cast<size_t>(tablet)];
  (write ? own.writes : own.reads).push_back({asked, answered});
}

bool OutageWatch::ServedSince(int tablet, WallClock::time_point moment) const {
  MutexLock lock(mutex_);
  const Tablet& own = tablets_[static_cast<size_t>(tablet)];
  const auto since = [moment](const Answer& answer) { return answer.asked > moment; };
  return std::ranges::any_of(own.reads, since) && std::ranges::any_of(own.writes, since);
}

std::optional<Gap> OutageWatch::Longest(int tablet, WallClock::time_point moment) const {
  MutexLock lock(mutex_);
  Gap longest;
  for (const bool write : {false, true}) {
    const Tablet& own = tablets_[static_cast<size_t>(tablet)];
    std::vector<WallClock::time_point> times;
    for (const Answer& answer : write ? own.writes : own.reads) times.push_back(answer.answered);
    std::ranges::sort(times);
    if (times.empty() || times.back() <= moment) return std::nullopt;
    for (size_t i = 1; i < times.size(); ++i) {
      const auto length = std::chrono::duration_cast<milliseconds>(times[i] - times[i - 1]);
      if (times[i] > moment && length > longest.length) longest = {length, write};
    }
  }
  return longest;
}

void OutageWatch::Forget() {
  MutexLock lock(mutex_);
  for (Tablet& tablet : tablets_) {
    for (std::vector<Answer>* answers : {&tablet.reads, &tablet.writes}) {
      if (!answers->empty()) answers->erase(answers->begin(), answers->end() - 1);
    }
  }
}

milliseconds Percentile(std::vector<milliseconds>& values, double part) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(values.size())));
  return values[std::clamp(rank, size_t{1}, values.size()) - 1];
}

}  // namespace ebla::chaos

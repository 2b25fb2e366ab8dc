#include "tests/chaos/verdicts/counting.h"

#include <algorithm>

namespace ebla::chaos {
namespace {

void NoteCounting(std::vector<std::string>& problems, std::string text) {
  if (problems.size() < kVerdictProblemsMax) problems.push_back(std::move(text));
}

}  // namespace

void Counting::Told(const Span& span, int64_t delta, int64_t sum) {
  MutexLock lock(mutex_);
  steps_.push_back({span, delta, sum});
}

void Counting::Unknown(int64_t delta) {
  MutexLock lock(mutex_);
  unknown_least_ = unknown_ == 0 ? delta : std::min(unknown_least_, delta);
  unknown_ += delta;
}

size_t Counting::told() const {
  MutexLock lock(mutex_);
  return steps_.size();
}

std::vector<std::string> Counting::Judge(int64_t last) const {
  MutexLock lock(mutex_);
  std::vector<std::string> problems;
  JudgeParts(steps_, problems);
  JudgeOrder(steps_, problems);
  int64_t acknowledged = 0;
  int64_t highest = 0;
  for (const Step& step : steps_) {
    acknowledged += step.delta;
    highest = std::max(highest, step.sum);
  }
  const std::string end = "in the end it is " + std::to_string(last);
  if (last < highest) NoteCounting(problems, end + ", though somebody was told " + std::to_string(highest));
  const int64_t more = last - acknowledged;
  if (more < 0)
    NoteCounting(problems, end + ", less than the " + std::to_string(acknowledged) + " that were acknowledged");
  else if (more > unknown_ || (more > 0 && more < unknown_least_))
    NoteCounting(problems, end + ": beside " + std::to_string(acknowledged) + " that were acknowledged and " +
                               std::to_string(unknown_) + " of unknown outcome somebody has counted");
  return problems;
}

std::vector<std::string> Counting::JudgeReads(std::optional<int64_t> last) const {
  MutexLock lock(mutex_);
  std::vector<std::string> problems;
  std::vector<Step> steps = steps_;
  if (last) steps.push_back({{sim::kNever - 1, sim::kNever}, 0, *last});
  JudgeOrder(std::move(steps), problems);
  return problems;
}

void Counting::JudgeParts(std::vector<Step> steps, std::vector<std::string>& problems) {
  std::erase_if(steps, [](const Step& step) { return step.delta == 0; });
  std::ranges::sort(steps, {}, &Step::sum);
  int64_t reached = 0;
  for (const Step& step : steps) {
    if (step.sum - step.delta < reached)
      NoteCounting(problems, "who counted " + std::to_string(step.delta) + " came to " + std::to_string(step.sum) +
                                 ", which takes a part that another has counted up to " + std::to_string(reached));
    reached = std::max(reached, step.sum);
  }
}

void Counting::JudgeOrder(std::vector<Step> steps, std::vector<std::string>& problems) {
  std::vector<Step> answered = steps;
  std::ranges::sort(steps, {}, [](const Step& step) { return step.span.invoked; });
  std::ranges::sort(answered, {}, [](const Step& step) { return step.span.returned; });
  int64_t least = 0;
  size_t next = 0;
  for (const Step& step : steps) {
    for (; next < answered.size() && answered[next].span.returned < step.span.invoked; ++next)
      least = std::max(least, answered[next].sum);
    if (step.sum - step.delta < least)
      NoteCounting(problems, std::string(step.delta == 0 ? "a read found " : "a step came to ") +
                                 std::to_string(step.sum) + " after somebody had been told " + std::to_string(least));
  }
}

}  // namespace ebla::chaos

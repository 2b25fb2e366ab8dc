#include "tests/chaos/verdicts/leases.h"

#include <algorithm>

#include "tests/chaos/verdicts/events.h"

namespace ebla::chaos {
namespace {

std::string Since(Hold::Moment begin, Hold::Moment moment) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(moment - begin).count()) + " ms";
}

// Up to here it has the lock for sure.
Hold::Moment CertainEnd(const Hold& hold) {
  return std::min(hold.asked + hold.lease - Leases::kMargin, hold.given_back);
}

}  // namespace

void Leases::Held(Hold hold) {
  MutexLock lock(mutex_);
  holds_.push_back(std::move(hold));
}

std::vector<std::string> Leases::Judge() const {
  MutexLock lock(mutex_);
  std::vector<std::string> problems;
  const auto note = [&problems](std::string text) {
    if (problems.size() < kVerdictProblemsMax) problems.push_back(std::move(text));
  };
  std::vector<Hold> holds = holds_;
  std::ranges::sort(holds, {}, &Hold::asked);
  for (size_t i = 0; i < holds.size(); ++i) {
    const Hold& first = holds[i];
    if (first.lost < first.asked + first.lease - kMargin)
      note(first.client + " lost it " + Since(first.asked, first.lost) + " after it had asked for " +
           std::to_string(first.lease.count()) + " ms");
    for (size_t j = i + 1; j < holds.size() && holds[j].asked < CertainEnd(first); ++j) {
      const Hold& second = holds[j];
      if (second.acquired >= CertainEnd(first) || first.acquired >= CertainEnd(second)) continue;
      note(second.client + " got it " + Since(first.asked, second.acquired) + " after " + first.client +
           " had asked for it, which holds it at least " + Since(first.asked, CertainEnd(first)));
    }
  }
  return problems;
}

}  // namespace ebla::chaos

#include "tabletserver/storage/runs/merge_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ebla::tabletserver {

namespace {

constexpr size_t kTinyRuns = 4;
constexpr int64_t kTinyPart = 8;
constexpr size_t kRunsMaxTiers = 3;

// The newest stretch of runs below a size that has so many runs, and bytes.
std::optional<MergePlan> NewestStretch(std::span<const int64_t> bytes, int64_t below, size_t count_min,
                                       int64_t sum_min) {
  for (size_t first = 0; first < bytes.size(); ++first) {
    size_t end = first;
    int64_t sum = 0;
    for (; end < bytes.size() && bytes[end] < below; ++end) sum += bytes[end];
    if (end - first >= count_min && sum >= sum_min) return MergePlan{.first = first, .count = end - first};
    first = end;
  }
  return std::nullopt;
}

MergePlan Cheapest(std::span<const int64_t> bytes, size_t count) {
  int64_t sum = std::accumulate(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count), int64_t{0});
  int64_t least = sum;
  size_t first = 0;
  for (size_t end = count; end < bytes.size(); ++end) {
    sum += bytes[end] - bytes[end - count];
    if (sum >= least) continue;
    least = sum;
    first = end - count + 1;
  }
  return {.first = first, .count = count};
}

}  // namespace

std::optional<MergePlan> PlanMerge(std::span<const int64_t> bytes, const MergeLimits& limits) {
  if (bytes.empty()) return std::nullopt;
  const size_t per_tier = std::max<size_t>(2, limits.runs_per_tier);
  const auto factor = static_cast<int64_t>(per_tier);
  const int64_t smallest = std::max<int64_t>(1, limits.smallest_tier_bytes);
  if (const auto plan = NewestStretch(bytes, smallest / kTinyPart, kTinyRuns, 0)) return plan;
  const int64_t largest = *std::ranges::max_element(bytes);
  for (int64_t tier_end = smallest;; tier_end *= factor) {
    if (const auto plan = NewestStretch(bytes, tier_end, per_tier, tier_end)) return plan;
    if (tier_end > largest || tier_end > std::numeric_limits<int64_t>::max() / factor) break;
  }
  if (bytes.size() > kRunsMaxTiers * per_tier) return Cheapest(bytes, per_tier);
  return std::nullopt;
}

std::optional<MergePlan> PlanMergeAtRest(std::span<const int64_t> bytes, const MergeLimits& limits) {
  constexpr int64_t kPart = 4;
  if (const auto plan = PlanMerge(bytes, limits)) return plan;
  if (bytes.empty()) return std::nullopt;
  const int64_t all = std::accumulate(bytes.begin(), bytes.end(), int64_t{0});
  const bool small = all < limits.smallest_tier_bytes * static_cast<int64_t>(limits.runs_per_tier);
  int64_t sum = bytes.front();
  size_t count = 1;
  for (; count < bytes.size(); sum += bytes[count++]) {
    if (sum < bytes[count] / kPart) break;
    if (!small && sum + bytes[count] > all / kPart) break;
  }
  return count < (small ? 2U : 3U) ? std::nullopt : std::optional(MergePlan{.first = 0, .count = count});
}

}  // namespace ebla::tabletserver

#include "tabletserver/storage/runs/merge_plan.h"

#include <algorithm>
#include <limits>

namespace ebla::tabletserver {

namespace {

constexpr size_t kTinyRuns = 4;
constexpr int64_t kTinyPart = 8;

std::optional<MergePlan> MostlyHoles(std::span<const PlannedRun> runs) {
  const auto found = std::ranges::find_if(runs, [](const PlannedRun& run) {
    return !run.fixed && run.bytes_in_holes > 0 && run.bytes_in_holes >= run.bytes / 2;
  });
  if (found == runs.end()) return std::nullopt;
  return MergePlan{.first = static_cast<size_t>(found - runs.begin()), .count = 1};
}

// The newest stretch of runs below a size that has so many runs, and bytes.
std::optional<MergePlan> NewestStretch(std::span<const PlannedRun> runs, int64_t below, size_t count_min,
                                       int64_t sum_min) {
  for (size_t first = 0; first < runs.size(); ++first) {
    size_t end = first;
    int64_t sum = 0;
    for (; end < runs.size() && !runs[end].fixed && runs[end].bytes < below; ++end) sum += runs[end].bytes;
    if (end - first >= count_min && sum >= sum_min) return MergePlan{.first = first, .count = end - first};
    first = end;
  }
  return std::nullopt;
}

// The adjacent runs with the least sum; none: fixed runs leave no place for so many.
std::optional<MergePlan> Cheapest(std::span<const PlannedRun> runs, size_t count) {
  std::optional<MergePlan> cheapest;
  int64_t least = 0, sum = 0;
  size_t begin = 0;
  for (size_t end = 0; end < runs.size(); ++end) {
    if (runs[end].fixed) {
      begin = end + 1;
      sum = 0;
      continue;
    }
    sum += runs[end].bytes;
    if (end - begin == count) sum -= runs[begin++].bytes;
    if (end + 1 - begin < count || (cheapest && sum >= least)) continue;
    least = sum;
    cheapest = MergePlan{.first = begin, .count = count};
  }
  return cheapest;
}

// All runs, for only a merge with the oldest one leaves deleted rows out.
std::optional<MergePlan> MostlyDeleted(std::span<const PlannedRun> runs) {
  int64_t records = 0, deletes = 0;
  for (const PlannedRun& run : runs) {
    if (run.fixed) return std::nullopt;
    records += run.records;
    deletes += run.deletes;
  }
  if (deletes == 0 || deletes < records / 4) return std::nullopt;
  const int64_t below = runs.back().records - runs.back().deletes;
  return deletes < below / 2 ? std::nullopt : std::optional(MergePlan{.first = 0, .count = runs.size()});
}

// The size of the merged run.
int64_t BytesExpected(std::span<const PlannedRun> runs, const MergePlan& plan) {
  int64_t bytes = 0, records = 0, deletes = 0;
  for (const PlannedRun& run : runs.subspan(plan.first, plan.count)) {
    bytes += run.bytes - run.bytes_in_holes;
    records += run.records;
    deletes += run.deletes;
  }
  return plan.first + plan.count == runs.size() ? BytesThatStay(bytes, records, deletes) : bytes;
}

// The first plan of the rules that is accepted.
template <class Accepts>
std::optional<MergePlan> PlanByRules(std::span<const PlannedRun> runs, const MergeLimits& limits,
                                     const Accepts& accepts) {
  if (runs.empty()) return std::nullopt;
  const size_t per_tier = std::max<size_t>(2, limits.runs_per_tier);
  const auto factor = static_cast<int64_t>(per_tier);
  const int64_t smallest = std::max<int64_t>(1, limits.smallest_tier_bytes);
  if (const auto plan = NewestStretch(runs, smallest / kTinyPart, kTinyRuns, 0); accepts(plan)) return plan;
  const int64_t largest = std::ranges::max_element(runs, {}, &PlannedRun::bytes)->bytes;
  for (int64_t tier_end = smallest;; tier_end *= factor) {
    if (const auto plan = NewestStretch(runs, tier_end, per_tier, tier_end); accepts(plan)) return plan;
    if (tier_end > largest || tier_end > std::numeric_limits<int64_t>::max() / factor) break;
  }
  if (const auto plan = MostlyHoles(runs); accepts(plan)) return plan;
  const auto free = std::ranges::count(runs, false, &PlannedRun::fixed);
  if (static_cast<size_t>(free) <= RunsMax(limits)) return std::nullopt;
  const auto plan = Cheapest(runs, per_tier);
  return accepts(plan) ? plan : std::nullopt;
}

}  // namespace

int64_t BytesThatStay(int64_t bytes, int64_t records, int64_t deletes) {
  const int64_t puts = records - deletes;
  if (deletes == 0) return bytes;
  if (puts <= deletes) return 0;
  return static_cast<int64_t>(static_cast<double>(bytes) * static_cast<double>(puts - deletes) /
                              static_cast<double>(puts));
}

std::optional<MergePlan> PlanMerge(std::span<const PlannedRun> runs, const MergeLimits& limits) {
  return PlanByRules(runs, limits, [](const std::optional<MergePlan>& plan) { return plan.has_value(); });
}

std::optional<MergePlan> PlanMergeAtRest(std::span<const PlannedRun> runs, const MergeLimits& limits) {
  constexpr int64_t kPart = 4;
  if (const auto plan = PlanMerge(runs, limits)) return plan;
  if (const auto plan = MostlyDeleted(runs)) return plan;
  if (runs.empty() || runs.front().fixed) return std::nullopt;
  int64_t all = 0;
  for (const PlannedRun& run : runs) all += run.bytes;
  const bool small = all < limits.smallest_tier_bytes * static_cast<int64_t>(limits.runs_per_tier);
  int64_t sum = runs.front().bytes;
  size_t count = 1;
  for (; count < runs.size() && !runs[count].fixed; sum += runs[count++].bytes) {
    if (sum < runs[count].bytes / kPart) break;
    if (!small && sum + runs[count].bytes > all / kPart) break;
  }
  return count < (small ? 2U : 3U) ? std::nullopt : std::optional(MergePlan{.first = 0, .count = count});
}

std::optional<MergePlan> PlanMergeBelowReserve(std::span<const PlannedRun> runs, const MergeLimits& limits,
                                               int64_t bytes_max) {
  const auto has_room = [&](const std::optional<MergePlan>& plan) {
    return plan && BytesExpected(runs, *plan) <= bytes_max;
  };
  if (const auto plan = MostlyDeleted(runs); has_room(plan)) return plan;
  if (const auto plan = PlanByRules(runs, limits, has_room)) return plan;
  return PlanMerge(runs, limits);
}

}  // namespace ebla::tabletserver

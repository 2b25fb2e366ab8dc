#include "tabletserver/storage/log/log_index.h"

#include <algorithm>

namespace ebla::tabletserver {

namespace {

void DropFront(LogRun& run, Lsn first) {
  run.skip += first.value - run.first.value;
  run.first = first;
}

}  // namespace

void LogIndex::Count(const LogPlace& place, int sign) {
  Live& live = live_[place.segment];
  live.records += sign;
  live.bytes += sign * place.bytes;
  if (live.records == 0) live_.erase(place.segment);
}

// Takes the entries from `first` to `last` out of the runs.
void LogIndex::MakeRoom(Runs& runs, Lsn first, Lsn last) {
  auto run = std::ranges::lower_bound(runs, first, {}, &LogRun::last);
  while (run != runs.end() && run->first <= last) {
    const bool before = run->first<first, after = run->last> last;
    if (before && after) {
      LogRun rest = *run;
      DropFront(rest, last.Next());
      run->last = Lsn{first.value - 1};
      Count(rest.place, 1);
      runs.insert(run + 1, rest);
      return;
    }
    if (before) {
      run->last = Lsn{first.value - 1};
      ++run;
    } else if (after) {
      DropFront(*run, last.Next());
      return;
    } else {
      Count(run->place, -1);
      run = runs.erase(run);
    }
  }
}

void LogIndex::AddEntries(TabletId tablet, Lsn first, uint64_t count, const LogPlace& place) {
  if (count == 0) return;
  Runs& runs = runs_[tablet];
  const LogRun run{.first = first, .last = Lsn{first.value + count - 1}, .place = place};
  Count(place, 1);
  if (runs.empty() || runs.back().last < first) {
    runs.push_back(run);
    return;
  }
  MakeRoom(runs, run.first, run.last);
  runs.insert(std::ranges::lower_bound(runs, run.first, {}, &LogRun::first), run);
}

void LogIndex::CutEnd(TabletId tablet, Lsn from) {
  const auto found = runs_.find(tablet);
  if (found == runs_.end()) return;
  MakeRoom(found->second, from, Lsn{UINT64_MAX});
  if (found->second.empty()) runs_.erase(found);
}

void LogIndex::CutStart(TabletId tablet, Lsn below) {
  const auto found = runs_.find(tablet);
  if (found == runs_.end() || below.value == 0) return;
  MakeRoom(found->second, Lsn{0}, Lsn{below.value - 1});
  if (found->second.empty()) runs_.erase(found);
}

void LogIndex::Put(std::string_view key, const LogPlace& place) {
  Erase(key);
  values_.emplace(key, place);
  Count(place, 1);
}

void LogIndex::Erase(std::string_view key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return;
  Count(found->second, -1);
  values_.erase(found);
}

std::vector<TabletId> LogIndex::Tablets() const {
  std::vector<TabletId> tablets;
  for (const auto& [tablet, runs] : runs_) {
    if (!runs.empty()) tablets.push_back(tablet);
  }
  return tablets;
}

LogBounds LogIndex::Bounds(TabletId tablet) const {
  const auto found = runs_.find(tablet);
  if (found == runs_.end()) return {};
  return {found->second.front().first, found->second.back().last};
}

const LogRun* LogIndex::Find(TabletId tablet, Lsn lsn) const {
  const auto found = runs_.find(tablet);
  if (found == runs_.end()) return nullptr;
  const auto run = std::ranges::lower_bound(found->second, lsn, {}, &LogRun::last);
  return run == found->second.end() ? nullptr : &*run;
}

const LogRun* LogIndex::RunAt(TabletId tablet, Lsn first, const LogPlace& place) const {
  const LogRun* const run = Find(tablet, first);
  return run != nullptr && run->place == place ? run : nullptr;
}

const LogPlace* LogIndex::Value(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

std::optional<std::pair<std::string, LogPlace>> LogIndex::ValueAfter(std::string_view key) const {
  const auto found = values_.upper_bound(key);
  return found == values_.end() ? std::nullopt : std::optional(std::pair(found->first, found->second));
}

LogIndex::Standing LogIndex::StandingThrough(uint64_t segment) const {
  Standing standing;
  for (const auto& [tablet, runs] : runs_) {
    for (const LogRun& run : runs) {
      if (run.place.segment <= segment) standing.runs.emplace_back(tablet, run);
    }
  }
  for (const auto& [key, place] : values_) {
    if (place.segment <= segment) standing.values.emplace_back(key, place);
  }
  return standing;
}

LogIndex::Live LogIndex::live(uint64_t segment) const {
  const auto found = live_.find(segment);
  return found == live_.end() ? Live{} : found->second;
}

Status LogIndex::CheckWhole() const {
  for (const auto& [tablet, runs] : runs_) {
    for (size_t i = 1; i < runs.size(); ++i) {
      if (runs[i].first == runs[i - 1].last.Next()) continue;
      return Error(Code::kInternal, "the log of tablet " + std::to_string(tablet.value) + " lacks the entries from " +
                                        std::to_string(runs[i - 1].last.value + 1) + " to " +
                                        std::to_string(runs[i].first.value - 1));
    }
  }
  return {};
}

}  // namespace ebla::tabletserver

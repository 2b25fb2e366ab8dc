#include "tests/chaos/verdicts/recorder.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "common/base/mutex.h"
#include "tests/sim/checker/levels.h"
#include "tests/sim/checker/linearizability.h"

namespace ebla::chaos {
namespace {

using sim::Operation;
using sim::Outcome;

constexpr size_t kStatesMax = 1'000'000;  // of one group's search
constexpr size_t kProblemsMax = 20;

// The first events of each history: what the cut before it knew was written between them.
constexpr sim::EventNumber kBeginning = 1;
constexpr sim::EventNumber kBegun = 2;

MonotonicTime Now() { return {std::chrono::steady_clock::now().time_since_epoch()}; }

bool IsStrong(const Operation& read) { return read.read.level() == Read::Level::kStrong; }

}  // namespace

Recorder::Recorder(int groups)
    : groups_(groups), known_(static_cast<size_t>(groups)), carried_(static_cast<size_t>(groups)) {
  for (auto event = kBeginning; event <= kBegun; ++event) history_.Event(Now());
}

size_t Recorder::Begin(Operation operation) {
  MutexLock lock(mutex_);
  operation.id = history_.operations.size() + 1;
  operation.invoked = history_.Event(Now());
  history_.operations.push_back(std::move(operation));
  return history_.operations.size() - 1;
}

void Recorder::End(size_t number, Outcome outcome, std::optional<sim::Cell> found, Version version,
                   std::vector<int64_t> counters) {
  MutexLock lock(mutex_);
  Operation& operation = history_.operations[number];
  operation.outcome = outcome;
  if (outcome == Outcome::kUnknown || outcome == Outcome::kNotExecuted) return;
  operation.returned = history_.Event(Now());
  operation.found = std::move(found);
  operation.version = version;
  operation.counters = std::move(counters);
  ++answered_;
}

CutVerdict Recorder::Cut() {
  MutexLock lock(mutex_);
  CutVerdict verdict;
  std::vector<std::vector<Operation>> groups(static_cast<size_t>(groups_));
  for (int group = 0; group < groups_; ++group) groups[static_cast<size_t>(group)] = Beginning(group);
  const std::vector<Counted> counted = CountedSince();
  for (Operation& operation : history_.operations) {
    if (operation.is_read && IsBefore(operation, counted[static_cast<size_t>(operation.group)])) {
      ++verdict.before;
      continue;
    }
    ++verdict.operations;
    groups[static_cast<size_t>(operation.group)].push_back(std::move(operation));
  }
  for (int group = 0; group < groups_; ++group) {
    std::vector<Operation>& operations = groups[static_cast<size_t>(group)];
    Remember(group, operations);
    verdict.unknown += static_cast<int64_t>(carried_[static_cast<size_t>(group)].size());
    Judge(group, std::move(operations), history_.moments, verdict);
  }
  history_ = {};
  for (auto event = kBeginning; event <= kBegun; ++event) history_.Event(Now());
  return verdict;
}

// A write of what each cell held at the last cut, and what may still happen.
std::vector<Operation> Recorder::Beginning(int group) const {
  std::vector<Operation> operations = carried_[static_cast<size_t>(group)];
  for (int cell = 0; cell < sim::kCellsPerGroup; ++cell) {
    const std::optional<sim::Cell>& known = known_[static_cast<size_t>(group)].cells[static_cast<size_t>(cell)];
    if (!known) continue;
    Operation write;
    write.client = "before";
    write.group = group;
    write.invoked = kBeginning;
    write.returned = kBegun;
    write.outcome = Outcome::kOk;
    write.version = known->version;
    write.parts = {{.kind = sim::WritePart::Kind::kPut, .cell = cell, .value = known->value}};
    operations.push_back(std::move(write));
  }
  return operations;
}

// Whether a weak read has shown a value from before the last cut. The answer to a single increment names no version, so
// its value may be newer than all that is known of the time before the cut. It then counts as from before if no
// operation has reached that number since.
bool Recorder::IsBefore(const Operation& read, const Counted& counted) const {
  if (IsStrong(read) || !read.found) return false;
  const Known& known = known_[static_cast<size_t>(read.group)];
  if (known.cells[static_cast<size_t>(read.cell)] == read.found) return false;
  if (read.found->version <= known.newest) return true;
  return read.cell == sim::kCounterCell && counted && !counted->contains(read.found->value);
}

std::vector<Recorder::Counted> Recorder::CountedSince() const {
  std::vector<Counted> counted;
  for (const std::vector<Operation>& carried : carried_)
    counted.push_back(carried.empty() ? Counted(std::in_place) : std::nullopt);
  for (const Operation& write : history_.operations) {
    Counted& numbers = counted[static_cast<size_t>(write.group)];
    if (write.is_read || !numbers) continue;
    if (write.outcome == Outcome::kUnknown) {
      numbers.reset();
    } else {
      for (const int64_t number : write.counters) numbers->insert(std::to_string(number));
    }
  }
  return counted;
}

void Recorder::Judge(int group, std::vector<Operation> operations, std::vector<MonotonicTime>& moments,
                     CutVerdict& verdict) {
  // One history for each group, so that judging them all takes time in their operations alone.
  sim::History history{std::move(operations), std::move(moments)};
  sim::LevelVerdict levels = sim::JudgeLevels(history, group, {});
  moments = std::move(history.moments);
  const auto note = [](std::vector<std::string>& list, std::string text) {
    if (list.size() < kProblemsMax) list.push_back(std::move(text));
  };
  for (std::string& problem : levels.problems) note(verdict.problems, std::move(problem));
  const sim::Verdict searched = sim::CheckLinearizable(std::move(levels.search), kStatesMax);
  const std::string name = "group " + std::to_string(group) + ": ";
  if (searched.kind == sim::Verdict::Kind::kWrong) note(verdict.problems, name + "not linearizable: " + searched.why);
  if (searched.kind == sim::Verdict::Kind::kUndecided) note(verdict.undecided, name + searched.why);
}

void Recorder::Remember(int group, const std::vector<Operation>& operations) {
  std::unordered_set<std::string> seen;
  Known& known = known_[static_cast<size_t>(group)];
  for (int cell = 0; cell < sim::kCellsPerGroup; ++cell) {
    const Operation* last = nullptr;
    for (const Operation& read : operations) {
      if (!read.is_read || read.cell != cell || read.outcome != Outcome::kOk) continue;
      if (read.found) seen.insert(read.found->value);
      if (read.found) known.newest = std::max(known.newest, read.found->version);
      if (IsStrong(read) && (last == nullptr || read.invoked > last->invoked)) last = &read;
    }
    if (last != nullptr) known.cells[static_cast<size_t>(cell)] = last->found;
  }
  std::vector<Operation> carried;
  for (const Operation& write : operations) {
    if (!write.is_read && write.outcome == Outcome::kOk) known.newest = std::max(known.newest, write.version);
    if (write.is_read || write.outcome != Outcome::kUnknown) continue;
    const bool happened = std::ranges::any_of(write.parts, [&](const sim::WritePart& part) {
      return part.kind == sim::WritePart::Kind::kPut && seen.contains(part.value);
    });
    if (happened) continue;
    carried.push_back(write);
    carried.back().invoked = kBeginning;
  }
  carried_[static_cast<size_t>(group)] = std::move(carried);
}

}  // namespace ebla::chaos

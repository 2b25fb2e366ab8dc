#include "tests/chaos/verdicts/registers.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "tests/sim/checker/linearizability.h"

namespace ebla::chaos {
namespace {

using sim::Operation;
using sim::Outcome;
using sim::WritePart;

constexpr size_t kRegisterStatesMax = 1'000'000;

// Values are unique, except for counters, so a write whose value was seen has happened at some time.
void SettleSeen(std::vector<Operation>& operations) {
  std::unordered_set<std::string> seen;
  for (const Operation& operation : operations) {
    if (operation.outcome != Outcome::kOk) continue;
    for (const WritePart& part : operation.parts)
      if (part.condition == WritePart::Condition::kValueIs) seen.insert(part.value);
  }
  for (Operation& operation : operations) {
    if (operation.outcome != Outcome::kUnknown) continue;
    const auto counts = [](const WritePart& part) { return part.kind == WritePart::Kind::kIncrement; };
    if (std::ranges::any_of(operation.parts, counts)) continue;  // no answer has its sum
    const auto was_seen = [&](const WritePart& part) {
      return part.kind == WritePart::Kind::kPut && part.cell != sim::kCounterCell && seen.contains(part.value);
    };
    if (std::ranges::any_of(operation.parts, was_seen)) operation.outcome = Outcome::kOk;
  }
}

// Whether this part of a call, or of its answer, could be right only as its cell was forgotten.
bool MayHaveMissed(const Operation& operation, const WritePart& part, size_t& counter) {
  if (part.kind == WritePart::Kind::kIncrement) {
    if (operation.outcome != Outcome::kOk || counter >= operation.counters.size()) return true;
    return operation.counters[counter++] == part.delta;  // it began with nothing
  }
  // An operation that was refused because a cell had changed may have met an eviction instead.
  if (operation.outcome == Outcome::kRefused) return true;
  return part.condition == WritePart::Condition::kAbsent;
}

// With an eviction for each answer that one could explain: a delete that may have happened since that was asked, or
// never. Any order of evictions that explains all answers becomes one of these, as an eviction may wait until it is
// seen.
std::vector<Operation> WithEvictions(std::vector<Operation> operations) {
  const size_t count = operations.size();
  for (size_t i = 0; i < count; ++i) {
    if (operations[i].outcome == Outcome::kNotExecuted) continue;
    size_t counter = 0;
    for (size_t part = 0; part < operations[i].parts.size(); ++part) {
      if (!MayHaveMissed(operations[i], operations[i].parts[part], counter)) continue;
      Operation eviction;
      eviction.id = operations.size() + 1'000'000;
      eviction.client = "eviction";
      eviction.group = operations[i].group;
      eviction.invoked = operations[i].invoked;
      eviction.parts.resize(1);
      eviction.parts[0].kind = WritePart::Kind::kDelete;
      eviction.parts[0].cell = operations[i].parts[part].cell;
      operations.push_back(std::move(eviction));
    }
  }
  return operations;
}

}  // namespace

WritePart Registers::Is(int cell, const std::optional<std::string>& value) {
  WritePart part;
  part.kind = WritePart::Kind::kCheck;
  part.cell = cell;
  part.condition = value ? WritePart::Condition::kValueIs : WritePart::Condition::kAbsent;
  part.value = value.value_or("");
  return part;
}

size_t Registers::Begin(Operation operation) {
  MutexLock lock(mutex_);
  operation.id = operations_.size() + 1;
  operation.invoked = NextEvent();
  operations_.push_back(std::move(operation));
  return operations_.size() - 1;
}

void Registers::End(size_t number, Outcome outcome, std::vector<WritePart> did, std::vector<int64_t> counters) {
  MutexLock lock(mutex_);
  Operation& operation = operations_[number];
  operation.outcome = outcome;
  if (outcome == Outcome::kUnknown || outcome == Outcome::kNotExecuted) return;
  operation.returned = NextEvent();
  if (!did.empty()) operation.parts = std::move(did);
  operation.counters = std::move(counters);
}

size_t Registers::size() const {
  MutexLock lock(mutex_);
  return operations_.size();
}

Registers::Verdict Registers::Judge() const {
  MutexLock lock(mutex_);
  std::vector<std::vector<Operation>> groups(static_cast<size_t>(groups_));
  for (const Operation& operation : operations_) groups[static_cast<size_t>(operation.group)].push_back(operation);
  Verdict verdict;
  for (size_t group = 0; group < groups.size(); ++group) {
    SettleSeen(groups[group]);
    sim::Verdict searched = sim::CheckLinearizable(groups[group], kRegisterStatesMax);
    if (forgets_ && searched.kind != sim::Verdict::Kind::kRight) {
      searched = sim::CheckLinearizable(WithEvictions(std::move(groups[group])), kRegisterStatesMax);
      verdict.forgotten += searched.kind == sim::Verdict::Kind::kRight ? 1 : 0;
    }
    const std::string name = "group " + std::to_string(group) + ": ";
    auto& list = searched.kind == sim::Verdict::Kind::kWrong ? verdict.problems : verdict.undecided;
    if (searched.kind != sim::Verdict::Kind::kRight && list.size() < kVerdictProblemsMax)
      list.push_back(name + searched.why);
  }
  return verdict;
}

}  // namespace ebla::chaos

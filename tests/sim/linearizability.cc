#include "tests/sim/linearizability.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

namespace ebla::sim {
namespace {

struct GroupState {
  std::array<std::optional<Cell>, kCellsPerGroup> cells;
  std::array<Version, kCellsPerGroup> newest;  // the greatest version that each key is known to have had
};

std::optional<int64_t> Number(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool Holds(const WritePart& part, const std::optional<Cell>& cell) {
  switch (part.condition) {
    case WritePart::Condition::kNone: return true;
    case WritePart::Condition::kAbsent: return !cell;
    case WritePart::Condition::kExists: return cell.has_value();
    // Who names a version has read it, and that read taught it to the state.
    case WritePart::Condition::kVersionIs: return cell && cell->version == part.version;
  }
  return false;
}

bool LearnVersion(GroupState& state, size_t index, Version version) {
  if (version <= state.newest[index]) return false;
  state.newest[index] = version;
  return true;
}

// May a read have found the state so? A cell of unknown version may have any.
bool Fits(const Operation& read, const GroupState& state) {
  const std::optional<Cell>& cell = state.cells[static_cast<size_t>(read.cell)];
  if (cell.has_value() != read.found.has_value()) return false;
  return !cell || (cell->value == read.found->value && (!cell->version || cell->version == read.found->version));
}

bool Teaches(const Operation& read, const GroupState& state) {
  const std::optional<Cell>& cell = state.cells[static_cast<size_t>(read.cell)];
  return cell && !cell->version;
}

bool ApplyRead(const Operation& operation, GroupState& state) {
  const auto index = static_cast<size_t>(operation.cell);
  std::optional<Cell>& cell = state.cells[index];
  if (!Fits(operation, state)) return false;
  if (!Teaches(operation, state)) return true;
  if (!LearnVersion(state, index, operation.found->version)) return false;
  cell->version = operation.found->version;
  return true;
}

bool ApplyWrite(const Operation& operation, GroupState& state) {
  for (const WritePart& part : operation.parts) {
    if (!Holds(part, state.cells[static_cast<size_t>(part.cell)])) return operation.outcome == Outcome::kRefused;
  }
  if (operation.outcome == Outcome::kRefused) return false;
  size_t counter = 0;
  for (const WritePart& part : operation.parts) {
    const auto index = static_cast<size_t>(part.cell);
    std::optional<Cell>& cell = state.cells[index];
    if (part.kind == WritePart::Kind::kCheck) continue;
    if (part.kind == WritePart::Kind::kDelete) {
      if (operation.version && !LearnVersion(state, index, operation.version)) return false;
      cell.reset();
      continue;
    }
    std::string value = part.value;
    if (part.kind == WritePart::Kind::kIncrement) {
      const std::optional<int64_t> before = cell ? Number(cell->value) : 0;
      if (!before) return false;
      if (operation.outcome == Outcome::kOk) {
        if (counter >= operation.counters.size() || operation.counters[counter] != *before + part.delta) return false;
        ++counter;
      }
      value = std::to_string(*before + part.delta);
    }
    if (operation.version && !LearnVersion(state, index, operation.version)) return false;
    cell = Cell{std::move(value), operation.version};
  }
  return true;
}

// An operation of unknown outcome whose conditions fail changes nothing: that is the same as never, which needs no step.
bool Step(const Operation& operation, GroupState& state) {
  return operation.is_read ? ApplyRead(operation, state) : ApplyWrite(operation, state);
}

// What a write does, for telling whether two do the same.
std::string Deeds(const Operation& operation) {
  std::string deeds;
  for (const WritePart& part : operation.parts) {
    deeds += std::to_string(static_cast<int>(part.kind)) + ',' + std::to_string(part.cell) + ',' + part.value + ',' +
             std::to_string(part.delta) + ',' + std::to_string(static_cast<int>(part.condition)) + ',' +
             part.version.ToString() + ';';
  }
  return deeds;
}

// A put of unknown outcome whose value was read by somebody: it happened. (Values are unique.)
bool WasSeen(const Operation& operation, const std::unordered_set<std::string>& found) {
  return std::ranges::any_of(operation.parts, [&](const WritePart& part) {
    return part.kind == WritePart::Kind::kPut && found.contains(part.value);
  });
}

bool Deletes(const Operation& operation) {
  return std::ranges::any_of(operation.parts, [](const WritePart& part) { return part.kind == WritePart::Kind::kDelete; });
}

// Calls and returns in the order of events, doubly linked so that an operation can be lifted out and put back.
struct Entry {
  size_t operation;
  bool is_call;
  size_t match = 0;  // of a call: its return's entry, 0 when it has none
  size_t previous = 0;
  size_t next = 0;
};

class Search {
 public:
  Search(std::vector<Operation> operations, size_t states_max)
      : operations_(std::move(operations)), states_max_(states_max), done_((operations_.size() + 63) / 64, 0) {
    std::vector<std::pair<EventNumber, Entry>> events;
    for (size_t i = 0; i < operations_.size(); ++i) {
      events.push_back({operations_[i].invoked, {i, true}});
      if (operations_[i].outcome == Outcome::kUnknown) continue;
      events.push_back({operations_[i].returned, {i, false}});
      ++left_;
    }
    // Calls first: a read of a weaker level may be said to have begun at another's event.
    std::ranges::sort(events, {}, [](const auto& event) { return std::pair(event.first, !event.second.is_call); });
    entries_.push_back({0, false});  // the list's head and end
    std::vector<size_t> calls(operations_.size());
    for (auto& [number, entry] : events) {
      entry.previous = entries_.size() - 1;
      entries_.back().next = entries_.size();
      if (entry.is_call) {
        calls[entry.operation] = entries_.size();
      } else {
        entries_[calls[entry.operation]].match = entries_.size();
      }
      entries_.push_back(entry);
    }
    entries_.back().next = 0;
    entries_[0].previous = entries_.size() - 1;
    FindTwins();
  }

  Verdict Run() {
    size_t at = entries_[0].next;
    while (left_ > 0) {
      if (states_ > states_max_) return {Verdict::Kind::kUndecided, "too many states", states_};
      if (at != 0 && entries_[at].is_call) {
        at = Try(at) ? Restart() : entries_[at].next;
        continue;
      }
      // Here begins what comes after an answer still without a place. First the answered operations were tried, now
      // those of unknown outcome: most of them never mattered.
      if (!unknown_too_) {
        unknown_too_ = true;
        at = entries_[0].next;
        continue;
      }
      if (at != 0) Blocked(entries_[at].operation);
      // A read that changed nothing took nobody's place: what failed with it fails without it.
      while (!chosen_.empty() && chosen_.back().idle) Undo();
      if (chosen_.empty()) return {Verdict::Kind::kWrong, why_, states_};
      at = entries_[Undo()].next;
    }
    return {Verdict::Kind::kRight, "", states_};
  }

 private:
  struct Choice {
    size_t call;
    GroupState before;
    bool unknown_too;
    bool idle;  // a read that taught the state nothing
  };

  // Of operations of unknown outcome that do the same, the one called first can stand wherever a later one could, so a
  // later one is tried only after it.
  void FindTwins() {
    twin_.assign(operations_.size(), kNone);
    std::map<std::string, size_t> last;
    for (size_t at = entries_[0].next; at != 0; at = entries_[at].next) {
      const size_t index = entries_[at].operation;
      if (!entries_[at].is_call || operations_[index].outcome != Outcome::kUnknown) continue;
      const auto [known, first] = last.try_emplace(Deeds(operations_[index]), index);
      if (!first) twin_[index] = std::exchange(known->second, index);
    }
  }

  bool Done(size_t index) const { return (done_[index / 64] >> (index % 64) & 1) != 0; }

  size_t Restart() {
    unknown_too_ = false;
    return entries_[0].next;
  }

  bool Try(size_t call) {
    const size_t index = entries_[call].operation;
    if ((operations_[index].outcome == Outcome::kUnknown) != unknown_too_) return false;
    if (twin_[index] != kNone && !Done(twin_[index])) return false;
    const Operation& operation = operations_[index];
    if (operation.is_read && !Fits(operation, state_)) return false;
    const bool idle = operation.is_read && !Teaches(operation, state_);
    GroupState next = state_;
    if (!Step(operation, next)) return false;
    if (unknown_too_ && next.cells == state_.cells && next.newest == state_.newest) return false;  // the same as never
    done_[index / 64] |= uint64_t{1} << (index % 64);
    if (!seen_.insert(Key(next)).second) {
      done_[index / 64] &= ~(uint64_t{1} << (index % 64));
      return false;
    }
    ++states_;
    chosen_.push_back({call, std::exchange(state_, std::move(next)), unknown_too_, idle});
    Lift(call);
    if (entries_[call].match != 0) {
      Lift(entries_[call].match);
      --left_;
    }
    return true;
  }

  size_t Undo() {
    Choice choice = std::move(chosen_.back());
    chosen_.pop_back();
    const Entry& call = entries_[choice.call];
    if (call.match != 0) {
      PutBack(call.match);
      ++left_;
    }
    PutBack(choice.call);
    done_[call.operation / 64] &= ~(uint64_t{1} << (call.operation % 64));
    state_ = std::move(choice.before);
    unknown_too_ = choice.unknown_too;
    return choice.call;
  }

  void Lift(size_t entry) {
    entries_[entries_[entry].previous].next = entries_[entry].next;
    entries_[entries_[entry].next].previous = entries_[entry].previous;
  }
  void PutBack(size_t entry) {
    entries_[entries_[entry].previous].next = entry;
    entries_[entries_[entry].next].previous = entry;
  }

  std::string Key(const GroupState& state) const {
    std::string key(reinterpret_cast<const char*>(done_.data()), done_.size() * sizeof(uint64_t));
    for (size_t i = 0; i < state.cells.size(); ++i) {
      key += state.newest[i].ToString() + ';';
      if (state.cells[i]) key += state.cells[i]->value + '@' + state.cells[i]->version.ToString();
      key += '|';
    }
    return key;
  }

  // Remembers the farthest that the search came, for people.
  void Blocked(size_t operation) {
    if (chosen_.size() < farthest_) return;
    farthest_ = chosen_.size() + 1;
    why_ = "fits nowhere: " + operations_[operation].ToString() + "\n  after";
    for (size_t i = chosen_.size() > 6 ? chosen_.size() - 6 : 0; i < chosen_.size(); ++i) {
      why_ += "\n    " + operations_[entries_[chosen_[i].call].operation].ToString();
    }
    why_ += "\n  with";
    for (const auto& cell : state_.cells) why_ += cell ? " " + cell->value + "@" + cell->version.ToString() : " -";
  }

  const std::vector<Operation> operations_;
  const size_t states_max_;
  static constexpr size_t kNone = static_cast<size_t>(-1);

  std::vector<size_t> twin_;    // of unknown outcome: the last one before that does the same, or kNone
  std::vector<uint64_t> done_;  // a bit for each operation that has been given its place
  std::vector<Entry> entries_;
  size_t left_ = 0;             // answered operations without a place
  GroupState state_;
  bool unknown_too_ = false;    // which of them are being tried
  std::vector<Choice> chosen_;
  std::unordered_set<std::string> seen_;
  size_t states_ = 0;
  size_t farthest_ = 0;
  std::string why_;
};

}  // namespace

Verdict CheckLinearizable(std::vector<Operation> operations, size_t states_max) {
  // What was not executed, and reads that were never answered, say nothing.
  std::erase_if(operations, [](const Operation& op) {
    return op.outcome == Outcome::kNotExecuted || (op.is_read && op.outcome == Outcome::kUnknown);
  });
  // An order without the unknown ones that nobody saw is an order: they may never have happened. That is mostly so, and
  // found at once, where a search over all of them can take for ever. Only a right verdict of it counts.
  std::unordered_set<std::string> found;
  for (const Operation& op : operations) {
    if (op.is_read && op.found) found.insert(op.found->value);
  }
  // A delete leaves no value to be seen: those are tried next.
  size_t states = 0;
  for (const bool deletes : {false, true}) {
    std::vector<Operation> likely;
    std::ranges::copy_if(operations, std::back_inserter(likely), [&](const Operation& op) {
      return op.outcome != Outcome::kUnknown || WasSeen(op, found) || (deletes && Deletes(op));
    });
    if (likely.size() == operations.size()) break;
    Verdict verdict = Search(std::move(likely), states_max / 10).Run();
    states += verdict.states;
    if (verdict.kind != Verdict::Kind::kRight) continue;
    verdict.states = states;
    return verdict;
  }
  Verdict verdict = Search(std::move(operations), states_max).Run();
  verdict.states += states;
  return verdict;
}

}  // namespace ebla::sim

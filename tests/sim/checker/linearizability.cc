#include "tests/sim/checker/linearizability.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <unordered_map>
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
    // A client names only a version that it has read, and that read taught the version to the state.
    case WritePart::Condition::kVersionIs: return cell && cell->version == part.version;
    case WritePart::Condition::kValueIs: return cell && cell->value == part.value;
  }
  return false;
}

bool LearnVersion(GroupState& state, size_t index, Version version) {
  if (version <= state.newest[index]) return false;
  state.newest[index] = version;
  return true;
}

// May the read have found this state? A cell of unknown version may have any version.
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

// An operation of unknown outcome whose conditions fail changes nothing. The search needs no step for it, because it
// might as well never happen.
bool Step(const Operation& operation, GroupState& state) {
  return operation.is_read ? ApplyRead(operation, state) : ApplyWrite(operation, state);
}

// The effect of a write, to compare with that of another write. Texts that `named` lacks count as equal.
std::string Signature(const Operation& operation, const std::unordered_set<std::string>& named) {
  std::string signature;
  for (const WritePart& part : operation.parts) {
    const bool alike = part.kind == WritePart::Kind::kPut && part.condition != WritePart::Condition::kValueIs &&
                       part.cell != kCounterCell && !named.contains(part.value);
    signature += std::to_string(static_cast<int>(part.kind)) + ',' + std::to_string(part.cell) + ',' +
                 (alike ? "?" : part.value) + ',' + std::to_string(part.delta) + ',' +
                 std::to_string(static_cast<int>(part.condition)) + ',' + part.version.ToString() + ';';
  }
  return signature;
}

// Does the operation write nothing, like an atomic read of several cells?
bool OnlyLooks(const Operation& operation) {
  return std::ranges::all_of(operation.parts,
                             [](const WritePart& part) { return part.kind == WritePart::Kind::kCheck; });
}

bool Expires(const Operation& operation) {
  return std::ranges::any_of(operation.parts,
                             [](const WritePart& part) { return part.condition == WritePart::Condition::kValueIs; });
}

// If a read found the value of a write of unknown outcome, the write happened, and the read knows the write's version,
// because all values but those of counters are unique.
void LearnFromReads(std::vector<Operation>& operations) {
  std::unordered_map<std::string, Version> found;
  for (const Operation& op : operations) {
    if (op.is_read && op.found && op.cell != kCounterCell) found.emplace(op.found->value, op.found->version);
  }
  for (Operation& op : operations) {
    if (op.is_read || op.outcome != Outcome::kUnknown) continue;
    for (const WritePart& part : op.parts) {
      const auto seen = part.kind == WritePart::Kind::kPut ? found.find(part.value) : found.end();
      if (seen != found.end()) op.version = seen->second;
    }
  }
}

using Cells = uint32_t;  // a bit for each

// The cells on which an operation's answer or effect depends.
Cells Observed(const Operation& operation) {
  if (operation.is_read) return Cells{1} << operation.cell;
  Cells cells = 0;
  for (const WritePart& part : operation.parts) {
    const bool blind = part.condition == WritePart::Condition::kNone && part.kind != WritePart::Kind::kIncrement;
    if (!blind) cells |= Cells{1} << part.cell;
  }
  return cells;
}

Cells Touched(const Operation& operation) {
  Cells cells = Observed(operation);
  for (const WritePart& part : operation.parts) cells |= Cells{1} << part.cell;
  return cells;
}

// Calls and returns in the order of events, doubly linked so that an operation can be lifted out and put back.
struct Entry {
  size_t operation;
  bool is_call;
  size_t match = 0;  // of a call: its return's entry, 0 when it has none
  size_t previous = 0;
  size_t next = 0;
};

// Searches for an order. Writes of known version keep the order of their versions, because a group's keys share a log.
class Search {
 public:
  Search(const std::vector<Operation>& operations, size_t doubtful_max, size_t states_max)
      : operations_(operations),
        doubtful_max_(doubtful_max),
        states_max_(states_max),
        done_((operations_.size() + 63) / 64) {
    std::vector<std::pair<EventNumber, Entry>> events;
    for (size_t i = 0; i < operations_.size(); ++i) {
      events.push_back({operations_[i].invoked, {i, true}});
      if (operations_[i].outcome == Outcome::kUnknown) continue;
      events.push_back({operations_[i].returned, {i, false}});
      ++left_;
    }
    // Calls precede returns, because the call of a read of a weaker level may be moved to another operation's event.
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
    FindNeeds();
    for (size_t i = 0; i < operations_.size(); ++i) {
      if (IsOrdered(i)) ordered_.push_back(i);
    }
    std::ranges::sort(ordered_, {}, [this](size_t i) { return operations_[i].version; });
  }

  Verdict Run() {
    size_t at = entries_[0].next;
    while (left_ > 0) {
      if (states_ > states_max_) return {Verdict::Kind::kUndecided, "too many states; the farthest " + why_, states_};
      if (at != 0 && entries_[at].is_call) {
        at = Try(at) ? Restart() : entries_[at].next;
        continue;
      }
      // All further calls follow the answer of an operation that has no place yet, so none of them can be next.
      if (phase_ != Phase::kDoubtful) {
        phase_ = phase_ == Phase::kIdle ? Phase::kCertain : Phase::kDoubtful;
        at = entries_[0].next;
        continue;
      }
      if (at != 0) Blocked(entries_[at].operation);
      // An operation that changed nothing excluded no other. So the orders that failed after it fail without it, too.
      while (!chosen_.empty() && chosen_.back().phase == Phase::kIdle) Undo();
      if (chosen_.empty()) return {Verdict::Kind::kWrong, why_, states_};
      at = entries_[Undo()].next;
    }
    return {Verdict::Kind::kRight, "", states_};
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  // The operations that the search tries at each step, in turn.
  enum class Phase : uint8_t {
    kIdle,  // that change nothing: the sooner they have a place, the more operations can follow
    kCertain,
    kDoubtful,  // of unknown outcome: most of them affect no answer
  };
  // The cells that the next operation must share with the doubtful operations right before it.
  struct Wants {
    Cells observe = 0;    // it observes all of these
    Cells touch = 0;      // it touches one of these
    size_t last = kNone;  // of the doubtful operations; kNone: any operation may follow
  };
  struct Choice {
    size_t call;
    GroupState before;
    Phase phase;
    bool ordered;
    Wants wants;
  };

  // If doubtful operations have the same effect on every answer, the one called first fits wherever a later one fits.
  // So the search tries a later one only after the first.
  void FindTwins() {
    twin_.assign(operations_.size(), kNone);
    std::unordered_set<std::string> named;  // texts that some answer or condition depends on
    for (const Operation& op : operations_) {
      if (op.found) named.insert(op.found->value);
      for (const WritePart& part : op.parts) {
        if (part.condition == WritePart::Condition::kValueIs) named.insert(part.value);
      }
    }
    std::map<std::string, size_t> last;
    for (size_t at = entries_[0].next; at != 0; at = entries_[at].next) {
      const size_t index = entries_[at].operation;
      if (!entries_[at].is_call || !IsDoubtful(index)) continue;
      const auto [known, first] = last.try_emplace(Signature(operations_[index], named), index);
      if (!first) twin_[index] = std::exchange(known->second, index);
    }
  }

  void FindNeeds() {
    needs_.resize(operations_.size());
    doubtful_.resize(done_.size());
    for (size_t i = 0; i < operations_.size(); ++i) {
      const Operation& op = operations_[i];
      if (op.is_read && op.found && op.found->version)
        needs_[i].emplace_back(static_cast<size_t>(op.cell), op.found->version);
      bool conditional = false;
      for (const WritePart& part : op.parts) {
        if (part.kind == WritePart::Kind::kPut) writers_[part.value] = i;
        const bool version = part.condition == WritePart::Condition::kVersionIs;
        conditional |= version || part.condition == WritePart::Condition::kValueIs;
        const bool met = op.outcome == Outcome::kOk || op.version;
        if (version && met) needs_[i].emplace_back(static_cast<size_t>(part.cell), part.version);
      }
      for (const auto& [cell, version] : needs_[i]) ++waiting_[cell][version];
      if (!IsDoubtful(i)) continue;
      doubtful_[i / 64] |= uint64_t{1} << (i % 64);
      if (conditional) conditional_.push_back(i);
    }
  }

  bool IsOrdered(size_t index) const {
    return !operations_[index].is_read && static_cast<bool>(operations_[index].version);
  }
  // No read found the operation's value and no answer confirmed the operation, so it need not have happened.
  bool IsDoubtful(size_t index) const {
    return operations_[index].outcome == Outcome::kUnknown && !operations_[index].version;
  }

  bool Done(size_t index) const { return (done_[index / 64] >> (index % 64) & 1) != 0; }

  size_t Restart() {
    phase_ = Phase::kIdle;
    return entries_[0].next;
  }

  bool Try(size_t call) {
    const size_t index = entries_[call].operation;
    if (IsDoubtful(index) != (phase_ == Phase::kDoubtful)) return false;
    const bool counts = phase_ == Phase::kDoubtful && !Expires(operations_[index]);
    if (counts && doubtful_placed_ == doubtful_max_) return false;
    if (twin_[index] != kNone && !Done(twin_[index])) return false;
    const bool ordered = IsOrdered(index);
    if (ordered && ordered_[next_ordered_] != index) return false;
    const Operation& operation = operations_[index];
    if (!IsWanted(operation, index)) return false;
    if (operation.is_read && !Fits(operation, state_)) return false;
    GroupState next = state_;
    if (!Step(operation, next)) return false;
    // A write that changes nothing here, like the delete of an absent value, may be needed where it changes something.
    const bool neutral = operation.is_read || operation.outcome != Outcome::kOk || OnlyLooks(operation);
    const bool idle = !ordered && neutral && next.cells == state_.cells && next.newest == state_.newest;
    // if an operation of unknown outcome changes nothing, it might as well never happen
    if (idle != (phase_ == Phase::kIdle)) return false;
    next_ordered_ += ordered;
    doubtful_placed_ += counts;
    Place(index, true);
    // An operation that changes nothing leads to no state that other orders would miss, so the search need not remember
    // the state after it.
    if (!IsPossible(next) || (!idle && !IsNew(next, index))) {
      Place(index, false);
      next_ordered_ -= ordered;
      doubtful_placed_ -= counts;
      return false;
    }
    ++states_;
    chosen_.push_back({call, std::exchange(state_, std::move(next)), phase_, ordered, wants_});
    wants_ = WantsAfter(operation, index);
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
    Place(call.operation, false);
    state_ = std::move(choice.before);
    phase_ = choice.phase;
    next_ordered_ -= choice.ordered;
    doubtful_placed_ -= choice.phase == Phase::kDoubtful && !Expires(operations_[call.operation]);
    wants_ = choice.wants;
    return choice.call;
  }

  void Place(size_t index, bool placed) {
    done_[index / 64] ^= uint64_t{1} << (index % 64);
    for (const auto& [cell, version] : needs_[index]) {
      int& waiting = waiting_[cell][version];
      waiting += placed ? -1 : 1;
      if (waiting == 0) waiting_[cell].erase(version);
    }
  }

  // Can each operation that still needs a version of a cell find it? A version that is overwritten, or passed over,
  // never returns.
  bool IsPossible(const GroupState& state) const {
    for (size_t i = 0; i < state.cells.size(); ++i) {
      const std::optional<Cell>& cell = state.cells[i];
      for (const auto& [version, count] : waiting_[i]) {
        if (version > state.newest[i]) break;
        if (!cell || cell->version != version) return false;
      }
    }
    return true;
  }

  // Can the operation no longer take effect? The version or value that it names is gone for good.
  bool IsDead(const Operation& operation, const GroupState& state) const {
    return std::ranges::any_of(operation.parts, [&](const WritePart& part) {
      const auto index = static_cast<size_t>(part.cell);
      const std::optional<Cell>& cell = state.cells[index];
      if (part.condition == WritePart::Condition::kVersionIs) {
        return part.version <= state.newest[index] && !(cell && cell->version == part.version);
      }
      if (part.condition != WritePart::Condition::kValueIs || (cell && cell->value == part.value)) return false;
      const auto writer = writers_.find(part.value);
      return writer == writers_.end() || Done(writer->second);
    });
  }

  // The doubtful operations that were still available in a state, and how many of them had been placed.
  struct Left {
    std::vector<uint64_t> operations;
    size_t placed = 0;

    bool IsWithin(const Left& more) const {
      const auto within = [](uint64_t a, uint64_t b) { return (a & ~b) == 0; };
      return placed >= more.placed && std::ranges::equal(operations, more.operations, within);
    }
  };

  // Remembers the state. False: the search has seen this state with no fewer doubtful operations available, and found
  // no way to the end.
  bool IsNew(const GroupState& state, size_t last) {
    Left left{doubtful_, doubtful_placed_};
    for (size_t i = 0; i < doubtful_.size(); ++i) left.operations[i] &= ~done_[i];
    for (const size_t index : conditional_) {
      const uint64_t bit = uint64_t{1} << (index % 64);
      uint64_t& word = left.operations[index / 64];
      if ((word & bit) != 0 && IsDead(operations_[index], state)) word &= ~bit;
    }
    std::vector<Left>& known = seen_[Key(state, last)];
    if (std::ranges::any_of(known, [&](const Left& more) { return left.IsWithin(more); })) return false;
    std::erase_if(known, [&](const Left& less) { return less.IsWithin(left); });
    known.push_back(std::move(left));
    return true;
  }

  // A doubtful operation matters only if another operation depends on it. So the search places a row of doubtful
  // operations right before an operation on their cells. If a doubtful operation has a single cell, a later operation
  // of the row, or the one after the row, must observe this cell. Two neighbours in the row that share no cell keep the
  // order of their indexes.
  bool IsWanted(const Operation& operation, size_t index) const {
    if (wants_.last == kNone) return true;
    if (phase_ == Phase::kDoubtful) {
      // the operation overwrites a doubtful one that no operation observed
      if ((wants_.observe & Touched(operation) & ~Observed(operation)) != 0) return false;
      return index > wants_.last || (Touched(operation) & Touched(operations_[wants_.last])) != 0;
    }
    return (wants_.observe & ~Observed(operation)) == 0 &&
           (wants_.touch == 0 || (wants_.touch & Touched(operation)) != 0);
  }
  Wants WantsAfter(const Operation& operation, size_t index) const {
    if (phase_ != Phase::kDoubtful) return {};
    Wants wants = wants_;
    const Cells mine = Touched(operation);
    const bool single = (mine & (mine - 1)) == 0;
    wants.observe = (wants.observe & ~Observed(operation)) | (single ? mine : 0);
    if ((wants.touch & mine) != 0) wants.touch = 0;
    if (!single) wants.touch = mine;
    wants.last = index;
    return wants;
  }

  void Lift(size_t entry) {
    entries_[entries_[entry].previous].next = entries_[entry].next;
    entries_[entries_[entry].next].previous = entries_[entry].previous;
  }
  void PutBack(size_t entry) {
    entries_[entries_[entry].previous].next = entry;
    entries_[entries_[entry].next].previous = entry;
  }

  // The fingerprint of a state. The search remembers fingerprints, because there are millions of states.
  std::pair<uint64_t, uint64_t> Key(const GroupState& state, size_t last) const {
    std::string key;
    for (size_t i = 0; i < done_.size(); ++i) {
      const uint64_t certain = done_[i] & ~doubtful_[i];
      key.append(reinterpret_cast<const char*>(&certain), sizeof certain);
    }
    const Wants wants = WantsAfter(operations_[last], last);  // the operations that may follow depend on it
    key.append({static_cast<char>(wants.observe), static_cast<char>(wants.touch)});
    key.append(reinterpret_cast<const char*>(&wants.last), sizeof wants.last);
    const auto add = [&key](const Version& version) {
      key.append(reinterpret_cast<const char*>(&version.epoch.value), sizeof version.epoch.value);
      key.append(reinterpret_cast<const char*>(&version.lsn.value), sizeof version.lsn.value);
    };
    for (size_t i = 0; i < state.cells.size(); ++i) {
      add(state.newest[i]);
      add(state.cells[i] ? state.cells[i]->version : Version());
      if (state.cells[i]) key += state.cells[i]->value;
      key += '|';
    }
    const uint64_t first = std::hash<std::string>()(key);
    key += '.';
    return {first, std::hash<std::string>()(key)};
  }

  // Remembers the longest order so far and the operation that does not fit after it, for the report.
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

  const std::vector<Operation>& operations_;
  const size_t doubtful_max_;  // how many may be placed, apart from expiries
  const size_t states_max_;
  std::vector<size_t> ordered_;  // writes of known version, in the order of versions
  size_t next_ordered_ = 0;
  size_t doubtful_placed_ = 0;
  std::vector<size_t> twin_;         // of a doubtful operation: the last one before it with the same effect, or kNone
  std::vector<uint64_t> done_;       // a bit for each operation that has a place
  std::vector<uint64_t> doubtful_;   // a bit for each operation that need not happen
  std::vector<size_t> conditional_;  // the doubtful operations that name a version or a value
  std::unordered_map<std::string, size_t> writers_;  // of each text
  // of each operation: versions of cells that it must find
  std::vector<std::vector<std::pair<size_t, Version>>> needs_;
  std::array<std::map<Version, int>, kCellsPerGroup> waiting_;  // how many operations without a place need each
  std::vector<Entry> entries_;
  size_t left_ = 0;  // answered operations without a place
  GroupState state_;
  Phase phase_ = Phase::kIdle;
  Wants wants_;
  std::vector<Choice> chosen_;
  struct HashOfKey {
    size_t operator()(const std::pair<uint64_t, uint64_t>& key) const { return key.first; }
  };
  // The remembered states, by fingerprint. No element of a list is within another.
  std::unordered_map<std::pair<uint64_t, uint64_t>, std::vector<Left>, HashOfKey> seen_;
  size_t states_ = 0;
  size_t farthest_ = 0;
  std::string why_;
};

}  // namespace

Verdict CheckLinearizable(std::vector<Operation> operations, size_t states_max) {
  // Operations that were not executed, and reads without an answer, prove nothing.
  std::erase_if(operations, [](const Operation& op) {
    return op.outcome == Outcome::kNotExecuted || (op.is_read && op.outcome == Outcome::kUnknown);
  });
  LearnFromReads(operations);
  // An order with few doubtful operations is a valid order, because the remaining ones may never have happened. Mostly
  // there is such an order, and the search finds it at once, while a search over all doubtful operations can take for
  // ever. If there is none, that proves nothing, so only a right verdict counts.
  size_t states = 0;
  for (const size_t doubtful : {0, 1, 2, 4, 8}) {
    Verdict verdict = Search(operations, doubtful, states_max / 10).Run();
    states += verdict.states;
    if (verdict.kind != Verdict::Kind::kRight) continue;
    verdict.states = states;
    return verdict;
  }
  Verdict verdict = Search(operations, operations.size(), states_max).Run();
  verdict.states += states;
  return verdict;
}

}  // namespace ebla::sim

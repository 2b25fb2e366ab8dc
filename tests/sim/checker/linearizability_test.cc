#include "tests/sim/checker/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ebla::sim {
namespace {

// Builds small histories: each call takes its moments [invoked, returned].
class History {
 public:
  Operation& Put(EventNumber from, EventNumber to, const std::string& value, uint64_t lsn, int cell = 0) {
    return Add(from, to, {{.kind = WritePart::Kind::kPut, .cell = cell, .value = value}}, lsn);
  }
  Operation& Delete(EventNumber from, EventNumber to) {
    return Add(from, to, {{.kind = WritePart::Kind::kDelete, .cell = 0}}, 0);
  }
  Operation& Increment(EventNumber from, EventNumber to, int64_t result, uint64_t lsn) {
    Operation& op = Add(from, to, {{.kind = WritePart::Kind::kIncrement, .cell = kCounterCell, .delta = 1}}, lsn);
    op.counters = {result};
    return op;
  }
  Operation& Batch(EventNumber from, EventNumber to, std::vector<WritePart> parts, uint64_t lsn) {
    return Add(from, to, std::move(parts), lsn);
  }
  Operation& Read(EventNumber from, EventNumber to, const std::string& value, uint64_t lsn, int cell = 0) {
    Operation& op = Add(from, to, {}, 0);
    op.is_read = true;
    op.cell = cell;
    if (!value.empty()) op.found = Cell{value, {Epoch{1}, Lsn{lsn}}};
    return op;
  }
  Operation& ReadNothing(EventNumber from, EventNumber to, int cell = 0) { return Read(from, to, "", 0, cell); }

  Verdict::Kind Check() const { return CheckLinearizable(operations_).kind; }
  std::vector<Operation>& operations() { return operations_; }

 private:
  Operation& Add(EventNumber from, EventNumber to, std::vector<WritePart> parts, uint64_t lsn) {
    Operation op;
    op.id = operations_.size() + 1;
    op.client = "c";
    op.invoked = from;
    op.returned = to;
    op.outcome = to == kNever ? Outcome::kUnknown : Outcome::kOk;
    op.parts = std::move(parts);
    if (lsn > 0 && to != kNever) op.version = {Epoch{1}, Lsn{lsn}};
    operations_.reserve(1000);  // references stay good
    return operations_.emplace_back(std::move(op));
  }
  std::vector<Operation> operations_;
};

constexpr auto kRight = Verdict::Kind::kRight;
constexpr auto kWrong = Verdict::Kind::kWrong;

TEST(Linearizability, AnEmptyHistoryAndASimpleOneAreRight) {
  History h;
  EXPECT_EQ(h.Check(), kRight);
  h.ReadNothing(1, 2);
  h.Put(3, 4, "x", 1);
  h.Read(5, 6, "x", 1);
  h.Delete(7, 8);
  h.ReadNothing(9, 10);
  EXPECT_EQ(h.Check(), kRight);
}

TEST(Linearizability, AReadDuringAWriteMaySeeEither) {
  History h;
  h.Put(1, 2, "x", 1);
  h.Put(3, 8, "y", 2);
  h.Read(4, 5, "y", 2);
  EXPECT_EQ(h.Check(), kRight);
  h.Read(6, 7, "x", 1);
  EXPECT_EQ(h.Check(), kWrong) << "what one read has seen, no later one may miss";
}

TEST(Linearizability, AStaleReadIsWrong) {
  History h;
  h.Put(1, 2, "x", 1);
  h.Put(3, 4, "y", 2);
  h.Read(5, 6, "x", 1);
  EXPECT_EQ(h.Check(), kWrong);
}

TEST(Linearizability, ALostWriteIsWrong) {
  History h;
  h.Put(1, 2, "x", 1);
  h.ReadNothing(3, 4);
  const Verdict verdict = CheckLinearizable(h.operations());
  EXPECT_EQ(verdict.kind, kWrong);
  EXPECT_NE(verdict.why.find("read a -> nothing"), std::string::npos) << verdict.why;
}

TEST(Linearizability, AnUnknownWriteHappensOnceLaterOrNever) {
  History h;
  h.Put(1, 2, "x", 1);
  h.Put(3, kNever, "y", 2);
  h.Read(5, 6, "x", 1);
  EXPECT_EQ(h.Check(), kRight);
  h.Read(7, 8, "y", 2);
  EXPECT_EQ(h.Check(), kRight);
  h.Put(9, 10, "z", 3);
  EXPECT_EQ(h.Check(), kRight);
  h.Read(11, 12, "y", 2);
  EXPECT_EQ(h.Check(), kWrong) << "twice";
}

TEST(Linearizability, AnIncrementAppliedTwiceIsWrong) {
  History h;
  h.Increment(1, 2, 1, 1);
  h.Increment(3, 4, 3, 2);
  EXPECT_EQ(h.Check(), kWrong);
  h.Increment(2, kNever, 0, 0);
  EXPECT_EQ(h.Check(), kRight) << "the third is of unknown outcome";
  h.Increment(5, 6, 5, 4);
  EXPECT_EQ(h.Check(), kWrong) << "and has happened only once";
}

TEST(Linearizability, ABatchIsWholeOrNothing) {
  History h;
  const std::vector<WritePart> both = {{.kind = WritePart::Kind::kPut, .cell = 0, .value = "x"},
                                       {.kind = WritePart::Kind::kPut, .cell = 1, .value = "y"}};
  h.Batch(1, kNever, both, 0);
  h.Read(3, 4, "x", 1, 0);
  EXPECT_EQ(h.Check(), kRight);
  Operation& torn = h.ReadNothing(5, 6, 1);
  EXPECT_EQ(h.Check(), kWrong);
  torn.found = Cell{"y", {Epoch{1}, Lsn{1}}};
  EXPECT_EQ(h.Check(), kRight);
}

TEST(Linearizability, ConditionsAreJudged) {
  History h;
  WritePart if_absent{
      .kind = WritePart::Kind::kPut, .cell = 0, .value = "x", .condition = WritePart::Condition::kAbsent};
  h.Batch(1, 2, {if_absent}, 1);
  if_absent.value = "y";
  Operation& second = h.Batch(3, 4, {if_absent}, 2);
  EXPECT_EQ(h.Check(), kWrong);
  second.outcome = Outcome::kRefused;
  second.version = {};
  EXPECT_EQ(h.Check(), kRight);
  const WritePart if_version{.kind = WritePart::Kind::kPut,
                             .cell = 0,
                             .value = "z",
                             .condition = WritePart::Condition::kVersionIs,
                             .version = {Epoch{1}, Lsn{1}}};
  h.Batch(5, 6, {if_version}, 3);
  EXPECT_EQ(h.Check(), kRight);
  Operation& refused = h.Batch(7, 8, {{.kind = WritePart::Kind::kPut, .cell = 0, .value = "w"}}, 0);
  refused.outcome = Outcome::kRefused;
  EXPECT_EQ(h.Check(), kWrong) << "a write without condition cannot be refused";
}

TEST(Linearizability, VersionsOfAKeyGrow) {
  History h;
  h.Put(1, 2, "x", 5);
  h.Put(3, 4, "y", 4);
  EXPECT_EQ(h.Check(), kWrong);
  History other;
  other.Put(1, 2, "x", 5);
  other.Delete(3, 4);
  other.Put(5, 6, "y", 5);
  EXPECT_EQ(other.Check(), kWrong) << "no version is used twice, deletes between or not";
}

TEST(Linearizability, WhatIsDoubtfulIsKeptForWhoNeedsIt) {
  // Either of two unknown increments makes 3 of 1; only the first can make 2 of nothing.
  const auto increment = [](WritePart::Condition condition) {
    return WritePart{.kind = WritePart::Kind::kIncrement, .cell = kCounterCell, .delta = 2, .condition = condition};
  };
  for (const bool both : {true, false}) {
    History h;
    h.Increment(1, 2, 1, 1);
    h.Batch(3, kNever, {increment(WritePart::Condition::kNone)}, 0);
    if (both) h.Batch(4, kNever, {increment(WritePart::Condition::kExists)}, 0);
    h.Read(5, 6, "3", 2, kCounterCell);
    h.Batch(7, 8, {{.kind = WritePart::Kind::kDelete, .cell = kCounterCell}}, 3);
    h.Read(9, 10, "2", 4, kCounterCell);
    EXPECT_EQ(h.Check(), both ? kRight : kWrong);
  }
}

TEST(Linearizability, AVersionThatIsPassedOverNeverComesBack) {
  History h;
  h.Increment(1, kNever, 0, 0);
  h.Put(3, 4, "x", 5);
  h.Read(6, 7, "1", 3, kCounterCell);
  EXPECT_EQ(h.Check(), kRight) << "keys of their own";
  h.Increment(8, 9, 2, 6);
  EXPECT_EQ(h.Check(), kRight);
  Operation& late = h.Read(8, 20, "1", 3, kCounterCell);
  EXPECT_EQ(h.Check(), kRight) << "before the second increment";
  late.invoked = 10;
  EXPECT_EQ(h.Check(), kWrong);
  late.found->version.lsn = Lsn{7};
  EXPECT_EQ(h.Check(), kWrong);
}

TEST(Linearizability, AConditionOnAVersionHoldsAsLongAsThatIsThere) {
  const auto named = [](uint64_t lsn) {
    return WritePart{.cell = 0,
                     .value = "n" + std::to_string(lsn),
                     .condition = WritePart::Condition::kVersionIs,
                     .version = {Epoch{1}, Lsn{lsn}}};
  };
  for (const bool overwritten : {false, true}) {
    History h;
    h.Batch(1, kNever, {named(2)}, 0);
    h.Put(3, 4, "x", 2);
    if (overwritten) h.Put(5, 6, "y", 3);
    Operation& refused = h.Batch(7, 8, {named(overwritten ? 3 : 2)}, 0);
    refused.outcome = Outcome::kRefused;
    EXPECT_EQ(h.Check(), overwritten ? kWrong : kRight) << "who refused it saw the unknown one's doing";
  }
}

using Cells = std::array<std::optional<Cell>, kCellsPerGroup>;

bool Holds(const WritePart& part, const Cells& cells) {
  const std::optional<Cell>& cell = cells[static_cast<size_t>(part.cell)];
  switch (part.condition) {
    case WritePart::Condition::kNone: return true;
    case WritePart::Condition::kAbsent: return !cell;
    case WritePart::Condition::kExists: return cell.has_value();
    case WritePart::Condition::kVersionIs: return cell && cell->version == part.version;
    case WritePart::Condition::kValueIs: return cell && cell->value == part.value;
  }
  return false;
}

void Do(const WritePart& part, Version version, std::optional<Cell>& cell) {
  if (part.kind == WritePart::Kind::kPut) cell = Cell{part.value, version};
  if (part.kind == WritePart::Kind::kDelete) cell.reset();
  if (part.kind == WritePart::Kind::kIncrement) {
    cell = Cell{std::to_string((cell ? std::stoll(cell->value) : 0) + part.delta), version};
  }
}

// Tries every order, because the attempts that the search skips must not change a verdict.
class EveryOrder {
 public:
  explicit EveryOrder(std::vector<Operation> operations)
      : operations_(std::move(operations)), placed_(operations_.size()) {
    for (const Operation& op : operations_) {
      if (!op.found) continue;
      versions_.push_back(op.found->version);
      if (op.cell != kCounterCell) shown_.insert(op.found->value);
    }
  }
  bool Right() { return From({}, {}); }

 private:
  struct Newest {
    Version ordered;                           // of all keys, as answers and unique values name it
    std::array<Version, kCellsPerGroup> of{};  // of each key
  };

  bool From(const Cells& cells, const Newest& newest) {
    EventNumber first_answer = kNever;
    bool left = false;
    for (size_t i = 0; i < operations_.size(); ++i) {
      if (placed_[i] || operations_[i].outcome == Outcome::kUnknown) continue;
      left = true;
      first_answer = std::min(first_answer, operations_[i].returned);
    }
    if (!left) return true;
    for (size_t i = 0; i < operations_.size(); ++i) {
      if (placed_[i] || operations_[i].invoked > first_answer) continue;
      placed_[i] = true;
      const bool right =
          operations_[i].is_read ? Read(operations_[i], cells, newest) : Write(operations_[i], cells, newest);
      placed_[i] = false;
      if (right) return true;
    }
    return false;
  }
  bool Read(const Operation& op, const Cells& cells, const Newest& newest) {
    return cells[static_cast<size_t>(op.cell)] == op.found && From(cells, newest);
  }
  // A write of unknown version may have any version that a read found.
  bool Write(const Operation& op, const Cells& cells, const Newest& newest) {
    if (op.version || op.outcome == Outcome::kRefused) return As(op, op.version, cells, newest);
    if (As(op, {}, cells, newest)) return true;
    return std::ranges::any_of(versions_, [&](Version version) { return As(op, version, cells, newest); });
  }
  bool As(const Operation& op, Version version, Cells cells, Newest newest) {
    const bool holds = std::ranges::all_of(op.parts, [&](const WritePart& part) { return Holds(part, cells); });
    if (holds != (op.outcome != Outcome::kRefused)) return false;
    if (!holds) return From(cells, newest);
    const bool shown =
        std::ranges::any_of(op.parts, [&](const WritePart& part) { return shown_.contains(part.value); });
    const bool ordered = op.version || (version && shown);
    if (ordered && version <= newest.ordered) return false;
    if (ordered) newest.ordered = version;
    size_t counter = 0;
    for (const WritePart& part : op.parts) {
      std::optional<Cell>& cell = cells[static_cast<size_t>(part.cell)];
      Version& of_key = newest.of[static_cast<size_t>(part.cell)];
      if (version && (ordered || part.kind == WritePart::Kind::kIncrement)) {  // else no read shows it
        if (version <= of_key) return false;
        of_key = version;
      }
      Do(part, version, cell);
      const bool told = part.kind == WritePart::Kind::kIncrement && op.outcome == Outcome::kOk;
      if (told && std::to_string(op.counters[counter++]) != cell->value) return false;
    }
    return From(cells, newest);
  }

  const std::vector<Operation> operations_;
  std::vector<bool> placed_;
  std::vector<Version> versions_;
  std::set<std::string> shown_;  // unique values that name their write's version
};

// The versions that a client has met at each key. A client may name only these.
using Met = std::array<std::vector<Version>, kCellsPerGroup>;

WritePart SmallPart(std::mt19937& random, int cell, const std::string& value, const Met& met_at) {
  const std::vector<Version>& met = met_at[static_cast<size_t>(cell)];
  WritePart part{.kind = cell == 0 ? WritePart::Kind::kPut : WritePart::Kind::kIncrement, .cell = cell};
  if (random() % 3 == 0) part.kind = WritePart::Kind::kDelete;
  if (part.kind == WritePart::Kind::kPut) part.value = value;
  if (part.kind == WritePart::Kind::kIncrement) part.delta = 1 + static_cast<int64_t>(random() % 2);
  if (random() % 3 == 0) part.condition = static_cast<WritePart::Condition>(1 + random() % 3);
  if (part.condition != WritePart::Condition::kVersionIs) return part;
  if (met.empty()) part.condition = WritePart::Condition::kNone;
  if (!met.empty()) part.version = met[random() % met.size()];
  return part;
}

// Small histories, right and wrong ones: operations on a register that may expire, on a counter, or on both. A third of
// the writes gets no answer, whether executed or not, and some answers of reads are falsified.
std::vector<Operation> SmallHistory(std::mt19937& random) {
  History h;
  Cells cells;
  Met met;
  EventNumber now = 1;
  uint64_t lsn = 0;
  for (int i = 0; i < 7; ++i) {
    const int cell = random() % 2 == 0 ? 0 : kCounterCell;
    now += 2;
    const EventNumber from = now - std::min<EventNumber>(now - 1, random() % 5);
    const EventNumber to = now + random() % 5;
    if (random() % 5 < 2) {
      Operation& read = h.ReadNothing(from, to, cell);
      read.found = cells[static_cast<size_t>(cell)];
      if (random() % 6 == 0) read.found.reset();
      if (random() % 6 == 0 && cell == kCounterCell && read.found) read.found->value = std::to_string(random() % 5);
      if (read.found) met[static_cast<size_t>(cell)].push_back(read.found->version);
      continue;
    }
    const std::string value = "v" + std::to_string(i);
    std::vector<WritePart> parts{SmallPart(random, cell, value, met)};
    if (random() % 4 == 0) parts.push_back(SmallPart(random, cell == 0 ? kCounterCell : 0, value, met));
    const bool holds = std::ranges::all_of(parts, [&](const WritePart& part) { return Holds(part, cells); });
    const bool answered = random() % 3 != 0;
    Operation& op = h.Batch(from, answered ? to : kNever, parts, 0);
    if (answered && !holds) op.outcome = Outcome::kRefused;
    if (!holds || (!answered && random() % 2 == 0)) continue;
    const Version version{Epoch{1}, Lsn{++lsn}};
    if (answered) op.version = version;
    for (const WritePart& part : parts) {
      std::optional<Cell>& at = cells[static_cast<size_t>(part.cell)];
      Do(part, version, at);
      if (answered && part.kind == WritePart::Kind::kIncrement) op.counters.push_back(std::stoll(at->value));
      if (part.kind != WritePart::Kind::kPut || random() % 3 != 0) continue;
      h.Batch(
          from, kNever,
          {{.kind = WritePart::Kind::kDelete, .cell = 0, .value = value, .condition = WritePart::Condition::kValueIs}},
          0);
      if (random() % 2 == 0) at.reset();
    }
  }
  return h.operations();
}

TEST(Linearizability, WhatTheSearchSparesChangesNoVerdict) {
  std::mt19937 random(1);
  int wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<Operation> history = SmallHistory(random);
    const bool right = EveryOrder(history).Right();
    wrong += !right;
    std::string text;
    for (const Operation& op : history) {
      text += "\n[" + std::to_string(op.invoked) + " " + std::to_string(op.returned) + "] " + op.ToString();
    }
    ASSERT_EQ(CheckLinearizable(history).kind, right ? kRight : kWrong) << "history " << i << text;
  }
  EXPECT_GT(wrong, 1'000);
  EXPECT_LT(wrong, 9'000);
}

// Random histories of a real register are right. Each becomes wrong if one of its reads is falsified to show a value
// that was overwritten before the read began.
TEST(Linearizability, RandomHistoriesAreJudgedRight) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    History h;
    struct Pending {
      size_t index;
      bool applied = false;
    };
    std::vector<Pending> pending;
    std::optional<Cell> cell;
    EventNumber now = 1;
    uint64_t lsn = 0;
    std::vector<size_t> reads;
    while (h.operations().size() < 60 || !pending.empty()) {
      const unsigned choice = random() % 3;
      if (choice == 0 && h.operations().size() < 60 && pending.size() < 4) {
        if (random() % 2 == 0) {
          ++now;
          h.Put(now, kNever, "v" + std::to_string(now), 0);
        } else {
          h.Read(++now, kNever, "", 0);
          reads.push_back(h.operations().size() - 1);
        }
        pending.push_back({h.operations().size() - 1});
      } else if (!pending.empty()) {
        Pending& chosen = pending[random() % pending.size()];
        Operation& op = h.operations()[chosen.index];
        if (!chosen.applied) {
          chosen.applied = true;
          if (op.is_read) {
            op.found = cell;
          } else {
            op.version = {Epoch{1}, Lsn{++lsn}};
            cell = Cell{op.parts[0].value, op.version};
          }
        } else if (random() % 10 == 0 && !op.is_read) {
          op.version = {};  // done, but its answer was lost
          pending.erase(pending.begin() + (&chosen - pending.data()));
        } else {
          op.returned = ++now;
          op.outcome = Outcome::kOk;
          pending.erase(pending.begin() + (&chosen - pending.data()));
        }
      }
    }
    ASSERT_EQ(h.Check(), kRight) << "seed " << seed;
    // Falsify: the last read finds a value that an answered write replaced before the read began.
    const Operation* old = nullptr;
    const Operation* newer = nullptr;
    Operation& read = h.operations()[reads.back()];
    for (const Operation& op : h.operations()) {
      if (op.is_read || op.outcome != Outcome::kOk || op.returned >= read.invoked) continue;
      if (old == nullptr) {
        old = &op;
      } else if (old->returned < op.invoked) {
        newer = &op;
      }
    }
    if (newer == nullptr) continue;
    read.found = Cell{old->parts[0].value, old->version};
    EXPECT_EQ(h.Check(), kWrong) << "seed " << seed;
  }
}

}  // namespace
}  // namespace ebla::sim

#include "tests/sim/linearizability.h"

#include <gtest/gtest.h>

#include <random>

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
  WritePart if_absent{.kind = WritePart::Kind::kPut, .cell = 0, .value = "x", .condition = WritePart::Condition::kAbsent};
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

// Random histories of a real register are right; with one read falsified to a value overwritten before it began, wrong.
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

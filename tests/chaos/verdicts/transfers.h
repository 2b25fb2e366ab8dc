// tests/chaos/verdicts/transfers.h
// A bank: accounts that begin at 0, and transfers between two of them, each of which counts itself in the same
// transaction. So each knows its number in the order in which they took effect, and all answers can be compared with
// the result of that order.
// Marks:   a transfer also leaves its number at a mark that only its client writes. Once a transfer's outcome is
//          unknown, its mark is given up, so that its final value shows whether the transfer took effect, and with
//          which number.
// Judged:  1. Every number up to the last belongs to one transfer: none is lost, none happened twice, and there are no
//             others.
//          2. Numbers grow in the order of calls and answers.
//          3. The balances in the answers of transfers, of statements of all accounts and of reads of single ones are
//             those of one moment, within call and answer; so are those in the end.
// Threads: Done(), Unknown(), Stated(), Read() any; Judge() while no thread calls those.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "tests/chaos/verdicts/events.h"

namespace ebla::chaos {

struct Transfer {
  Span span;
  std::string mark;
  int from = 0;
  int to = 0;
  int64_t amount = 0;
  int64_t number = 0;                  // 0: not known
  std::optional<int64_t> from_before;  // what it was decided on
  int64_t from_after = 0;
  int64_t to_after = 0;
};

// The bank's balances at one moment.
struct Statement {
  Span span;
  int64_t number = 0;  // of the last transfer
  std::vector<int64_t> balances;
};

struct AccountRead {
  Span span;
  int account = 0;
  int64_t balance = 0;
};

class Transfers {
 public:
  explicit Transfers(int accounts) : accounts_(static_cast<size_t>(accounts)) {}

  void Done(Transfer transfer);
  // `mark_before`: the number that its mark had when it was asked for; 0: none.
  void Unknown(Transfer transfer, int64_t mark_before);
  void Stated(Statement statement);
  void Read(AccountRead read);

  // Marks whose last numbers Judge() needs.
  std::vector<std::string> OpenMarks() const;
  // `last`: what is there once nothing is under way; `marks`: numbers at the open marks, those that are there.
  std::vector<std::string> Judge(const Statement& last, const std::map<std::string, int64_t>& marks) const;
  size_t done() const;
  size_t unknown() const;

 private:
  class Replay;
  struct Doubt {
    Transfer transfer;
    int64_t mark_before = 0;
  };

  const size_t accounts_;
  mutable Mutex mutex_;
  std::vector<Transfer> done_ EBLA_GUARDED_BY(mutex_);
  std::vector<Doubt> unknown_ EBLA_GUARDED_BY(mutex_);
  std::vector<Statement> statements_ EBLA_GUARDED_BY(mutex_);
  std::vector<AccountRead> reads_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::chaos

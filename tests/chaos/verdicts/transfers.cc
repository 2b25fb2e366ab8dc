#include "tests/chaos/verdicts/transfers.h"

#include <algorithm>
#include <utility>

namespace ebla::chaos {
namespace {

std::string Show(const Transfer& transfer) {
  return "transfer " + std::to_string(transfer.number) + " of " + std::to_string(transfer.amount) + " from " +
         std::to_string(transfer.from) + " to " + std::to_string(transfer.to) + " by " + transfer.mark;
}

}  // namespace

// The bank's whole history, transfer by transfer, and its verdict on the answers.
class Transfers::Replay {
 public:
  Replay(size_t accounts, std::vector<Transfer> transfers, int64_t last)
      : transfers_(std::move(transfers)), last_(last), changes_(accounts) {
    for (auto& account : changes_) account.push_back({0, 0});
    std::ranges::sort(transfers_, {}, &Transfer::number);
  }

  std::vector<std::string> TakeProblems() { return std::move(problems_); }

  // Every number once; each transfer's answers follow from those before it.
  void JudgeTransfers() {
    int64_t next = 1;
    for (const Transfer& transfer : transfers_) {
      if (transfer.number < next) {
        Note(Show(transfer) + " has a number that another has, too");
        continue;
      }
      if (transfer.number > next) Missing(next, transfer.number - 1);
      next = transfer.number + 1;
      const int64_t from = Add(transfer.from, transfer.number, -transfer.amount);
      const int64_t to = Add(transfer.to, transfer.number, transfer.amount);
      if (transfer.span.returned == sim::kNever) continue;  // of unknown outcome: it was told nothing
      if (transfer.from_before && *transfer.from_before - transfer.amount != from)
        Note(Show(transfer) + " was decided on a balance of " + std::to_string(*transfer.from_before) + ", not of " +
             std::to_string(from + transfer.amount));
      if (transfer.from_after != from || transfer.to_after != to)
        Note(Show(transfer) + " was told " + std::to_string(transfer.from_after) + " and " +
             std::to_string(transfer.to_after) + ", where there were " + std::to_string(from) + " and " +
             std::to_string(to));
    }
    if (next <= last_) Missing(next, last_);
    if (next > last_ + 1)
      Note("in the end " + std::to_string(last_) + " transfers are there, and somebody was told that " +
           std::to_string(next - 1) + " were");
  }

  // Numbers known at a moment: those that were answered before it, and those that were called only after it.
  void Order(const std::vector<Statement>& statements) {
    for (const Transfer& transfer : transfers_) {
      if (transfer.span.returned != sim::kNever) answered_.emplace_back(transfer.span.returned, transfer.number);
      called_.emplace_back(transfer.span.invoked, transfer.number - 1);
    }
    for (const Statement& statement : statements) {
      answered_.emplace_back(statement.span.returned, statement.number);
      called_.emplace_back(statement.span.invoked, statement.number);
    }
    std::ranges::sort(answered_);
    std::ranges::sort(called_);
    for (size_t i = 1; i < answered_.size(); ++i)
      answered_[i].second = std::max(answered_[i].second, answered_[i - 1].second);
    for (size_t i = called_.size(); i > 1; --i)
      called_[i - 2].second = std::min(called_[i - 2].second, called_[i - 1].second);
    for (const Transfer& transfer : transfers_) {
      if (const int64_t least = Least(transfer.span); transfer.number <= least)
        Note(Show(transfer) + " was called when number " + std::to_string(least) + " had been seen");
    }
  }

  void Judge(const Statement& statement) {
    if (const int64_t least = Least(statement.span); statement.number < least)
      Note("a statement shows " + std::to_string(statement.number) + " transfers after " + std::to_string(least) +
           " had been seen");
    for (size_t i = 0; i < changes_.size(); ++i) {
      const int64_t balance = BalanceAt(i, statement.number);
      if (i >= statement.balances.size() || statement.balances[i] != balance)
        Note("a statement after transfer " + std::to_string(statement.number) + " shows " +
             (i < statement.balances.size() ? std::to_string(statement.balances[i]) : "nothing") + " at account " +
             std::to_string(i) + ", where there were " + std::to_string(balance));
    }
  }

  void Judge(const AccountRead& read) {
    const auto account = static_cast<size_t>(read.account);
    const int64_t least = Least(read.span);
    const int64_t most = Most(read.span);
    if (BalanceAt(account, least) == read.balance) return;
    const auto& changes = changes_[account];
    for (auto change = std::ranges::upper_bound(changes, least, {}, &Change::number);
         change != changes.end() && change->number <= most; ++change)
      if (change->balance == read.balance) return;
    Note("account " + std::to_string(account) + " was read as " + std::to_string(read.balance) +
         ", which it never was between transfers " + std::to_string(least) + " and " + std::to_string(most));
  }

 private:
  struct Change {
    int64_t number;
    int64_t balance;  // from that number on
  };
  using Known = std::vector<std::pair<EventNumber, int64_t>>;

  void Note(std::string text) {
    if (problems_.size() < kVerdictProblemsMax) problems_.push_back(std::move(text));
  }
  void Missing(int64_t first, int64_t last) {
    Note("transfers " + std::to_string(first) + " to " + std::to_string(last) +
         " are nobody's: one has happened twice, or was told that it had not");
  }
  int64_t Add(int account, int64_t number, int64_t amount) {
    auto& changes = changes_[static_cast<size_t>(account)];
    changes.push_back({number, changes.back().balance + amount});
    return changes.back().balance;
  }
  int64_t BalanceAt(size_t account, int64_t number) const {
    const auto& changes = changes_[account];
    return std::prev(std::ranges::upper_bound(changes, number, {}, &Change::number))->balance;
  }
  // The statement includes everything seen before the call.
  int64_t Least(const Span& span) const {
    const auto after = std::ranges::lower_bound(answered_, span.invoked, {}, &Known::value_type::first);
    return after == answered_.begin() ? 0 : std::prev(after)->second;
  }
  // It excludes transfers called after the answer, and transfers that a later caller did not see.
  int64_t Most(const Span& span) const {
    const auto after = std::ranges::upper_bound(called_, span.returned, {}, &Known::value_type::first);
    return after == called_.end() ? last_ : after->second;
  }

  std::vector<Transfer> transfers_;
  const int64_t last_;
  std::vector<std::vector<Change>> changes_;  // by account
  Known answered_;                            // the greatest number that was answered by then
  Known called_;                              // the greatest that can have been there before
  std::vector<std::string> problems_;
};

void Transfers::Done(Transfer transfer) {
  MutexLock lock(mutex_);
  done_.push_back(std::move(transfer));
}

void Transfers::Unknown(Transfer transfer, int64_t mark_before) {
  MutexLock lock(mutex_);
  transfer.span.returned = sim::kNever;
  unknown_.push_back({std::move(transfer), mark_before});
}

void Transfers::Stated(Statement statement) {
  MutexLock lock(mutex_);
  statements_.push_back(std::move(statement));
}

void Transfers::Read(AccountRead read) {
  MutexLock lock(mutex_);
  reads_.push_back(read);
}

size_t Transfers::done() const {
  MutexLock lock(mutex_);
  return done_.size();
}

size_t Transfers::unknown() const {
  MutexLock lock(mutex_);
  return unknown_.size();
}

std::vector<std::string> Transfers::OpenMarks() const {
  MutexLock lock(mutex_);
  std::vector<std::string> marks;
  for (const Doubt& doubt : unknown_) marks.push_back(doubt.transfer.mark);
  return marks;
}

std::vector<std::string> Transfers::Judge(const Statement& last, const std::map<std::string, int64_t>& marks) const {
  MutexLock lock(mutex_);
  std::vector<Transfer> happened = done_;
  for (const Doubt& doubt : unknown_) {
    const auto mark = marks.find(doubt.transfer.mark);
    if (mark == marks.end() || mark->second == doubt.mark_before) continue;
    happened.push_back(doubt.transfer);
    happened.back().number = mark->second;
  }
  Replay replay(accounts_, std::move(happened), last.number);
  replay.JudgeTransfers();
  replay.Order(statements_);
  for (const Statement& statement : statements_) replay.Judge(statement);
  replay.Judge(last);
  for (const AccountRead& read : reads_) replay.Judge(read);
  return replay.TakeProblems();
}

}  // namespace ebla::chaos

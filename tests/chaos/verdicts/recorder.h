// tests/chaos/verdicts/recorder.h
// The requests of many threads to a real cluster and their answers, in the simulator's words
// (tests/sim/checker/history.h), so that the simulator's checkers judge them.
// Cuts:       a history of minutes cannot be searched, so it is cut while no operation is under way. The caller pauses
//             its clients, reads every cell with STRONG reads, and calls Cut(). The operations since the last cut are
//             judged group by group; the next history begins with the values of the reads. Writes of unknown outcome
//             may still happen and are carried on.
// Weak reads: a read that found a value from before the last cut cannot be judged against later operations, and is left
//             out; it is counted in `before`.
// Invariants: an operation's call has its event before the SDK is called, its answer after the SDK returned.
// Threads:    Begin() and End() any; Cut() while no thread calls those.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "tests/sim/checker/history.h"

namespace ebla::chaos {

struct CutVerdict {
  std::vector<std::string> problems;   // promises that were broken
  std::vector<std::string> undecided;  // groups whose search took too long: proves nothing
  int64_t operations = 0;              // judged
  int64_t unknown = 0;                 // writes of unknown outcome that go on to the next history
  int64_t before = 0;
};

class Recorder {
 public:
  explicit Recorder(int groups);

  // Notes the call, and hands out the number to end it with.
  size_t Begin(sim::Operation operation);
  // `answer` has what the SDK told: outcome, found, version, counters. An UNKNOWN or unexecuted one has no answer.
  void End(size_t number, sim::Outcome outcome, std::optional<sim::Cell> found = {}, Version version = {},
           std::vector<int64_t> counters = {});
  // Answered OK or with a refusal so far, since the start.
  int64_t answered() const { return answered_.load(); }

  CutVerdict Cut();

 private:
  // The known state of a group at the last cut.
  struct Known {
    std::array<std::optional<sim::Cell>, sim::kCellsPerGroup> cells;
    Version newest;  // of all that its cells ever held: they share one log
  };
  // Numbers that a group's counter was told to have come to since then; none: an increment of unknown outcome may have
  // made any.
  using Counted = std::optional<std::set<std::string>>;

  std::vector<sim::Operation> Beginning(int group) const;
  void Judge(int group, std::vector<sim::Operation> operations, std::vector<MonotonicTime>& moments,
             CutVerdict& verdict);
  void Remember(int group, const std::vector<sim::Operation>& operations);
  std::vector<Counted> CountedSince() const EBLA_REQUIRES(mutex_);  // by group
  bool IsBefore(const sim::Operation& read, const Counted& counted) const;

  const int groups_;
  std::atomic<int64_t> answered_{0};
  std::vector<Known> known_;                          // by group
  std::vector<std::vector<sim::Operation>> carried_;  // by group: of unknown outcome
  Mutex mutex_;                                       // guards the history while clients work
  sim::History history_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::chaos

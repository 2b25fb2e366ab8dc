// gateway/server/statistics.h
// The counts of a gateway: connections, bytes, and for each kind of command its calls, times, hits, misses and errors.
// Place:   each loop writes its own; metrics.h and the protocols' own statistics add them up.
// Threads: a LoopStatistics is written by its loop alone; everything is read from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "common/rpc/connection_loop.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway {

// Upper bounds of the latency's buckets. Slower commands are in none.
inline constexpr std::array<uint64_t, 12> kLatencyMicros = {100,    250,    500,     1'000,   2'500,     5'000,
                                                            10'000, 50'000, 100'000, 500'000, 1'000'000, 10'000'000};

// One kind of command, summed over the loops.
struct CommandTotals {
  uint64_t commands = 0;
  uint64_t errors = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  double seconds = 0;
  std::array<uint64_t, kLatencyMicros.size()> buckets{};  // each without those below
};

struct Totals {
  uint64_t connections = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // over connections_max
  uint64_t connections_broken = 0;   // closed for what they sent, or for not reading
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t in_flight = 0;
  std::vector<CommandTotals> kinds;
};

class LoopStatistics : public rpc::ConnectionCounters {
 public:
  explicit LoopStatistics(size_t kinds) : kinds_(kinds) {}

  void Count(size_t kind, const Reply& reply, Duration took);
  void AddTo(Totals& totals) const;

 private:
  struct Kind {
    rpc::LoopCounter commands, errors, hits, misses, nanos;
    std::array<rpc::LoopCounter, kLatencyMicros.size()> buckets;
  };
  std::vector<Kind> kinds_;
};

class Statistics {
 public:
  // `names`: of the kinds of commands.
  Statistics(std::vector<std::string> names, size_t loops);

  LoopStatistics& loop(size_t index) { return *loops_[index]; }
  const std::vector<std::string>& names() const { return names_; }
  Totals Sum() const;

 private:
  const std::vector<std::string> names_;
  std::vector<std::unique_ptr<LoopStatistics>> loops_;
};

// The counts that a client sees, from the last reset that a client asked for. /metrics is never reset.
class CountsSinceReset {
 public:
  void Reset(Totals totals);
  // Gauges stay as they are.
  Totals Of(Totals totals) const;

 private:
  mutable Mutex mutex_;
  Totals before_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway

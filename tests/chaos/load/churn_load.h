// tests/chaos/load/churn_load.h
// Writers that fill tables in memory beyond their bounds, with records whose sizes change over time: small ones, then
// large ones, some that are deleted, that grow in place, that expire. Memory that an allocator has given for one size
// cannot serve another, and this load tests that.
// Truth:   every writer owns its keys. A read returns its last write, whole, or nothing, because the table may evict
//          records. A missing key stays missing until it is written again.
// Threads: one; writers have their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tools/load/workers.h"

namespace ebla::chaos {

struct ChurnLoadOptions {
  uint64_t seed = 1;
  int writers = 4;
  uint32_t keys_per_writer = 400'000;
  std::chrono::milliseconds deadline{10'000};
};

class ChurnLoad {
 public:
  // Writer i has the i-th of the tables, and starts with them again.
  ChurnLoad(std::vector<Table> tables, ChurnLoadOptions options);
  ~ChurnLoad();

  void Start();
  void End();
  // Goes on to the next kind of records, the first after the last.
  void NextPhase() { ++phase_; }
  std::string phase() const;
  static int phases();

  // A key that some writer may have, to split at.
  std::string AnyKey(uint64_t draw) const;
  // Broken truths, and operations that failed: must be empty.
  std::vector<std::string> TakeFailures() { return workers_.TakeFailures(); }
  int64_t written() const { return written_.load(); }
  int64_t written_bytes() const { return written_bytes_.load(); }
  int64_t found() const { return found_.load(); }
  std::string ToString() const;

 private:
  class Writer;

  const std::vector<Table> tables_;
  const ChurnLoadOptions options_;
  std::atomic<size_t> phase_{0};
  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> written_bytes_{0};
  std::atomic<int64_t> refused_{0};  // for want of room
  std::atomic<int64_t> unknown_{0};
  std::atomic<int64_t> found_{0};  // by reads
  std::atomic<int64_t> gone_{0};
  load::Workers workers_;  // last, because it uses the other members
};

}  // namespace ebla::chaos

// tests/chaos/load/single_writer_load.h
// A workload that knows what it was promised: every writer owns its keys and notes, before each call, what it attempts
// and, after each, what was acknowledged. Whatever happens to the servers meanwhile, at every moment
//   acknowledged before the read began  <=  what a strong read shows  <=  attempted before the read ended.
// Three kinds of key for each writer, one kind for each promise:
//   put      values 1, 2, 3...               an acknowledged write is there
//   batch    two keys, always written alike   a batch is all there or not at all
//   counter  incremented by one               no retried increment counts twice
// Threads: Start() runs `writers` threads and one reader; Finish() ends them. The rest from one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "ebla/ebla.h"
#include "tools/load/workers.h"

namespace ebla::chaos {

struct SingleWriterLoadOptions {
  int writers = 8;
  int keys_per_writer = 32;  // of each kind
  uint64_t seed = 1;
  std::chrono::milliseconds deadline{30'000};  // longer than any outage that a test makes
};

struct SingleWriterLoadReport {
  int64_t acknowledged = 0;
  int64_t unknown = 0;  // writes that ended as UNKNOWN_OUTCOME
  int64_t reads = 0;
  std::chrono::milliseconds longest_wait{0};
  std::vector<std::string> failures;    // operations that ended with an error, the first hundred
  std::vector<std::string> violations;  // promises that were broken: must be empty
};

class SingleWriterLoad {
 public:
  SingleWriterLoad(Table table, SingleWriterLoadOptions options);

  void Start();
  // Acknowledged so far; grows while the cluster serves.
  int64_t acknowledged() const { return acknowledged_.load(); }
  // Ends the load, then reads everything back with STRONG reads and compares.
  SingleWriterLoadReport Finish();

 private:
  // One number that its single writer only ever raises.
  struct Cell {
    std::atomic<int64_t> acknowledged{0};
    std::atomic<int64_t> attempted{0};
  };
  struct Cells {
    std::vector<Cell> puts;
    std::vector<Cell> batches;
    std::vector<Cell> counters;
  };

  static std::string Key(char kind, int writer, int index);
  void WriteOnce(int writer, std::mt19937_64& random);
  // Checks as many keys as a reader has time for before the load ends, or all of them.
  void ReadAll(bool to_the_end);
  void CheckNumber(char kind, int writer, int index, const Cell& cell);
  void CheckBatch(int writer, int index);
  void Note(const char* what, const std::string& key, const Status& status);
  void Violation(std::string text);
  Result<int64_t> ReadNumber(const std::string& key);

  const Table table_;
  const SingleWriterLoadOptions options_;
  std::vector<std::unique_ptr<Cells>> cells_;  // by writer
  std::atomic<int64_t> acknowledged_{0};
  std::atomic<int64_t> unknown_{0};
  std::atomic<int64_t> reads_{0};
  Mutex mutex_;
  std::vector<std::string> violations_ EBLA_GUARDED_BY(mutex_);
  load::Workers workers_;
};

}  // namespace ebla::chaos

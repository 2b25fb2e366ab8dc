// tests/bench/compare/ebla_load.h
// Ebla, through its SDK in this process: tables of 100,000 records of 1 KB, and loads on them.
// Errors:  any ends the program.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ebla/ebla.h"
#include "tests/bench/compare/figures.h"
#include "tests/bench/compare/large_load.h"

namespace ebla::bench {

// Passes the outcome of an answer of any kind to `done`.
template <class T>
Callback<Result<T>> Answer(std::move_only_function<void(Status)> done) {
  return [done = std::move(done)](Result<T> result) mutable { done(result ? Status() : result.error()); };
}

// Makes an empty table.
Table MakeTable(Client& client, const std::string& name, const TableOptions& options);
// Makes a table of one tablet that has every record.
Table MakeFullTable(Client& client, const std::string& name, const TableOptions& options);

class EblaLoad {
 public:
  // Each figure takes `each`, and what it costs the servers is counted.
  EblaLoad(Servers servers, Duration each) : servers_(std::move(servers)), each_(each) {}

  Figure Operations(int in_flight, const load::StartOperation& start) const { return Measure(in_flight, 1, start); }
  // Closed loops over random keys of a full table.
  Figure Puts(const Table& table, int in_flight, Ack ack = Ack::kMajority) const;
  Counted CountedPuts(const Table& table, int in_flight, Ack ack = Ack::kMajority) const;  // without their cost
  Figure Gets(const Table& table, int in_flight, const GetOptions& options) const;
  // Operations on these records instead; `record` is called by several threads.
  using NextRecord = std::function<int64_t()>;
  Figure Puts(const Table& table, int in_flight, const NextRecord& record) const;
  Figure Gets(const Table& table, int in_flight, const NextRecord& record) const;
  // Scans of so many rows from these records on; the rates are of scans.
  Figure ScansFrom(const Table& table, int in_flight, uint64_t rows, const NextRecord& record) const;
  // The same table as several clients have it, each with one operation at a time.
  Figure Puts(const std::vector<Table>& tables) const;
  Figure Gets(const std::vector<Table>& tables, const GetOptions& options) const;
  // MultiGets of this many keys each; the figures are of multiGets, not of keys.
  Figure MultiGets(const Table& table, int in_flight, int keys) const;
  // New records in the order of their keys, in batches of so many; the rates are of records.
  Figure LoadInOrder(const Table& table, int in_flight, int batch) const;
  // So many new records by single puts, whose keys are in random order.
  Pace LoadShuffled(const Table& table, int in_flight, int64_t records) const;
  // The whole of a full table, again and again, by one scanner; the rates are of records.
  Figure Scans(const Table& table) const;

 private:
  // `weight`: what each operation counts.
  Figure Measure(int in_flight, int weight, const load::StartOperation& start) const;
  Counted Count(int in_flight, int weight, const load::StartOperation& start) const;
  using StartOn = std::function<void(const Table& table, std::move_only_function<void(Status)> done)>;
  Figure MeasureEach(const std::vector<Table>& tables, const StartOn& start) const;

  const Servers servers_;
  const Duration each_;
  const std::string value_ = std::string(kValueBytes, 'v');
};

}  // namespace ebla::bench

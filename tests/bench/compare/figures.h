// tests/bench/compare/figures.h
// The figures of a comparison: rows by name, each measured once in each round.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/compare/measured_process.h"
#include "tests/bench/harness/report.h"
#include "tools/load/async_load.h"

namespace ebla::bench {

inline constexpr char kCompareSuite[] = "compare";
// The size of values for every peer, except in rows with another size.
inline constexpr size_t kValueBytes = 1024;
inline constexpr int kRecords = 100'000;
inline constexpr int kConnections = 32;  // where a peer's clients have one each

// The result of one measurement, and its cost to the servers; zero: not measured.
struct Figure {
  load::Timings timings;
  double cpu_us = 0;         // per operation
  double written_bytes = 0;  // per operation
  double disk_share = 0;     // bytes on the disk for each byte of the records
  // Memory of a record at rest, in one server.
  double memory_bytes = 0;
  double disk_bytes = 0;
  double hit_percent = 0;  // of reads of a cache that is too small
  // For a load of far more than the cache, and for the process that served it.
  double written_share = 0;  // bytes written for each byte of the records
  double peak_share = 0;     // the most that disk_share was meanwhile
  double slowdown = 0;       // the time of the last million records over that of the second one
  double memory_share = 0;   // the most resident memory for each byte of the cache
};

// A load's timings, and all of its operations, while it warmed up, too.
struct Counted {
  load::Timings timings;
  double operations = 0;
};
Figure MeasureWithCost(const Servers& servers, const std::function<Counted()>& measure);

// Of all rounds: medians, and how far its fastest round was above its slowest.
struct FigureRow {
  std::string name;
  Figure median;
  double spread_percent = 0;
};

class Figures {
 public:
  // Announces the row on stderr, and then its result. The order of a row's first measurement is its place.
  void Measure(const std::string& row, const std::function<Figure()>& measure);
  std::vector<FigureRow> Rows() const;

 private:
  struct Measured {
    std::string row;
    std::vector<Figure> figures;
  };
  std::vector<Measured> measured_;
};

void AddTo(Report& report, const std::vector<FigureRow>& rows);

}  // namespace ebla::bench

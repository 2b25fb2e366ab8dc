// tests/bench/harness/report.h
// What a benchmark suite found: rows of measured numbers, and those of them, or ratios between them, that have a bound
// to meet.
// Threads: thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "common/base/executor.h"

namespace ebla::bench {

struct BenchOptions {
  Duration each{0};  // how long each number is measured
};

double Median(std::vector<double> values);  // of one at least

class Report {
 public:
  void Add(const std::string& suite, const std::string& name, double value, const std::string& unit);
  // 0 when there is no such row.
  double Value(const std::string& suite, const std::string& name) const;
  // Value(a) / Value(b), which is to be at least (or, with at_most, at most) `bound`.
  void Ratio(const std::string& suite, const std::string& a, const std::string& b, double bound, bool at_most = false);

  // The row is to be at most that much, in its own unit.
  void AtMost(const std::string& suite, const std::string& name, double bound);

  std::string ToText() const;  // a table
  std::string ToJson() const;
  bool AllMet() const;

 private:
  struct Row {
    std::string suite, name;
    double value;
    std::string unit;
  };
  struct RatioRow {
    std::string suite, name;
    double value, bound;
    bool at_most;
    bool met() const { return at_most ? value <= bound : value >= bound; }
  };
  std::vector<Row> rows_;
  std::vector<RatioRow> ratios_;
};

}  // namespace ebla::bench

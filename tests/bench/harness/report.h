// tests/bench/harness/report.h
// The results of a benchmark suite: rows of measured numbers, and bounds of some of them, or of ratios between them.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/executor.h"

namespace ebla::bench {

struct BenchOptions {
  Duration each{0};  // how long each number is measured
  // Only for `compare`.
  int rounds = 3;
  std::string part;      // empty: all
  std::string markdown;  // the file whose table is replaced, and beside which the chart is written; empty: none
  // For its part `beyond`.
  int64_t storage_records = 0;
  int64_t storage_cache_mb = 0;
};

double Median(std::vector<double> values);  // of one at least

class Report {
 public:
  // Says it on stderr, too.
  void Add(const std::string& suite, const std::string& name, double value, const std::string& unit);
  void Record(const std::string& suite, const std::string& name, double value, const std::string& unit);
  // 0 when there is no such row.
  double Value(const std::string& suite, const std::string& name) const;
  // Value(a) / Value(b), which is to be at least (or, with at_most, at most) `bound`, when there is one.
  void Ratio(const std::string& suite, const std::string& a, const std::string& b, std::optional<double> bound,
             bool at_most = false);

  void Append(Report other);  // rows and ratios

  // The row is to be at most that much, in its own unit.
  void AtMost(const std::string& suite, const std::string& name, double bound);

  struct RatioRow {
    std::string suite, name;
    double value = 0;
    std::optional<double> bound = {};
    bool at_most = false;
    std::string unit = {};  // of a row; none of a ratio
    bool met() const { return !bound || (at_most ? value <= *bound : value >= *bound); }
    std::string Wanted() const;   // "at least 0.60"; empty without a bound
    std::string Verdict() const;  // "met", "NOT MET"; empty without a bound
  };
  const std::vector<RatioRow>& ratios() const { return ratios_; }
  std::string ToText() const;  // a table
  std::string ToJson() const;
  bool AllMet() const;

 private:
  struct Row {
    std::string suite, name;
    double value;
    std::string unit;
  };
  std::vector<Row> rows_;
  std::vector<RatioRow> ratios_;
};

}  // namespace ebla::bench

// tools/ycsb/measurements.h
// The measurements of a run: for each operation a histogram of latencies, and the number of each return code. Prints
// both of YCSB's forms, the summary at the end and the line of the present interval.
// Place:      each worker thread records into a Recorder of its own; the runner gathers them all.
// Invariants: 1. Every sample counts once in the intervals and once in the totals.
//             2. Failed operations are measured under "<OP>-FAILED", never among the successes.
// Threads:    see each class.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tools/load/histogram.h"
#include "tools/load/pacer.h"
#include "tools/ycsb/exporter.h"
#include "tools/ycsb/properties.h"

namespace ebla::ycsb {

using load::Histogram;
using load::SteadyTime;

enum class Metric : uint8_t { kRead, kUpdate, kInsert, kScan, kReadModifyWrite, kVerify, kCleanup };
inline constexpr size_t kMetrics = 7;
std::string_view MetricName(Metric metric);

// From when latencies count: from when the operation began, from when it should have begun under -target (what a user
// would have waited), or both.
enum class MeasuredFrom { kStart, kIntendedStart, kBoth };

// The form of latencies in the summary: percentiles, or the average in each unit of time.
enum class MeasuredAs { kHistogram, kTimeSeries };

struct MeasurementOptions {
  MeasuredFrom from = MeasuredFrom::kStart;
  MeasuredAs as = MeasuredAs::kHistogram;
  std::vector<double> percentiles{50, 95, 99};
  std::chrono::milliseconds granularity{1'000};  // of a time series
  bool hdr_files = false;
  std::string hdr_prefix;  // of the names of these files
  Exporter::Form exporter = Exporter::Form::kText;

  static Result<MeasurementOptions> Parse(const Properties& properties);
};

// One operation's times. `intended` is `start` where nothing was intended.
struct Timing {
  SteadyTime intended;
  SteadyTime start;
  SteadyTime end;
};

// Latencies by the unit of time in which their operations ended, as microseconds: their sum and their number.
class TimeSeries {
 public:
  void Record(int64_t unit, uint64_t micros) { units_[unit].Add({static_cast<double>(micros), 1}); }
  void Add(const TimeSeries& other) {
    for (const auto& [unit, sum] : other.units_) units_[unit].Add(sum);
  }
  // The average of each unit that has a sample, by its begin after the first unit's.
  std::vector<std::pair<std::chrono::milliseconds, double>> Averages(std::chrono::milliseconds granularity) const;

 private:
  struct Sum {
    double micros = 0, count = 0;
    void Add(const Sum& other) {
      micros += other.micros;
      count += other.count;
    }
  };
  std::map<int64_t, Sum> units_;
};

// All histograms of one thread, one interval or one run.
struct Samples {
  struct OfMetric {
    Histogram succeeded, failed;                    // from the start
    Histogram intended_succeeded, intended_failed;  // from the intended start
    TimeSeries series, intended_series;             // of those that succeeded, where time series are wanted
    std::map<std::string, uint64_t> codes;          // by code name; empty for metrics that report none
  };
  std::array<OfMetric, kMetrics> metrics;

  void Add(const Samples& other);
  uint64_t Failures() const;  // over all metrics
};

// The histograms that have samples, by the names under which YCSB reports them: "READ", "Intended-READ-FAILED".
std::vector<std::pair<std::string, const Histogram*>> HistogramsOf(const Samples& samples);

// Threads: Record() from its owner, Take() from the runner.
class Recorder {
 public:
  explicit Recorder(const MeasurementOptions& options)
      : from_(options.from),
        unit_(options.as == MeasuredAs::kTimeSeries ? options.granularity : std::chrono::milliseconds(0)),
        samples_(std::make_unique<Samples>()) {}

  // `code` empty: the metric reports no codes (READ-MODIFY-WRITE, CLEANUP).
  void Record(Metric metric, const Timing& timing, bool ok, std::string_view code);
  // Everything recorded since the last Take().
  std::unique_ptr<Samples> Take();

 private:
  const MeasuredFrom from_;
  const std::chrono::milliseconds unit_;  // of time series; 0: none are wanted
  Mutex mutex_;                           // held for well under a microsecond; the runner takes it once in an interval
  std::unique_ptr<Samples> samples_ EBLA_GUARDED_BY(mutex_);
};

// The measurements of a whole run, without those of [OVERALL].
void PrintSummary(const MeasurementOptions& options, const Samples& samples, Exporter& out);
// "[READ: Count=..., Max=..., ...] [UPDATE: ...] " of an interval; empty when it has no samples.
std::string IntervalText(const Samples& interval);
// "50th", "1st", "99.9": how a percentile is called in the summary.
std::string PercentileName(double percentile);

}  // namespace ebla::ycsb

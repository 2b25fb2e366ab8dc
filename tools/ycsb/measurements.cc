#include "tools/ycsb/measurements.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "common/base/mutex.h"
#include "common/base/split_text.h"

namespace ebla::ycsb {
namespace {

constexpr double kIntervalPercentiles[] = {50, 90, 99, 99.9, 99.99};

uint64_t Micros(SteadyTime from, SteadyTime to) {
  return to <= from ? 0
                    : static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

std::string Plain(double number) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  return std::string(text, end);
}

std::string TwoDecimals(double number) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.2f", number);
  return text;
}

void PrintHistogram(const std::string& name, const Histogram& histogram, const std::vector<double>& percentiles,
                    std::ostream& out) {
  out << "[" << name << "], Operations, " << histogram.Count() << "\n"
      << "[" << name << "], AverageLatency(us), " << TwoDecimals(histogram.Average()) << "\n"
      << "[" << name << "], MinLatency(us), " << histogram.Min() << "\n"
      << "[" << name << "], MaxLatency(us), " << histogram.Max() << "\n";
  for (const double percentile : percentiles)
    out << "[" << name << "], " << PercentileName(percentile) << "PercentileLatency(us), "
        << histogram.Percentile(percentile) << "\n";
}

}  // namespace

std::string_view MetricName(Metric metric) {
  switch (metric) {
    case Metric::kRead: return "READ";
    case Metric::kUpdate: return "UPDATE";
    case Metric::kInsert: return "INSERT";
    case Metric::kScan: return "SCAN";
    case Metric::kReadModifyWrite: return "READ-MODIFY-WRITE";
    case Metric::kVerify: return "VERIFY";
    case Metric::kCleanup: return "CLEANUP";
  }
  return "UNKNOWN";
}

Result<MeasurementOptions> MeasurementOptions::Parse(const Properties& properties) {
  MeasurementOptions options;
  // What YCSB offers besides (raw samples, time series) is refused rather than silently measured otherwise.
  EBLA_ASSIGN([[maybe_unused]] const size_t type,
              properties.Choice("measurementtype", "hdrhistogram", {"hdrhistogram", "histogram"}));
  EBLA_ASSIGN(const size_t from, properties.Choice("measurement.interval", "op", {"op", "intended", "both"}));
  options.from = static_cast<MeasuredFrom>(from);
  options.percentiles.clear();
  const std::string list = properties.Text("hdrhistogram.percentiles", "50,95,99");
  for (const std::string& text : SplitText(list, ',', EmptyParts::kKeep)) {
    Properties one;
    one.Set("hdrhistogram.percentiles", text);
    EBLA_ASSIGN(const double percentile, one.Number("hdrhistogram.percentiles", 0, 0, 100));
    options.percentiles.push_back(percentile);
  }
  return options;
}

void Samples::Add(const Samples& other) {
  for (size_t i = 0; i < kMetrics; ++i) {
    metrics[i].succeeded.Add(other.metrics[i].succeeded);
    metrics[i].failed.Add(other.metrics[i].failed);
    metrics[i].intended_succeeded.Add(other.metrics[i].intended_succeeded);
    metrics[i].intended_failed.Add(other.metrics[i].intended_failed);
    for (const auto& [code, count] : other.metrics[i].codes) metrics[i].codes[code] += count;
  }
}

uint64_t Samples::Failures() const {
  uint64_t failures = 0;
  // Each sample is in one of the two or in both, as MeasuredFrom says.
  for (const OfMetric& of : metrics) failures += std::max(of.failed.Count(), of.intended_failed.Count());
  return failures;
}

void Recorder::Record(Metric metric, const Timing& timing, bool ok, std::string_view code) {
  MutexLock lock(mutex_);
  Samples::OfMetric& of = samples_->metrics[static_cast<size_t>(metric)];
  if (from_ != MeasuredFrom::kIntendedStart) (ok ? of.succeeded : of.failed).Record(Micros(timing.start, timing.end));
  if (from_ != MeasuredFrom::kStart)
    (ok ? of.intended_succeeded : of.intended_failed).Record(Micros(timing.intended, timing.end));
  if (!code.empty()) ++of.codes[std::string(code)];
}

std::unique_ptr<Samples> Recorder::Take() {
  auto fresh = std::make_unique<Samples>();
  MutexLock lock(mutex_);
  std::swap(fresh, samples_);
  return fresh;
}

void PrintSummary(const MeasurementOptions& options, const Samples& samples, std::ostream& out) {
  for (size_t i = 0; i < kMetrics; ++i) {
    const Samples::OfMetric& of = samples.metrics[i];
    const std::string name(MetricName(static_cast<Metric>(i)));
    const std::string intended = "Intended-" + name;
    const bool from_start = of.succeeded.Count() + of.failed.Count() > 0;
    const bool only_intended = !from_start && of.intended_succeeded.Count() + of.intended_failed.Count() > 0;
    // An operation that only ever failed still has its own block, for its Return lines and its zero of successes.
    if (from_start) PrintHistogram(name, of.succeeded, options.percentiles, out);
    if (of.intended_succeeded.Count() > 0 || only_intended)
      PrintHistogram(intended, of.intended_succeeded, options.percentiles, out);
    for (const auto& [code, count] : of.codes)
      out << "[" << (only_intended ? intended : name) << "], Return=" << code << ", " << count << "\n";
    if (of.failed.Count() > 0) PrintHistogram(name + "-FAILED", of.failed, options.percentiles, out);
    if (of.intended_failed.Count() > 0)
      PrintHistogram(intended + "-FAILED", of.intended_failed, options.percentiles, out);
  }
}

std::string IntervalText(const Samples& interval) {
  std::string text;
  const auto append = [&text](const std::string& name, const Histogram& histogram) {
    if (histogram.Count() == 0) return;
    text += "[" + name + ": Count=" + std::to_string(histogram.Count()) + ", Max=" + std::to_string(histogram.Max()) +
            ", Min=" + std::to_string(histogram.Min()) + ", Avg=" + TwoDecimals(histogram.Average());
    for (const double percentile : kIntervalPercentiles)
      text += ", " + Plain(percentile) + "=" + std::to_string(histogram.Percentile(percentile));
    text += "] ";
  };
  for (size_t i = 0; i < kMetrics; ++i) {
    const Samples::OfMetric& of = interval.metrics[i];
    const std::string name(MetricName(static_cast<Metric>(i)));
    append(name, of.succeeded);
    append("Intended-" + name, of.intended_succeeded);
    append(name + "-FAILED", of.failed);
    append("Intended-" + name + "-FAILED", of.intended_failed);
  }
  return text;
}

std::string PercentileName(double percentile) {
  if (percentile != std::floor(percentile)) return Plain(percentile);
  const int whole = static_cast<int>(percentile);
  const bool teens = whole % 100 >= 11 && whole % 100 <= 13;
  const char* suffix = teens ? "th" : whole % 10 == 1 ? "st" : whole % 10 == 2 ? "nd" : whole % 10 == 3 ? "rd" : "th";
  return std::to_string(whole) + suffix;
}

}  // namespace ebla::ycsb

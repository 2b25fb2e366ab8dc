#include "tools/ycsb/measurements.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>

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

void PrintHistogram(const std::string& name, const Histogram& histogram, const MeasurementOptions& options,
                    Exporter& out) {
  out.Write(name, "Operations", std::to_string(histogram.Count()));
  out.Write(name, "AverageLatency(us)", TwoDecimals(histogram.Average()));
  out.Write(name, "MinLatency(us)", std::to_string(histogram.Min()));
  out.Write(name, "MaxLatency(us)", std::to_string(histogram.Max()));
  if (options.as == MeasuredAs::kTimeSeries) return;
  for (const double percentile : options.percentiles)
    out.Write(name, PercentileName(percentile) + "PercentileLatency(us)",
              std::to_string(histogram.Percentile(percentile)));
}

void PrintSeries(const std::string& name, const TimeSeries& series, const MeasurementOptions& options, Exporter& out) {
  for (const auto& [begin, average] : series.Averages(options.granularity))
    out.Write(name, std::to_string(begin.count()), TwoDecimals(average));
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
  // YCSB's further type (raw samples) is refused rather than silently measured otherwise.
  EBLA_ASSIGN(const size_t type,
              properties.Choice("measurementtype", "hdrhistogram", {"hdrhistogram", "histogram", "timeseries"}));
  if (type == 2) options.as = MeasuredAs::kTimeSeries;
  EBLA_ASSIGN(const int64_t granularity, properties.Integer("timeseries.granularity", 1'000, 1, 86'400'000));
  options.granularity = std::chrono::milliseconds(granularity);
  EBLA_ASSIGN(options.hdr_files, properties.Boolean("hdrhistogram.fileoutput", false));
  options.hdr_prefix = properties.Text("hdrhistogram.output.path", "");
  const std::filesystem::path folder = std::filesystem::path(options.hdr_prefix).parent_path();
  if (std::error_code failed; options.hdr_files && !folder.empty() && !std::filesystem::is_directory(folder, failed))
    return Error(Code::kInvalidArgument,
                 "hdrhistogram.output.path=" + options.hdr_prefix + ": there is no folder " + folder.string());
  EBLA_ASSIGN(options.exporter, Exporter::Parse(properties));
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

std::vector<std::pair<std::chrono::milliseconds, double>> TimeSeries::Averages(
    std::chrono::milliseconds granularity) const {
  std::vector<std::pair<std::chrono::milliseconds, double>> averages;
  for (const auto& [unit, sum] : units_)
    averages.emplace_back((unit - units_.begin()->first) * granularity, sum.micros / sum.count);
  return averages;
}

void Samples::Add(const Samples& other) {
  for (size_t i = 0; i < kMetrics; ++i) {
    metrics[i].succeeded.Add(other.metrics[i].succeeded);
    metrics[i].failed.Add(other.metrics[i].failed);
    metrics[i].intended_succeeded.Add(other.metrics[i].intended_succeeded);
    metrics[i].intended_failed.Add(other.metrics[i].intended_failed);
    metrics[i].series.Add(other.metrics[i].series);
    metrics[i].intended_series.Add(other.metrics[i].intended_series);
    for (const auto& [code, count] : other.metrics[i].codes) metrics[i].codes[code] += count;
  }
}

uint64_t Samples::Failures() const {
  uint64_t failures = 0;
  // Each sample is in one of the two or in both, as MeasuredFrom decides.
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
  if (unit_.count() == 0 || !ok) return;
  const int64_t unit = timing.end.time_since_epoch() / unit_;
  if (from_ != MeasuredFrom::kIntendedStart) of.series.Record(unit, Micros(timing.start, timing.end));
  if (from_ != MeasuredFrom::kStart) of.intended_series.Record(unit, Micros(timing.intended, timing.end));
}

std::unique_ptr<Samples> Recorder::Take() {
  auto fresh = std::make_unique<Samples>();
  MutexLock lock(mutex_);
  std::swap(fresh, samples_);
  return fresh;
}

void PrintSummary(const MeasurementOptions& options, const Samples& samples, Exporter& out) {
  for (size_t i = 0; i < kMetrics; ++i) {
    const Samples::OfMetric& of = samples.metrics[i];
    const std::string name(MetricName(static_cast<Metric>(i)));
    const std::string intended = "Intended-" + name;
    const bool from_start = of.succeeded.Count() + of.failed.Count() > 0;
    const bool only_intended = !from_start && of.intended_succeeded.Count() + of.intended_failed.Count() > 0;
    // An operation that only ever failed still has its own block, for its Return lines and its zero of successes.
    if (from_start) PrintHistogram(name, of.succeeded, options, out);
    if (of.intended_succeeded.Count() > 0 || only_intended)
      PrintHistogram(intended, of.intended_succeeded, options, out);
    for (const auto& [code, count] : of.codes)
      out.Write(only_intended ? intended : name, "Return=" + code, std::to_string(count));
    PrintSeries(name, of.series, options, out);
    PrintSeries(intended, of.intended_series, options, out);
    if (of.failed.Count() > 0) PrintHistogram(name + "-FAILED", of.failed, options, out);
    if (of.intended_failed.Count() > 0) PrintHistogram(intended + "-FAILED", of.intended_failed, options, out);
  }
}

std::vector<std::pair<std::string, const Histogram*>> HistogramsOf(const Samples& samples) {
  std::vector<std::pair<std::string, const Histogram*>> named;
  const auto append = [&named](const std::string& name, const Histogram& histogram) {
    if (histogram.Count() > 0) named.emplace_back(name, &histogram);
  };
  for (size_t i = 0; i < kMetrics; ++i) {
    const Samples::OfMetric& of = samples.metrics[i];
    const std::string name(MetricName(static_cast<Metric>(i)));
    append(name, of.succeeded);
    append("Intended-" + name, of.intended_succeeded);
    append(name + "-FAILED", of.failed);
    append("Intended-" + name + "-FAILED", of.intended_failed);
  }
  return named;
}

std::string IntervalText(const Samples& interval) {
  std::string text;
  for (const auto& [name, histogram] : HistogramsOf(interval)) {
    text += "[" + name + ": Count=" + std::to_string(histogram->Count()) + ", Max=" + std::to_string(histogram->Max()) +
            ", Min=" + std::to_string(histogram->Min()) + ", Avg=" + TwoDecimals(histogram->Average());
    for (const double percentile : kIntervalPercentiles)
      text += ", " + Plain(percentile) + "=" + std::to_string(histogram->Percentile(percentile));
    text += "] ";
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

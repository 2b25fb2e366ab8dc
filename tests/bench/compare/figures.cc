#include "tests/bench/compare/figures.h"

#include <algorithm>
#include <iostream>

#include "tests/bench/harness/format.h"

namespace ebla::bench {
namespace {

template <class Value>
double MedianOf(const std::vector<Figure>& figures, Value value) {
  std::vector<double> values;
  for (const Figure& figure : figures) values.push_back(value(figure));
  return Median(std::move(values));
}

std::string Summary(const Figure& figure) {
  if (figure.memory_share > 0) return Format("%.2f times the cache in memory", figure.memory_share);
  std::string text = figure.timings.per_second > 0
                         ? Format("%.0f/s", figure.timings.per_second)
                         : Format("%.0f bytes in memory, %.0f on the disk", figure.memory_bytes, figure.disk_bytes);
  if (figure.timings.p99_us > 0) text += Format(", p99 %.0f us", figure.timings.p99_us);
  if (figure.hit_percent > 0) text += Format(", %.2f %% hits", figure.hit_percent);
  if (figure.written_share > 0) {
    text += Format(", written %.2f times, on the disk %.2f times, at most %.2f", figure.written_share,
                   figure.disk_share, figure.peak_share);
  }
  if (figure.slowdown > 0) text += Format(", its last million in %.2f times the second one's time", figure.slowdown);
  return text;
}

}  // namespace

Figure MeasureWithCost(const Servers& servers, const std::function<Counted()>& measure) {
  const ServersCost before = CostOf(servers);
  const Counted counted = measure();
  const ServersCost after = CostOf(servers);
  return {.timings = counted.timings,
          .cpu_us = (after.cpu_us - before.cpu_us) / counted.operations,
          .written_bytes = (after.written_bytes - before.written_bytes) / counted.operations};
}

void Figures::Measure(const std::string& row, const std::function<Figure()>& measure) {
  std::cerr << "  " << row << " ... " << std::flush;
  auto found = std::ranges::find(measured_, row, &Measured::row);
  if (found == measured_.end()) found = measured_.insert(found, {row, {}});
  found->figures.push_back(measure());
  std::cerr << Summary(found->figures.back()) << std::endl;
}

std::vector<FigureRow> Figures::Rows() const {
  std::vector<FigureRow> rows;
  for (const auto& [name, figures] : measured_) {
    const auto of = [&figures](auto value) { return MedianOf(figures, value); };
    FigureRow& row = rows.emplace_back(name);
    row.median = {.timings = {.per_second = of([](const Figure& f) { return f.timings.per_second; }),
                              .p50_us = of([](const Figure& f) { return f.timings.p50_us; }),
                              .p99_us = of([](const Figure& f) { return f.timings.p99_us; }),
                              .p999_us = of([](const Figure& f) { return f.timings.p999_us; })},
                  .cpu_us = of([](const Figure& f) { return f.cpu_us; }),
                  .written_bytes = of([](const Figure& f) { return f.written_bytes; }),
                  .disk_share = of([](const Figure& f) { return f.disk_share; }),
                  .memory_bytes = of([](const Figure& f) { return f.memory_bytes; }),
                  .disk_bytes = of([](const Figure& f) { return f.disk_bytes; }),
                  .hit_percent = of([](const Figure& f) { return f.hit_percent; }),
                  .written_share = of([](const Figure& f) { return f.written_share; }),
                  .peak_share = of([](const Figure& f) { return f.peak_share; }),
                  .slowdown = of([](const Figure& f) { return f.slowdown; }),
                  .memory_share = of([](const Figure& f) { return f.memory_share; })};
    const auto [least, most] = std::ranges::minmax(figures, {}, [](const Figure& f) { return f.timings.per_second; });
    if (least.timings.per_second > 0)
      row.spread_percent = 100 * (most.timings.per_second / least.timings.per_second - 1);
  }
  return rows;
}

void AddTo(Report& report, const std::vector<FigureRow>& rows) {
  for (const auto& [name, median, spread_percent] : rows) {
    const auto add = [&](const char* what, double value, const char* unit) {
      if (value > 0) report.Record(kCompareSuite, name + what, value, unit);
    };
    add("", median.timings.per_second, "ops/s");
    add(", spread", spread_percent, "%");
    add(", p50", median.timings.p50_us, "us");
    add(", p99", median.timings.p99_us, "us");
    add(", p99.9", median.timings.p999_us, "us");
    add(", server CPU", median.cpu_us, "us/op");
    add(", written", median.written_bytes, "bytes/op");
    add(", on the disk", median.disk_share, "times");
    add(", in memory", median.memory_bytes, "bytes");
    add(", on the disk", median.disk_bytes, "bytes");
    add(", hits", median.hit_percent, "%");
    add(", written per byte", median.written_share, "times");
    add(", on the disk at most", median.peak_share, "times");
    add(", last million", median.slowdown, "times");
    add(", memory per cache", median.memory_share, "times");
  }
}

}  // namespace ebla::bench

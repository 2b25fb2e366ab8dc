#include "tests/bench/compare/chart.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tests/bench/harness/format.h"

namespace ebla::bench {
namespace {

constexpr double kWidth = 900, kLeft = 24, kRight = 696;  // the rest is for the labels behind the bars
constexpr double kTop = 62, kRowHeight = 40, kBarHeight = 14, kBottom = 34;
constexpr double kTicks[] = {0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50};

constexpr char kStyle[] =
    "<style>\n"
    "text { font: 13px Helvetica, Arial, sans-serif; fill: #24292f }\n"
    ".small { font-size: 11px; fill: #656d76 }\n"
    ".title { font-size: 16px; font-weight: bold }\n"
    ".grid { stroke: #8c959f; stroke-opacity: 0.35 }\n"
    ".one { stroke: #8c959f; stroke-width: 1.5 }\n"
    ".wanted { stroke: #24292f; stroke-width: 2.5 }\n"
    ".met { fill: #2da44e } .missed { fill: #d4762c } .unbound { fill: #6e8fb5 }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  text { fill: #e6edf3 } .small { fill: #9198a1 } .wanted { stroke: #e6edf3 }\n"
    "}\n"
    "</style>\n";

// Between the ticks that hold all values and bounds.
class Scale {
 public:
  explicit Scale(const std::vector<Report::RatioRow>& rows) {
    double least = 0.5, most = 2;
    for (const Report::RatioRow& row : rows) {
      for (const double value : {row.value, row.bound.value_or(1)}) {
        least = std::min(least, value);
        most = std::max(most, value);
      }
    }
    for (const double tick : kTicks) {
      if (tick <= least) least_ = tick;
    }
    most_ = *std::ranges::find_if(kTicks, [&](double tick) { return tick >= most || tick == std::end(kTicks)[-1]; });
  }
  bool Has(double value) const { return value >= least_ && value <= most_; }
  double At(double value) const {
    const double part = std::log(std::clamp(value, least_, most_) / least_) / std::log(most_ / least_);
    return kLeft + part * (kRight - kLeft);
  }

 private:
  double least_ = kTicks[0], most_ = 1;
};

std::string Text(double x, double y, const char* style, const std::string& text) {
  return Format("<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, style, text.c_str());
}

std::string Line(double x, double y1, double y2, const char* style) {
  return Format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x, y1, x, y2, style);
}

std::string Bar(const Report::RatioRow& row, const Scale& scale, double y) {
  const double from = std::min(scale.At(1), scale.At(row.value)), to = std::max(scale.At(1), scale.At(row.value));
  const char* style = !row.bound ? "unbound" : row.met() ? "met" : "missed";
  const double top = y + 18;
  std::string svg = Text(kLeft, y + 12, "", row.name + (row.at_most ? " (less is better)" : ""));
  svg += Format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" class=\"%s\"/>\n", from, top,
                std::max(to - from, 1.0), kBarHeight, style);
  if (row.bound) svg += Line(scale.At(*row.bound), top - 3, top + kBarHeight + 3, "wanted");
  const std::string wanted = row.bound ? ", wanted " + row.Wanted() : "";
  return svg + Text(kRight + 12, top + 12, "", Format("%.2f", row.value) + wanted);
}

}  // namespace

std::string RatioChart(const std::vector<Report::RatioRow>& rows) {
  std::vector<Report::RatioRow> ratios;
  std::ranges::copy_if(rows, std::back_inserter(ratios), [](const auto& row) { return row.unit.empty(); });
  const Scale scale(ratios);
  const double bottom = kTop + kRowHeight * static_cast<double>(ratios.size());
  std::string svg = Format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\">\n",
                           kWidth, bottom + kBottom, kWidth);
  svg += kStyle;
  svg += Text(kLeft, 24, "class=\"title\"", "Ebla against its peers: times as many operations per second");
  svg += Text(kLeft, 44, "class=\"small\"",
              "Bars begin at 1, where both are equal. The thick line is what is wanted: green reaches it, orange does "
              "not, blue has none.");
  for (const double tick : kTicks) {
    if (!scale.Has(tick)) continue;
    svg += Line(scale.At(tick), kTop, bottom + 6, tick == 1 ? "one" : "grid");
    svg += Text(scale.At(tick), bottom + 22, "class=\"small\" text-anchor=\"middle\"", Format("%g", tick));
  }
  for (size_t i = 0; i < ratios.size(); ++i) svg += Bar(ratios[i], scale, kTop + kRowHeight * static_cast<double>(i));
  return svg + "</svg>\n";
}

}  // namespace ebla::bench

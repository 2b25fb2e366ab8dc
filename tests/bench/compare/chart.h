// tests/bench/compare/chart.h
// Ratios as bars, in SVG that reads in light and in dark. On a scale of powers, a bar begins at 1, where both sides are
// equally fast; to the right Ebla's figure is the greater one. A line across it marks the wanted ratio.
// Threads: a function.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/harness/report.h"

namespace ebla::bench {

// Only ratios, without rows that have a bound.
std::string RatioChart(const std::vector<Report::RatioRow>& rows);

}  // namespace ebla::bench

// tests/bench/compare/markdown.h
// Writes what a comparison found into a page of the docs: where and how it was measured, ratios, figures, and the chart
// of chart.h beside the page.
// Threads: functions.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

// Replaces the text between the two marker comments of options.markdown. INVALID_ARGUMENT when they are not there.
Status WriteMarkdown(const BenchOptions& options, const std::vector<FigureRow>& rows, const Report& report);

}  // namespace ebla::bench

// tests/bench/compare/markdown.h
// Writes what a part of a comparison found into its section of a page of the docs (page_sections.h): where and how it
// was measured, ratios and figures. Draws the chart of chart.h beside the page, of the ratios that the page then has.
// Threads: functions.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/compare/figures.h"
#include "tests/bench/compare/parts.h"

namespace ebla::bench {

struct MeasuredPart {
  const PartKind& kind;
  std::vector<FigureRow> rows;
  Report report;  // of these rows
};

// INVALID_ARGUMENT when the page of options.markdown lacks the marker lines of begin and end. No page is asked for: OK.
Status CheckMarkdown(const BenchOptions& options);
Status WriteMarkdown(const BenchOptions& options, const MeasuredPart& part);

}  // namespace ebla::bench

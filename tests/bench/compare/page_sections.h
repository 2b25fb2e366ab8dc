// tests/bench/compare/page_sections.h
// The sections of a page of the docs, so that each part of a comparison replaces its own and keeps those of others.
// Form:    between "<!-- compare: begin -->" and "<!-- compare: end -->", each line of its own, a section begins with
//          "<!-- compare: part NAME -->" and ends before the next such line.
// Tests:   tests/bench/compare/page_sections_test.cc
// Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tests/bench/harness/report.h"

namespace ebla::bench {

// `page` with this section, new or replaced. `order` names the sections in the order that a new one is to respect;
// the present ones stay in theirs. INVALID_ARGUMENT: the page lacks the marker lines of begin and end.
Result<std::string> WithSection(std::string_view page, std::span<const std::string_view> order, std::string_view name,
                                std::string_view text);

// The section's text without its first line. Empty: the page has none.
std::string SectionOf(std::string_view page, std::string_view name);

// Ratios and bounds as a table, and back from a text with such a table. A figure has as many digits as its verdict
// needs to be true of what is shown.
std::string RatioTable(const std::vector<Report::RatioRow>& rows);
std::vector<Report::RatioRow> RatiosIn(std::string_view text);

}  // namespace ebla::bench

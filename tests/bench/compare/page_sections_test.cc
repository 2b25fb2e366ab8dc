// A run of a part of the comparison writes its section of the page, and keeps those of other parts.
#include "tests/bench/compare/page_sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace ebla::bench {
namespace {

constexpr std::array<std::string_view, 3> kOrder{"first", "second", "third"};

constexpr char kPage[] =
    "# A page\n"
    "<!-- compare: begin -->\n"
    "\n"
    "A chart.\n"
    "\n"
    "<!-- compare: part first -->\n"
    "Measured on a Monday.\n"
    "<!-- compare: part third -->\n"
    "Measured on a Tuesday.\n"
    "<!-- compare: end -->\n"
    "The rest.\n";

TEST(PageSections, OneIsReplacedAndTheOthersAreKept) {
  const auto page = WithSection(kPage, kOrder, "first", "Measured on a Friday.\n");
  ASSERT_TRUE(page.has_value()) << page.error();
  EXPECT_EQ(SectionOf(*page, "first"), "Measured on a Friday.\n");
  EXPECT_EQ(SectionOf(*page, "third"), "Measured on a Tuesday.\n");
  EXPECT_THAT(*page,
              ::testing::StartsWith("# A page\n<!-- compare: begin -->\n\nA chart.\n\n<!-- compare: part first"));
  EXPECT_THAT(*page, ::testing::EndsWith("<!-- compare: end -->\nThe rest.\n"));
  // Once more, as it was: not a byte of the rest has changed.
  EXPECT_EQ(WithSection(*page, kOrder, "first", "Measured on a Monday.\n").value_or(""), kPage);
}

TEST(PageSections, ANewOneHasItsPlaceInTheOrder) {
  const auto page = WithSection(kPage, kOrder, "second", "Measured on a Friday.\n");
  ASSERT_TRUE(page.has_value()) << page.error();
  EXPECT_THAT(*page, ::testing::HasSubstr("<!-- compare: part first -->\nMeasured on a Monday.\n"
                                          "<!-- compare: part second -->\nMeasured on a Friday.\n"
                                          "<!-- compare: part third -->\nMeasured on a Tuesday.\n"
                                          "<!-- compare: end -->\n"));
}

TEST(PageSections, TheFirstOnePrecedesTheEnd) {
  const auto page = WithSection("<!-- compare: begin -->\n\n<!-- compare: end -->\n", kOrder, "third", "New.\n");
  EXPECT_EQ(page.value_or(""),
            "<!-- compare: begin -->\n\n<!-- compare: part third -->\nNew.\n<!-- compare: end -->\n");
}

TEST(PageSections, APageWithoutMarkersIsRefused) {
  for (const char* page : {"", "# A page\n", "<!-- compare: end -->\n<!-- compare: begin -->\n"}) {
    const auto refused = WithSection(page, kOrder, "first", "Text.\n");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("<!-- compare: begin -->"));
    EXPECT_EQ(SectionOf(page, "first"), "");
  }
}

// The chart is drawn from the page, because a run may have measured one part of all.
TEST(PageSections, RatiosAreReadAsTheyWereWritten) {
  Report report;
  report.Record("compare", "Ebla get", 190, "ops/s");
  report.Record("compare", "Redis GET", 100, "ops/s");
  report.Record("compare", "Ebla get, written", 2000, "bytes/op");
  report.Ratio("compare", "Ebla get", "Redis GET", 1.5);
  report.Ratio("compare", "Ebla get", "Redis GET", 1.5, /*at_most=*/true);
  report.Ratio("compare", "Ebla get", "Redis GET", {});
  report.AtMost("compare", "Ebla get, written", 2560);
  const std::string text = "Measured.\n\n" + RatioTable(report.ratios()) + "\n| another | table |\n";
  const auto rows = RatiosIn(text);
  ASSERT_EQ(rows.size(), 4U) << text;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Report::RatioRow& written = report.ratios()[i];
    EXPECT_EQ(rows[i].name, written.name);
    EXPECT_EQ(rows[i].value, written.value);
    EXPECT_EQ(rows[i].bound, written.bound);
    EXPECT_EQ(rows[i].unit, written.unit);
    EXPECT_EQ(rows[i].met(), written.met());
  }
  EXPECT_TRUE(rows[1].at_most);
  EXPECT_THAT(RatiosIn("No table.\n"), ::testing::IsEmpty());
}

TEST(PageSections, ARatioJustBelowItsBoundHasTheDigitsThatShowIt) {
  const std::vector<Report::RatioRow> rows{{.suite = "compare", .name = "a / b", .value = 0.8996, .bound = 0.9}};
  const std::string table = RatioTable(rows);
  EXPECT_THAT(table, ::testing::HasSubstr("| a / b | 0.8996 | at least 0.90 | NOT MET |"));
  EXPECT_FALSE(RatiosIn(table).front().met());
}

}  // namespace
}  // namespace ebla::bench

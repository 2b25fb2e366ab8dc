#include "tests/bench/compare/page_sections.h"

#include <algorithm>
#include <charconv>

#include "common/base/split_text.h"
#include "tests/bench/harness/format.h"

namespace ebla::bench {
namespace {

constexpr std::string_view kBegin = "<!-- compare: begin -->\n";
constexpr std::string_view kEnd = "<!-- compare: end -->\n";
constexpr std::string_view kPart = "<!-- compare: part ", kPartEnd = " -->\n";
constexpr std::string_view kRatioHead = "| ratio, or a row's own figure | is | wanted | |\n|---|---|---|---|\n";

struct Section {
  std::string_view name, text;
};

// From the begin marker to the end marker, without both.
struct Place {
  size_t begin = std::string_view::npos, end = 0;
  bool found() const { return begin != std::string_view::npos; }
};
Place PlaceOf(std::string_view page) {
  const size_t begin = page.find(kBegin), end = page.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return {begin + kBegin.size(), end};
}

// The sections, and with no name before them what is before the first.
std::vector<Section> SectionsIn(std::string_view text) {
  std::vector<Section> sections{{"", text.substr(0, text.find(kPart))}};
  for (size_t at = text.find(kPart); at != std::string_view::npos;) {
    const size_t name = at + kPart.size(), name_end = std::min(text.find(kPartEnd, name), text.size());
    const size_t body = std::min(name_end + kPartEnd.size(), text.size());
    at = text.find(kPart, body);
    sections.push_back({text.substr(name, name_end - name), text.substr(body, at == text.npos ? at : at - body)});
  }
  return sections;
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// "0.87", and no number: 0.
double Number(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string Shown(const Report::RatioRow& row) {
  constexpr int kDigitsMax = 6;
  std::string text;
  for (int digits = 2; digits <= kDigitsMax; ++digits) {
    text = Format("%.*f", digits, row.value);
    Report::RatioRow shown = row;
    shown.value = Number(text);
    if (shown.met() == row.met()) break;
  }
  return text;
}

}  // namespace

Result<std::string> WithSection(std::string_view page, std::span<const std::string_view> order, std::string_view name,
                                std::string_view text) {
  const Place place = PlaceOf(page);
  if (!place.found()) {
    return Error(Code::kInvalidArgument, "lacks a line " + std::string(kBegin.substr(0, kBegin.size() - 1)) +
                                             " and, below it, " + std::string(kEnd.substr(0, kEnd.size() - 1)) +
                                             ": add both where the tables are to be");
  }
  std::vector<Section> sections = SectionsIn(page.substr(place.begin, place.end - place.begin));
  auto own = std::ranges::find(sections, name, &Section::name);
  if (own == sections.end()) {
    // Before the first that is later in the order.
    const auto rank = [order](std::string_view of) { return std::ranges::find(order, of) - order.begin(); };
    own = std::ranges::find_if(sections.begin() + 1, sections.end(),
                               [&](const Section& section) { return rank(section.name) > rank(name); });
    own = sections.insert(own, Section{.name = name, .text = ""});
  }
  own->text = text;
  std::string result(page.substr(0, place.begin));
  for (const auto& [of, body] : sections) {
    if (!of.empty()) result.append(kPart).append(of).append(kPartEnd);
    result += body;
  }
  return result.append(page.substr(place.end));
}

std::string SectionOf(std::string_view page, std::string_view name) {
  const Place place = PlaceOf(page);
  if (!place.found()) return "";
  for (const Section& section : SectionsIn(page.substr(place.begin, place.end - place.begin)))
    if (section.name == name) return std::string(section.text);
  return "";
}

std::string RatioTable(const std::vector<Report::RatioRow>& rows) {
  std::string text(kRatioHead);
  for (const Report::RatioRow& row : rows) {
    const std::string unit = row.unit.empty() ? "" : " " + row.unit;
    text += "| " + row.name + " | " + Shown(row) + unit + " | " + row.Wanted() + " | " + row.Verdict() + " |\n";
  }
  return text;
}

std::vector<Report::RatioRow> RatiosIn(std::string_view text) {
  const size_t head = text.find(kRatioHead);
  if (head == text.npos) return {};
  std::vector<Report::RatioRow> rows;
  for (const std::string& line : SplitText(text.substr(head + kRatioHead.size()), '\n', EmptyParts::kKeep)) {
    const std::vector<std::string> cells = SplitText(line, '|', EmptyParts::kKeep);
    if (cells.size() != 6) break;  // the table's end
    const std::string_view is = Trimmed(cells[2]), wanted = Trimmed(cells[3]);
    const size_t unit = is.find(' ');
    Report::RatioRow& row = rows.emplace_back();
    row.name = Trimmed(cells[1]);
    row.value = Number(is);
    if (unit != is.npos) row.unit = is.substr(unit + 1);
    row.at_most = wanted.starts_with("at most");
    if (!wanted.empty()) row.bound = Number(wanted.substr(wanted.rfind(' ') + 1));
  }
  return rows;
}

}  // namespace ebla::bench

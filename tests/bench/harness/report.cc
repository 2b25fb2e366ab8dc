#include "tests/bench/harness/report.h"

#include <glog/logging.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/bench/harness/format.h"

namespace ebla::bench {
double Median(std::vector<double> values) {
  CHECK(!values.empty());
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Report::Add(const std::string& suite, const std::string& name, double value, const std::string& unit) {
  Record(suite, name, value, unit);
  std::fputs(Format("%-10s %-56s %14.1f %s\n", suite.c_str(), name.c_str(), value, unit.c_str()).c_str(), stderr);
}

void Report::Record(const std::string& suite, const std::string& name, double value, const std::string& unit) {
  rows_.push_back({suite, name, value, unit});
}

double Report::Value(const std::string& suite, const std::string& name) const {
  for (const Row& row : rows_) {
    if (row.suite == suite && row.name == name) return row.value;
  }
  return 0;
}

void Report::Ratio(const std::string& suite, const std::string& a, const std::string& b, std::optional<double> bound,
                   bool at_most) {
  const double divisor = Value(suite, b);
  ratios_.push_back({suite, a + " / " + b, divisor > 0 ? Value(suite, a) / divisor : 0, bound, at_most, ""});
}

void Report::AtMost(const std::string& suite, const std::string& name, double bound) {
  const auto row = std::ranges::find_if(rows_, [&](const Row& r) { return r.suite == suite && r.name == name; });
  ratios_.push_back({suite, name, Value(suite, name), bound, /*at_most=*/true, row == rows_.end() ? "" : row->unit});
}

void Report::Append(Report other) {
  std::ranges::move(other.rows_, std::back_inserter(rows_));
  std::ranges::move(other.ratios_, std::back_inserter(ratios_));
}

std::string Report::RatioRow::Wanted() const {
  return bound ? Format("%s %.2f", at_most ? "at most" : "at least", *bound) : "";
}

std::string Report::RatioRow::Verdict() const { return !bound ? "" : met() ? "met" : "NOT MET"; }

std::string Report::ToText() const {
  std::string text;
  for (const Row& row : rows_) {
    text += Format("%-10s %-56s %14.1f %s\n", row.suite.c_str(), row.name.c_str(), row.value, row.unit.c_str());
  }
  text += "\nratios and bounds\n";
  for (const RatioRow& row : ratios_) {
    text += Format("%-10s %-80s %8.2f  %s%s%s\n", row.suite.c_str(), row.name.c_str(), row.value, row.Wanted().c_str(),
                   row.bound ? ": " : "", row.Verdict().c_str());
  }
  return text;
}

std::string Report::ToJson() const {
  nlohmann::json json{{"rows", nlohmann::json::array()}, {"ratios", nlohmann::json::array()}};
  for (const Row& row : rows_) {
    json["rows"].push_back({{"suite", row.suite}, {"name", row.name}, {"value", row.value}, {"unit", row.unit}});
  }
  for (const RatioRow& row : ratios_) {
    nlohmann::json ratio{{"suite", row.suite}, {"name", row.name}, {"value", row.value}, {"met", row.met()}};
    if (row.bound) ratio[row.at_most ? "at_most" : "at_least"] = *row.bound;
    json["ratios"].push_back(std::move(ratio));
  }
  return json.dump(2);
}

bool Report::AllMet() const {
  for (const RatioRow& row : ratios_) {
    if (!row.met()) return false;
  }
  return true;
}

}  // namespace ebla::bench

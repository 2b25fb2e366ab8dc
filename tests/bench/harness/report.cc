#include "tests/bench/harness/report.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace ebla::bench {
namespace {

template <class... Args>
std::string Format(const char* format, Args... args) {
  char text[256];
  std::snprintf(text, sizeof(text), format, args...);
  return text;
}

}  // namespace

double Median(std::vector<double> values) {
  CHECK(!values.empty());
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Report::Add(const std::string& suite, const std::string& name, double value, const std::string& unit) {
  rows_.push_back({suite, name, value, unit});
  std::fputs(Format("%-10s %-56s %14.1f %s\n", suite.c_str(), name.c_str(), value, unit.c_str()).c_str(), stderr);
}

double Report::Value(const std::string& suite, const std::string& name) const {
  for (const Row& row : rows_) {
    if (row.suite == suite && row.name == name) return row.value;
  }
  return 0;
}

void Report::Ratio(const std::string& suite, const std::string& a, const std::string& b, double bound, bool at_most) {
  const double divisor = Value(suite, b);
  ratios_.push_back({suite, a + " / " + b, divisor > 0 ? Value(suite, a) / divisor : 0, bound, at_most});
}

void Report::AtMost(const std::string& suite, const std::string& name, double bound) {
  ratios_.push_back({suite, name, Value(suite, name), bound, /*at_most=*/true});
}

std::string Report::ToText() const {
  std::string text;
  for (const Row& row : rows_) {
    text += Format("%-10s %-56s %14.1f %s\n", row.suite.c_str(), row.name.c_str(), row.value, row.unit.c_str());
  }
  text += "\nratios and bounds\n";
  for (const RatioRow& row : ratios_) {
    text += Format("%-10s %-80s %8.2f  (%s %.2f: %s)\n", row.suite.c_str(), row.name.c_str(), row.value,
                   row.at_most ? "at most" : "at least", row.bound, row.met() ? "met" : "NOT MET");
  }
  return text;
}

std::string Report::ToJson() const {
  nlohmann::json json{{"rows", nlohmann::json::array()}, {"ratios", nlohmann::json::array()}};
  for (const Row& row : rows_) {
    json["rows"].push_back({{"suite", row.suite}, {"name", row.name}, {"value", row.value}, {"unit", row.unit}});
  }
  for (const RatioRow& row : ratios_) {
    json["ratios"].push_back({{"suite", row.suite},
                              {"name", row.name},
                              {"value", row.value},
                              {row.at_most ? "at_most" : "at_least", row.bound},
                              {"met", row.met()}});
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

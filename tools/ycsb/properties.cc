#include "tools/ycsb/properties.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "common/base/read_all.h"
#include "common/base/system_error.h"

namespace ebla::ycsb {
namespace {

// Everything that some part of this program reads, and what YCSB's own files and scripts set that means nothing here.
constexpr std::string_view kKnown[] = {
    "core_workload_insertion_retry_interval",
    "core_workload_insertion_retry_limit",
    "dataintegrity",
    "db",
    "dotransactions",
    "ebla.compression",
    "ebla.deadline_ms",
    "ebla.durability",
    "ebla.hotspot.jump_s",
    "ebla.interval_ms",
    "ebla.last_write_wins",
    "ebla.masters",
    "ebla.password_file",
    "ebla.rack",
    "ebla.pipeline",
    "ebla.read",
    "ebla.replicas",
    "ebla.seed",
    "ebla.splits",
    "ebla.tls_dir",
    "ebla.user",
    "ebla.write",
    "exponential.frac",
    "exponential.percentile",
    "exporter",
    "exportfile",
    "fieldcount",
    "fieldlength",
    "fieldlengthdistribution",
    "fieldlengthhistogram",
    "fieldnameprefix",
    "hdrhistogram.fileoutput",
    "hdrhistogram.output.path",
    "hdrhistogram.percentiles",
    "hotspotdatafraction",
    "hotspotopnfraction",
    "insertcount",
    "insertorder",
    "insertproportion",
    "insertstart",
    "label",
    "maxexecutiontime",
    "maxscanlength",
    "measurement.interval",
    "measurementtype",
    "minfieldlength",
    "minscanlength",
    "operationcount",
    "readallfields",
    "readmodifywriteproportion",
    "readproportion",
    "recordcount",
    "requestdistribution",
    "scanlengthdistribution",
    "scanproportion",
    "status",
    "status.interval",
    "table",
    "target",
    "threadcount",
    "timeseries.granularity",
    "updateproportion",
    "workload",
    "writeallfields",
    "zeropadding",
};

constexpr std::string_view kBlank = " \t\f\r";

std::string_view TrimLeft(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

std::string_view Trim(std::string_view text) {
  text = TrimLeft(text);
  const size_t end = text.find_last_not_of(kBlank);
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    switch (const char c = text[++i]) {
      case 'n': plain += '\n'; break;
      case 't': plain += '\t'; break;
      case 'r': plain += '\r'; break;
      case 'f': plain += '\f'; break;
      default: plain += c;
    }
  }
  return plain;
}

// The end of the name: the first separator without a backslash before it.
size_t NameEnd(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || kBlank.find(line[i]) != std::string_view::npos) {
      return i;
    }
  }
  return line.size();
}

bool EndsWithOddBackslashes(std::string_view line) {
  const size_t last = line.find_last_not_of('\\');
  const size_t count = line.size() - (last == std::string_view::npos ? 0 : last + 1);
  return count % 2 == 1;
}

// Reads a file's text line by line, continuation lines joined.
class LogicalLines {
 public:
  explicit LogicalLines(std::string_view rest) : rest_(rest) {}

  bool Next(std::string& line) {
    line.clear();
    if (rest_.empty()) return false;
    while (!rest_.empty()) {
      const size_t end = rest_.find('\n');
      std::string_view piece = rest_.substr(0, end);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      ++number_;
      if (!piece.empty() && piece.back() == '\r') piece.remove_suffix(1);
      piece = TrimLeft(piece);
      const bool comment = line.empty() && !piece.empty() && (piece[0] == '#' || piece[0] == '!');
      if (comment || !EndsWithOddBackslashes(piece)) {
        if (!comment) line += piece;
        return true;
      }
      line += piece.substr(0, piece.size() - 1);
    }
    return true;
  }
  int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

}  // namespace

Status Properties::AddFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) return SystemError(Code::kInvalidArgument, "cannot read " + path);
  const std::string text = ReadAll(in);
  if (in.bad()) return Error(Code::kInvalidArgument, "cannot read " + path + ": is it a file of properties?");
  return AddText(text, path);
}

Status Properties::AddText(std::string_view text, const std::string& origin) {
  LogicalLines lines(text);
  std::string line;
  while (lines.Next(line)) {
    if (line.empty()) continue;
    const size_t end = NameEnd(line);
    if (end == 0)
      return Error(Code::kInvalidArgument,
                   origin + ":" + std::to_string(lines.number()) + ": a property needs a name before its value");
    std::string_view value = TrimLeft(std::string_view(line).substr(end));
    if (!value.empty() && (value[0] == '=' || value[0] == ':')) value = value.substr(1);
    files_[Unescape(std::string_view(line).substr(0, end))] = Unescape(Trim(value));
  }
  return Status::Ok();
}

Status Properties::AddArgument(std::string_view argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return Error(Code::kInvalidArgument, "-p takes name=value, not \"" + std::string(argument) + "\"");
  given_[std::string(argument.substr(0, equals))] = std::string(argument.substr(equals + 1));
  return Status::Ok();
}

const std::string* Properties::Find(const std::string& name) const {
  if (const auto it = given_.find(name); it != given_.end()) return &it->second;
  if (const auto it = files_.find(name); it != files_.end()) return &it->second;
  return nullptr;
}

std::string Properties::Text(const std::string& name, std::string fallback) const {
  if (const std::string* value = Find(name)) return *value;
  return fallback;
}

Result<int64_t> Properties::Integer(const std::string& name, int64_t fallback, int64_t min, int64_t max) const {
  const std::string* value = Find(name);
  if (value == nullptr) return fallback;
  const std::string_view text = Trim(*value);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max)
    return Error(Code::kInvalidArgument, name + "=" + *value + ": expected a whole number from " + std::to_string(min) +
                                             " to " + std::to_string(max));
  return number;
}

Result<double> Properties::Number(const std::string& name, double fallback, double min, double max) const {
  const std::string* value = Find(name);
  if (value == nullptr) return fallback;
  const std::string_view text = Trim(*value);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // Negated, so that "nan" is refused as well.
  if (error != std::errc() || end != text.data() + text.size() || !(number >= min && number <= max)) {
    char bounds[96];
    std::snprintf(bounds, sizeof(bounds), "expected a number from %g to %g", min, max);
    return Error(Code::kInvalidArgument, name + "=" + *value + ": " + bounds);
  }
  return number;
}

Result<bool> Properties::Boolean(const std::string& name, bool fallback) const {
  EBLA_ASSIGN(const size_t chosen, Choice(name, fallback ? "true" : "false", {"false", "true"}));
  return chosen == 1;
}

Result<size_t> Properties::Choice(const std::string& name, std::string_view fallback,
                                  const std::vector<std::string_view>& choices) const {
  const std::string* value = Find(name);
  std::string text(value == nullptr ? fallback : Trim(*value));
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto it = std::find(choices.begin(), choices.end(), text);
  if (it != choices.end()) return static_cast<size_t>(it - choices.begin());
  std::string expected;
  for (const std::string_view choice : choices) {
    if (!expected.empty()) expected += ", ";
    expected += choice;
  }
  return Error(Code::kInvalidArgument, name + "=" + text + ": expected one of " + expected);
}

std::vector<std::string> Properties::UnknownArguments() const {
  std::vector<std::string> unknown;
  for (const auto& [name, value] : given_)
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) unknown.push_back(name);
  return unknown;
}

}  // namespace ebla::ycsb

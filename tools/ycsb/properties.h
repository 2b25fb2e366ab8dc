// tools/ycsb/properties.h
// The settings of a run: name=value pairs from property files (-P) and the command line (-p). The command line beats
// the files, and a later one of either beats an earlier one.
// Place:   command_line.h fills it; workload, measurements and database read their own names from it.
// Errors:  INVALID_ARGUMENT naming file, line or property, what it holds and what would be right.
// Threads: thread-compatible; read-only once the run has begun.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace ebla::ycsb {

class Properties {
 public:
  // Adds a file's properties: '#' and '!' begin comment lines, '=', ':' or white space part name and value, a backslash
  // at the end of a line joins the next one to it.
  Status AddFile(const std::string& path);
  Status AddText(std::string_view text, const std::string& origin);
  // Adds one "name=value" from the command line.
  Status AddArgument(std::string_view argument);
  void Set(const std::string& name, std::string value) { given_[name] = std::move(value); }

  bool Has(const std::string& name) const { return Find(name) != nullptr; }
  std::string Text(const std::string& name, std::string fallback) const;
  Result<int64_t> Integer(const std::string& name, int64_t fallback, int64_t min, int64_t max) const;
  Result<double> Number(const std::string& name, double fallback, double min, double max) const;
  Result<bool> Boolean(const std::string& name, bool fallback) const;
  // The position of the value in `choices` (lower case), whatever its case.
  Result<size_t> Choice(const std::string& name, std::string_view fallback,
                        const std::vector<std::string_view>& choices) const;

  // Unknown names on the command line, sorted. Files may carry settings of other programs, so their names are not
  // checked.
  std::vector<std::string> UnknownArguments() const;

 private:
  const std::string* Find(const std::string& name) const;

  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> given_;
};

}  // namespace ebla::ycsb

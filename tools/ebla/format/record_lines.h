// tools/ebla/format/record_lines.h
// Records in a file, for load and dump. Pure. Every format keeps every byte, and when a record expires.
//   JSON lines  {"key": "user42", "key_base64": "...", "value": "...", "value_base64": "...", "expires_at_ms": null}
//               the base64 fields win; a line may lack them, or expires_at_ms; fields unknown here are ignored
//   CSV         RFC 4180 with the same names as its head; a field that is no UTF-8 stands in its base64 column alone
//   TSV         key TAB value [TAB expires_at_ms], key and value escaped as by EscapeBytes (\xNN, \\, \")
// Errors:  INVALID_ARGUMENT saying what is wrong with the record.
// Threads: one per reader; functions.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

enum class LineFormat { kJson, kTsv, kCsv };

struct LoadedRecord {
  std::string key;
  std::string value;
  std::optional<Expiry> expires;
};

class RecordReader {
 public:
  RecordReader(std::istream& input, LineFormat format) : input_(input), format_(format) {}

  // Reads the head of a CSV file. INVALID_ARGUMENT: it names no key or no value.
  Status Begin();
  // The next record, or what is wrong with it; none: the file is at its end. Empty lines are passed over.
  std::optional<Result<LoadedRecord>> Next();
  uint64_t line() const { return line_; }  // at which the latest record begins

 private:
  bool ReadLine(std::string& line);
  Result<LoadedRecord> ParseCsv(std::string text);

  std::istream& input_;
  const LineFormat format_;
  uint64_t line_ = 0, lines_read_ = 0;
  std::vector<std::string> columns_;  // of CSV
};

// A record on a line of its own; a CSV field may hold line breaks.
std::string FormatRecord(const Row& row, LineFormat format);
// The text before the first record.
std::string FileHead(LineFormat format);

// The format that --format names, else the format of the file's name: .csv; .tsv, .txt; JSON lines for all others.
LineFormat ChooseFormat(std::string_view asked, std::string_view file);

}  // namespace ebla::shell

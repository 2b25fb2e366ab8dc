// tools/ebla/format/record_lines.h
// Records as lines of a file, for load and dump. Pure.
//   JSON lines  {"key": "user42", "value": "...", "expires_at_ms": 1790000000000}
//               bytes that are no UTF-8 stand as "key_base64" and "value_base64"; fields unknown here are ignored
//   TSV         key TAB value, both escaped as by EscapeBytes (\xNN, \\, \")
// Errors:  INVALID_ARGUMENT saying what is wrong with the line.
// Threads: functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ebla/ebla.h"

namespace ebla::shell {

enum class LineFormat { kJson, kTsv };

struct LoadedRecord {
  std::string key;
  std::string value;
  std::optional<Expiry> expires;
};

Result<LoadedRecord> ParseRecordLine(std::string_view line, LineFormat format);
std::string FormatRecordLine(const Row& row, LineFormat format);

// What --format, else the file's name (.json, .jsonl, .ndjson, .tsv, .txt) says; JSON when neither does.
Result<LineFormat> ChooseFormat(std::string_view asked, std::string_view file);

}  // namespace ebla::shell

// tools/ebla/format/output.h
// How results are shown: text for people, or one JSON value per result with --json.
// Errors:  ExitCode is the contract with scripts; `ebla --help` shows the same table.
// Threads: one.
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

using Json = nlohmann::ordered_json;

class Output {
 public:
  Output(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  bool json = false;

  // "OK  version 3.118", or its JSON with "ok": true first.
  void Ok(std::string_view details = {}, Json value = Json::object());
  void Value(const Json& value);  // one line of JSON
  void Line(std::string_view text);
  void Raw(std::string_view bytes);
  void Columns(const std::vector<std::vector<std::string>>& rows);
  // To the error stream, also with --json: what a person waiting wants to see.
  void Note(std::string_view text);
  // "NOT_FOUND: ..." on the error stream, or {"error": ..., "message": ...}.
  void Failed(const Status& status);

 private:
  std::ostream& out_;
  std::ostream& err_;
};

// Aligned columns, the first row as head; numbers (all digits, dots, signs, ~) to the right. What Columns shows.
std::vector<std::string> Aligned(const std::vector<std::vector<std::string>>& rows);

// 0 done; 1 the answer is no: not found, condition failed, no such table, table exists; 2 wrong usage; 3 not available
// now: unavailable, overloaded, deadline exceeded; 4 unknown whether the write took effect; 5 any other failure.
int ExitCode(const Status& status);

// "name": text, or "name_base64" where the bytes are no UTF-8.
void PutBytes(Json& object, const std::string& name, std::string_view bytes);
// Bytes as a person can read them: as they are where they are text without control characters, else escaped.
std::string Readable(std::string_view bytes);
// The same on one line.
std::string ReadableLine(std::string_view bytes);
Json ToJson(const Row& row, bool with_value);
Json RangeJson(const KeyRange& range);
// Of numbers that are measured: without a fraction; as "1.5 GiB".
std::string Rounded(double value);
std::string Size(int64_t bytes);

}  // namespace ebla::shell

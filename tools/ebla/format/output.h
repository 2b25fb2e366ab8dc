// tools/ebla/format/output.h
// How results are shown: text for people, or one JSON value per result with --json.
// Errors:  ExitCode is the contract with scripts; `ebla --help` shows the same table.
// Threads: one.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ebla/ebla.h"
#include "tools/ebla/format/json.h"

namespace ebla::shell {

class Output {
 public:
  Output(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  bool json = false;

  // "OK  version 3.118", or its JSON with "ok": true first.
  void Ok(std::string_view details = {}, Json value = Json::Object());
  void Value(const Json& value);  // one line of JSON
  void Line(std::string_view text);
  void Raw(std::string_view bytes);
  void Columns(const std::vector<std::vector<std::string>>& rows);
  // The same of a list: where it has no rows below its head, what to say instead.
  void Listed(const std::vector<std::vector<std::string>>& rows, std::string_view none);
  // To the error stream, also with --json: what a person waiting wants to see.
  void Note(std::string_view text);
  // "NOT_FOUND: ..." on the error stream, or {"error": ..., "message": ...}.
  void Failed(const Status& status);

 private:
  std::ostream& out_;
  std::ostream& err_;
};

// Aligns columns; the first row is the head. Numbers (all digits, dots, signs, ~) are aligned to the right.
std::vector<std::string> Aligned(const std::vector<std::vector<std::string>>& rows);

// The shell's exit code. 0 done; 1 the answer is no (not found, condition failed, no such table, table exists); 2 wrong
// usage; 3 not available now (unavailable, overloaded, deadline exceeded); 4 unknown whether the write took effect; 5
// any other failure.
int ExitCode(const Status& status);

// Bytes are always two fields: "name", text with \xNN for what is no UTF-8, for people; and "name_base64", exact, for
// programs. Null both, where `bytes` is none.
void PutBytes(Json& object, const std::string& name, std::optional<std::string_view> bytes);
// Bytes as a person can read them: characters as they are, \\ for a backslash, \xNN for what is no printable text. Two
// different values never look alike.
std::string Readable(std::string_view bytes);  // newlines and tabs stay
std::string ReadableLine(std::string_view bytes);
Json RowToJson(const Row& row, bool with_value);
// For a key that could not be read: the fields of a record as null, and the reason.
Json MissingJson(std::string_view key, const Status& status);
Json RangeJson(const KeyRange& range);
// For columns: without a blank, so that each is one field for awk. `"a\x20b"`, `["a","m")`, "1.5GiB".
std::string KeyCell(std::string_view key);
std::string RangeCell(const KeyRange& range);
std::string SizeCell(int64_t bytes);
// Measured numbers: without a fraction; as "1.5 GiB".
std::string Rounded(double value);
Json Counted(int64_t estimate);  // null where nothing has been counted
std::string Size(int64_t bytes);

}  // namespace ebla::shell

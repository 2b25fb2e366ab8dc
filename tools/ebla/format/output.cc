#include "tools/ebla/format/output.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "common/base/key_range.h"
#include "common/base/utf8.h"
#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

// Like EscapeBytes, but leaves quotes, which need no backslash outside of quotes, and the characters of `kept`.
std::string Escaped(std::string_view bytes, std::string_view kept) {
  std::string text;
  while (!bytes.empty()) {
    const size_t plain = std::min(bytes.find_first_of(std::string("\"") + std::string(kept)), bytes.size());
    text += EscapeBytes(bytes.substr(0, plain));
    if (plain < bytes.size()) text.push_back(bytes[plain]);
    bytes.remove_prefix(std::min(plain + 1, bytes.size()));
  }
  return text;
}

}  // namespace

void Output::Ok(std::string_view details, Json value) {
  if (json) {
    Json object{{"ok", true}};
    object.Update(value);
    return Value(object);
  }
  out_ << "OK";
  if (!details.empty()) out_ << "  " << details;
  out_ << std::endl;
}

void Output::Value(const Json& value) {
  out_ << value.Dump() << '\n';
  out_.flush();
}

void Output::Line(std::string_view text) { out_ << text << '\n'; }

void Output::Raw(std::string_view bytes) {
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out_.flush();
}

void Output::Columns(const std::vector<std::vector<std::string>>& rows) {
  for (const std::string& line : Aligned(rows)) out_ << line << '\n';
  out_.flush();
}

void Output::Listed(const std::vector<std::vector<std::string>>& rows, std::string_view none) {
  if (rows.size() > 1) return Columns(rows);
  Line(none);
}

std::vector<std::string> Aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::string> lines;
  if (rows.empty()) return lines;
  std::vector<size_t> widths(rows.front().size());
  std::vector<bool> numeric(rows.front().size(), rows.size() > 1);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      widths[c] = std::max(widths[c], Utf8Columns(rows[r][c]));
      if (r > 0 && rows[r][c].find_first_not_of("0123456789.-/~") != std::string::npos) numeric[c] = false;
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - Utf8Columns(row[c]), ' ');
      line += numeric[c] ? padding + row[c] : row[c] + padding;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

void Output::Note(std::string_view text) { err_ << text << std::endl; }

void Output::Failed(const Status& status) {
  if (json) {
    Value(Json{{"error", CodeName(status.code())}, {"message", status.message()}});
  } else {
    err_ << status.ToString() << std::endl;
  }
}

int ExitCode(const Status& status) {
  switch (status.code()) {
    case Code::kOk: return 0;
    case Code::kNotFound:
    case Code::kConditionFailed:
    case Code::kNoSuchTable:
    case Code::kTableExists: return 1;
    case Code::kInvalidArgument: return 2;
    case Code::kUnavailable:
    case Code::kOverloaded:
    case Code::kDeadlineExceeded: return 3;
    case Code::kUnknownOutcome: return 4;
    default: return 5;
  }
}

void PutBytes(Json& object, const std::string& name, std::optional<std::string_view> bytes) {
  object[name] = bytes ? Json(IsUtf8(*bytes) ? std::string(*bytes) : Escaped(*bytes, "")) : Json();
  object[name + "_base64"] = bytes ? Json(ToBase64(*bytes)) : Json();
}

std::string Readable(std::string_view bytes) { return Escaped(bytes, "\n\t"); }
std::string ReadableLine(std::string_view bytes) { return Escaped(bytes, ""); }

Json RangeJson(const KeyRange& range) {
  Json object = Json::Object();
  PutBytes(object, "start", range.start);
  PutBytes(object, "end", range.end);
  return object;
}

std::string KeyCell(std::string_view key) {
  std::string text = "\"" + EscapeBytes(key) + "\"";
  for (size_t at = 0; (at = text.find(' ', at)) != std::string::npos;) text.replace(at, 1, "\\x20");
  return text;
}

std::string RangeCell(const KeyRange& range) { return "[" + KeyCell(range.start) + "," + KeyCell(range.end) + ")"; }

std::string SizeCell(int64_t bytes) {
  std::string text = Size(bytes);
  std::erase(text, ' ');
  return text;
}

Json Counted(int64_t estimate) { return estimate > 0 ? Json(estimate) : Json(); }

std::string Rounded(double value) { return std::to_string(std::llround(value)); }
std::string Size(int64_t bytes) { return FormatBytes(static_cast<uint64_t>(std::max<int64_t>(0, bytes))); }

Json RowToJson(const Row& row, bool with_value) {
  Json object = Json::Object();
  PutBytes(object, "key", row.key);
  if (with_value) PutBytes(object, "value", row.record.value);
  object["version"] = row.record.version.ToString();
  object["expires_at_ms"] = row.record.expires ? Json(row.record.expires->time_since_epoch().count()) : Json();
  return object;
}

Json MissingJson(std::string_view key, const Status& status) {
  Json object = Json::Object();
  PutBytes(object, "key", key);
  PutBytes(object, "value", std::nullopt);
  object["version"] = nullptr;
  object["expires_at_ms"] = nullptr;
  object["error"] = CodeName(status.code());
  object["message"] = status.message();
  return object;
}

}  // namespace ebla::shell

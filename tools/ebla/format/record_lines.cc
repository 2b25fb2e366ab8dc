#include "tools/ebla/format/record_lines.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/count.h"
#include "common/base/number_limits.h"
#include "common/base/utf8.h"
#include "tools/ebla/format/output.h"
#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

using Parsed = nlohmann::json;

constexpr std::string_view kCsvHead = "key,key_base64,value,value_base64,expires_at_ms";
constexpr size_t kCsvRecordMax = 16 << 20;  // more than the longest key and value, both quoted

Error Malformed(std::string_view why) { return Error(Code::kInvalidArgument, std::string(why)); }

Result<Expiry> At(int64_t ms) {
  if (ms >= 1 && ms <= limits::kExpiryMsMax) return Expiry(std::chrono::milliseconds(ms));
  return Malformed("expires_at_ms is " + std::to_string(ms) + "; it must be 1 to 2^53");
}

Result<Expiry> ParseExpiry(std::string_view text) {
  int64_t ms = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return At(ms);
  return Malformed("expires_at_ms is not a whole number");
}

Result<std::string> BytesOf(const Parsed& object, const std::string& name) {
  const auto coded = object.find(name + "_base64");
  if (coded != object.end() && coded->is_string()) return FromBase64(coded->get<std::string>());
  const auto text = object.find(name);
  if (text == object.end()) return Malformed("\"" + name + "\" is missing");
  if (text->is_string()) return text->get<std::string>();
  // A value may be written as the JSON that it is.
  if (name == "value") return text->dump();
  return Malformed("\"" + name + "\" is not a string");
}

Result<LoadedRecord> ParseJson(std::string_view line) {
  const Parsed object = Parsed::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Malformed("the line is not a JSON object");
  LoadedRecord record;
  EBLA_ASSIGN(record.key, BytesOf(object, "key"));
  EBLA_ASSIGN(record.value, BytesOf(object, "value"));
  const auto expires = object.find("expires_at_ms");
  if (expires == object.end() || expires->is_null()) return record;
  if (!expires->is_number_integer()) return Malformed("\"expires_at_ms\" is not a whole number");
  EBLA_ASSIGN(record.expires, At(expires->get<int64_t>()));
  return record;
}

Result<LoadedRecord> ParseTsv(std::string_view line) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return Malformed("there is no tab between key and value");
  const size_t second = std::min(line.find('\t', tab + 1), line.size());
  LoadedRecord record;
  EBLA_ASSIGN(record.key, UnescapeBytes(line.substr(0, tab)));
  EBLA_ASSIGN(record.value, UnescapeBytes(line.substr(tab + 1, second - tab - 1)));
  if (second == line.size()) return record;
  EBLA_ASSIGN(record.expires, ParseExpiry(line.substr(second + 1)));
  return record;
}

// ---- CSV ----

// The fields of a record; none: a quote is not closed.
std::optional<std::vector<std::string>> SplitCsv(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back().push_back(text[++i]);
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  if (quoted) return std::nullopt;
  return fields;
}

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

// The text, and the base64 where it cannot be written as text.
std::string CsvFields(std::string_view bytes) { return IsUtf8(bytes) ? CsvField(bytes) + "," : "," + ToBase64(bytes); }

std::string_view WithoutReturn(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool RecordReader::ReadLine(std::string& line) {
  if (!std::getline(input_, line)) return false;
  ++lines_read_;
  return true;
}

Status RecordReader::Begin() {
  if (format_ != LineFormat::kCsv) return {};
  std::string line;
  if (!ReadLine(line)) return {};
  std::string_view head = WithoutReturn(line);
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);  // spreadsheets write a byte order mark
  columns_ = SplitCsv(head).value_or(std::vector<std::string>());
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(
        columns_, [&](const std::string& column) { return column == name || column == std::string(name) + "_base64"; });
  };
  if (has("key") && has("value")) return {};
  return Malformed("the first line of a CSV file names its columns, and these name no key or no value: write " +
                   std::string(kCsvHead) + ", or key,value");
}

Result<LoadedRecord> RecordReader::ParseCsv(std::string text) {
  // Quotes come in pairs, so the record continues in the next line while their number is odd.
  for (auto quotes = std::ranges::count(text, '"'); quotes % 2 != 0;) {
    std::string more;
    if (text.size() > kCsvRecordMax || !ReadLine(more)) return Malformed("a quote is not closed");
    quotes += std::ranges::count(more, '"');
    text += "\n" + more;
  }
  auto fields = SplitCsv(WithoutReturn(text));
  if (!fields) return Malformed("a quote is not closed");
  if (fields->size() != columns_.size()) {
    return Malformed("it has " + Count(fields->size(), "field") + ", and the head names " +
                     std::to_string(columns_.size()));
  }
  LoadedRecord record;
  for (size_t i = 0; i < columns_.size(); ++i) {
    std::string& field = (*fields)[i];
    if (columns_[i] == "expires_at_ms" && !field.empty()) {
      EBLA_ASSIGN(record.expires, ParseExpiry(field));
    } else if (columns_[i] == "key" && record.key.empty()) {
      record.key = std::move(field);
    } else if (columns_[i] == "value" && record.value.empty()) {
      record.value = std::move(field);
    } else if (columns_[i] == "key_base64" && !field.empty()) {
      EBLA_ASSIGN(record.key, FromBase64(field));
    } else if (columns_[i] == "value_base64" && !field.empty()) {
      EBLA_ASSIGN(record.value, FromBase64(field));
    }
  }
  return record;
}

std::optional<Result<LoadedRecord>> RecordReader::Next() {
  std::string line;
  do {
    if (!ReadLine(line)) return std::nullopt;
  } while (WithoutReturn(line).empty());
  line_ = lines_read_;
  Result<LoadedRecord> record = format_ == LineFormat::kJson  ? ParseJson(WithoutReturn(line))
                                : format_ == LineFormat::kTsv ? ParseTsv(WithoutReturn(line))
                                                              : ParseCsv(std::move(line));
  if (!record) return record;
  Status valid = CheckKey(record->key);
  if (valid.ok()) valid = CheckValue(record->value);
  if (!valid.ok()) return Error(std::move(valid));
  return record;
}

std::string FileHead(LineFormat format) { return format == LineFormat::kCsv ? std::string(kCsvHead) + "\r\n" : ""; }

std::string FormatRecord(const Row& row, LineFormat format) {
  const std::optional<Expiry>& expires = row.record.expires;
  const std::string ms = expires ? std::to_string(expires->time_since_epoch().count()) : "";
  switch (format) {
    case LineFormat::kCsv: return CsvFields(row.key) + "," + CsvFields(row.record.value) + "," + ms + "\r\n";
    case LineFormat::kTsv:
      return EscapeBytes(row.key) + "\t" + EscapeBytes(row.record.value) + (expires ? "\t" + ms : "") + "\n";
    case LineFormat::kJson: break;
  }
  Json object = Json::Object();
  PutBytes(object, "key", row.key);
  PutBytes(object, "value", row.record.value);
  object["expires_at_ms"] = expires ? Json(expires->time_since_epoch().count()) : Json();
  return object.Dump() + "\n";
}

LineFormat ChooseFormat(std::string_view asked, std::string_view file) {
  if (asked == "csv" || (asked.empty() && file.ends_with(".csv"))) return LineFormat::kCsv;
  if (asked == "tsv" || (asked.empty() && (file.ends_with(".tsv") || file.ends_with(".txt")))) return LineFormat::kTsv;
  return LineFormat::kJson;
}

}  // namespace ebla::shell

#include "tools/ebla/format/record_lines.h"

#include "tools/ebla/format/output.h"
#include "tools/ebla/format/parse.h"

namespace ebla::shell {

namespace {

Error Malformed(std::string_view why) { return Error(Code::kInvalidArgument, std::string(why)); }

Result<std::string> BytesOf(const Json& object, const std::string& name) {
  if (const auto text = object.find(name); text != object.end()) {
    if (text->is_string()) return text->get<std::string>();
    // A value may be written as the JSON that it is.
    if (name == "value") return text->dump();
    return Malformed("\"" + name + "\" is no string");
  }
  const auto coded = object.find(name + "_base64");
  if (coded == object.end() || !coded->is_string()) return Malformed("\"" + name + "\" is missing");
  return FromBase64(coded->get<std::string>());
}

Result<LoadedRecord> ParseJson(std::string_view line) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Malformed("no JSON object");
  LoadedRecord record;
  EBLA_ASSIGN(record.key, BytesOf(object, "key"));
  EBLA_ASSIGN(record.value, BytesOf(object, "value"));
  if (const auto expires = object.find("expires_at_ms"); expires != object.end()) {
    if (!expires->is_number_integer()) return Malformed("\"expires_at_ms\" is no whole number");
    record.expires = Expiry(std::chrono::milliseconds(expires->get<int64_t>()));
  }
  return record;
}

Result<LoadedRecord> ParseTsv(std::string_view line) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return Malformed("no tab between key and value");
  LoadedRecord record;
  EBLA_ASSIGN(record.key, UnescapeBytes(line.substr(0, tab)));
  EBLA_ASSIGN(record.value, UnescapeBytes(line.substr(tab + 1)));
  return record;
}

}  // namespace

Result<LoadedRecord> ParseRecordLine(std::string_view line, LineFormat format) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  EBLA_ASSIGN(LoadedRecord record, format == LineFormat::kJson ? ParseJson(line) : ParseTsv(line));
  EBLA_TRY(CheckKey(record.key));
  EBLA_TRY(CheckValue(record.value));
  return record;
}

std::string FormatRecordLine(const Row& row, LineFormat format) {
  if (format == LineFormat::kTsv) return EscapeBytes(row.key) + "\t" + EscapeBytes(row.record.value);
  Json object = Json::object();
  PutBytes(object, "key", row.key);
  PutBytes(object, "value", row.record.value);
  if (row.record.expires) object["expires_at_ms"] = row.record.expires->time_since_epoch().count();
  return object.dump();
}

Result<LineFormat> ChooseFormat(std::string_view asked, std::string_view file) {
  if (asked == "json") return LineFormat::kJson;
  if (asked == "tsv") return LineFormat::kTsv;
  if (!asked.empty()) return Malformed("--format " + std::string(asked) + ": write json or tsv");
  return file.ends_with(".tsv") || file.ends_with(".txt") ? LineFormat::kTsv : LineFormat::kJson;
}

}  // namespace ebla::shell

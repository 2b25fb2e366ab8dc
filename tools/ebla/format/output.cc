#include "tools/ebla/format/output.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "tools/ebla/format/parse.h"

namespace ebla::shell {

void Output::Ok(std::string_view details, Json value) {
  if (json) {
    Json object{{"ok", true}};
    object.update(value);
    return Value(object);
  }
  out_ << "OK";
  if (!details.empty()) out_ << "  " << details;
  out_ << std::endl;
}

void Output::Value(const Json& value) {
  out_ << value.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
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

std::vector<std::string> Aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::string> lines;
  if (rows.empty()) return lines;
  std::vector<size_t> widths(rows.front().size());
  std::vector<bool> numeric(rows.front().size(), rows.size() > 1);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      widths[c] = std::max(widths[c], rows[r][c].size());
      if (r > 0 && rows[r][c].find_first_not_of("0123456789.-/~") != std::string::npos) numeric[c] = false;
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - row[c].size(), ' ');
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

void PutBytes(Json& object, const std::string& name, std::string_view bytes) {
  if (IsUtf8(bytes)) {
    object[name] = bytes;
  } else {
    object[name + "_base64"] = ToBase64(bytes);
  }
}

std::string Readable(std::string_view bytes) {
  const bool control = std::ranges::any_of(bytes, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f;
  });
  return control || !IsUtf8(bytes) ? EscapeBytes(bytes) : std::string(bytes);
}

std::string ReadableLine(std::string_view bytes) {
  return bytes.find_first_of("\n\t") == std::string_view::npos ? Readable(bytes) : EscapeBytes(bytes);
}

Json RangeJson(const KeyRange& range) {
  Json object = Json::object();
  PutBytes(object, "start", range.start);
  PutBytes(object, "end", range.end);
  return object;
}

std::string Rounded(double value) { return std::to_string(std::llround(value)); }
std::string Size(int64_t bytes) { return FormatBytes(static_cast<uint64_t>(std::max<int64_t>(0, bytes))); }

Json ToJson(const Row& row, bool with_value) {
  Json object = Json::object();
  PutBytes(object, "key", row.key);
  if (with_value) PutBytes(object, "value", row.record.value);
  object["version"] = row.record.version.ToString();
  if (row.record.expires) object["expires_at_ms"] = row.record.expires->time_since_epoch().count();
  return object;
}

}  // namespace ebla::shell

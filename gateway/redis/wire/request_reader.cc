#include "gateway/redis/wire/request_reader.h"

#include <algorithm>
#include <charconv>

namespace ebla::gateway::redis {
namespace {

constexpr int64_t kWordsAtOnce = 8;  // memory for as many is there before they come

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<int64_t> WholeNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status Malformed(const std::string& what) { return Error(Code::kInvalidArgument, "ERR Protocol error: " + what); }

// The byte that follows a backslash within "quotes"; moves behind it.
char Escaped(std::string_view line, size_t& at) {
  if (line[at] == 'x' && at + 2 < line.size() && HexDigit(line[at + 1]) >= 0 && HexDigit(line[at + 2]) >= 0) {
    const int byte = HexDigit(line[at + 1]) * 16 + HexDigit(line[at + 2]);
    at += 3;
    return static_cast<char>(byte);
  }
  switch (const char c = line[at++]) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// From behind the opening quote to behind the closing one; false: there is none, or a blank does not follow it.
bool TakeQuoted(std::string_view line, size_t& at, char quote, std::string& word) {
  while (at < line.size()) {
    const char c = line[at++];
    if (c == quote) return at == line.size() || IsBlank(line[at]);
    if (c != '\\' || at == line.size()) {
      word.push_back(c);
    } else if (quote == '"') {
      word.push_back(Escaped(line, at));
    } else if (line[at] == '\'') {
      word.push_back(line[at++]);
    } else {
      word.push_back(c);
    }
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> SplitLine(std::string_view line) {
  std::vector<std::string> words;
  for (size_t at = 0;;) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    if (at == line.size()) return words;
    std::string& word = words.emplace_back();
    while (at < line.size() && !IsBlank(line[at])) {
      const char c = line[at++];
      if (c != '"' && c != '\'') {
        word.push_back(c);
      } else if (!TakeQuoted(line, at, c, word)) {
        return std::nullopt;
      }
    }
  }
}

Result<std::optional<Request>> RequestReader::Read(std::string_view& bytes) {
  std::string whole;  // a line that arrived in parts
  while (!bytes.empty()) {
    switch (state_) {
      case State::kStart:
        state_ = bytes.front() == '*' ? State::kCount : State::kLine;
        if (state_ == State::kCount) bytes.remove_prefix(1);
        break;
      case State::kLine: {
        EBLA_ASSIGN(const auto line, TakeLine(bytes, "too big inline request", whole));
        if (!line) return std::nullopt;
        state_ = State::kStart;
        EBLA_ASSIGN(Request typed, Typed(*line));
        return typed;
      }
      case State::kCount: {
        EBLA_ASSIGN(const auto line, TakeLine(bytes, "too big mbulk count string", whole));
        if (!line) return std::nullopt;
        EBLA_TRY(OnCount(*line));
        if (state_ == State::kStart) return Request();
        break;
      }
      case State::kLength: {
        EBLA_ASSIGN(const auto line, TakeLine(bytes, "too big bulk count string", whole));
        if (!line) return std::nullopt;
        EBLA_TRY(OnLength(*line));
        break;
      }
      case State::kString: TakeString(bytes); break;
      case State::kStringEnd: {
        // Two bytes, which Redis does not look at either.
        const size_t taken = std::min(string_left_, bytes.size());
        bytes.remove_prefix(taken);
        string_left_ -= taken;
        if (string_left_ > 0) break;
        if (--words_left_ == 0) return Done();
        state_ = State::kLength;
        break;
      }
    }
  }
  return std::nullopt;
}

Result<std::optional<std::string_view>> RequestReader::TakeLine(std::string_view& bytes, const char* too_long,
                                                                std::string& whole) {
  const size_t end = bytes.find('\n');
  std::string_view line = bytes.substr(0, end);
  if (begun_.size() + line.size() > options_.line_bytes_max) return Error(Malformed(too_long));
  bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
  if (end == bytes.npos || !begun_.empty()) begun_.append(line);
  if (end == bytes.npos) return std::nullopt;
  if (!begun_.empty()) line = whole = std::exchange(begun_, {});
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Status RequestReader::OnCount(std::string_view line) {
  const std::optional<int64_t> count = WholeNumber(line);
  if (!count || *count > static_cast<int64_t>(options_.words_max)) return Malformed("invalid multibulk length");
  if (strict_ && *count > static_cast<int64_t>(options_.words_max_before_login))
    return Malformed("unauthenticated multibulk length");
  request_.words.reserve(static_cast<size_t>(std::clamp<int64_t>(*count, 0, kWordsAtOnce)));
  state_ = *count <= 0 ? State::kStart : State::kLength;
  words_left_ = *count <= 0 ? 0 : static_cast<size_t>(*count);
  return {};
}

Status RequestReader::OnLength(std::string_view line) {
  if (!line.starts_with('$'))
    return Malformed("expected '$', got '" + std::string(1, line.empty() ? '\r' : line.front()) + "'");
  const std::optional<int64_t> length = WholeNumber(line.substr(1));
  if (!length || *length < 0 || *length > static_cast<int64_t>(options_.announced_bytes_max))
    return Malformed("invalid bulk length");
  string_left_ = static_cast<size_t>(*length);
  if (strict_ && string_left_ > options_.string_bytes_max_before_login) return Malformed("unauthenticated bulk length");
  keep_ = string_left_ <= options_.string_bytes_max;
  if (keep_ && kept_bytes_ + string_left_ > options_.request_bytes_max) return Malformed("too big mbulk request");
  kept_bytes_ += keep_ ? string_left_ : 0;
  request_.too_long |= !keep_;
  request_.words.emplace_back();
  state_ = string_left_ > 0 ? State::kString : State::kStringEnd;
  if (string_left_ == 0) string_left_ = 2;
  return {};
}

void RequestReader::TakeString(std::string_view& bytes) {
  const std::string_view part = bytes.substr(0, string_left_);
  if (keep_) request_.words.back().append(part);
  string_left_ -= part.size();
  bytes.remove_prefix(part.size());
  if (string_left_ > 0) return;
  state_ = State::kStringEnd;
  string_left_ = 2;
}

Result<Request> RequestReader::Typed(std::string_view line) {
  auto words = SplitLine(line);
  if (!words) return Error(Malformed("unbalanced quotes in request"));
  return Request{.words = std::move(*words), .typed = true};
}

Request RequestReader::Done() {
  state_ = State::kStart;
  kept_bytes_ = 0;
  return std::exchange(request_, {});
}

}  // namespace ebla::gateway::redis

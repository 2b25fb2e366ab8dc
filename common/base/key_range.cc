#include "common/base/key_range.h"

#include <algorithm>
#include <cctype>

#include "common/base/utf8.h"

namespace ebla {

KeyRange KeyRange::Prefix(std::string_view prefix) { return {std::string(prefix), PrefixEnd(prefix)}; }

bool KeyRange::Contains(const KeyRange& other) const {
  if (other.start < start) return false;
  if (end.empty()) return true;
  return !other.end.empty() && other.end <= end;
}

bool KeyRange::ContainsBelow(std::string_view limit) const {
  if (limit.empty()) return end.empty();
  return start < limit && (end.empty() || limit <= end);
}

bool KeyRange::Overlaps(const KeyRange& other) const { return !Intersect(other).Empty(); }

KeyRange KeyRange::Intersect(const KeyRange& other) const {
  KeyRange common{std::max(start, other.start), end};
  if (end.empty() || (!other.end.empty() && other.end < end)) common.end = other.end;
  return common;
}

std::string KeyRange::ToString() const { return "[\"" + EscapeBytes(start) + "\", \"" + EscapeBytes(end) + "\")"; }

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string KeyAfter(std::string_view key) {
  std::string next(key);
  next.push_back('\0');
  return next;
}

std::string EscapeBytes(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    const std::string_view character = bytes.substr(0, std::max<size_t>(1, length));
    const auto byte = static_cast<unsigned char>(character.front());
    if (character == "\\" || character == "\"") {
      text.push_back('\\');
      text.append(character);
    } else if (length > 0 && IsPrintable(character)) {
      text.append(character);
    } else {  // the bytes after the first are no characters by themselves, and follow in turn
      text.append("\\x");
      text.push_back(kHex[byte >> 4]);
      text.push_back(kHex[byte & 15]);
      bytes.remove_prefix(1);
      continue;
    }
    bytes.remove_prefix(character.size());
  }
  return text;
}

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::string> UnescapeBytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes.push_back(text[i]);
      continue;
    }
    if (i + 1 < text.size() && (text[i + 1] == '\\' || text[i + 1] == '"')) {
      bytes.push_back(text[++i]);
    } else if (i + 3 < text.size() && text[i + 1] == 'x' && HexDigit(text[i + 2]) >= 0 && HexDigit(text[i + 3]) >= 0) {
      bytes.push_back(static_cast<char>(HexDigit(text[i + 2]) * 16 + HexDigit(text[i + 3])));
      i += 3;
    } else {
      return Error(Code::kInvalidArgument, "bad escape at byte " + std::to_string(i) + " of " + std::string(text) +
                                               R"(: write \xNN, \\ or \")");
    }
  }
  return bytes;
}

Status CheckKey(std::string_view key) {
  if (key.empty()) return Error(Code::kInvalidArgument, "a key is empty: keys have 1 to 4096 bytes");
  if (key.size() > kKeyBytesMax) {
    return Error(Code::kInvalidArgument,
                 "a key of " + std::to_string(key.size()) + " bytes is too long: keys have 1 to 4096 bytes");
  }
  return {};
}

Status CheckValue(std::string_view value) {
  if (value.size() <= kValueBytesMax) return {};
  return Error(Code::kInvalidArgument,
               "a value of " + std::to_string(value.size()) + " bytes is too long: values have at most 1048576 bytes");
}

}  // namespace ebla

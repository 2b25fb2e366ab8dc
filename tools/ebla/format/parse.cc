#include "tools/ebla/format/parse.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>
#include <optional>

namespace ebla::shell {

namespace {

Error Wrong(std::string_view what, std::string_view text, std::string_view instead) {
  return Error(Code::kInvalidArgument,
               "\"" + std::string(text) + "\" is not a " + std::string(what) + ": write " + std::string(instead));
}

// The number at the start of `text`, which is then removed.
std::optional<uint64_t> TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return number;
}

std::string_view TakeLetters(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && std::isalpha(static_cast<unsigned char>(text[size])) != 0) ++size;
  const std::string_view letters = text.substr(0, size);
  text.remove_prefix(size);
  return letters;
}

struct Unit {
  std::string_view name;
  uint64_t size;
};
constexpr std::array<Unit, 13> kByteUnits = {{{"", 1},
                                              {"B", 1},
                                              {"K", 1ull << 10},
                                              {"KB", 1ull << 10},
                                              {"KiB", 1ull << 10},
                                              {"M", 1ull << 20},
                                              {"MB", 1ull << 20},
                                              {"MiB", 1ull << 20},
                                              {"G", 1ull << 30},
                                              {"GB", 1ull << 30},
                                              {"GiB", 1ull << 30},
                                              {"T", 1ull << 40},
                                              {"TiB", 1ull << 40}}};

template <size_t kCount>
std::optional<uint64_t> SizeOf(const std::array<Unit, kCount>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.size;
  }
  return std::nullopt;
}

}  // namespace

Result<uint64_t> ParseBytes(std::string_view text) {
  std::string_view left = text;
  const auto number = TakeNumber(left);
  const auto unit = SizeOf(kByteUnits, TakeLetters(left));
  if (!number || !unit || !left.empty() || *number > std::numeric_limits<int64_t>::max() / *unit) {
    return Wrong("size", text, "for example 4096, 64KiB, 512MiB or 8GiB");
  }
  return *number * *unit;
}

Result<Ack> ParseAck(std::string_view text) {
  if (const auto ack = AckNamed(text)) return *ack;
  return Wrong("write level", text, "majority, all, primary, any or default");
}

Result<Read> ParseRead(std::string_view text) {
  if (const auto read = ReadNamed(text)) return *read;
  return Wrong("read level", text,
               "strong, session, eventual, default, or bounded= and a duration of 1ms to 1h, for example bounded=2s");
}

Result<Version> ParseVersion(std::string_view text) {
  std::string_view left = text;
  const auto epoch = TakeNumber(left);
  if (epoch && !left.empty() && left.front() == '.') {
    left.remove_prefix(1);
    const auto lsn = TakeNumber(left);
    if (lsn && left.empty() && *lsn > 0) return Version{Epoch{*epoch}, Lsn{*lsn}};
  }
  return Wrong("version", text, "it as get and put show it, for example 3.118");
}

Result<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const char next = i + 1 < line.size() ? line[i + 1] : 0;
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (quote == '"' && c == '\\' && next == '"') {
        word.push_back(line[++i]);
      } else {
        word.push_back(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && (next == ' ' || next == '\'' || next == '"' || next == '#')) {
      word.push_back(line[++i]);
      in_word = true;
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else if (c == '#' && !in_word) {
      break;
    } else {
      word.push_back(c);
      in_word = true;
    }
  }
  if (quote != 0) {
    return Error(Code::kInvalidArgument,
                 std::string("a quote ") + quote + " is not closed: write it twice or \\" + quote);
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::vector<std::string>> ParseList(std::string_view text) {
  std::vector<std::string> parts;
  std::string part;
  const auto finish = [&]() -> Status {
    EBLA_ASSIGN(std::string bytes, UnescapeBytes(part));
    parts.push_back(std::move(bytes));
    part.clear();
    return {};
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      part.push_back(text[++i]);
    } else if (text[i] == '\\' && i + 1 < text.size()) {
      part.push_back(text[i]);
      part.push_back(text[++i]);
    } else if (text[i] == ',') {
      EBLA_TRY(finish());
    } else {
      part.push_back(text[i]);
    }
  }
  EBLA_TRY(finish());
  return parts;
}

std::string FormatBytes(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kNames[unit]);
  return text;
}

std::string FormatTime(Expiry time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

namespace {
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string ToBase64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      text.push_back(i + k > bytes.size() ? '=' : kBase64[(group >> (18 - 6 * k)) & 63]);
    }
  }
  return text;
}

Result<std::string> FromBase64(std::string_view text) {
  const auto wrong = [] { return Error(Code::kInvalidArgument, "malformed base64"); };
  if (text.size() % 4 != 0) return wrong();
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  uint32_t group = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool pad = i >= text.size() - padding;
    const size_t value = pad ? 0 : kBase64.find(text[i]);
    if (value == std::string_view::npos) return wrong();
    group = (group << 6) | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((group >> shift) & 0xff));
    group = 0;
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace ebla::shell

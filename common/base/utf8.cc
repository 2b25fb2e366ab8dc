#include "common/base/utf8.h"

#include <algorithm>
#include <cstdint>

namespace ebla {

namespace {

unsigned char Byte(std::string_view text, size_t at) { return static_cast<unsigned char>(text[at]); }

// The code point of a valid character.
uint32_t CodePoint(std::string_view character) {
  if (character.size() == 1) return Byte(character, 0);
  uint32_t point = Byte(character, 0) & (0xffu >> (character.size() + 1));
  for (size_t i = 1; i < character.size(); ++i) point = (point << 6) | (Byte(character, i) & 0x3fu);
  return point;
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned char lead = Byte(text, 0);
  const size_t length = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((Byte(text, i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = length > 1 ? Byte(text, 1) : 0;
  const bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
                     (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90);
  return wrong ? 0 : length;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool IsPrintable(std::string_view character) {
  const uint32_t point = CodePoint(character);
  const auto within = [&](uint32_t first, uint32_t last) { return point >= first && point <= last; };
  const bool control = point < 0x20 || within(0x7f, 0x9f);
  const bool turns_or_breaks =
      within(0x200b, 0x200f) || within(0x2028, 0x202e) || within(0x2060, 0x206f) || point == 0xfeff;
  return !control && !turns_or_breaks;
}

size_t Utf8Columns(std::string_view text) {
  size_t columns = 0;
  for (; !text.empty(); ++columns) text.remove_prefix(std::max<size_t>(1, Utf8Length(text)));
  return columns;
}

}  // namespace ebla

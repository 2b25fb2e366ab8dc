// common/base/utf8.h
// Text as UTF-8: where a character ends, and whether it can be shown to a person as it is.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace ebla {

// The bytes of the character that `text` begins with; 0: it begins with no valid character (overlong forms, surrogates
// and what lies beyond Unicode are none), or is empty.
size_t Utf8Length(std::string_view text);

// All of it is valid characters.
bool IsUtf8(std::string_view text);

// Whether a terminal shows one valid character, and it changes nothing around it. Control characters, line separators
// and marks that turn the direction of text are not printable.
bool IsPrintable(std::string_view character);

// How many characters a terminal shows for it; a byte that is no character counts as one.
size_t Utf8Columns(std::string_view text);

}  // namespace ebla

// tests/bench/harness/format.h
// printf into a string.
// Threads: a function.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace ebla::bench {

[[gnu::format(printf, 1, 2)]] inline std::string Format(const char* format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  std::string text(static_cast<size_t>(std::vsnprintf(nullptr, 0, format, arguments)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  va_end(arguments);
  return text;
}

}  // namespace ebla::bench

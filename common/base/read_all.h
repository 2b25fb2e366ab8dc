// common/base/read_all.h
// All of a stream that is left. The standard's own iterators throw if a file fails while it is read, such as a
// directory, or a file of proc(5) whose process has ended. This sets bad() and returns the bytes read so far.
// Threads: functions of their arguments.
#pragma once

#include <istream>
#include <sstream>
#include <string>
#include <utility>

namespace ebla {

inline std::string ReadAll(std::istream& in) {
  std::ostringstream text;
  text << in.rdbuf();
  in.peek();  // the failure is noted in `text` alone, as is that there was nothing: this notes it in `in`
  return std::move(text).str();
}

}  // namespace ebla

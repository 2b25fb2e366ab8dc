// common/base/read_all.h
// All of a stream that is left. Of a file that fails while it is read, such as a directory, or what proc(5) had of a
// process that is no more, the standard's own iterators throw; this sets bad() and returns what there was.
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

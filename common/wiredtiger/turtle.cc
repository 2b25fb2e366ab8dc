#include "common/wiredtiger/turtle.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "common/base/read_all.h"
#include "common/base/system_error.h"

namespace ebla::wiredtiger {
namespace {

// A file that WiredTiger makes only once it has written WiredTiger.turtle; empty: there is none. A crash before that
// leaves a WiredTiger.wt of one block.
std::string FileOfDatabase(const std::string& directory) {
  constexpr std::uintmax_t kFileBlockBytes = 4096;
  std::error_code gone;
  for (std::filesystem::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    std::string name = at->path().filename();
    std::error_code ignored;
    if (!name.ends_with(".wt")) continue;
    if (name != "WiredTiger.wt" || at->file_size(ignored) > kFileBlockBytes) return name;
  }
  return {};
}

// The value of a name, which is the whole line before it; empty: there is none.
std::string_view LineAfter(std::string_view text, std::string_view name) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == text.npos) return {};
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line == name) return text.substr(at, text.find('\n', at) - at);
  }
  return {};
}

bool IsName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); });
}

// "name=value,name=(name=value),...", of names in ascending order, as WiredTiger joins them, and of records of text.
bool DescribesMetadata(std::string_view config) {
  std::string_view before;
  size_t begin = 0;
  int depth = 0, of_text = 0;
  for (size_t at = 0; at <= config.size(); ++at) {
    const char c = at == config.size() ? ',' : config[at];
    depth += (c == '(' ? 1 : 0) - (c == ')' ? 1 : 0);
    if (depth < 0) return false;
    if (depth > 0 || c != ',') continue;
    const std::string_view item = config.substr(begin, at - begin), name = item.substr(0, item.find('='));
    begin = at + 1;
    if (!IsName(name) || name <= before || name == item) return false;
    if (item == "key_format=S" || item == "value_format=S") ++of_text;
    before = name;
  }
  return depth == 0 && of_text == 2;
}

}  // namespace

Status CheckTurtle(const std::string& directory, bool made_before) {
  const std::string name = directory + "/WiredTiger.turtle";
  std::ifstream in(name, std::ios::binary);
  if (!in.is_open() && errno != ENOENT) return SystemError(Code::kInternal, "cannot open " + name);
  const std::string text = ReadAll(in);
  if (in.bad()) {
    const Status error = SystemError(Code::kInternal, "cannot read " + name);
    return Error(error.code(), error.message() + "; start once more before all else, as it may be whole");
  }
  if (text.empty()) {
    const std::string other = FileOfDatabase(directory);
    if (other.empty() && !made_before) return {};
    return Error(Code::kInternal,
                 name + " is missing or empty" + (other.empty() ? "" : ", and " + other + " is there"));
  }
  const bool readable = std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
  const bool whole = readable && text.ends_with('\n') &&
                     LineAfter(text, "WiredTiger version string").starts_with("WiredTiger ") &&
                     LineAfter(text, "WiredTiger version").starts_with("major=") &&
                     DescribesMetadata(LineAfter(text, "file:WiredTiger.wt"));
  return whole ? Status() : Status(Code::kInternal, name + " is damaged: it is not as WiredTiger writes it");
}

}  // namespace ebla::wiredtiger

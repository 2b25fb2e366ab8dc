#include "common/coordination/layout.h"

#include <algorithm>
#include <cstdio>

#include "common/base/key_range.h"

namespace ebla::coordination::layout {
namespace {

std::string Child(std::string_view parent, std::string_view name) {
  std::string path;
  path.reserve(parent.size() + 1 + name.size());
  return path.append(parent).append("/").append(name);
}

bool NameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

}  // namespace

std::string ServerPath(std::string_view name) { return Child(kServers, name); }
std::string LivePath(std::string_view name) { return Child(kLive, name); }
std::string TablePath(std::string_view name) { return Child(kTables, name); }

std::string TabletShardPath(int shard) {
  char digits[8];
  std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(shard) & 0xff);
  return Child(kTablets, digits);
}

std::string TabletPath(TabletId tablet) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(tablet.value));
  return Child(TabletShardPath(static_cast<int>(tablet.value % kTabletShards)), digits);
}

Status CheckName(std::string_view name, std::string_view what) {
  const bool good =
      !name.empty() && name.size() <= 128 && std::ranges::all_of(name, NameCharacter) && name != "." && name != "..";
  if (good) return Status::Ok();
  return Error(Code::kInvalidArgument, std::string(what) + " \"" + EscapeBytes(name.substr(0, 128)) +
                                           "\": use 1 to 128 of A-Z a-z 0-9 _ - . (and not only dots)");
}

}  // namespace ebla::coordination::layout

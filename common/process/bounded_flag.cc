#include "common/process/bounded_flag.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>

namespace ebla::process {
namespace {

std::map<std::string, BoundedFlagBase*, std::less<>>& Table() {
  static auto& table = *new std::map<std::string, BoundedFlagBase*, std::less<>>();  // outlives all flags
  return table;
}

std::string Shortest(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::fixed).ptr;
  return {text, end};
}

template <class T>
std::optional<T> WholeOf(std::string_view text, int base) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Reads what gflags reads, but for blanks before a number. None: the text is no number, or the number is beyond 2^63.
std::optional<double> NumberIn(std::string_view text, bool whole) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  if (!whole) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
  }
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const auto number = hexadecimal && !text.starts_with("0x-") && !text.starts_with("0X-")
                          ? WholeOf<int64_t>(text.substr(2), 16)
                          : WholeOf<int64_t>(text, 10);
  return number ? std::optional(static_cast<double>(*number)) : std::nullopt;
}

bool IsBool(std::string value) {
  static constexpr std::string_view kBools[] = {"1", "t", "true", "y", "yes", "0", "f", "false", "n", "no"};
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::find(kBools, value) != std::end(kBools);
}

Status Refuse(const std::string& flag, const std::string& value, const std::string& wanted) {
  return Error(Code::kInvalidArgument, "--" + flag + " cannot be \"" + value + "\": it takes " + wanted);
}

}  // namespace

std::string FlagBounds::ToString() const {
  return Shortest(least) + " to " + Shortest(most) + (*unit == '\0' ? "" : std::string(" ") + unit);
}

std::optional<FlagBounds> BoundsOf(const std::string& flag) {
  const auto found = Table().find(flag);
  return found == Table().end() ? std::nullopt : std::optional(found->second->bounds());
}

Status CheckFlagValue(const gflags::CommandLineFlagInfo& flag, const std::string& value) {
  if (flag.type == "bool") return IsBool(value) ? Status() : Refuse(flag.name, value, "true or false");
  if (flag.type == "string") return {};
  if (const auto bounds = BoundsOf(flag.name)) {
    const auto number = NumberIn(value, bounds->whole);
    if (number && bounds->Hold(*number)) return {};
    return Refuse(flag.name, value, (bounds->whole ? "a whole number from " : "a number from ") + bounds->ToString());
  }
  // A library's: gflags itself knows what it takes.
  if (!gflags::SetCommandLineOption(flag.name.c_str(), value.c_str()).empty()) return {};
  return Refuse(flag.name, value, flag.type == "double" ? "a number" : "a whole number (" + flag.type + ")");
}

BoundedFlagBase::BoundedFlagBase(const char* name, FlagBounds bounds) : bounds_(bounds) { Table().emplace(name, this); }

BoundedFlagBase& BoundedFlagBase::Named(const char* name) { return *Table().find(std::string_view(name))->second; }

}  // namespace ebla::process

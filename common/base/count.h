// common/base/count.h
// A number of things, for people: "1 tablet", "3 tablets".
// Threads: pure functions.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace ebla {

std::string Count(std::integral auto number, std::string_view noun) {
  return std::to_string(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

}  // namespace ebla

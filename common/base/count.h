// common/base/count.h
// A number of things, for people: "1 tablet", "3 tablets".
// Threads: pure functions.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace ebla {

std::string Count(std::integral auto number, std::string_view one, std::string_view several) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : several);
}
std::string Count(std::integral auto number, std::string_view noun) {
  return Count(number, noun, std::string(noun) + "s");
}

}  // namespace ebla

#include "tests/chaos/namespaces/network_cut.h"

#include <algorithm>

namespace ebla::chaos {
namespace {

std::string JoinedNames(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

}  // namespace

std::string NetworkCut::ToString() const {
  return JoinedNames(some) + (both_ways ? " | " : " -> ") + JoinedNames(others);
}

NetworkCut DrawCut(const std::vector<std::string>& names, std::mt19937_64& random) {
  NetworkCut cut;
  while (cut.some.empty() || cut.others.empty()) {
    cut = {.some = {}, .others = {}, .both_ways = random() % 2 == 0};
    for (const std::string& name : names) {
      const uint64_t side = random() % 5;
      if (side < 2)
        cut.some.push_back(name);
      else if (side < 4)
        cut.others.push_back(name);
    }
  }
  return cut;
}

std::vector<std::string> NamesWithout(std::vector<std::string> names, const std::vector<std::string>& those) {
  std::erase_if(names, [&](const std::string& name) { return std::ranges::find(those, name) != those.end(); });
  return names;
}

}  // namespace ebla::chaos

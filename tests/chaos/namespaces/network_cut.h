// tests/chaos/namespaces/network_cut.h
// Which processes are cut off from which others, by the names of their namespaces.
// Threads: values.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace ebla::chaos {

struct NetworkCut {
  std::vector<std::string> some;
  std::vector<std::string> others;
  bool both_ways = true;  // else packets from the first to the second vanish, and no others

  std::string ToString() const;  // "ts-1 | m-1 m-2", "ts-1 -> ts-2"
};

// Cuts a random set of these from another; neither is empty. Members of neither set reach all.
NetworkCut DrawCut(const std::vector<std::string>& names, std::mt19937_64& random);

// The names that are not among `those`.
std::vector<std::string> NamesWithout(std::vector<std::string> names, const std::vector<std::string>& those);

}  // namespace ebla::chaos

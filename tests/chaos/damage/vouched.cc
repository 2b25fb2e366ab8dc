#include "tests/chaos/damage/vouched.h"

#include <algorithm>
#include <fstream>
#include <thread>

namespace ebla::chaos {
namespace {

constexpr std::chrono::milliseconds kReadEvery(20);

}  // namespace

Vouched::Vouched(const std::string& data_dir)
    : files_{data_dir + "/INVENTORY", data_dir + "/store/INVENTORY"}, moment_(std::chrono::steady_clock::now()) {
  for (const std::string& file : files_)
    if (const auto claim = Read(file)) generation_ = std::max(generation_, claim->generation);
}

std::optional<Vouched::Claim> Vouched::Read(const std::string& file) {
  std::ifstream in(file);
  Claim claim;
  for (std::string word; in >> word;) {
    if (word == "generation") in >> claim.generation;
    if (word == "needed") in >> claim.needed;
  }
  return claim.generation > 0 ? std::optional(claim) : std::nullopt;
}

bool Vouched::IsDone() const {
  const auto first = Read(files_[0]), second = Read(files_[1]);
  return first && second && std::max(first->generation, second->generation) > generation_ &&
         first->needed == second->needed;
}

void Vouched::Await(std::chrono::milliseconds limit) const {
  while (!IsDone() && std::chrono::steady_clock::now() - moment_ < limit) std::this_thread::sleep_for(kReadEvery);
}

}  // namespace ebla::chaos

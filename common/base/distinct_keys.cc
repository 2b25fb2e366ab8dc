#include "common/base/distinct_keys.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <random>
#include <vector>

namespace ebla {

bool HaveDistinctHashes(std::span<const std::string_view> keys) {
  static const uint64_t seed = std::random_device()();  // so that no client can choose keys that collide
  constexpr size_t kFree = 0;
  std::vector<size_t> places(std::bit_ceil(2 * keys.size() + 1), kFree);
  const size_t last = places.size() - 1;
  for (const std::string_view key : keys) {
    const size_t hash = XXH3_64bits_withSeed(key.data(), key.size(), seed) | 1;
    size_t at = (hash >> 1) & last;
    while (places[at] != kFree && places[at] != hash) at = (at + 1) & last;
    if (places[at] == hash) return false;
    places[at] = hash;
  }
  return true;
}

}  // namespace ebla

#include "tools/ycsb/keys.h"

#include <algorithm>

#include "common/base/split_key.h"

namespace ebla::ycsb {
namespace {

constexpr uint64_t kFnvOffset = 0xCBF29CE484222325u;
constexpr uint64_t kFnvPrime = 0x100000001B3u;
constexpr uint64_t kSampledKeysMax = 20'000;  // a few dozen for each of the most tablets that make sense here

}  // namespace

uint64_t FnvHash(uint64_t number) {
  uint64_t hash = kFnvOffset;
  for (int byte = 0; byte < 8; ++byte) {
    hash ^= (number >> (8 * byte)) & 0xff;
    hash *= kFnvPrime;
  }
  return static_cast<int64_t>(hash) < 0 ? ~hash + 1 : hash;
}

std::string KeyName(const KeyOptions& options, uint64_t number) {
  const std::string digits = std::to_string(options.ordered ? number : FnvHash(number));
  std::string key = "user";
  const size_t padding = static_cast<size_t>(std::max(options.zero_padding, 0));
  if (digits.size() < padding) key.append(padding - digits.size(), '0');
  return key += digits;
}

std::vector<std::string> SplitPoints(const KeyOptions& options, uint64_t records, int tablets) {
  std::vector<std::string> sample;
  const uint64_t step = std::max<uint64_t>(1, records / kSampledKeysMax);
  for (uint64_t number = 0; number < records; number += step) sample.push_back(KeyName(options, number));
  std::sort(sample.begin(), sample.end());
  sample.erase(std::unique(sample.begin(), sample.end()), sample.end());
  std::vector<std::string> points;
  for (int i = 1; i < tablets; ++i) {
    const size_t at = sample.size() * static_cast<size_t>(i) / static_cast<size_t>(tablets);
    if (at == 0) continue;
    std::string point = ShortestSeparator(sample[at - 1], sample[at]);
    if (points.empty() || points.back() < point) points.push_back(std::move(point));
  }
  return points;
}

int32_t JavaHash(std::string_view text) {
  uint32_t hash = 0;
  for (const char c : text) hash = hash * 31 + static_cast<unsigned char>(c);
  return static_cast<int32_t>(hash);
}

}  // namespace ebla::ycsb

#include "tools/ebla/verbs/split_points.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <random>

#include "common/base/key_range.h"
#include "common/base/split_key.h"

namespace ebla::shell {

namespace {

constexpr size_t kSampleMax = 10'000'000;
constexpr uint64_t kPatternKeysMax = 1'000'000;  // evenly spread over the numbers: enough for 10,000 quantiles

}  // namespace

Result<std::vector<std::string>> SplitByQuantiles(std::vector<std::string> sample, size_t tablets) {
  if (tablets < 2 || tablets > 10'001) {
    return Error(Code::kInvalidArgument, "--splits " + std::to_string(tablets) + ": it must be 2 to 10001 tablets");
  }
  std::ranges::sort(sample);
  const auto repeated = std::ranges::unique(sample);
  sample.erase(repeated.begin(), repeated.end());
  if (sample.size() < tablets) {
    return Error(Code::kInvalidArgument, "the sample has " + std::to_string(sample.size()) +
                                             " distinct keys, too few for " + std::to_string(tablets) + " tablets");
  }
  std::vector<std::string> cuts;
  for (size_t i = 1; i < tablets; ++i) {
    const size_t at = i * sample.size() / tablets;  // at least 1, and growing, as there are at least as many keys
    std::string cut = ShortestSeparator(sample[at - 1], sample[at]);
    if (cut.size() > kSplitKeyBytesMax) continue;
    cuts.push_back(std::move(cut));
  }
  return cuts;
}

Result<std::vector<std::string>> SampleOfPattern(std::string_view pattern, uint64_t count) {
  const auto wrong = [&] {
    return Error(Code::kInvalidArgument, "--pattern '" + std::string(pattern) +
                                             "' must have exactly one %d, with a width if need be, as in 'user%08d'");
  };
  const size_t percent = pattern.find('%');
  if (percent == std::string_view::npos) return wrong();
  size_t at = percent + 1;
  const bool zeros = at < pattern.size() && pattern[at] == '0';
  size_t width = 0;
  for (; at < pattern.size() && std::isdigit(static_cast<unsigned char>(pattern[at])) != 0; ++at) {
    width = width * 10 + static_cast<size_t>(pattern[at] - '0');
    if (width > 64) return wrong();
  }
  if (at >= pattern.size() || pattern[at] != 'd') return wrong();
  const std::string_view before = pattern.substr(0, percent);
  const std::string_view after = pattern.substr(at + 1);
  if (after.find('%') != std::string_view::npos) return wrong();
  if (count == 0) return Error(Code::kInvalidArgument, "--pattern needs --count, the number of keys");
  std::vector<std::string> keys;
  const uint64_t taken = std::min(count, kPatternKeysMax);
  for (uint64_t i = 0; i < taken; ++i) {
    const auto number = static_cast<uint64_t>(static_cast<unsigned __int128>(i) * count / taken);
    std::string digits = std::to_string(number);
    if (digits.size() < width) digits.insert(0, width - digits.size(), zeros ? '0' : ' ');
    keys.push_back(std::string(before) + digits + std::string(after));
  }
  return keys;
}

Result<std::vector<std::string>> ReadSample(std::istream& input) {
  std::vector<std::string> keys;
  std::mt19937_64 random(1);  // which lines of a huge file are kept does not matter; that runs agree does
  std::string line;
  for (uint64_t number = 1; std::getline(input, line); ++number) {
    if (line.empty()) continue;
    Result<std::string> key = UnescapeBytes(line);
    if (!key) return Error(key.error().code(), "line " + std::to_string(number) + ": " + key.error().message());
    if (keys.size() < kSampleMax) {
      keys.push_back(*std::move(key));
    } else if (const uint64_t place = random() % number; place < kSampleMax) {
      keys[place] = *std::move(key);
    }
  }
  return keys;
}

Result<std::vector<std::string>> SampleKeys(const std::string& path, std::string_view pattern, uint64_t count) {
  if (path.empty() == pattern.empty()) {
    return Error(Code::kInvalidArgument, "give --sample FILE or --pattern 'user%08d' --count M, one of the two");
  }
  if (!pattern.empty()) return SampleOfPattern(pattern, count);
  std::ifstream input(path, std::ios::binary);
  if (!input) return Error(Code::kInvalidArgument, "cannot read the file " + path);
  return ReadSample(input);
}

}  // namespace ebla::shell

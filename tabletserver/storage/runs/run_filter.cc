#include "tabletserver/storage/runs/run_filter.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/base/encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr uint8_t kFilterFormat = 1;
constexpr uint8_t kProbes = 6;
constexpr uint8_t kProbesMax = 16;
constexpr size_t kBitsPerKey = 10;
constexpr size_t kBlockBytes = 64;
constexpr size_t kBlockBits = 8 * kBlockBytes;
constexpr size_t kHeadBytes = 2;
constexpr size_t kChecksumBytes = 8;

size_t BlockOf(uint64_t hash, size_t blocks) { return static_cast<size_t>(((hash >> 32) * blocks) >> 32); }

// Visits the bits of a key in its block until the visitor returns false; whether it never did.
template <class Visitor>
bool ForEachBit(uint64_t hash, int probes, const Visitor& visit) {
  auto bits = static_cast<uint32_t>(hash);
  for (int i = 0; i < probes; ++i, bits *= 0x9e3779b9u) {
    const uint32_t bit = bits >> 23;  // the upper 9 of 32 bits: one of a block's 512
    if (!visit(bit / 8, static_cast<uint8_t>(1u << (bit % 8)))) return false;
  }
  return true;
}

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

size_t BlocksFor(size_t keys) {
  return std::clamp<size_t>((keys * kBitsPerKey + kBlockBits - 1) / kBlockBits, 1, UINT32_MAX);
}

// A large filter may have few more blocks than it needs, so that it can be folded six times.
size_t FoldableBlocksFor(size_t keys) {
  constexpr size_t kLarge = 4096, kMultiple = 64;
  const size_t blocks = BlocksFor(keys);
  return blocks < kLarge ? blocks : std::min<size_t>(blocks + kMultiple - 1, UINT32_MAX) / kMultiple * kMultiple;
}

}  // namespace

RunFilterBuilder::RunFilterBuilder(size_t keys) : blocks_(FoldableBlocksFor(keys)) {
  bytes_.reserve(kHeadBytes + blocks_ * kBlockBytes + kChecksumBytes);
  bytes_.push_back(static_cast<char>(kFilterFormat));
  bytes_.push_back(static_cast<char>(kProbes));
  bytes_.resize(kHeadBytes + blocks_ * kBlockBytes);
}

void RunFilterBuilder::Add(std::string_view key) {
  const uint64_t hash = RunFilter::HashOf(key);
  char* const block = bytes_.data() + kHeadBytes + BlockOf(hash, blocks_) * kBlockBytes;
  ForEachBit(hash, kProbes, [block](size_t byte, uint8_t mask) {
    block[byte] = static_cast<char>(static_cast<uint8_t>(block[byte]) | mask);
    return true;
  });
  ++added_;
}

std::string RunFilterBuilder::Finish() {
  if (added_ == 0) return {};
  Fold();
  bytes_.append(ByteWriter().Fixed64(Checksum(bytes_)).view());
  return std::move(bytes_);
}

// Joins 2, 4 or more adjacent blocks. BlockOf is a fraction of all blocks, rounded down, so a key's block among a half
// as many has half the number. The bytes are those of a builder that had so few blocks from its beginning.
void RunFilterBuilder::Fold() {
  size_t joined = 1;
  while (blocks_ % (2 * joined) == 0 && blocks_ / (2 * joined) >= BlocksFor(added_)) joined *= 2;
  if (joined == 1) return;
  blocks_ /= joined;
  char* const all = bytes_.data() + kHeadBytes;
  for (size_t to = 0; to < blocks_; ++to) {
    for (size_t byte = 0; byte < kBlockBytes; ++byte) {
      uint8_t bits = 0;
      for (size_t i = 0; i < joined; ++i) bits |= static_cast<uint8_t>(all[(to * joined + i) * kBlockBytes + byte]);
      all[to * kBlockBytes + byte] = static_cast<char>(bits);
    }
  }
  bytes_.resize(kHeadBytes + blocks_ * kBlockBytes);
  bytes_.shrink_to_fit();
}

RunFilter::RunFilter(std::string_view bytes) {
  if (bytes.size() < kHeadBytes + kBlockBytes + kChecksumBytes) return;
  const size_t block_bytes = bytes.size() - kHeadBytes - kChecksumBytes;
  const auto format = static_cast<uint8_t>(bytes[0]), probes = static_cast<uint8_t>(bytes[1]);
  if (format != kFilterFormat || probes == 0 || probes > kProbesMax) return;
  if (block_bytes % kBlockBytes != 0 || block_bytes / kBlockBytes > UINT32_MAX) return;
  if (ByteReader(bytes.substr(bytes.size() - kChecksumBytes)).Fixed64() !=
      Checksum(bytes.substr(0, bytes.size() - kChecksumBytes))) {
    return;
  }
  // A copy, because the bytes do not begin at a line of the cache.
  blocks_.resize(block_bytes / kBlockBytes);
  std::memcpy(blocks_.data(), bytes.data() + kHeadBytes, block_bytes);
  probes_ = probes;
}

uint64_t RunFilter::HashOf(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

bool RunFilter::MayContain(uint64_t hash) const {
  if (blocks_.empty()) return true;
  const Block& block = blocks_[BlockOf(hash, blocks_.size())];
  return ForEachBit(hash, probes_, [&block](size_t byte, uint8_t mask) { return (block.bytes[byte] & mask) != 0; });
}

}  // namespace ebla::tabletserver

#include "tabletserver/storage/runs/run_filter.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

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

}  // namespace

void RunFilterBuilder::Add(std::string_view key) { hashes_.push_back(RunFilter::HashOf(key)); }

std::string RunFilterBuilder::Finish() {
  if (hashes_.empty()) return {};
  const size_t blocks = std::min<size_t>((hashes_.size() * kBitsPerKey + kBlockBits - 1) / kBlockBits, UINT32_MAX);
  std::string bytes;
  bytes.reserve(kHeadBytes + blocks * kBlockBytes + kChecksumBytes);
  bytes.push_back(static_cast<char>(kFilterFormat));
  bytes.push_back(static_cast<char>(kProbes));
  bytes.resize(kHeadBytes + blocks * kBlockBytes);
  for (const uint64_t hash : hashes_) {
    char* const block = bytes.data() + kHeadBytes + BlockOf(hash, blocks) * kBlockBytes;
    ForEachBit(hash, kProbes, [block](size_t byte, uint8_t mask) {
      block[byte] = static_cast<char>(static_cast<uint8_t>(block[byte]) | mask);
      return true;
    });
  }
  hashes_ = {};
  bytes.append(ByteWriter().Fixed64(Checksum(bytes)).view());
  return bytes;
}

RunFilter::RunFilter(std::string bytes) {
  if (bytes.size() < kHeadBytes + kBlockBytes + kChecksumBytes) return;
  const std::string_view all = bytes;
  const size_t block_bytes = all.size() - kHeadBytes - kChecksumBytes;
  const auto format = static_cast<uint8_t>(all[0]), probes = static_cast<uint8_t>(all[1]);
  if (format != kFilterFormat || probes == 0 || probes > kProbesMax) return;
  if (block_bytes % kBlockBytes != 0 || block_bytes / kBlockBytes > UINT32_MAX) return;
  if (ByteReader(all.substr(all.size() - kChecksumBytes)).Fixed64() !=
      Checksum(all.substr(0, all.size() - kChecksumBytes))) {
    return;
  }
  // A copy, because a string does not begin at a line of the cache.
  blocks_.resize(block_bytes / kBlockBytes);
  std::memcpy(blocks_.data(), all.data() + kHeadBytes, block_bytes);
  probes_ = probes;
}

uint64_t RunFilter::HashOf(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

bool RunFilter::MayContain(uint64_t hash) const {
  if (blocks_.empty()) return true;
  const Block& block = blocks_[BlockOf(hash, blocks_.size())];
  return ForEachBit(hash, probes_, [&block](size_t byte, uint8_t mask) { return (block.bytes[byte] & mask) != 0; });
}

}  // namespace ebla::tabletserver

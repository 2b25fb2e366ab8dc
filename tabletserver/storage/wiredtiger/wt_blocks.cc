#include "tabletserver/storage/wiredtiger/wt_blocks.h"

#include <wiredtiger.h>

#include <cstring>

namespace ebla::tabletserver {

namespace {

constexpr size_t kSizeAt = 28;
constexpr size_t kChecksumAt = 32;
constexpr size_t kFlagsAt = 36;
constexpr size_t kPartlyCovered = 64;
constexpr uint8_t kWholeChecksum = 0x1;
constexpr uint32_t kFileMagic = 120897;
constexpr size_t kFileChecksumAt = 8;

uint32_t NumberAt(std::span<const char> block, size_t at) {
  uint32_t number = 0;
  std::memcpy(&number, block.data() + at, sizeof number);
  return number;
}

// The first `covered` bytes of the block have the checksum that it names.
bool ChecksumIsRight(std::span<char> block, size_t checksum_at, size_t covered) {
  static const auto checksum = wiredtiger_crc32c_func();
  const uint32_t wanted = NumberAt(block, checksum_at);
  std::memset(block.data() + checksum_at, 0, sizeof wanted);
  const uint32_t found = checksum(block.data(), covered);
  std::memcpy(block.data() + checksum_at, &wanted, sizeof wanted);
  return found == wanted;
}

}  // namespace

bool BlockIsWhole(std::span<char> block) {
  if (block.size() < kPartlyCovered || NumberAt(block, kSizeAt) != block.size()) return false;
  const bool whole = (static_cast<uint8_t>(block[kFlagsAt]) & kWholeChecksum) != 0;
  return ChecksumIsRight(block, kChecksumAt, whole ? block.size() : kPartlyCovered);
}

uint32_t BlockChecksum(std::span<const char> block) { return NumberAt(block, kChecksumAt); }

size_t BlockSizeAt(std::span<const char> head) { return NumberAt(head, kSizeAt); }

bool FileBlockIsWhole(std::span<char> block) {
  return block.size() >= kPartlyCovered && NumberAt(block, 0) == kFileMagic &&
         ChecksumIsRight(block, kFileChecksumAt, block.size());
}

}  // namespace ebla::tabletserver

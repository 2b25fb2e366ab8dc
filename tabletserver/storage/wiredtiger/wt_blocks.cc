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

uint32_t NumberAt(std::span<const char> block, size_t at) {
  uint32_t number = 0;
  std::memcpy(&number, block.data() + at, sizeof number);
  return number;
}

}  // namespace

bool BlockIsWhole(std::span<char> block) {
  static const auto checksum = wiredtiger_crc32c_func();
  if (block.size() < kPartlyCovered || NumberAt(block, kSizeAt) != block.size()) return false;
  const bool whole = (static_cast<uint8_t>(block[kFlagsAt]) & kWholeChecksum) != 0;
  const uint32_t wanted = NumberAt(block, kChecksumAt);
  std::memset(block.data() + kChecksumAt, 0, sizeof wanted);
  const uint32_t found = checksum(block.data(), whole ? block.size() : kPartlyCovered);
  std::memcpy(block.data() + kChecksumAt, &wanted, sizeof wanted);
  return found == wanted;
}

}  // namespace ebla::tabletserver

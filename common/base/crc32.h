// common/base/crc32.h
// CRC-32 (IEEE 802.3, reflected, as in zlib and PNG), for what travels or rests and may come back damaged. Some 400 MB/s:
// enough for copies between servers, which are throttled well below.
// Threads: functions of their arguments.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ebla {

namespace crc32_internal {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0);
    table[i] = value;
  }
  return table;
}
inline constexpr std::array<uint32_t, 256> kTable = MakeTable();

}  // namespace crc32_internal

// Of `before`'s bytes and then these: Crc32(b, Crc32(a)) is that of a and b together.
constexpr uint32_t Crc32(std::string_view bytes, uint32_t before = 0) {
  uint32_t value = ~before;
  for (const char byte : bytes) {
    value = (value >> 8) ^ crc32_internal::kTable[(value ^ static_cast<uint8_t>(byte)) & 0xFF];
  }
  return ~value;
}

}  // namespace ebla

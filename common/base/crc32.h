// common/base/crc32.h
// CRC-32 (IEEE 802.3, reflected), as zlib computes it, for data that travels or rests and may return damaged.
// Threads: a function of its arguments.
#pragma once

#include <cstdint>
#include <string_view>

namespace ebla {

// Continues the checksum `before`: Crc32(b, Crc32(a)) is that of a and b together.
uint32_t Crc32(std::string_view bytes, uint32_t before = 0);

}  // namespace ebla

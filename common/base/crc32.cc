#include "common/base/crc32.h"

#include <zlib.h>

namespace ebla {

uint32_t Crc32(std::string_view bytes, uint32_t before) {
  if (bytes.empty()) return before;  // zlib starts again at 0 if the address is null
  return static_cast<uint32_t>(crc32_z(before, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace ebla

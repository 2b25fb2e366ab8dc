// common/rpc/buffer.h
// What both ends of a connection do with their byte buffers.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ebla::rpc {

// Of the first four bytes, which must be there.
inline uint32_t BigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// Empties it; one that has grown beyond `retained_max` gives its memory back.
inline void ClearBuffer(std::string& buffer, size_t retained_max) {
  buffer.clear();
  if (buffer.capacity() > retained_max) std::string().swap(buffer);
}

}  // namespace ebla::rpc

// common/rpc/buffer.h
// Functions of byte buffers for both ends of a connection.
// Threads: functions of their arguments; a ReceivedBytes is its connection's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ebla::rpc {

// The number in the first four bytes, which must exist.
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

// The unused input of a connection: part of a message, or messages that wait for room. Bytes that are used as they come
// are never copied into it.
class ReceivedBytes {
 public:
  std::string_view view() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }

  // `bytes`, which have just come, behind what there is.
  std::string_view Join(std::string_view bytes) { return bytes_.empty() ? bytes : bytes_.append(bytes); }
  // Keeps what is left of `bytes` (what Join() or view() gave) once `used` of them are. With nothing left, a buffer
  // larger than `retained_max` gives its memory back.
  void Keep(std::string_view bytes, size_t used, size_t retained_max) {
    if (used == bytes.size()) {
      ClearBuffer(bytes_, retained_max);
    } else if (bytes.data() != bytes_.data()) {
      bytes_.assign(bytes.substr(used));
    } else if (used > 0) {
      bytes_.erase(0, used);
    }
  }
  void Drop(size_t retained_max) { ClearBuffer(bytes_, retained_max); }

 private:
  std::string bytes_;
};

}  // namespace ebla::rpc

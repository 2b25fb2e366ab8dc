// common/base/encoding.h
// Bytes for disk and wire: little-endian base-128 varints, length-prefixed strings, big-endian integers (which sort as
// numbers), and a reader that survives hostile input.
// Invariants: a ByteReader never reads past its end; after the first fault every read gives zero or empty, and ok() is
//             false. So a decoder reads all its fields first and asks Finish() once.
// Threads:    values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla {

class ByteWriter {
 public:
  ByteWriter& Byte(uint8_t byte) {
    bytes_.push_back(static_cast<char>(byte));
    return *this;
  }
  ByteWriter& Varint(uint64_t number) {
    char text[10];
    size_t size = 0;
    for (; number >= 0x80; number >>= 7) text[size++] = static_cast<char>(number | 0x80);
    text[size++] = static_cast<char>(number);
    return Raw({text, size});
  }
  // Zigzag: small for numbers near zero of either sign.
  ByteWriter& SignedVarint(int64_t number) {
    return Varint((static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
  }
  // Eight bytes, big-endian.
  ByteWriter& Fixed64(uint64_t number) {
    char text[8];
    for (size_t i = 0; i < sizeof text; ++i) text[i] = static_cast<char>(number >> (56 - 8 * i));
    return Raw({text, sizeof text});
  }
  // A varint length, then the bytes.
  ByteWriter& Bytes(std::string_view bytes) { return Varint(bytes.size()).Raw(bytes); }
  ByteWriter& Raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }

  void Reserve(size_t bytes) { bytes_.reserve(bytes); }
  void Clear() { bytes_.clear(); }  // keeps the memory
  std::string_view view() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }  // leaves nothing

 private:
  std::string bytes_;
};

// Borrows the bytes: views that it returns live as long as they do.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  size_t remaining() const { return rest_.size(); }

  uint8_t Byte() {
    if (rest_.empty()) return static_cast<uint8_t>(Fail());
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  uint64_t Varint() {
    uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      if (shift == 63 && byte > 1) return Fail();  // beyond 64 bits
      number |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return ok_ ? number : 0;
    }
    return Fail();
  }
  int64_t SignedVarint() {
    const uint64_t number = Varint();
    return static_cast<int64_t>((number >> 1) ^ (~(number & 1) + 1));
  }
  uint64_t Fixed64() {
    if (rest_.size() < 8) return Fail();
    uint64_t number = 0;
    for (int i = 0; i < 8; ++i) number = (number << 8) | static_cast<uint8_t>(rest_[i]);
    rest_.remove_prefix(8);
    return number;
  }
  std::string_view Bytes() {
    const uint64_t size = Varint();
    return Raw(size);
  }
  std::string_view Raw(uint64_t size) {
    if (size > rest_.size()) {
      Fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view Rest() { return Raw(rest_.size()); }
  // How many elements follow, each of at least `bytes_min` bytes: never more than the input can hold.
  uint64_t Count(size_t bytes_min) {
    const uint64_t count = Varint();
    return count > rest_.size() / bytes_min ? Fail() : count;
  }

  // Marks the input as malformed; returns 0.
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  // INTERNAL, naming `what`, when a read failed or bytes are left over.
  Status Finish(std::string_view what) const {
    if (ok_ && rest_.empty()) return {};
    return Error(Code::kInternal, std::string(what) + (ok_ ? " has bytes left over" : " is cut short or malformed"));
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace ebla

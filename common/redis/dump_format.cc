#include "common/redis/dump_format.h"

#include <liblzf/lzf.h>

#include <array>
#include <optional>
#include <type_traits>
#include <utility>

#include "common/redis/update.h"

namespace ebla::redis {
namespace {

constexpr char kString = 0;
constexpr uint16_t kVersion = 10;  // Redis 7.0's
constexpr size_t kVersionBytes = 2, kChecksumBytes = 8;

// What the upper two bits of a length's first byte say.
enum LengthKind : uint8_t { kIn6Bits = 0, kIn14Bits = 1, kInWords = 2, kEncoded = 3 };
constexpr uint8_t kIn32Bits = 0x80, kIn64Bits = 0x81;
// Of what is encoded, the lower six bits.
enum Encoding : uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };
constexpr size_t kCompressedFrom = 21;  // bytes

template <typename Number>
void PutLittleEndian(std::string& out, Number number) {
  const auto bits = static_cast<std::make_unsigned_t<Number>>(number);
  for (size_t byte = 0; byte < sizeof bits; ++byte) out += static_cast<char>(bits >> (8 * byte));
}

template <typename Number>
Number LittleEndian(std::string_view bytes) {
  std::make_unsigned_t<Number> bits = 0;
  for (size_t byte = 0; byte < sizeof bits; ++byte)
    bits = static_cast<decltype(bits)>(bits | uint64_t{static_cast<uint8_t>(bytes[byte])} << (8 * byte));
  return static_cast<Number>(bits);
}

// ---- writing ------------------------------------------------------------------------------------------------------------

void PutLength(std::string& out, size_t length) {
  if (length < (1 << 6)) {
    out += static_cast<char>(length);
  } else if (length < (1 << 14)) {
    out += static_cast<char>(kIn14Bits << 6 | length >> 8);
    out += static_cast<char>(length);
  } else {
    out += static_cast<char>(kIn32Bits);
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift);
  }
}

void PutEncoding(std::string& out, Encoding encoding) { out += static_cast<char>(kEncoded << 6 | encoding); }

template <typename Number>
bool PutNumber(std::string& out, Encoding encoding, int64_t number) {
  if (!std::in_range<Number>(number)) return false;
  PutEncoding(out, encoding);
  PutLittleEndian(out, static_cast<Number>(number));
  return true;
}

bool PutCompressed(std::string& out, std::string_view value) {
  if (value.size() < kCompressedFrom) return false;
  std::string compressed(value.size() - 4, '\0');  // not worth it beyond
  const unsigned size = lzf_compress(value.data(), static_cast<unsigned>(value.size()), compressed.data(),
                                     static_cast<unsigned>(compressed.size()));
  if (size == 0) return false;
  PutEncoding(out, kLzf);
  PutLength(out, size);
  PutLength(out, value.size());
  out.append(compressed, 0, size);
  return true;
}

void PutString(std::string& out, std::string_view value) {
  const std::optional<int64_t> number = ToInteger(value);
  if (number && (PutNumber<int8_t>(out, kInt8, *number) || PutNumber<int16_t>(out, kInt16, *number) ||
                 PutNumber<int32_t>(out, kInt32, *number)))
    return;
  if (PutCompressed(out, value)) return;
  PutLength(out, value.size());
  out += value;
}

// ---- reading ------------------------------------------------------------------------------------------------------------

// Takes one string from the front of what it is given. What it returns is nothing once bytes lack, or are none of the
// format.
class StringReader {
 public:
  StringReader(std::string_view bytes, size_t bytes_max) : left_(bytes), bytes_max_(bytes_max) {}

  bool done() const { return left_.empty(); }
  bool too_long() const { return too_long_; }

  std::optional<std::string> String() {
    const std::optional<Head> head = TakeHead();
    if (!head) return std::nullopt;
    if (!head->encoded) return Plain(head->number);
    switch (head->number) {
      case kInt8: return Number<int8_t>();
      case kInt16: return Number<int16_t>();
      case kInt32: return Number<int32_t>();
      case kLzf: return Compressed();
      default: return std::nullopt;
    }
  }

 private:
  struct Head {
    bool encoded = false;
    uint64_t number = 0;  // the length, or the encoding
  };

  std::optional<std::string_view> Take(uint64_t size) {
    if (size > left_.size()) return std::nullopt;
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  std::optional<uint64_t> BigEndian(size_t size) {
    const auto bytes = Take(size);
    if (!bytes) return std::nullopt;
    uint64_t number = 0;
    for (const char byte : *bytes) number = number << 8 | static_cast<uint8_t>(byte);
    return number;
  }
  std::optional<Head> TakeHead() {
    const std::optional<uint64_t> first = BigEndian(1);
    if (!first) return std::nullopt;
    const uint64_t low = *first & 0x3f;
    std::optional<uint64_t> length = low;
    switch (*first >> 6) {
      case kIn6Bits: break;
      case kEncoded: return Head{true, low};
      case kIn14Bits:
        length = BigEndian(1);
        if (length) *length |= low << 8;
        break;
      default: length = *first == kIn32Bits ? BigEndian(4) : *first == kIn64Bits ? BigEndian(8) : std::nullopt;
    }
    return length ? std::optional(Head{false, *length}) : std::nullopt;
  }
  std::optional<uint64_t> Length() {
    const std::optional<Head> head = TakeHead();
    return head && !head->encoded ? std::optional(head->number) : std::nullopt;
  }
  std::optional<std::string> Plain(uint64_t length) {
    const auto bytes = Take(length);
    too_long_ = bytes && length > bytes_max_;
    return bytes && !too_long_ ? std::optional<std::string>(*bytes) : std::nullopt;
  }
  template <typename Int>
  std::optional<std::string> Number() {
    const auto bytes = Take(sizeof(Int));
    return bytes ? std::optional(std::to_string(LittleEndian<Int>(*bytes))) : std::nullopt;
  }
  std::optional<std::string> Compressed() {
    const std::optional<uint64_t> compressed = Length();
    const std::optional<uint64_t> length = compressed ? Length() : std::nullopt;
    const auto bytes = length ? Take(*compressed) : std::nullopt;
    too_long_ = length && *length > bytes_max_;
    if (!bytes || too_long_) return std::nullopt;
    std::string value(*length, '\0');
    const unsigned size = lzf_decompress(bytes->data(), static_cast<unsigned>(bytes->size()), value.data(),
                                         static_cast<unsigned>(value.size()));
    return size == value.size() && size > 0 ? std::optional(std::move(value)) : std::nullopt;
  }

  std::string_view left_;
  const size_t bytes_max_;
  bool too_long_ = false;
};

}  // namespace

uint64_t DumpChecksum(std::string_view bytes) {
  static constexpr auto kTable = [] {
    constexpr uint64_t kReversedPolynomial = 0x95AC9329AC4BC9B5;
    std::array<uint64_t, 256> table{};
    for (uint64_t byte = 0; byte < table.size(); ++byte) {
      uint64_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
      table[byte] = crc;
    }
    return table;
  }();
  uint64_t crc = 0;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ (crc >> 8);
  return crc;
}

std::string EncodeDump(std::string_view value) {
  std::string dump(1, kString);
  PutString(dump, value);
  PutLittleEndian(dump, kVersion);
  PutLittleEndian(dump, DumpChecksum(dump));
  return dump;
}

std::variant<std::string, DumpFault> DecodeDump(std::string_view dump, size_t bytes_max) {
  if (dump.size() < kVersionBytes + kChecksumBytes) return DumpFault::kDamaged;
  const size_t checked = dump.size() - kChecksumBytes;
  if (DumpChecksum(dump.substr(0, checked)) != LittleEndian<uint64_t>(dump.substr(checked))) return DumpFault::kDamaged;
  const std::string_view body = dump.substr(0, checked - kVersionBytes);
  if (body.empty()) return DumpFault::kMalformed;
  if (body.front() != kString) return DumpFault::kNotAString;
  StringReader reader(body.substr(1), bytes_max);
  std::optional<std::string> value = reader.String();
  if (reader.too_long()) return DumpFault::kTooLong;
  if (!value || !reader.done()) return DumpFault::kMalformed;
  return *std::move(value);
}

}  // namespace ebla::redis

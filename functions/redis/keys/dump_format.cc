#include "functions/redis/keys/dump_format.h"

#include <liblzf/lzf.h>

#include <array>
#include <optional>
#include <type_traits>
#include <utility>

#include "common/base/encoding.h"
#include "functions/redis/command/update.h"

namespace ebla::redis {
namespace {

constexpr char kString = 0;
constexpr uint16_t kVersion = 10;  // Redis 7.0's
constexpr size_t kVersionBytes = 2, kChecksumBytes = 8;

// The upper two bits of a length's first byte.
enum LengthKind : uint8_t { kIn6Bits = 0, kIn14Bits = 1, kEncoded = 3 };  // 2: one of these
constexpr uint8_t kIn32Bits = 0x80, kIn64Bits = 0x81;
// The lower six bits of an encoded length.
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

// ---- writing --------------------------------------------------------------------------------------------------------

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

// ---- reading --------------------------------------------------------------------------------------------------------
// Missing bytes are a fault of the reader, which is checked at the end.

using Decoded = std::variant<std::string, DumpFault>;

struct Head {
  bool encoded = false;
  uint64_t number = 0;  // the length, or the encoding
};

// None: there is no such head.
std::optional<Head> TakeHead(ByteReader& in) {
  const uint8_t first = in.Byte();
  const uint64_t low = first & 0x3f;
  switch (first >> 6) {
    case kIn6Bits: return Head{false, low};
    case kIn14Bits: return Head{false, low << 8 | in.Byte()};
    case kEncoded: return Head{true, low};
    default: break;
  }
  if (first == kIn64Bits) return Head{false, in.Fixed64()};
  if (first != kIn32Bits) return std::nullopt;
  uint64_t length = 0;
  for (const char byte : in.Raw(4)) length = length << 8 | static_cast<uint8_t>(byte);
  return Head{false, length};
}

std::optional<uint64_t> TakeLength(ByteReader& in) {
  const std::optional<Head> head = TakeHead(in);
  return head && !head->encoded ? std::optional(head->number) : std::nullopt;
}

template <typename Number>
Decoded TakeNumber(ByteReader& in) {
  const std::string_view bytes = in.Raw(sizeof(Number));
  if (bytes.empty()) return DumpFault::kMalformed;
  return std::to_string(LittleEndian<Number>(bytes));
}

Decoded TakeCompressed(ByteReader& in, size_t bytes_max) {
  const std::optional<uint64_t> compressed = TakeLength(in), length = TakeLength(in);
  if (!compressed || !length) return DumpFault::kMalformed;
  const std::string_view bytes = in.Raw(*compressed);
  if (bytes.empty()) return DumpFault::kMalformed;  // lzf_decompress() reads one byte at least
  if (*length > bytes_max) return DumpFault::kTooLong;
  std::string value(*length, '\0');
  const unsigned size = lzf_decompress(bytes.data(), static_cast<unsigned>(bytes.size()), value.data(),
                                       static_cast<unsigned>(value.size()));
  if (size == 0 || size != value.size()) return DumpFault::kMalformed;
  return value;
}

Decoded TakeString(ByteReader& in, size_t bytes_max) {
  const std::optional<Head> head = TakeHead(in);
  if (!head) return DumpFault::kMalformed;
  if (!head->encoded) {
    const std::string_view bytes = in.Raw(head->number);
    return bytes.size() > bytes_max ? Decoded(DumpFault::kTooLong) : Decoded(std::string(bytes));
  }
  switch (head->number) {
    case kInt8: return TakeNumber<int8_t>(in);
    case kInt16: return TakeNumber<int16_t>(in);
    case kInt32: return TakeNumber<int32_t>(in);
    case kLzf: return TakeCompressed(in, bytes_max);
    default: return DumpFault::kMalformed;
  }
}

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
  ByteReader in(body.substr(1));
  Decoded value = TakeString(in, bytes_max);
  const bool whole = in.ok() && in.done();
  if (std::holds_alternative<std::string>(value) && !whole) return DumpFault::kMalformed;
  return value;
}

}  // namespace ebla::redis

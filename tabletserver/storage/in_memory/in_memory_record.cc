#include "tabletserver/storage/in_memory/in_memory_record.h"

#include <glog/logging.h>

#include <cstring>

#include "tabletserver/storage/in_memory/in_memory_arenas.h"

namespace ebla::tabletserver {
namespace {

constexpr uint8_t kExpires = 1, kStamped = 2, kTombstone = 4, kWideLsn = 8;
// Always as many: would a record grow with its lsn, all would come to need larger blocks at once, and leave theirs.
constexpr size_t kLsnBytes = 6;
constexpr uint64_t kLsnMax = (uint64_t{1} << (8 * kLsnBytes)) - 1;

size_t VarintLength(uint64_t number) {
  size_t bytes = 1;
  for (; number >= 0x80; number >>= 7) ++bytes;
  return bytes;
}

uint64_t Zigzag(int64_t number) { return (static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63); }

// These bytes never leave memory, so nothing is checked, unlike in common/base/encoding.h.
class InMemoryWriter {
 public:
  explicit InMemoryWriter(uint8_t* at) : at_(at) {}
  void Byte(uint8_t byte) { *at_++ = byte; }
  void Varint(uint64_t number) {
    for (; number >= 0x80; number >>= 7) *at_++ = static_cast<uint8_t>(number | 0x80);
    *at_++ = static_cast<uint8_t>(number);
  }
  void Bytes(std::string_view bytes) {
    Varint(bytes.size());
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Fixed(uint64_t number, size_t bytes) {
    for (; bytes > 0; --bytes, number >>= 8) *at_++ = static_cast<uint8_t>(number);
  }
  const uint8_t* at() const { return at_; }

 private:
  uint8_t* at_;
};

class InMemoryReader {
 public:
  explicit InMemoryReader(const uint8_t* at) : at_(at) {}
  uint64_t Varint() {
    uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t byte = *at_++;
      number |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
  }
  int64_t SignedVarint() {
    const uint64_t number = Varint();
    return static_cast<int64_t>((number >> 1) ^ (~(number & 1) + 1));
  }
  uint64_t Fixed(size_t bytes) {
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; ++i) number |= static_cast<uint64_t>(*at_++) << (8 * i);
    return number;
  }
  std::string_view Bytes() {
    const uint64_t size = Varint();
    const std::string_view bytes(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return bytes;
  }

 private:
  const uint8_t* at_;
};

bool IsStamped(const InMemoryRecordParts& parts) { return parts.write_time_ms != 0 || !parts.writer.empty(); }
size_t LsnBytes(const InMemoryRecordParts& parts) {
  return parts.version.lsn.value > kLsnMax ? sizeof(uint64_t) : kLsnBytes;
}

size_t BytesFor(const InMemoryRecordParts& parts) {
  size_t bytes = 1 + VarintLength(parts.key.size()) + parts.key.size() + VarintLength(parts.version.epoch.value) +
                 LsnBytes(parts) + VarintLength(parts.value.size()) + parts.value.size();
  if (parts.expires_at) bytes += VarintLength(parts.expires_at.value);
  if (IsStamped(parts)) {
    bytes += VarintLength(Zigzag(parts.write_time_ms)) + VarintLength(parts.writer.size()) + parts.writer.size();
  }
  return bytes;
}

void WriteTo(uint8_t* memory, const InMemoryRecordParts& parts, int heat_shift) {
  InMemoryWriter out(memory);
  out.Byte(static_cast<uint8_t>((parts.expires_at ? kExpires : 0) | (IsStamped(parts) ? kStamped : 0) |
                                (parts.tombstone ? kTombstone : 0) | (LsnBytes(parts) != kLsnBytes ? kWideLsn : 0) |
                                (parts.heat << heat_shift)));
  out.Bytes(parts.key);
  out.Varint(parts.version.epoch.value);
  out.Fixed(parts.version.lsn.value, LsnBytes(parts));
  if (parts.expires_at) out.Varint(parts.expires_at.value);
  if (IsStamped(parts)) {
    out.Varint(Zigzag(parts.write_time_ms));
    out.Bytes(parts.writer);
  }
  out.Bytes(parts.value);
}

}  // namespace

InMemoryRecordParts PartsOf(const Effect& effect, Version version) {
  return {effect.key, effect.value, version, effect.expires_at, effect.write_time_ms, effect.writer, effect.is_delete};
}

InMemoryRecordParts PartsOf(std::string_view key, const StoredRecord& record) {
  return {key, record.value, record.version, record.expires_at, record.write_time_ms, record.writer, record.tombstone};
}

InMemoryRecord InMemoryRecord::Make(const InMemoryRecordParts& parts) {
  auto* const memory = static_cast<uint8_t*>(InMemoryArenas::Allocate(BytesFor(parts)));
  WriteTo(memory, parts, kHeatShift);
  return InMemoryRecord(memory);
}

bool InMemoryRecord::Remake(const InMemoryRecordParts& parts) const {
  if (!InMemoryArenas::IsBlockFor(bytes_, bytes(), BytesFor(parts))) return false;
  WriteTo(bytes_, parts, kHeatShift);
  return true;
}

void InMemoryRecord::Free() const { InMemoryArenas::Free(bytes_); }

struct InMemoryRecord::Fields {
  std::string_view key;
  Version version;
  TabletTime expires_at;
  int64_t write_time_ms = 0;
  std::string_view writer;
  std::string_view value;
};

InMemoryRecord::Fields InMemoryRecord::Decode() const {
  const uint8_t flags = Flags().load(std::memory_order_relaxed);
  InMemoryReader in(bytes_ + 1);
  Fields fields;
  fields.key = in.Bytes();
  fields.version.epoch = Epoch{in.Varint()};
  fields.version.lsn = Lsn{in.Fixed((flags & kWideLsn) != 0 ? sizeof(uint64_t) : kLsnBytes)};
  if ((flags & kExpires) != 0) fields.expires_at = TabletTime{in.Varint()};
  if ((flags & kStamped) != 0) {
    fields.write_time_ms = in.SignedVarint();
    fields.writer = in.Bytes();
  }
  fields.value = in.Bytes();
  return fields;
}

InMemoryRecord InMemoryRecord::Copy() const {
  auto* const memory = static_cast<uint8_t*>(InMemoryArenas::Allocate(bytes()));
  std::memcpy(memory, bytes_, bytes());
  return InMemoryRecord(memory);
}

size_t InMemoryRecord::bytes() const {
  const std::string_view value = Decode().value;  // the last of it
  return static_cast<size_t>(reinterpret_cast<const uint8_t*>(value.data()) - bytes_) + value.size();
}

std::string_view InMemoryRecord::key() const { return InMemoryReader(bytes_ + 1).Bytes(); }

void InMemoryRecord::Read(StoredRecord& record) const {
  const Fields fields = Decode();
  record.value.assign(fields.value);
  record.version = fields.version;
  record.expires_at = fields.expires_at;
  record.write_time_ms = fields.write_time_ms;
  record.writer.assign(fields.writer);
  record.tombstone = tombstone();
}

Version InMemoryRecord::version() const { return Decode().version; }

TabletTime InMemoryRecord::expires_at() const { return Decode().expires_at; }

bool InMemoryRecord::tombstone() const { return (Flags().load(std::memory_order_relaxed) & kTombstone) != 0; }

int64_t InMemoryRecord::data_bytes() const {
  const Fields fields = Decode();
  return static_cast<int64_t>(fields.key.size() + fields.value.size());
}

int64_t InMemoryRecord::allocated_bytes() const { return InMemoryArenas::BytesOf(bytes_); }

}  // namespace ebla::tabletserver

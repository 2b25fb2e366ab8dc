// tabletserver/storage/in_memory/in_memory_record.h
// One record in one allocation, as small as it can be: for ten million small records every byte is ten megabytes.
//
//   1 byte flags | varint key length, key | varint epoch, 6 bytes lsn | [varint expiry] | [signed varint write time,
//   bytes writer] | varint value length, value
//
//   flags  1 expires, 2 has write time and writer, 4 tombstone, 8 the lsn has 8 bytes; the upper four bits are its heat
//          (eviction.h)
//
// A record of 16 bytes of key and 100 of value takes 126 bytes: one of jemalloc's blocks of 128.
// Invariants: while a thread may read a record, only its heat changes.
// Threads:    heat from any thread; else thread-compatible.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

// The parts of a record.
struct InMemoryRecordParts {
  std::string_view key;
  std::string_view value;
  Version version;
  TabletTime expires_at;
  int64_t write_time_ms = 0;
  std::string_view writer;
  bool tombstone = false;
  uint8_t heat = 0;
};
InMemoryRecordParts PartsOf(const Effect& effect, Version version);
InMemoryRecordParts PartsOf(std::string_view key, const StoredRecord& record);

// Points at a record; the owner frees it, once.
class InMemoryRecord {
 public:
  static constexpr uint8_t kHeatMax = 15;

  static InMemoryRecord Make(const InMemoryRecordParts& parts);
  // Makes it anew where it is, if it has its key and its block is about as large as it needs; else false.
  bool Remake(const InMemoryRecordParts& parts) const;
  // The same in another block.
  InMemoryRecord Copy() const;
  void Free() const;
  // Prefetches the first two lines of memory, which are all of a small record.
  void Prefetch() const {
    __builtin_prefetch(bytes_);
    __builtin_prefetch(bytes_ + 64);
  }

  std::string_view key() const;
  // Into `record`, whose memory is used again.
  void Read(StoredRecord& record) const;
  Version version() const;
  TabletTime expires_at() const;
  bool tombstone() const;
  // The bytes of key and value.
  int64_t data_bytes() const;
  // The bytes that the allocator gave for it.
  int64_t allocated_bytes() const;

  uint8_t heat() const { return static_cast<uint8_t>(Flags().load(std::memory_order_relaxed) >> kHeatShift); }
  // If two threads set it at once, one change may be lost.
  void SetHeat(uint8_t heat) const {
    const auto flags = Flags();
    const uint8_t before = flags.load(std::memory_order_relaxed);
    flags.store(static_cast<uint8_t>((before & ~(kHeatMax << kHeatShift)) | (heat << kHeatShift)),
                std::memory_order_relaxed);
  }

 private:
  static constexpr int kHeatShift = 4;

  explicit InMemoryRecord(uint8_t* bytes) : bytes_(bytes) {}
  std::atomic_ref<uint8_t> Flags() const { return std::atomic_ref<uint8_t>(*bytes_); }
  size_t bytes() const;
  struct Fields;
  Fields Decode() const;

  uint8_t* bytes_;
};

}  // namespace ebla::tabletserver

// tabletserver/storage/log/log_format.h
// The bytes of a log segment: a header, then frames, each of them what one flush or less writes.
//
//   segment   block 0 (kLogBlock bytes): 8 magic "EBLALOG1"; 4 CRC of the 32 bytes that follow; 4 zero; 8 log id;
//             8 segment number; 8 the sequence of its first frame; 8 zero. The rest of the block is zeros.
//             frames, the first at kLogBlock
//   frame     4 CRC of the 36 bytes that follow; 4 bytes of records; 8 segment number; 8 sequence; 8 synced; 4 number
//             of records; 4 zero; then the records; then zeros up to a multiple of 8.
//             `synced` is the greatest sequence that was on the disk for certain when this frame was closed.
//   record    4 CRC of what follows; 4 bytes of body; 1 kind; body
//
// Fixed numbers are little-endian. A record's CRC is CRC-32C, combined with the segment's number and the record's
// offset in it: what an earlier life of the file left there does not pass. In bodies, numbers are varints and bytes
// follow their length (common/base/encoding.h):
//
//   kEntries   tablet, first lsn, count, then of each entry its bytes, as log_entry.cc encodes it
//   kPut       key, value to the end
//   kErase     key to the end
//   kCutEnd    tablet, lsn: what stands before this record of the tablet's log, from that lsn on, is no more
//   kCutStart  tablet, lsn: the same of what lies below that lsn
//
// A frame begins 8-byte aligned where the last one ended, or at the next block when that one was synced: a block that
// was synced is never written again. The next segment is begun only once this one is synced to its end. So:
//   - frames are missing or torn only at the end of the last segment, or else the disk has lost what it had;
//   - in the last segment, too, a frame whose `synced` reaches a missing frame tells of damage.
// Threads: functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

inline constexpr int64_t kLogBlock = 4096;
inline constexpr int64_t kFrameHeader = 40;
inline constexpr int64_t kRecordHeader = 9;

enum class LogRecordKind : uint8_t { kEntries = 1, kPut = 2, kErase = 3, kCutEnd = 4, kCutStart = 5 };

struct SegmentHeader {
  uint64_t log = 0;  // random; the same in all segments of one log
  uint64_t number = 0;
  uint64_t first_sequence = 0;
};

std::string EncodeSegmentHeader(const SegmentHeader& header);  // a whole block
// None: this is no header, or a damaged one.
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view block);

struct FrameHeader {
  uint32_t bytes = 0;  // of records
  uint64_t segment = 0;
  uint64_t sequence = 0;
  uint64_t synced = 0;
  uint32_t records = 0;
};

void EncodeFrameHeader(const FrameHeader& header, char* out);  // kFrameHeader bytes
std::optional<FrameHeader> DecodeFrameHeader(std::string_view bytes);

// Writes a record's header without the CRC, and returns the place of its body.
char* FormatRecord(LogRecordKind kind, int64_t body_bytes, char* out);
// Writes the CRCs of so many consecutive records, the first of them at `offset` of its segment. Returns how many bytes
// they take.
int64_t SealRecords(char* records, uint32_t count, uint64_t segment, int64_t offset);

// One record in its place. Views into the bytes that were given.
struct LogRecord {
  int64_t offset = 0;  // of its header in the segment
  int64_t bytes = 0;   // with its header
  LogRecordKind kind = LogRecordKind::kEntries;
  std::string_view body;
};
// The record at the beginning of `bytes`, which stand at `offset` of the segment; none: there is none that is whole.
std::optional<LogRecord> DecodeLogRecord(std::string_view bytes, uint64_t segment, int64_t offset);
// The same without looking at the CRC, for bytes that never left memory.
std::optional<LogRecord> ParseLogRecord(std::string_view bytes, int64_t offset);

// The frame at `offset` of a whole segment: header and records, or none where one of them is not whole.
struct LogFrame {
  FrameHeader header;
  std::vector<LogRecord> records;
  int64_t end = 0;  // of its last record, aligned
};
std::optional<LogFrame> DecodeLogFrame(std::string_view segment, uint64_t number, int64_t offset);
// The records of the frame at `offset`. `records` are the bytes behind its header, as many as that counts.
std::optional<LogFrame> DecodeLogFrame(const FrameHeader& header, std::string_view records, int64_t offset);

// Decode a body. INTERNAL: it is malformed, and was written so.
struct EntriesBody {
  TabletId tablet;
  Lsn first;
  std::vector<std::string_view> entries;
};
struct CutBody {
  TabletId tablet;
  Lsn lsn;
};
struct PutBody {
  std::string_view key;
  std::string_view value;
};
Result<EntriesBody> DecodeEntries(std::string_view body);
Result<PutBody> DecodePut(std::string_view body);
Result<CutBody> DecodeCut(std::string_view body);

constexpr int64_t AlignUp(int64_t offset, int64_t to) { return (offset + to - 1) / to * to; }

}  // namespace ebla::tabletserver

#include "tabletserver/storage/log/log_format.h"

#include <wiredtiger.h>

#include <bit>
#include <cstring>

#include "common/base/encoding.h"

namespace ebla::tabletserver {

namespace {

static_assert(std::endian::native == std::endian::little, "fixed numbers are copied as they are");

constexpr std::string_view kMagic = "EBLALOG1";
constexpr size_t kSegmentHeader = 48;

// WiredTiger's, which uses the processor's instruction.
uint32_t Crc32c(std::string_view bytes) {
  static const auto function = wiredtiger_crc32c_func();
  return function(bytes.data(), bytes.size());
}

// Of a place: what is whole elsewhere, or was here in another life of the file, is not whole here.
uint32_t PlaceMark(uint64_t segment, int64_t offset) {
  uint64_t mixed = segment * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(offset);
  mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9u;
  return static_cast<uint32_t>(mixed >> 32);
}

template <class Number>
void PutFixed(Number number, char*& out) {
  std::memcpy(out, &number, sizeof number);
  out += sizeof number;
}

template <class Number>
Number TakeFixed(const char*& in) {
  Number number;
  std::memcpy(&number, in, sizeof number);
  in += sizeof number;
  return number;
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string block(kLogBlock, '\0');
  std::memcpy(block.data(), kMagic.data(), kMagic.size());
  char* out = block.data() + 16;
  PutFixed(header.log, out);
  PutFixed(header.number, out);
  PutFixed(header.first_sequence, out);
  char* crc = block.data() + 8;
  PutFixed(Crc32c({block.data() + 16, kSegmentHeader - 16}), crc);
  return block;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view block) {
  if (block.size() < kSegmentHeader || !block.starts_with(kMagic)) return std::nullopt;
  const char* in = block.data() + 8;
  if (TakeFixed<uint32_t>(in) != Crc32c(block.substr(16, kSegmentHeader - 16))) return std::nullopt;
  in = block.data() + 16;
  SegmentHeader header;
  header.log = TakeFixed<uint64_t>(in);
  header.number = TakeFixed<uint64_t>(in);
  header.first_sequence = TakeFixed<uint64_t>(in);
  return header;
}

void EncodeFrameHeader(const FrameHeader& header, char* out) {
  char* const begin = out;
  out += 4;
  PutFixed(header.bytes, out);
  PutFixed(header.segment, out);
  PutFixed(header.sequence, out);
  PutFixed(header.synced, out);
  PutFixed(header.records, out);
  PutFixed(uint32_t{0}, out);
  out = begin;
  PutFixed(Crc32c({begin + 4, kFrameHeader - 4}), out);
}

std::optional<FrameHeader> DecodeFrameHeader(std::string_view bytes) {
  if (bytes.size() < kFrameHeader) return std::nullopt;
  const char* in = bytes.data();
  if (TakeFixed<uint32_t>(in) != Crc32c(bytes.substr(4, kFrameHeader - 4))) return std::nullopt;
  FrameHeader header;
  header.bytes = TakeFixed<uint32_t>(in);
  header.segment = TakeFixed<uint64_t>(in);
  header.sequence = TakeFixed<uint64_t>(in);
  header.synced = TakeFixed<uint64_t>(in);
  header.records = TakeFixed<uint32_t>(in);
  return header;
}

char* FormatRecord(LogRecordKind kind, int64_t body_bytes, char* out) {
  PutFixed(uint32_t{0}, out);
  PutFixed(static_cast<uint32_t>(body_bytes), out);
  *out++ = static_cast<char>(kind);
  return out;
}

int64_t SealRecords(char* records, uint32_t count, uint64_t segment, int64_t offset) {
  char* at = records;
  for (; count > 0; --count) {
    const char* in = at + 4;
    const size_t size = kRecordHeader + TakeFixed<uint32_t>(in);
    char* out = at;
    PutFixed(Crc32c({at + 4, size - 4}) ^ PlaceMark(segment, offset + (at - records)), out);
    at += size;
  }
  return at - records;
}

std::optional<LogRecord> ParseLogRecord(std::string_view bytes, int64_t offset) {
  if (bytes.size() < kRecordHeader) return std::nullopt;
  const char* in = bytes.data() + 4;
  const auto size = TakeFixed<uint32_t>(in);
  if (bytes.size() - kRecordHeader < size) return std::nullopt;
  return LogRecord{.offset = offset,
                   .bytes = kRecordHeader + size,
                   .kind = static_cast<LogRecordKind>(*in),
                   .body = bytes.substr(kRecordHeader, size)};
}

std::optional<LogRecord> DecodeLogRecord(std::string_view bytes, uint64_t segment, int64_t offset) {
  const std::optional<LogRecord> record = ParseLogRecord(bytes, offset);
  if (!record) return std::nullopt;
  const char* in = bytes.data();
  const uint32_t crc = TakeFixed<uint32_t>(in) ^ PlaceMark(segment, offset);
  const bool whole = crc == Crc32c(bytes.substr(4, static_cast<size_t>(record->bytes) - 4));
  return whole ? record : std::nullopt;
}

std::optional<LogFrame> DecodeLogFrame(std::string_view segment, uint64_t number, int64_t offset) {
  if (offset > std::ssize(segment)) return std::nullopt;
  std::string_view rest = segment.substr(static_cast<size_t>(offset));
  const std::optional<FrameHeader> header = DecodeFrameHeader(rest);
  if (!header || header->segment != number || rest.size() - kFrameHeader < header->bytes) return std::nullopt;
  return DecodeLogFrame(*header, rest.substr(kFrameHeader, header->bytes), offset);
}

std::optional<LogFrame> DecodeLogFrame(const FrameHeader& header, std::string_view records, int64_t offset) {
  if (records.size() != header.bytes) return std::nullopt;
  LogFrame frame{.header = header, .end = AlignUp(offset + kFrameHeader + header.bytes, 8)};
  for (offset += kFrameHeader; !records.empty();) {
    const std::optional<LogRecord> record = DecodeLogRecord(records, header.segment, offset);
    if (!record) return std::nullopt;
    frame.records.push_back(*record);
    records.remove_prefix(static_cast<size_t>(record->bytes));
    offset += record->bytes;
  }
  if (frame.records.size() != header.records) return std::nullopt;
  return frame;
}

Result<EntriesBody> DecodeEntries(std::string_view body) {
  ByteReader reader(body);
  EntriesBody decoded{.tablet = TabletId{reader.Varint()}, .first = Lsn{reader.Varint()}, .entries = {}};
  decoded.entries.resize(reader.Count(1));
  for (std::string_view& entry : decoded.entries) entry = reader.Bytes();
  EBLA_TRY(reader.Finish("a log record of entries"));
  return decoded;
}

Result<PutBody> DecodePut(std::string_view body) {
  ByteReader reader(body);
  PutBody decoded;
  decoded.key = reader.Bytes();
  decoded.value = reader.Rest();
  EBLA_TRY(reader.Finish("a log record of a value"));
  return decoded;
}

Result<CutBody> DecodeCut(std::string_view body) {
  ByteReader reader(body);
  const CutBody decoded{.tablet = TabletId{reader.Varint()}, .lsn = Lsn{reader.Varint()}};
  EBLA_TRY(reader.Finish("a log record of a cut"));
  return decoded;
}

}  // namespace ebla::tabletserver

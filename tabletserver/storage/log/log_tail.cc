#include "tabletserver/storage/log/log_tail.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace ebla::tabletserver {

namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

int64_t Padding(int64_t bytes) { return AlignUp(bytes, 8) - bytes; }

}  // namespace

bool LogTail::HasRoom(int64_t bytes) const { return open_ && chunk_->size - chunk_->used >= bytes + 8; }

void LogTail::Begin(uint64_t segment, int64_t offset, uint64_t sequence, int64_t bytes) {
  const int64_t needed = kFrameHeader + bytes + 8;
  if (!chunk_ || chunk_->size - chunk_->used < needed) {
    chunk_ = std::make_shared<Chunk>(std::max(kChunkBytes, needed));
  }
  auto frame = std::make_shared<Frame>(Frame{.segment = segment, .offset = offset, .sequence = sequence});
  frame->begin = chunk_->bytes.get() + chunk_->used;
  frame->bytes = kFrameHeader;
  frame->chunk = chunk_;
  chunk_->used += kFrameHeader;
  frames_.push_back(std::move(frame));
  open_ = true;
}

LogTail::Record LogTail::Add(LogRecordKind kind, int64_t body_bytes) {
  Frame& frame = last();
  const LogPlace place{frame.segment, frame.end(), kRecordHeader + body_bytes};
  char* const body = FormatRecord(kind, body_bytes, frame.begin + frame.bytes);
  frame.bytes += place.bytes;
  chunk_->used += place.bytes;
  ++frame.records;
  return {place, body};
}

void LogTail::Close() {
  Frame& frame = last();
  const int64_t padding = Padding(frame.bytes);
  std::memset(frame.begin + frame.bytes, 0, static_cast<size_t>(padding));
  frame.bytes += padding;
  chunk_->used += padding;
  bytes_ += frame.bytes;
  open_ = false;
}

std::vector<LogTail::FramePtr> LogTail::After(uint64_t sequence) const {
  const auto first = std::ranges::upper_bound(frames_, sequence, {}, &Frame::sequence);
  return {first, frames_.end() - (open_ ? 1 : 0)};
}

LogTail::FramePtr LogTail::Find(const LogPlace& place) const {
  const auto position = [](const FramePtr& frame) { return std::tuple(frame->segment, frame->offset); };
  auto after = std::ranges::upper_bound(frames_, std::tuple(place.segment, place.offset), {}, position);
  if (after == frames_.begin()) return nullptr;
  const FramePtr& frame = *--after;
  return frame->segment == place.segment && place.offset + place.bytes <= frame->end() ? frame : nullptr;
}

void LogTail::Trim(uint64_t written, int64_t bytes_max) {
  while (bytes_ > bytes_max && !frames_.empty() && frames_.front()->sequence <= written) {
    bytes_ -= frames_.front()->bytes;
    frames_.pop_front();
  }
}

void Seal(LogTail::Frame& frame, uint64_t synced) {
  const int64_t records =
      SealRecords(frame.begin + kFrameHeader, frame.records, frame.segment, frame.offset + kFrameHeader);
  EncodeFrameHeader({.bytes = static_cast<uint32_t>(records),
                     .segment = frame.segment,
                     .sequence = frame.sequence,
                     .synced = synced,
                     .records = frame.records},
                    frame.begin);
}

}  // namespace ebla::tabletserver

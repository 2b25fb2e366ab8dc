#include "tabletserver/storage/log/log_writer.h"

namespace ebla::tabletserver {

Status LogWriter::Begin(const SegmentHeader& header, int64_t bytes) {
  EBLA_ASSIGN(file_, disk_.Create(header.number, bytes));
  header_ = header;
  written_ = needed_ = header.first_sequence - 1;
  bytes_ = bytes;
  end_ = kLogBlock;
  counts_.synced = written_;
  return file_->Write(0, EncodeSegmentHeader(header));
}

Status LogWriter::Write(LogTail::Frame& frame) {
  Seal(frame, counts_.synced);
  EBLA_TRY(file_->Write(frame.offset, {frame.begin, static_cast<size_t>(frame.bytes)}));
  written_ = frame.sequence;
  if (!frame.only_marks) needed_ = frame.sequence;
  end_ = frame.end();
  unstarted_bytes_ += frame.bytes;
  counts_.bytes.fetch_add(frame.bytes, std::memory_order_relaxed);
  return {};
}

Status LogWriter::Sync() {
  counts_.syncs.fetch_add(1, std::memory_order_relaxed);
  EBLA_TRY(file_->Sync());
  counts_.synced = written_;
  counts_.SetExtent({.log = header_.log,
                     .last_segment = header_.number,
                     .last_bytes = bytes_,
                     .end = {header_.log, header_.number, end_, written_ + 1},
                     .needed = needed_});
  unstarted_bytes_ = 0;
  return {};
}

void LogWriter::StartWriting() {
  file_->StartWriting();
  unstarted_bytes_ = 0;
}

bool LogWriter::WritesInMemory(std::span<const LogTail::FramePtr> frames) const {
  constexpr int64_t kUnstartedMax = int64_t{512} << 10;
  int64_t bytes = unstarted_bytes_;
  for (const LogTail::FramePtr& frame : frames) {
    bytes += frame->bytes;
    if (!Writes(frame->segment)) return false;
  }
  return bytes <= kUnstartedMax;
}

}  // namespace ebla::tabletserver

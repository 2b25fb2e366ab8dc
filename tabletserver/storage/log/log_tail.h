// tabletserver/storage/log/log_tail.h
// The end of a log in memory: the frame that is being filled, those that wait to be written, and written ones for
// readers that keep up.
// How:        consecutive frames lie in chunks of memory whose bytes never move. The holder of a FramePtr may read its
//             records, also while the frame is filled, sealed or written. Nothing is copied twice.
// Threads:    thread-compatible, but that a frame's records may be read by any thread that got it under the owner's
//             lock.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "tabletserver/storage/log/log_format.h"
#include "tabletserver/storage/log/log_index.h"

namespace ebla::tabletserver {

class LogTail {
 public:
  struct Chunk {
    explicit Chunk(int64_t size) : bytes(new char[static_cast<size_t>(size)]), size(size) {}
    const std::unique_ptr<char[]> bytes;
    const int64_t size;
    int64_t used = 0;
  };
  struct Frame {
    uint64_t segment = 0;
    int64_t offset = 0;
    uint64_t sequence = 0;
    uint32_t records = 0;
    int64_t bytes = 0;        // with the header
    bool only_marks = false;  // it tells what was on the disk, and holds nothing else
    char* begin = nullptr;
    std::shared_ptr<Chunk> chunk;
    int64_t end() const { return offset + bytes; }
    // The bytes at that place of the segment; the frame holds them.
    std::string_view At(const LogPlace& place) const {
      return {begin + (place.offset - offset), static_cast<size_t>(place.bytes)};
    }
  };
  using FramePtr = std::shared_ptr<Frame>;

  bool open() const { return open_; }
  // Whether a frame is open.
  Frame& last() { return *frames_.back(); }
  // True where the open frame has memory for records of so many bytes more.
  bool HasRoom(int64_t bytes) const;
  // Opens a frame with memory for records of so many bytes.
  void Begin(uint64_t segment, int64_t offset, uint64_t sequence, int64_t bytes);
  // A record with room for its body, which the caller fills, in the open frame. It has no CRC yet.
  struct Record {
    LogPlace place;
    char* body;
  };
  Record Add(LogRecordKind kind, int64_t body_bytes);
  void Close();

  // Closed frames after this one, in order.
  std::vector<FramePtr> After(uint64_t sequence) const;
  // The frame that holds the record; null: it has left memory.
  FramePtr Find(const LogPlace& place) const;
  // Forgets the oldest frames up to `written`, as far as that is needed to hold no more than `bytes_max`.
  void Trim(uint64_t written, int64_t bytes_max);

 private:
  std::deque<FramePtr> frames_;
  bool open_ = false;
  int64_t bytes_ = 0;
  std::shared_ptr<Chunk> chunk_;
};

// CRCs and header, of a closed frame. `synced` as in FrameHeader. Changes nothing that a reader of records reads.
void Seal(LogTail::Frame& frame, uint64_t synced);

}  // namespace ebla::tabletserver

// tabletserver/storage/buffer/byte_arena.h
// Memory that is allocated piece by piece and freed all at once.
// Threads: thread-compatible; bytes() from any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ebla::tabletserver {

class ByteArena {
 public:
  // Aligned for a pointer; valid until the arena is destroyed.
  char* Allocate(size_t bytes) {
    bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (bytes > left_) AddBlock(bytes);
    char* const at = next_;
    next_ += bytes;
    left_ -= bytes;
    return at;
  }
  // The size of all blocks.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kAlignment = alignof(void*);
  // The blocks double, so that the buffer of a table with few writes stays small.
  static constexpr size_t kFirstBlock = 1 << 10;
  static constexpr size_t kLastBlock = 256 << 10;

  void AddBlock(size_t bytes) {
    const size_t size = std::max(bytes, next_block_);
    next_block_ = std::min(2 * next_block_, kLastBlock);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    next_ = blocks_.back().get();
    left_ = size;
    bytes_.store(bytes_.load(std::memory_order_relaxed) + static_cast<int64_t>(size), std::memory_order_relaxed);
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t next_block_ = kFirstBlock;
  std::atomic<int64_t> bytes_{0};
};

}  // namespace ebla::tabletserver

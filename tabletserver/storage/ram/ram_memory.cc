#include "tabletserver/storage/ram/ram_memory.h"

#include <glog/logging.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

// jemalloc's (jemalloc.h, 5.x); null where another malloc is linked.
extern "C" {
void* mallocx(size_t bytes, int flags) __attribute__((weak));
void dallocx(void* block, int flags) __attribute__((weak));
int mallctl(const char* name, void* old, size_t* old_bytes, void* next, size_t next_bytes) __attribute__((weak));
}

namespace ebla::tabletserver {
namespace {

// A table of a few pages is all beginnings of pages: that says nothing of a large one.
constexpr size_t kJudgedFrom = size_t{16} << 20;

template <class T>
bool Read(const std::string& name, T& value) {
  size_t bytes = sizeof value;
  return mallctl(name.c_str(), &value, &bytes, nullptr, 0) == 0;
}

class Arena {
 public:
  Arena() {
    if (mallocx == nullptr || dallocx == nullptr || mallctl == nullptr) return;
    if (!Read("arenas.create", index_) || !Read("arenas.page", page_)) return;
    // Pages that are free go back within a second, not ten.
    ssize_t decay_ms = 1'000;
    const std::string decay = "arena." + std::to_string(index_) + ".dirty_decay_ms";
    mallctl(decay.c_str(), nullptr, nullptr, &decay_ms, sizeof decay_ms);
    constexpr int kNoThreadCache = 1 << 8;  // MALLOCX_TCACHE_NONE: else records would come out of any arena
    flags_ = static_cast<int>((index_ + 1) << 20) | kNoThreadCache;
  }

  int flags() const { return flags_; }  // 0: there is none
  double Overhead() const {
    uint64_t epoch = 1;
    size_t epoch_bytes = sizeof epoch;
    mallctl("epoch", &epoch, &epoch_bytes, &epoch, sizeof epoch);  // else the figures are of the last time
    const std::string stats = "stats.arenas." + std::to_string(index_) + ".";
    size_t pages = 0, small = 0, large = 0;
    if (!Read(stats + "pactive", pages) || !Read(stats + "small.allocated", small) ||
        !Read(stats + "large.allocated", large) || small + large < kJudgedFrom) {
      return 1;
    }
    return std::max(1.0, static_cast<double>(pages * page_) / static_cast<double>(small + large));
  }

 private:
  unsigned index_ = 0;
  size_t page_ = 0;
  int flags_ = 0;
};

const Arena& TheArena() {
  static const Arena arena;
  return arena;
}

std::atomic<double> ram_overhead{1};

}  // namespace

void* RamMemory::Allocate(size_t bytes) {
  const int flags = TheArena().flags();
  void* const block = flags != 0 ? mallocx(bytes, flags) : std::malloc(bytes);
  CHECK(block != nullptr) << "no memory for a record of " << bytes << " bytes";
  return block;
}

void RamMemory::Free(void* block) {
  if (const int flags = TheArena().flags(); flags != 0) return dallocx(block, flags);
  std::free(block);
}

int64_t RamMemory::BytesOf(const void* block) {
  return static_cast<int64_t>(malloc_usable_size(const_cast<void*>(block)));
}

double RamMemory::Overhead() { return ram_overhead.load(std::memory_order_relaxed); }

void RamMemory::Look() {
  if (TheArena().flags() != 0) ram_overhead.store(TheArena().Overhead(), std::memory_order_relaxed);
}

}  // namespace ebla::tabletserver

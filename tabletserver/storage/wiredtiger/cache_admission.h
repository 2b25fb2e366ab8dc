// tabletserver/storage/wiredtiger/cache_admission.h
// Decides whether a page that a read brings from the disk is to stay in the cache.
// Why:     data far beyond memory brings a page for nearly every read. Eviction that looks for so many pages to remove
//          took a quarter of the server's processor time, and removed pages that are read often.
// How:     with room in the cache every page stays. In a full one a page leaves with its reader, but for one read in
//          sixteen, so that a page stays once it is read often.
// Source:  the bimodal insertion of Qureshi, Jaleel, Patt, Steely and Emer, "Adaptive insertion policies for high
//          performance caching", ISCA 2007.
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace ebla::tabletserver {

enum class PageUse : uint8_t { kAgain, kOnce };  // kOnce: it leaves the cache with its reader
inline constexpr int kPageUses = 2;

class CacheAdmission {
 public:
  static constexpr int kFullPercent = 76;  // a little below 80, where eviction begins
  static constexpr uint64_t kReadsForOne = 16;

  explicit CacheAdmission(int64_t cache_bytes) : full_bytes_(cache_bytes / 100 * kFullPercent) {}

  // So many bytes are in the cache at present.
  void NoteUsed(int64_t bytes) { full_.store(bytes >= full_bytes_, std::memory_order_relaxed); }

  // The use of pages that the caller's next read brings.
  PageUse ForNextRead() const {
    if (!full_.load(std::memory_order_relaxed)) return PageUse::kAgain;
    // Random, because callers' keys may repeat after as many reads (D. Knuth's MMIX generator).
    thread_local uint64_t random = 1;
    random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    return (random >> 32) % kReadsForOne == 0 ? PageUse::kAgain : PageUse::kOnce;
  }

 private:
  const int64_t full_bytes_;
  std::atomic<bool> full_{false};
};

}  // namespace ebla::tabletserver

// tabletserver/storage/in_memory/in_memory_arenas.h
// The memory of records, trees and indexes: arenas of jemalloc for them alone, so that jemalloc can tell how much they
// really take. Blocks of one size share pages. Records that change their sizes leave partly empty pages, and wholly
// empty ones that are not given back yet. Such memory is resident and unused. A bound that did not count it would be
// exceeded by a half.
// Two:     records can be moved together, so that pages become free; nodes of trees and indexes cannot.
// Returns: each Look() gives empty pages of the whole process back to the system if they are many, because other
//          threads' arenas would keep the pages of large requests for ten seconds.
// How:     jemalloc is found at run time. The servers have it, tests and sanitizers do not. Without it malloc serves,
//          and pages are unknown.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ebla::tabletserver {

class InMemoryArenas {
 public:
  enum class For : uint8_t { kRecords, kIndexes };
  // Larger blocks have pages of their own.
  static constexpr int64_t kSharesPagesMax = 14 << 10;

  // Never null: a process that has no memory left ends.
  static void* Allocate(size_t bytes, For what = For::kRecords);
  static void Free(void* block);
  // The bytes that the allocator gave.
  static int64_t BytesOf(const void* block);
  // Whether a block that holds so many bytes is about as large as others need.
  static bool IsBlockFor(const void* block, size_t held, size_t wanted);

  // How much memory all of it keeps resident for each byte that was given: 1 or more, at the latest Look().
  static double Overhead();
  // The same at worst: as if only half of what was freed since that Look() had left room for what was allocated since.
  // If small records make room for large ones, less room is left. After an old Look(), none is.
  static double OverheadAtWorst();
  // The memory that the allocator keeps resident and unused in the whole process, beside these blocks, above the least
  // amount seen. Short-lived logs and requests leave it. Covers the last seconds.
  static int64_t KeptElsewhere();
  // How much memory the pages with records take for each byte, and so how much compaction could give back.
  static double Sparseness();
  // Asks the allocator, which takes a fraction of a millisecond.
  static void Look();
};

// For containers of Abseil's and the library's.
template <class T>
struct InMemoryAllocator {
  using value_type = T;
  using is_always_equal = std::true_type;

  InMemoryAllocator() = default;
  template <class U>
  InMemoryAllocator(const InMemoryAllocator<U>&) {}
  static T* allocate(size_t count) {
    return static_cast<T*>(InMemoryArenas::Allocate(count * sizeof(T), InMemoryArenas::For::kIndexes));
  }
  static void deallocate(T* block, size_t) { InMemoryArenas::Free(block); }
  friend bool operator==(const InMemoryAllocator&, const InMemoryAllocator&) { return true; }
};

}  // namespace ebla::tabletserver

// tabletserver/storage/in_memory/in_memory_arenas.h
// Where the memory of records, trees and indexes comes from: arenas of jemalloc's for them alone, so that what they really
// take can be asked of it. Blocks of one size share pages; where records change their sizes, pages stay that are partly
// empty, and others that are wholly empty and not given back yet. That memory is resident and nobody's, and a bound that
// knew nothing of it would be passed by a half.
// Two:     records can be moved together, so that pages become free; nodes of trees and indexes cannot.
// Returns: what is empty goes back to the system at each Look() where it has become much, in the whole process: other
//          threads' arenas would keep what large requests leave for ten seconds.
// How:     jemalloc is looked for at run time: it is part of the servers, and of no test or sanitizer. Without it,
//          malloc; then nothing is known of pages.
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
  // What the allocator gave.
  static int64_t BytesOf(const void* block);
  // Whether a block that holds so many bytes is about as large as others need.
  static bool IsBlockFor(const void* block, size_t held, size_t wanted);

  // How much memory all of it keeps resident for each byte that was given: 1 or more. As of the latest Look().
  static double Overhead();
  // The same at worst: as if only half of what was freed since that Look() had left room for what was allocated since.
  // Where small records go to make room for large ones less does. Of a Look that is old, none.
  static double OverheadAtWorst();
  // What the allocator keeps resident in the whole process, beside these blocks, without having given it to anybody,
  // beyond the least that it kept so: what comes and goes leaves it in logs and requests. Of the last seconds.
  static int64_t KeptElsewhere();
  // Of the pages that have records, what they take for each byte: what moving them together could give back.
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

// tabletserver/storage/ram/ram_memory.h
// Where records' memory comes from: an arena of jemalloc's for them alone, so that what they really take can be asked
// of it. Blocks of one size share pages; where records change their sizes, pages stay that are partly empty. That memory
// is resident and nobody's, and a bound that knew nothing of it would be passed by a half.
// How:     jemalloc is looked for at run time: it is part of the servers, and of no test or sanitizer. Without it,
//          malloc; then nothing is known of pages.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ebla::tabletserver {

class RamMemory {
 public:
  // Never null: a process that has no memory left ends.
  static void* Allocate(size_t bytes);
  static void Free(void* block);
  // What the allocator gave.
  static int64_t BytesOf(const void* block);

  // How much the pages of all records take for each byte that records were given: 1 or more. As of the latest Look().
  static double Overhead();
  // Asks the allocator, which takes a fraction of a millisecond.
  static void Look();
};

}  // namespace ebla::tabletserver

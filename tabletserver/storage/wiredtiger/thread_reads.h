// tabletserver/storage/wiredtiger/thread_reads.h
// How often the calling thread has read from files, as the kernel counts it (proc(5), /proc/thread-self/io): the
// difference over a read of the store is the pages that its cache lacked. WiredTiger 3.2.1 has counters for sessions,
// but leaves them at zero.
// Cost:    a system call, some 1.3 us: more than many a read, so one in many is watched (TimedRead in
//          read_path.cc).
// Threads: any; each is told of its own.
#pragma once

#include <cstdint>
#include <optional>

namespace ebla::tabletserver {

// None: the kernel does not count, or does not tell.
std::optional<uint64_t> ThreadReads();

}  // namespace ebla::tabletserver

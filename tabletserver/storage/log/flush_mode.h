// tabletserver/storage/log/flush_mode.h
// How far a flush takes what was appended to the log.
// Threads: values.
#pragma once

#include <cstdint>

namespace ebla::tabletserver {

enum class FlushMode : uint8_t {
  kSync,      // to the disk
  kInterval,  // to the operating system; fsynced after an interval (log_flusher.h)
  kMemory,    // nowhere, and no call: of a table in memory alone, what was appended is as durable as it ever will be
};

}  // namespace ebla::tabletserver

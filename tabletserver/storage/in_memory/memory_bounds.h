// tabletserver/storage/in_memory/memory_bounds.h
// How much tables in memory may take, how much they take, and the victims of eviction.
// Place:   in_memory_store.h answers with these.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/ids.h"

namespace ebla::tabletserver {

// The victims of a full table. Also the number in in_memory/eviction.h's tests: only ever add.
enum class Eviction : uint8_t {
  kNone = 0,  // nothing: writes that take memory are refused
  kLru = 1,   // what was not read or written for long
  kLfu = 2,   // what was read and written seldom
  kTtl = 3,   // what expires soonest; never what does not expire
};

struct MemoryBounds {
  int64_t limit_bytes = 0;  // on this server; 0: the server's limit alone
  Eviction eviction = Eviction::kNone;
};

struct MemoryUse {
  TableId table;
  int64_t bytes = 0;      // of memory: records with their share of the tree, and logs
  int64_t log_bytes = 0;  // of these, the logs'
  int64_t records = 0;
  int64_t limit_bytes = 0;  // the table's, or the server's where that is smaller; 0: none
  int64_t evicted = 0;      // records, since the start
  int64_t refused = 0;      // writes, since the start
};

// A table that exceeds its limit.
struct MemoryPressure {
  TableId table;
  double excess = 0;  // this part of what it takes has to be evicted
  bool full = false;  // no write that takes memory is admitted
};

// A record that eviction removes first.
struct EvictionVictim {
  std::string key;
  Version version;
  int64_t bytes = 0;  // that it takes
};

}  // namespace ebla::tabletserver

// tabletserver/storage/memory_tables.h
// What a store that keeps tables in memory alone can be asked about them, beyond the port (tablet_store.h): their
// bounds, what they take, and what they would forget first.
// Place:   in_memory/in_memory_store.h implements it; TabletStore::memory_tables() finds it.
// Threads: all members from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

// What goes first where a table is full. Also the number in in_memory/eviction.h's tests: only ever add.
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

// Of a table that takes more than it is to take.
struct MemoryPressure {
  TableId table;
  double excess = 0;  // this part of what it takes has to be evicted
  bool full = false;  // no write that takes memory is admitted
};

class MemoryTables {
 public:
  virtual ~MemoryTables() = default;

  // Makes the table, or changes what bounds it. What an older schema says is passed over.
  virtual void Ensure(TableId table, int64_t schema_version, const MemoryBounds& bounds) = 0;
  virtual bool Has(TableId table) const = 0;
  virtual std::vector<MemoryUse> Uses() const = 0;

  // OVERLOADED, saying whose limit, where a write that takes memory finds no room. A table that evicts is brought a little
  // below its limit, and comes to it only where eviction does not keep up.
  virtual Status Admit(TableId table) = 0;
  // Whether it makes room by itself.
  virtual bool Evicts(TableId table) const = 0;
  // OVERLOADED where the table, or all of them together, takes so much more than it may that no copy is to add to it.
  // What its source holds fits there, and may take a little more here. What is in `discarded` goes first, and does not
  // count: where there is no room with it, it is walked, a second for ten million records.
  virtual Status RoomForCopy(TableId table, const KeyRange* discarded = nullptr) const = 0;

  // How much of the table has to be evicted to bring it and the server below their limits. 0: nothing.
  virtual int64_t Excess(TableId table) const = 0;
  // Of those that take too much: the two above, as whoever leads their tablets is to know.
  virtual std::vector<MemoryPressure> Pressures() const = 0;
  // Asks the allocator what records really take, which the calls above go by. To be called every so often: it takes a
  // fraction of a millisecond.
  virtual void Measure() = 0;
  struct Victim {
    std::string key;
    Version version;
    int64_t bytes = 0;  // that it takes
  };
  // Of ranges whose primaries are here, in their order, what is to go first: about `bytes` together, `victims_max` at most,
  // none where the table's eviction finds nothing that may go.
  virtual std::vector<Victim> ChooseVictims(TableId table, std::span<const KeyRange> ranges, int64_t bytes,
                                            size_t victims_max) = 0;
  virtual void CountEvicted(TableId table, int64_t records) = 0;

  // Through where logs of its tablets may be truncated: what those have applied that have logged anything. No checkpoint is
  // needed for it.
  virtual std::map<TabletId, Lsn> AppliedOfLogs() const = 0;
  struct LogsUse {
    int64_t bytes = 0;    // of all logs
    int64_t tablets = 0;  // that have one
  };
  virtual LogsUse Logs() const = 0;
};

}  // namespace ebla::tabletserver

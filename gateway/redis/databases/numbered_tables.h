// gateway/redis/databases/numbered_tables.h
// The tables of the numbered databases, as the masters know them. Database 0 is the table that the gateway was given;
// database 7 is the table of that name with "-7" behind it. Makes missing tables if it is to, and knows about how many
// records each has, and the bounds of the memory of database 0's.
// Place:      redis_listener.h has one; open_tables.h has it make tables, and INFO and CONFIG GET show what it knows.
// Invariants: a table is made like that of database 0; with the cluster's usual replicas if it cannot have as many.
// Errors:     of Make: the SDK's; OVERLOADED if earlier requests took up the whole time.
// Threads:    any. Calls to a master block a thread of its own, on which `done` runs. Stop() precedes the destruction.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/mutex.h"
#include "common/rpc/event_loop.h"
#include "ebla/ebla.h"

namespace ebla::gateway::redis {

// `name`: a number, or the table's own name.
std::string TableOfDatabase(const std::string& first, const std::string& name);

// The bound of the memory of database 0's table on a server, and its eviction, in Redis's words.
struct MemoryBounds {
  uint64_t bytes_max = 0;  // 0: no limit, or a table on disk
  std::string_view policy = "noeviction";
  int64_t evicted = 0;  // keys, since its servers started
};

MemoryBounds BoundsOf(const TableInfo& table);

class NumberedTables {
 public:
  // `first`: the table of database 0.
  NumberedTables(Client client, std::string first, bool makes);
  ~NumberedTables() { Stop(); }

  void Start();
  // Calls in progress keep their deadline. Callers that wait get no answer any more.
  void Stop();

  // Whether missing tables of this database are made.
  bool Makes(const std::string& name) const;
  void Make(const std::string& name, Callback<Status> done);
  // The records of each database that has any, some seconds ago; expired records count until they are purged.
  std::map<int, int64_t> Records() const;
  // The bounds at a master's last answer.
  MemoryBounds Bounds() const;

 private:
  static constexpr std::chrono::seconds kCountEvery{10};
  static constexpr std::chrono::seconds kPatience{10};    // of a command that selects a database
  static constexpr std::chrono::seconds kForReplicas{3};  // for as many replicas as database 0 has

  Status MakeNow(const std::string& name) const;
  void Count();

  const Client client_;
  const std::string first_;
  const bool makes_;
  std::atomic<bool> stopped_ = false;

  mutable Mutex mutex_;
  std::map<int, int64_t> records_ EBLA_GUARDED_BY(mutex_);
  MemoryBounds bounds_ EBLA_GUARDED_BY(mutex_);

  rpc::EventLoop thread_{"tables"};
};

}  // namespace ebla::gateway::redis

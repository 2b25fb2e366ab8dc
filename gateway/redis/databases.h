// The port through which a connection opens its databases.
// Place:   table_databases.h implements it over tables of a cluster; testing/memory_door.h in memory.
// Threads: any.
#pragma once

#include <memory>
#include <string>

#include "ebla/table.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

// A database is a table.
class Databases {
 public:
  virtual ~Databases() = default;

  // By a number, or a table's name; its keys are Redis's (keyed_store.h). NO_SUCH_TABLE: there is none, or it may not be
  // used.
  // `done` is called once, on any thread, perhaps within the call.
  virtual void Open(const std::string& name, const Read& read, Ack ack,
                    Callback<Result<std::shared_ptr<Store>>> done) = 0;
};

}  // namespace ebla::gateway::redis

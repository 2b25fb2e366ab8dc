// tools/ycsb/database.h
// The database under a workload: records of named fields in tables, as YCSB defines them.
// Place:   workload.h drives it; ebla_database.h is the real one; tests keep their records in memory.
// Errors:  a Status for each operation, whose code Return= shows. Errors that may pass were retried before.
// Threads: a Database belongs to one worker thread, which may have many operations under way; a Driver's members are
//          called from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tools/load/task_loop.h"

namespace ebla::ycsb {

struct Field {
  std::string name;
  std::string value;
  friend bool operator==(const Field&, const Field&) = default;
};
// A record, or some of its fields. Each name once.
using Fields = std::vector<Field>;

// The arguments of an operation outlive its task.
class Database {
 public:
  virtual ~Database() = default;

  // `names` empty: all fields. Fields that the record lacks are left out. NOT_FOUND when there is no record.
  virtual load::Task<Status> Read(std::string_view key, const std::vector<std::string>& names, Fields& fields) = 0;
  // The first `count` records at or after `key`, fewer at the table's end.
  virtual load::Task<Status> Scan(std::string_view key, uint64_t count, const std::vector<std::string>& names,
                                  std::vector<Fields>& records) = 0;
  // Writes these fields and leaves the record's others as they are. `whole`: they are all the fields there are, and
  // nothing needs to be merged.
  virtual load::Task<Status> Update(std::string_view key, const Fields& fields, bool whole) = 0;
  virtual load::Task<Status> Insert(std::string_view key, const Fields& fields) = 0;
};

class Driver {
 public:
  virtual ~Driver() = default;
  // Once, before any thread is started. `load`: makes the table when it is missing; else its absence is an error.
  virtual Status Prepare(bool load) = 0;
  // Opens a database for each worker thread, whose loop outlives it.
  virtual Result<std::unique_ptr<Database>> Open(load::TaskLoop& loop) = 0;
};

}  // namespace ebla::ycsb

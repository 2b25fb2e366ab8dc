// tools/ycsb/memory_database.h
// A database of one map, for the tests of this folder: it can be told to fail and to dawdle, and counts what was asked
// of it.
// Threads: a database is its loop's; the store is any thread's.
#pragma once

#include <algorithm>
#include <functional>
#include <map>

#include "common/base/mutex.h"
#include "tools/ycsb/database.h"
#include "tools/ycsb/record_codec.h"

namespace ebla::ycsb {

struct MemoryStore {
  Mutex mutex;  // held by the load; tests set and read what follows while none runs
  std::map<std::string, Fields, std::less<>> records;
  uint64_t calls = 0;
  uint64_t wholes = 0;                // updates that said they write the whole record
  std::vector<uint64_t> scanned;      // lengths asked for
  std::vector<size_t> names_read;     // how many fields each read asked for, 0: all
  std::function<Status()> fault;      // asked at each call
  std::chrono::nanoseconds delay{0};  // of each call
  int under_way = 0;
  int under_way_most = 0;
};

class MemoryDatabase : public Database {
 public:
  MemoryDatabase(MemoryStore& store, load::TaskLoop& loop) : store_(store), loop_(loop) {}

  load::Task<Status> Read(std::string_view key, const std::vector<std::string>& names, Fields& fields) override {
    return Answer([this, key, &names, &fields]() -> Status {
      store_.names_read.push_back(names.size());
      const auto it = store_.records.find(key);
      if (it == store_.records.end()) return Error(Code::kNotFound, "no record " + std::string(key));
      return DecodeRecord(EncodeRecord(it->second), names, fields);
    });
  }
  load::Task<Status> Scan(std::string_view key, uint64_t count, const std::vector<std::string>& names,
                          std::vector<Fields>& records) override {
    return Answer([this, key, count, &names, &records]() -> Status {
      store_.scanned.push_back(count);
      for (auto it = store_.records.lower_bound(key); it != store_.records.end() && records.size() < count; ++it)
        EBLA_TRY(DecodeRecord(EncodeRecord(it->second), names, records.emplace_back()));
      return Status::Ok();
    });
  }
  load::Task<Status> Update(std::string_view key, const Fields& fields, bool whole) override {
    return Answer([this, key, &fields, whole]() -> Status {
      store_.wholes += whole;
      const auto it = store_.records.find(key);
      if (it == store_.records.end()) return Error(Code::kNotFound, "no record " + std::string(key));
      MergeFields(fields, it->second);
      return Status::Ok();
    });
  }
  load::Task<Status> Insert(std::string_view key, const Fields& fields) override {
    return Answer([this, key, &fields] {
      store_.records[std::string(key)] = fields;
      return Status::Ok();
    });
  }

 private:
  template <class Operation>
  load::Task<Status> Answer(Operation operation) {
    {
      MutexLock lock(store_.mutex);
      store_.under_way_most = std::max(store_.under_way_most, ++store_.under_way);
    }
    if (store_.delay.count() > 0) co_await loop_.SleepFor(store_.delay);
    MutexLock lock(store_.mutex);
    --store_.under_way;
    ++store_.calls;
    Status fault = store_.fault ? store_.fault() : Status::Ok();
    co_return fault.ok() ? operation() : std::move(fault);
  }

  MemoryStore& store_;
  load::TaskLoop& loop_;
};

class MemoryDriver : public Driver {
 public:
  Status Prepare(bool) override { return prepare; }
  Result<std::unique_ptr<Database>> Open(load::TaskLoop& loop) override {
    return std::make_unique<MemoryDatabase>(store, loop);
  }

  MemoryStore store;
  Status prepare;  // what Prepare answers
};

}  // namespace ebla::ycsb

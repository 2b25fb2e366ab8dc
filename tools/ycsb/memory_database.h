// tools/ycsb/memory_database.h
// A database of one map, for the tests of this folder: it can be told to fail, and counts what was asked of it.
// Threads: any.
#pragma once

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
  uint64_t wholes = 0;             // updates that said they write the whole record
  std::vector<uint64_t> scanned;   // lengths asked for
  std::vector<size_t> names_read;  // how many fields each read asked for, 0: all
  std::function<Status()> fault;   // asked at each call
};

class MemoryDatabase : public Database {
 public:
  explicit MemoryDatabase(MemoryStore& store) : store_(store) {}

  Status Read(std::string_view key, const std::vector<std::string>& names, Fields& fields) override {
    MutexLock lock(store_.mutex);
    EBLA_TRY(Begin());
    store_.names_read.push_back(names.size());
    const auto it = store_.records.find(key);
    if (it == store_.records.end()) return Error(Code::kNotFound, "no record " + std::string(key));
    return DecodeRecord(EncodeRecord(it->second), names, fields);
  }
  Status Scan(std::string_view key, uint64_t count, const std::vector<std::string>& names,
              std::vector<Fields>& records) override {
    MutexLock lock(store_.mutex);
    EBLA_TRY(Begin());
    store_.scanned.push_back(count);
    for (auto it = store_.records.lower_bound(key); it != store_.records.end() && records.size() < count; ++it)
      EBLA_TRY(DecodeRecord(EncodeRecord(it->second), names, records.emplace_back()));
    return Status::Ok();
  }
  Status Update(std::string_view key, const Fields& fields, bool whole) override {
    MutexLock lock(store_.mutex);
    EBLA_TRY(Begin());
    store_.wholes += whole;
    const auto it = store_.records.find(key);
    if (it == store_.records.end()) return Error(Code::kNotFound, "no record " + std::string(key));
    MergeFields(fields, it->second);
    return Status::Ok();
  }
  Status Insert(std::string_view key, const Fields& fields) override {
    MutexLock lock(store_.mutex);
    EBLA_TRY(Begin());
    store_.records[std::string(key)] = fields;
    return Status::Ok();
  }

 private:
  Status Begin() EBLA_REQUIRES(store_.mutex) {
    ++store_.calls;
    return store_.fault ? store_.fault() : Status::Ok();
  }

  MemoryStore& store_;
};

class MemoryDriver : public Driver {
 public:
  Status Prepare(bool) override { return prepare; }
  Result<std::unique_ptr<Database>> Open() override { return std::make_unique<MemoryDatabase>(store); }

  MemoryStore store;
  Status prepare;  // what Prepare answers
};

}  // namespace ebla::ycsb

// client/include/ebla/table.h
// One table's data: single keys, batches, scans; each call blocking, or asynchronous with a callback.
// Errors:  NO_SUCH_TABLE once it has been dropped (created again under its name, it is found again by itself),
//          INVALID_ARGUMENT for what can never succeed, and what client/include/ebla/options.h says of deadlines.
//          NOT_FOUND and CONDITION_FAILED are answers, not faults.
// Threads: all members from any thread. Callbacks run on the client's own threads: they must not block, and must not
//          make blocking calls of this SDK; starting further asynchronous calls is fine. A callback may run before the
//          call that took it has returned. Each runs exactly once, at the latest when the client's last handle is
//          destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "ebla/options.h"

namespace ebla {

namespace client {
class TableHandle;
class TableAccess;
}  // namespace client

template <class T>
using Callback = std::move_only_function<void(T)>;
// One answer of many, with its place, called as each arrives, on several threads at a time.
template <class T>
using EachCallback = std::move_only_function<void(size_t, T) const>;

// One page of a scan, and what is left for the next.
struct ScanPage {
  std::vector<Row> rows;
  KeyRange remaining;  // hand back as ScanOptions::range, unless done
  bool done = false;
};

// Rows in order, fetched page by page as they are consumed:
//   for (auto scan = table.Scan({.range = KeyRange::Prefix("user")}); scan.Next();) Use(scan.key(), scan.record());
// A page of one tablet is one snapshot; each tablet has its own.
// Threads: one.
class Scanner {
 public:
  Scanner(Scanner&&) noexcept;
  Scanner& operator=(Scanner&&) noexcept;
  ~Scanner();

  // Moves to the next row, the first at first; false at the end and on an error, which status() then tells.
  bool Next();
  const std::string& key() const { return row_.key; }
  const Record& record() const { return row_.record; }
  const Row& row() const { return row_; }
  Row& row() { return row_; }  // may be moved from
  const Status& status() const { return status_; }

 private:
  friend class Table;
  struct Pages;
  Scanner(std::shared_ptr<client::TableHandle> table, ScanOptions options);

  std::unique_ptr<Pages> pages_;
  Row row_;
  Status status_;
};

class Table {
 public:
  Table(const Table&) = default;
  Table(Table&&) noexcept = default;
  Table& operator=(const Table&) = default;
  Table& operator=(Table&&) noexcept = default;
  ~Table();

  const std::string& name() const;

  Result<Record> Get(std::string_view key, GetOptions options = {}) const;
  // A function of the servers reads records of the key's group, in one snapshot and one round trip; returns its answer.
  // Functions that change records are applied by Write. INVALID_ARGUMENT: there is none of that name, or it refuses.
  Result<std::string> Call(std::string_view key, std::string_view function, std::string arguments,
                           GetOptions options = {}) const;
  // Each key has its own answer, in the order of the keys. Any number of keys, over any number of tablets.
  std::vector<Result<Record>> MultiGet(std::vector<std::string> keys, GetOptions options = {}) const;
  // At ANY it has no version yet, and what is returned is none.
  Result<Version> Put(std::string_view key, std::string_view value, PutOptions options = {}) const;
  // Deleting an absent key is OK, unless a condition forbids it.
  Status Delete(std::string_view key, DeleteOptions options = {}) const;
  // Adds to the decimal text of an int64 and returns the sum; an absent record counts as 0.
  Result<int64_t> Increment(std::string_view key, int64_t delta, IncrementOptions options = {}) const;
  // All of the batch or nothing. INVALID_ARGUMENT when it spans tablets.
  Result<BatchResult> Write(Batch batch, WriteOptions options = {}) const;
  // Each part for itself, with its own answer, in the order of the parts: cheaper than as many calls, as those of one
  // tablet go together. Any number of parts, over any number of tablets; each names a key that no other names.
  std::vector<Result<PartResult>> MultiWrite(std::vector<Batch::Part> parts, WriteOptions options = {}) const;
  Scanner Scan(ScanOptions options = {}) const;

  void AsyncGet(std::string_view key, GetOptions options, Callback<Result<Record>> done) const;
  void AsyncCall(std::string_view key, std::string_view function, std::string arguments, GetOptions options,
                 Callback<Result<std::string>> done) const;
  void AsyncMultiGet(std::vector<std::string> keys, GetOptions options,
                     Callback<std::vector<Result<Record>>> done) const;
  // Calls do not wait for each other, so a delayed one delays no other.
  void AsyncGetEach(std::vector<std::string> keys, GetOptions options, EachCallback<Result<Record>> each) const;
  void AsyncPut(std::string_view key, std::string_view value, PutOptions options, Callback<Result<Version>> done) const;
  void AsyncDelete(std::string_view key, DeleteOptions options, Callback<Status> done) const;
  void AsyncIncrement(std::string_view key, int64_t delta, IncrementOptions options,
                      Callback<Result<int64_t>> done) const;
  void AsyncWrite(Batch batch, WriteOptions options, Callback<Result<BatchResult>> done) const;
  void AsyncMultiWrite(std::vector<Batch::Part> parts, WriteOptions options,
                       Callback<std::vector<Result<PartResult>>> done) const;
  void AsyncWriteEach(std::vector<Batch::Part> parts, WriteOptions options,
                      EachCallback<Result<PartResult>> each) const;
  void AsyncScanPage(ScanOptions options, Callback<Result<ScanPage>> done) const;

 private:
  friend class client::TableAccess;
  explicit Table(std::shared_ptr<client::TableHandle> handle);

  std::shared_ptr<client::TableHandle> handle_;
};

}  // namespace ebla

// tabletserver/tablet/group_rows.h
// A key group as a function of a group sees it, and the bounds of all functions of a batch.
// Place:      write_evaluator.cc makes one for each call of a function.
// Invariants: nothing outside the group is shown (PROTOCOL 30).
// Threads:    thread-compatible.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/functions.h"
#include "tabletserver/tablet/logged_records.h"

namespace ebla::tabletserver {

// The room of a batch's functions together, because an entry has to fit in a peer's message and on a page of its log,
// and a shard does nothing else meanwhile. Whatever one function alone takes of one record fits.
class FunctionRoom {
 public:
  struct Bounds {
    size_t bytes = kBatchBytesMax;  // of records that are given to functions, and that come of them
    size_t rows = kFunctionRowsMax;
    size_t answer_bytes = kFunctionAnswerBytesMax;  // of each
    size_t answers_bytes = kFunctionAnswersBytesMax;
  };
  FunctionRoom() : FunctionRoom(Bounds{}) {}
  explicit FunctionRoom(const Bounds& bounds) : bounds_(bounds), left_(bounds) {}

  // INVALID_ARGUMENT: so much is not left, or the result is illegal by itself.
  Status TakeRow(size_t bytes);
  Status TakeAnswer(const FunctionResult& result);
  Status TakeChanges(const FunctionInput& input, const FunctionResult& result, const KeyRange& group);

  size_t rows_taken() const { return bounds_.rows - left_.rows; }
  size_t bytes_taken() const { return bounds_.bytes - left_.bytes; }
  bool rows_refused() const { return rows_refused_; }

 private:
  Status TakeBytes(size_t bytes);

  Bounds bounds_;
  Bounds left_;
  size_t effects_ = kFunctionEffectsMax;
  bool rows_refused_ = false;
};

// Refuses the change of a function that only reads.
Status CheckScope(const Function& function, const FunctionResult& result);

// The part of a key group's rows that is the same for all sources of records: the group's bounds and the room.
class BoundedGroupRows : public GroupRows {
 public:
  BoundedGroupRows(KeyRange group, FunctionRoom& room) : group_(std::move(group)), room_(room) {}

  const KeyRange& group() const override { return group_; }
  Result<std::optional<FunctionRow>> Get(std::string_view key) override;
  Result<std::vector<FunctionRow>> Scan(const RowScan& scan) override;
  Result<size_t> Count(const KeyRange& keys) override;

  // Not OK: the store could not be read, whatever the function made of that.
  const Status& store_failure() const { return store_failure_; }

 protected:
  // Valid during the visit only.
  struct Row {
    bool lives = false;
    std::string_view value = {};
    Version version = {};
    TabletTime expires_at = {};
  };
  using Visitor = std::function<bool(std::string_view key, const Row& row)>;

 private:
  // Shows the key's record, if there is one. An error is the store's.
  virtual Status Look(std::string_view key, const Visitor& visitor) = 0;
  // Shows the records within, in order, until the visitor returns false.
  virtual Status Walk(const ScanBounds& bounds, const Visitor& visitor) = 0;
  // Shows each live row, until `show` returns false.
  Status Visit(const RowScan& scan, const Visitor& show);

  const KeyRange group_;
  FunctionRoom& room_;
  Status store_failure_;
};

class LoggedGroupRows final : public BoundedGroupRows {
 public:
  LoggedGroupRows(KeyRange group, LoggedRecords& records, FunctionRoom& room)
      : BoundedGroupRows(std::move(group), room), records_(records) {}

 private:
  Status Look(std::string_view key, const Visitor& visitor) override;
  Status Walk(const ScanBounds& bounds, const Visitor& visitor) override;

  LoggedRecords& records_;
};

}  // namespace ebla::tabletserver

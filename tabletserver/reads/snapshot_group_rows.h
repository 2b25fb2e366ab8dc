// tabletserver/reads/snapshot_group_rows.h
// A key group as a function that reads sees it: one snapshot of the store, and with it what the log holds above, where
// its caller's session has seen that (PROTOCOL 16, 31).
// Place:   read_path.cc makes one for each call.
// Threads: thread-compatible; valid as long as the view.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/functions.h"
#include "tabletserver/reads/read_attempt.h"
#include "tabletserver/tablet/group_rows.h"

namespace ebla::tabletserver {

class SnapshotGroupRows final : public GroupRows {
 public:
  struct Snapshot {
    RecordStore::View& view;
    const SnapshotPosition& position;
    const LoggedSlice* logged;  // null: not looked at
  };
  SnapshotGroupRows(KeyRange group, Snapshot snapshot, ReadAttempt& attempt, FunctionRoom& room)
      : group_(std::move(group)), snapshot_(snapshot), attempt_(attempt), room_(room) {}

  const KeyRange& group() const override { return group_; }
  Result<std::optional<FunctionRow>> Get(std::string_view key) override;
  Result<std::vector<FunctionRow>> Scan(const RowScan& scan) override;
  Result<size_t> Count(const KeyRange& keys) override;

  // Not OK: the store could not be read, whatever the function made of that.
  const Status& store_failure() const { return store_failure_; }

 private:
  // Shows each live row of the group in these bounds, until `show` returns false.
  Status Visit(const RowScan& scan, const RecordStore::Visitor& show);

  const KeyRange group_;
  const Snapshot snapshot_;
  ReadAttempt& attempt_;
  FunctionRoom& room_;
  Status store_failure_;
};

}  // namespace ebla::tabletserver

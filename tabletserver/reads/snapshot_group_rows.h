// tabletserver/reads/snapshot_group_rows.h
// A key group as a function that reads sees it: one snapshot of the store, and with it what the log holds above, where
// its caller's session has seen that (PROTOCOL 16, 31).
// Place:   read_path.cc makes one for each call.
// Threads: thread-compatible; valid as long as the view.
#pragma once

#include <string_view>
#include <utility>

#include "tabletserver/reads/read_attempt.h"
#include "tabletserver/tablet/group_rows.h"

namespace ebla::tabletserver {

class SnapshotGroupRows final : public BoundedGroupRows {
 public:
  struct Snapshot {
    RecordStore::View& view;
    const SnapshotPosition& position;
    const LoggedSlice* logged;  // null: not looked at
  };
  SnapshotGroupRows(KeyRange group, Snapshot snapshot, ReadAttempt& attempt, FunctionRoom& room)
      : BoundedGroupRows(std::move(group), room), snapshot_(snapshot), attempt_(attempt) {}

 private:
  Status Look(std::string_view key, const Visitor& visitor) override;
  Status Walk(const ScanBounds& bounds, const Visitor& visitor) override;
  bool Show(std::string_view key, const StoredRecord& record, const Visitor& visitor) {
    return visitor(key, {attempt_.Lives(key, record), record.value, record.version, record.expires_at});
  }

  const Snapshot snapshot_;
  ReadAttempt& attempt_;
};

}  // namespace ebla::tabletserver

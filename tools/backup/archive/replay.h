// tools/backup/archive/replay.h
// What an archive adds to a backup so that tables are as they were at a moment: the changes between the two.
// Errors:  INVALID_ARGUMENT: the archive does not know every moment from the backup to the one that is wanted, and what
//          it knows; or it is damaged. Else as of archive_files.h.
// Threads: one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/backup/archive/archive_files.h"
#include "tools/backup/manifest.h"

namespace ebla::backup {

// "2026-11-25T04:30:00Z", with or without a fraction, or ms since 1970: the last of them. INVALID_ARGUMENT else.
Result<int64_t> ParseMoment(const std::string& text);

class Replay {
 public:
  // Of the cluster that the backup is of, from it to the moment.
  static Result<Replay> Open(BackupStore& store, const Manifest& backup, int64_t at_ms, const Key& key);

  // Whether it was there at that moment. INVALID_ARGUMENT: every moment from the backup on is not known.
  Result<bool> WasThere(const TablePart& table) const;
  // Those that were made about when the backup was, or later, and were there.
  std::vector<ArchivedTable> MadeSince() const;
  // All changes of all tables, by their ids, up to the moment, those that the backup has already among them; of each key
  // in their order.
  Status Read(const std::function<Status(uint64_t table, const UnresolvedEffect& change)>& visit) const;

 private:
  Replay(BackupStore& store, ArchiveIndex index, int64_t began_ms, int64_t at_ms, Key key)
      : store_(&store), index_(std::move(index)), began_ms_(began_ms), at_ms_(at_ms), key_(std::move(key)) {}

  BackupStore* store_;
  ArchiveIndex index_;
  int64_t began_ms_, at_ms_;
  Key key_;
  std::vector<ArchiveFile> files_;
};

// The newest finished backup that ended before the moment and from which the archive leads there. NOT_FOUND: none.
Result<std::string> BackupBefore(BackupStore& store, int64_t at_ms, const Key& key);

}  // namespace ebla::backup

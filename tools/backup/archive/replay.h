// tools/backup/archive/replay.h
// The changes from a backup to a moment, which an archive adds to the backup so that tables are as they were then.
// Errors:  INVALID_ARGUMENT, with the known moments: the archive lacks a moment between the backup and the wanted one,
//          or is damaged. Else as of archive_files.h.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clocks.h"
#include "tools/backup/archive/archive_files.h"
#include "tools/backup/manifest.h"

namespace ebla::backup {

// In ms since 1970: of "2026-11-25T04:30:00Z", with or without a fraction, "now", "5m ago", or that number itself.
Result<int64_t> ParseMoment(const std::string& text, int64_t now_ms = TimeOfDayMs());

class Replay {
 public:
  // Opens the archive of the backup's cluster, for the changes from the backup to the moment.
  static Result<Replay> Open(BackupStore& store, const Manifest& backup, int64_t at_ms, const Key& key);

  // Whether a table of the backup existed at that moment. INVALID_ARGUMENT: a moment since the backup is not known.
  Result<bool> WasThere(const TablePart& table) const;
  // Tables of this name (empty: of any name) that were created after the backup and existed at the moment.
  // INVALID_ARGUMENT: a moment of one of them is not known. A backup of everything, or with a table of this name, shows
  // which tables existed before.
  Result<std::vector<ArchivedTable>> MadeSince(const std::string& name) const;
  // All changes of all tables, by their ids, up to the moment, those that the backup has already among them; of each
  // key in their order.
  Status Read(const std::function<Status(uint64_t table, const UnresolvedEffect& change)>& visit) const;

 private:
  Replay(BackupStore& store, ArchiveIndex index, int64_t at_ms, Key key)
      : store_(&store), index_(std::move(index)), at_ms_(at_ms), key_(std::move(key)) {}
  bool IsGone(const ArchivedTable& table) const { return table.dropped_ms != 0 && table.dropped_ms <= at_ms_; }
  std::map<uint64_t, int64_t> Beginnings() const;
  // Was it made after the backup had begun, and by that moment, as far as looks into the catalog tell?
  bool WasMadeBetween(const ArchivedTable& table) const;

  BackupStore* store_;
  ArchiveIndex index_;
  int64_t began_ms_ = 0;  // the backup
  int64_t at_ms_;
  Key key_;
  std::set<uint64_t> in_backup_;
  std::vector<ArchiveFile> files_;
};

// The newest finished backup that ended before the moment, and has the table, or, without a name, everything.
// NOT_FOUND: there is none. INVALID_ARGUMENT: the store has backups of several clusters.
Result<std::string> BackupBefore(BackupStore& store, int64_t at_ms, const std::string& table, const Key& key);

}  // namespace ebla::backup

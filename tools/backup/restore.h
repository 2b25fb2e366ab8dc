// tools/backup/restore.h
// Restores tables of a backup, of any size, in their own cluster or in another: first the splits, then all records,
// many at a time.
// Records get new versions, and records that have expired meanwhile are left out. Deletes that a last_write_wins table
// remembers are not part of a backup.
// At a moment: the archive's changes since the backup are written after its records, in order for each key. Tables that
// were dropped by then are left out, and tables that were created since are created, too.
// Interrupted: `go_on` puts the records into the existing table, and overwrites records that are there.
// Errors:  TABLE_EXISTS; INVALID_ARGUMENT for a damaged backup, which is found before or while it is read; the first
//          error of a record that could not be written.
// Threads: one.
#pragma once

#include <functional>
#include <string>

#include "ebla/client.h"
#include "tools/backup/create.h"

namespace ebla::backup {

struct RestoreOptions {
  std::string name;
  std::string table;  // empty: all
  std::string as;     // the table's new name; empty: its own
  std::optional<int> replicas;
  Key key;
  size_t parallel = 256;
  bool go_on = false;
  bool settings = false;  // the cluster's, too, after all tables
  // Restores the state at this moment, ms since 1970, with the archive in the same store; none: the state in the
  // backup.
  std::optional<int64_t> at_ms;
  std::function<void(const Progress&)> progress = [](const Progress&) {};
  std::function<bool()> interrupted = [] { return false; };
};

struct Restored {
  uint64_t tables = 0, records = 0, expired = 0, settings = 0;
  uint64_t changes = 0;  // of the archive
};
Result<Restored> Restore(const Client& client, BackupStore& store, const RestoreOptions& options);

// Reads all of a backup, and, unless it is to be `alone`, of those that it follows: every byte is checked.
struct Verified {
  uint64_t files = 0, records = 0, file_bytes = 0;
};
Result<Verified> Verify(
    BackupStore& store, const std::string& name, const Key& key, bool alone = false,
    const std::function<void(const Progress&)>& progress = [](const Progress&) {});

}  // namespace ebla::backup

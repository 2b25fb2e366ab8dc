// tools/backup/restore.h
// Makes tables of a backup again, in the cluster it came from or in another, of any size: with its splits first, then
// all records, many at a time.
// Records get new versions, and those that have expired meanwhile are left out. Deletes that a last_write_wins table
// remembers are not part of a backup.
// At a moment: the archive's changes since the backup are written after its records, of each key in their order. Tables
// that were dropped by then are left out, and such as were made since are made, too.
// Interrupted: `go_on` puts the records into the table that is there already; a record that is there is overwritten.
// Errors:  TABLE_EXISTS; INVALID_ARGUMENT for a damaged backup, which is found before or while it is read; of a record
//          that could not be written, the first.
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
  // As everything was at this moment, ms since 1970, by the archive in the same store; none: as the backup has it.
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

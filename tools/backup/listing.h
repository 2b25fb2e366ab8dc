// tools/backup/listing.h
// Lists the backups in a store, and deletes one.
// Invariants: A backup that other backups build on stays. A backup whose deletion was interrupted is unfinished:
//             nothing is restored from it, and a second deletion continues the first.
// Errors:     the store's; NOT_FOUND, and INVALID_ARGUMENT for a backup that other backups need.
// Threads:    functions, and values.
#pragma once

#include <string>
#include <vector>

#include "tools/backup/manifest.h"

namespace ebla::backup {

struct Listed {
  std::string name, problem;  // why it cannot be read; empty: it can
  bool finished = true;
  Manifest manifest;
};

// The oldest first.
Result<std::vector<Listed>> ListAll(BackupStore& store, const Key& key);

// NOT_FOUND, with the backups that the store has.
Error NoSuchBackup(BackupStore& store, const std::string& name, const Key& key);

Status Delete(BackupStore& store, const std::string& name, const Key& key);

}  // namespace ebla::backup

// tools/backup/directory_store.h
// Backups in a directory of a file system. An object is a file; until it is finished, its name ends with .unfinished;
// Files are readable by their owner alone, as they hold all data. List() shows also those that a killed process left,
// and Delete() takes them away.
// Errors:  as of backup_store.h; INTERNAL for what cannot be written.
// Threads: thread-compatible.
#pragma once

#include "tools/backup/backup_store.h"

namespace ebla::backup {

class DirectoryStore : public BackupStore {
 public:
  explicit DirectoryStore(std::string directory) : directory_(std::move(directory)) {}

  Result<std::unique_ptr<ObjectWriter>> Create(const std::string& name) override;
  Result<std::unique_ptr<ObjectReader>> Open(const std::string& name) override;
  Result<bool> Exists(const std::string& name) override;
  Result<std::vector<std::string>> List(const std::string& folder) override;
  // The last one of a folder takes the folder's directory with it.
  Status Delete(const std::string& name) override;
  std::string LocationOf(const std::string& name) const override {
    return name.empty() ? directory_ : directory_ + "/" + name;
  }

 private:
  const std::string directory_;
};

}  // namespace ebla::backup

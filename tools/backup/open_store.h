// tools/backup/open_store.h
// The store that a person names: a directory, or s3://BUCKET/PREFIX.
// Errors:  INVALID_ARGUMENT for what names none, or lacks keys. No store is asked yet.
// Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/backup/backup_store.h"

namespace ebla::backup {

struct StoreAddress {
  std::string place;
  std::string s3_endpoint, s3_region;  // empty: see s3_settings.h
};

Result<std::unique_ptr<BackupStore>> OpenStore(
    const StoreAddress& address, std::function<bool()> interrupted = [] { return false; });

}  // namespace ebla::backup

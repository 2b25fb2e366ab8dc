// tools/backup/s3_store.h
// Backups in a bucket of an S3-compatible store. One request puts an object when it is finished, so that it exists
// whole or not at all; until then its bytes are in memory. Objects are read in pieces of 8 MiB.
// Invariants: No object is read while it is replaced, because objects of a finished backup are never written again.
// Errors:     as of backup_store.h and s3_client.h.
// Threads:    thread-compatible.
#pragma once

#include "tools/backup/backup_store.h"
#include "tools/backup/s3_client.h"

namespace ebla::backup {

class S3Store : public BackupStore {
 public:
  static constexpr size_t kReadBytes = 8 << 20;

  explicit S3Store(S3Settings settings, S3ClientOptions options = {})
      : client_(std::move(settings), std::move(options)) {}

  Result<std::unique_ptr<ObjectWriter>> Create(const std::string& name) override;
  Result<std::unique_ptr<ObjectReader>> Open(const std::string& name) override;
  Result<bool> Exists(const std::string& name) override;
  Result<std::vector<std::string>> List(const std::string& folder) override;
  Status Delete(const std::string& name) override;
  std::string LocationOf(const std::string& name) const override;

 private:
  S3Client client_;
};

}  // namespace ebla::backup

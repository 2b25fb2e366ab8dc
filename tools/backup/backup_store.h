// tools/backup/backup_store.h
// A place for backups: named objects, which are written once, read, listed and deleted. A name is words with / between
// them, as "monday/00001.part". The part before a / is a folder, which needs no creation.
// Place:      block_file.h writes and reads objects; directory_store.h and s3_store.h are the two stores; open_store.h
//             opens a store by its typed address.
// Invariants: An object exists whole, or not at all. A finished object survives a crash of this machine.
// Errors:     NOT_FOUND for a missing object; UNAVAILABLE for a failure that may pass; else INVALID_ARGUMENT,
//             PERMISSION_DENIED or INTERNAL. They name the object and the cause.
// Threads:    thread-compatible, a store with its writers and readers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace ebla::backup {

class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;  // not finished: the object is not there
  virtual Status Write(std::string_view bytes) = 0;
  virtual Status Finish() = 0;
};

class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  // The next so many; fewer: the object ends there.
  virtual Result<std::string> Read(size_t bytes) = 0;
};

class BackupStore {
 public:
  virtual ~BackupStore() = default;

  // One of that name, if there is one, is replaced when this one is finished.
  virtual Result<std::unique_ptr<ObjectWriter>> Create(const std::string& name) = 0;
  virtual Result<std::unique_ptr<ObjectReader>> Open(const std::string& name) = 0;
  virtual Result<bool> Exists(const std::string& name) = 0;
  // The entries of the folder ("": of the whole store), by their last word, sorted; the name of a folder in it ends
  // with /.
  virtual Result<std::vector<std::string>> List(const std::string& folder) = 0;
  // OK also where there is none.
  virtual Status Delete(const std::string& name) = 0;
  // The object as people find it: "/backups/monday/manifest", "s3://bucket/monday/manifest"; "": the whole store.
  virtual std::string LocationOf(const std::string& name) const = 0;
};

}  // namespace ebla::backup

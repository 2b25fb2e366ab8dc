// tools/backup/record_stream.h
// The records of a backup in the order of their keys: written to a part's file, and read from the parts of a backup and
// of those that it builds on, the newest record of each key.
//   block of a part  records, each with 1 (there) or 2 (deleted since), key; if it is there also value, epoch, lsn and
//                    expiry in ms (0 is none). Numbers are varints, bytes have their length before them.
// Place:   create.h writes them; restore.h reads them, and create.h does to find changes.
// Errors:  as of block_file.h; INVALID_ARGUMENT also for records out of order or outside their part.
// Threads: thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "ebla/table.h"
#include "tools/backup/manifest.h"

namespace ebla::backup {

struct BackupRecord {
  Row row;
  bool deleted = false;
};

class PartWriter {
 public:
  static constexpr size_t kBlockBytes = 256 << 10;

  // `part`: its file and range. `backup`: its name.
  static Result<PartWriter> Create(BackupStore& store, const std::string& backup, Part part, const Key& key);
  Status Add(const Row& row);
  Status AddDelete(std::string_view key);
  // The part as it now is in its file. It may end before the range that it was made for does.
  Result<Part> Finish(uint64_t epoch, uint64_t applied, const std::string& end);
  uint64_t bytes() const { return writer_.bytes(); }

 private:
  PartWriter(BlockWriter writer, Part part) : writer_(std::move(writer)), part_(std::move(part)) {}
  Status Flush(size_t least);

  BlockWriter writer_;
  Part part_;
  ByteWriter block_;
};

class RecordStream {
 public:
  virtual ~RecordStream() = default;
  // By growing key; none: the end.
  virtual Result<std::optional<BackupRecord>> Next() = 0;
};

// All records of one part, checked against the manifest's entry.
std::unique_ptr<RecordStream> ReadPart(BackupStore& store, const std::string& backup, const Part& part, const Key& key);

// A backup and those that it follows, the newest first.
struct Chain {
  BackupStore* store = nullptr;
  std::vector<Manifest> backups;
  Key key;

  static Result<Chain> Open(BackupStore& store, const std::string& name, const Key& key);
  const Manifest& newest() const { return backups.front(); }
  // The table's records within the range; NOT_FOUND: the table is not part of the newest backup.
  Result<std::unique_ptr<RecordStream>> Read(const std::string& table, const KeyRange& range = {}) const;
};

}  // namespace ebla::backup

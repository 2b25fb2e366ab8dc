// tools/backup/manifest.h
// The contents of a backup: its tables, and the parts of each, which cover the table's keys without a gap. Every part
// is one file, and shows its range as it was at one moment, at one position of one tablet's log.
//
//   NAME/manifest    the list below, as JSON in a block file (block_file.h)
//   NAME/progress    the same, of a backup that is not finished
//   NAME/00001.part  the records of a part (record_stream.h)
//
// A backup since another holds only changes since then, and is read on top of it.
// Errors:  INVALID_ARGUMENT for a manifest that is missing, damaged, or of a newer format.
// Threads: functions, and values.
#pragma once

#include <string>
#include <vector>

#include "ebla/admin.h"
#include "tools/backup/block_file.h"

namespace ebla::backup {

struct Part {
  std::string file;
  KeyRange range;
  uint64_t epoch = 0;    // of the tablet, when it was read
  uint64_t applied = 0;  // lsn: everything through here
  uint64_t records = 0;  // that are there at that moment, or have changed
  uint64_t deletes = 0;  // of records of the backup that this one follows
  uint64_t file_bytes = 0;
  uint32_t checksum = 0;  // of the file
  bool goes_on = false;   // of the tablet of the part before it, at the same moment
};

struct TablePart {
  std::string name;
  uint64_t id = 0;
  bool whole = true;  // else its parts hold what has changed since the backup that this one follows
  TableOptions options;
  std::vector<Part> parts;  // by range; until it is finished, in the order in which they were made
};

// Something about the cluster, by a name; settings.h knows what is in it.
struct Document {
  std::string name, text;
  friend bool operator==(const Document&, const Document&) = default;
};

struct Manifest {
  std::string name;
  std::string since;  // the backup that this one follows; empty: none
  std::string cluster;
  int64_t began_ms = 0, ended_ms = 0;  // since 1970
  std::vector<TablePart> tables;
  std::vector<Document> documents;  // of the whole cluster's backup, as they were when it began

  const TablePart* Find(std::string_view table) const;
  uint64_t file_bytes() const;
  uint64_t records() const;
};

// A to Z, a to z, 0 to 9, and _ - . inside: 1 to 128.
Status CheckBackupName(const std::string& name);

inline constexpr const char* kManifestFile = "manifest";
inline constexpr const char* kProgressFile = "progress";
// `file`: one of the two. It becomes an object of the backup that the manifest names.
Status WriteManifest(BackupStore& store, const std::string& file, const Manifest& manifest, const Key& key);
Result<Manifest> ReadManifest(BackupStore& store, const std::string& backup, const std::string& file, const Key& key);

}  // namespace ebla::backup

// tools/backup/archive/archive_files.h
// The files that an archive keeps in a backup store, beside the backups: the entries of tables' logs.
//
//   .archive/CLUSTER/000000000042-FROM-THROUGH-WRITER.log   with the first and last moment (ms since 1970), and
//                                                           the run that wrote it
//   block of a file   entries, each: table, tablet, epoch, lsn, moment, number of effects, then of each 1 (put) or 2
//                     (delete), key; of a put also value and expiry in ms (0: none). Numbers are varints, bytes have
//                     their length before them
//   the first block   begins with 0, where a table would stand, and the file's number, first and last moment: another
//                     file's contents are not taken for this one's
//
// Place:   archiver.h writes them; replay.h reads them. Which of them count, archive_index.h says. Blocks are those of
//          block_file.h: compressed, checked, encrypted.
// Errors:  the store's; INVALID_ARGUMENT for what is damaged, or lacks.
// Threads: functions, and values.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tools/backup/archive/archive_index.h"

namespace ebla::backup {

// A change is in the archive under the moment at which it was accepted; a backup may have read its tablet before it was
// committed. So much of what was before a backup is written again after it.
inline constexpr int64_t kReplayedBeforeMs = 60'000;

struct ArchiveFile {
  uint64_t number = 0;
  int64_t from_ms = 0, through_ms = 0;
  std::string writer;  // empty: an older build wrote it, without a word of which file it is
  std::string name;    // within its folder
};

// The files that the index counts, by growing number. INVALID_ARGUMENT if a file is missing or was renamed.
Result<std::vector<ArchiveFile>> ListArchiveFiles(BackupStore& store, const ArchiveIndex& index, const Key& key);
// Deletes the files that the index does not count.
Status DeleteUnnamedFiles(BackupStore& store, const ArchiveIndex& index);
// Whether any file is there, of which an index would speak.
Result<bool> HasArchiveFiles(BackupStore& store, const std::string& cluster);
// Its name. At least one entry.
Result<std::string> WriteArchiveFile(BackupStore& store, const ArchiveIndex& index, uint64_t number,
                                     std::span<const ArchivedEntry> entries, const Key& key);
// In the order in which they were written.
Status ReadArchiveFile(BackupStore& store, const std::string& cluster, const ArchiveFile& file, const Key& key,
                       const std::function<Status(ArchivedEntry)>& visit);

}  // namespace ebla::backup

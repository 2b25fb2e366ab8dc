// tools/backup/archive/archive_files.h
// What an archive keeps in a backup store, beside the backups: the entries of tables' logs, and from when to when of each
// table every moment is known.
//
//   .archive/CLUSTER/000000000042-FROM-THROUGH.log   entries, with the first and last of their moments (ms since 1970)
//   .archive/CLUSTER/index                           the rest, as JSON in a block file; files of higher numbers than it
//                                                    says count for nothing: a run was interrupted
//   block of a file   entries, each: table, tablet, epoch, lsn, moment, number of effects, then of each 1 (put) or 2
//                     (delete), key; of a put also value and expiry in ms (0: none). Numbers are varints, bytes have
//                     their length before them
//
// Place:   archiver.h writes them; replay.h and `backup list` read them. Blocks are those of block_file.h: compressed,
//          checked, encrypted.
// Errors:  the store's; INVALID_ARGUMENT for what is damaged, or of a newer format.
// Threads: functions, and values.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/backup/archive/tablet_chains.h"
#include "tools/backup/block_file.h"

namespace ebla::backup {

struct ArchivedTable {
  uint64_t id = 0;
  std::string name;
  TableOptions options;
  std::vector<Span> spans;  // the last one grows
  bool whole = false;       // the first span has it from its making on: no backup is needed below it
  int64_t dropped_ms = 0;   // 0: it is there

  // That has all between the two moments; null: there is none.
  const Span* Covering(int64_t from_ms, int64_t through_ms) const;
};

struct ArchiveIndex {
  std::string cluster;
  std::string writer;      // drawn at random by each run: two would undo each other
  uint64_t last_file = 0;  // of the files, which are numbered from 1
  std::vector<ArchivedTable> tables;
  std::map<ServerName, LogPlace> places;  // from where each server's log is read on
  TabletChains::State chains;

  ArchivedTable* Find(uint64_t id);
};

struct ArchiveFile {
  uint64_t number = 0;
  int64_t from_ms = 0, through_ms = 0;
  std::string name;  // within its folder
};

std::string ArchiveFolder(const std::string& cluster);

// NOT_FOUND: the cluster has no archive there.
Result<ArchiveIndex> ReadArchiveIndex(BackupStore& store, const std::string& cluster, const Key& key);
Status WriteArchiveIndex(BackupStore& store, const ArchiveIndex& index, const Key& key);

// By growing number, as far as the index goes. INVALID_ARGUMENT where one lacks after the first that is there.
Result<std::vector<ArchiveFile>> ListArchiveFiles(BackupStore& store, const ArchiveIndex& index);
// What an interrupted run has left: files of higher numbers than the index names.
Status DeleteUnnamedFiles(BackupStore& store, const ArchiveIndex& index);
Status WriteArchiveFile(BackupStore& store, const std::string& cluster, uint64_t number,
                        const std::vector<ArchivedEntry>& entries, const Key& key);
// In the order in which they were written.
Status ReadArchiveFile(BackupStore& store, const std::string& cluster, const ArchiveFile& file, const Key& key,
                       const std::function<Status(ArchivedEntry)>& visit);

}  // namespace ebla::backup

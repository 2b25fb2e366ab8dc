// tools/backup/archive/archive_index.h
// The index of an archive: its tables with the periods in which each moment is known, its files, and the place in each
// server's log where the next run continues. One object, `index`, JSON in a block file, written again with each flush.
//
//   .archive/CLUSTER/index
//
// Place:   archiver.h keeps it; replay.h and `backup moments` read it.
// Errors:  the store's; INVALID_ARGUMENT for an index that is damaged, or of a newer format.
// Threads: functions, and values.
#pragma once

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
  int64_t unseen_ms = 0;    // the last look into the catalog that did not list it
  int64_t seen_ms = 0;      // and the first that did; 0: not known
  int64_t dropped_ms = 0;   // the first after that which did not; 0: it is there

  // The span that has every moment between the two; null: there is none.
  const Span* Covering(int64_t from_ms, int64_t through_ms) const;
};

// The files that count: others beside them were left by a run that was interrupted, or overtaken by another.
struct ArchivedFiles {
  uint64_t first = 1, last = 0;  // by number; each between has one file
  std::optional<uint64_t> sum;   // of all names: none may lack, or have another; none: an older build wrote the index
  std::vector<std::string> recent;  // the last names, of which others may have the number

  static constexpr size_t kRecent = 16;
  void Add(const std::string& name, const Key& key);
  void RemoveFirst(const std::string& name, const Key& key);
  static uint64_t SumOf(const std::string& name, const Key& key);
};

struct ArchiveIndex {
  std::string cluster;
  std::string writer;    // drawn at random by each run: two would undo each other
  int64_t every_ms = 0;  // how often that run writes the index; 0: it has ended
  ArchivedFiles files;
  std::vector<ArchivedTable> tables;
  std::map<ServerName, LogPlace> places;  // from where each server's log is read on
  TabletChains::State chains;

  ArchivedTable* Find(uint64_t id);
};

std::string ArchiveFolder(const std::string& cluster);

// NOT_FOUND: the cluster has no archive there.
Result<ArchiveIndex> ReadArchiveIndex(BackupStore& store, const std::string& cluster, const Key& key);
Status WriteArchiveIndex(BackupStore& store, const ArchiveIndex& index, const Key& key);

}  // namespace ebla::backup

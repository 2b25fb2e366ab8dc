// tests/sim/clients/merger.h
// Has two random neighbouring tablets of the clients' tables merged every now and then, during the whole run.
// Place:   run.cc starts the merger with the faults, beside splitter.h, which makes the tablets that are merged.
// Threads: one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/clients/workload.h"
#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/event_log.h"

namespace ebla::sim {

class Merger {
 public:
  Merger(SimClient& client, EventLog& log, const CatalogWatch& catalog)
      : client_(client), log_(log), catalog_(catalog) {}

  // `tables`: their names.
  void Start(std::map<TableId, std::string> tables) {
    tables_ = std::move(tables);
    Next();
  }
  void Finish() { finishing_ = true; }
  bool idle() const { return !busy_; }
  int made() const { return made_; }
  // Orders the merge of this tablet with the one before, and ignores the result. False: no tablet precedes this one, or
  // `tables` lacks its table.
  bool Merge(TabletId tablet);

 private:
  void Next();
  void Merge(const std::string& table, const std::string& key, Task then);

  SimClient& client_;
  EventLog& log_;
  const CatalogWatch& catalog_;
  std::map<TableId, std::string> tables_;
  int made_ = 0;
  bool finishing_ = false;
  bool busy_ = false;
};

// Describes a merge that is not complete, or a replica that is left of a merged tablet. All servers must run. Empty:
// there is neither.
std::string LeftOfMerged(const CatalogWatch& catalog, Cluster& cluster);

// The breaches of PROTOCOL 14 by any merge, even those that no client saw: FREEZEs logged in another epoch than the
// catalog names, and merges that the catalog lost before a later epoch had ended their freezes.
std::vector<std::string> WrongInMerges(const CatalogWatch& catalog, const StateWatch& state);

}  // namespace ebla::sim

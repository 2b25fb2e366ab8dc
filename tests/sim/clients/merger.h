// tests/sim/clients/merger.h
// Has neighbours merged while everything else goes on: two tablets of the clients' tables at random, every now and
// then.
// Place:   run.cc starts it with the faults, beside splitter.h, which makes what it merges.
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
  // This tablet with the one before it, if there is one and its table is one of them; whatever comes of it.
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

// What is not over of the merges, or is left of what was merged, in a cluster that is whole; empty: nothing.
std::string LeftOfMerged(const CatalogWatch& catalog, Cluster& cluster);

// What was wrong of any merge, whether somebody saw it or not (PROTOCOL 14): FREEZEs logged in another epoch than the
// catalog said, merges that it forgot before a later epoch had ended their freezes.
std::vector<std::string> WrongInMerges(const CatalogWatch& catalog, const StateWatch& state);

}  // namespace ebla::sim

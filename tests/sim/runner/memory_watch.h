// tests/sim/runner/memory_watch.h
// Notes the keys that a table in memory may have lost. A tablet must lose no acknowledged write while a majority of its
// voters survives with its memory, so only the keys of a tablet that lost this majority are not judged (PROTOCOL 5). No
// tablet may restart from nothing while a voter has its data, in a replica of this tablet or of the one that it was
// split off.
// Place:   run.cc announces deaths before they happen, and calls Look() often.
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster/catalog_watch.h"
#include "tests/sim/cluster/cluster.h"

namespace ebla::sim {

class MemoryWatch {
 public:
  // The clients' table has the groups of keys with numbers below `groups`. `merges`: tablets are merged, too.
  MemoryWatch(Cluster& cluster, const CatalogWatch& catalog, int groups, bool merges)
      : cluster_(cluster), catalog_(catalog), groups_(groups), merges_(merges) {}

  void Watch(TableId table) { table_ = table; }
  // To be called before the process of this server ends and loses its memory.
  void Dies(int server);
  // Would the end of this process lose no acknowledged write?
  bool MayDie(int server) const { return LostWith(server).empty(); }
  void Look();

  bool MayHaveLost(int group) const { return lost_.contains(group); }
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  using Tablet = CatalogWatch::Tablet;
  using View = std::shared_ptr<const tabletserver::TabletView>;

  std::vector<View> ViewsAt(const ServerName& server) const;
  std::set<int> LostWith(int server) const;
  bool Remembers(const ServerName& server, const std::string& key) const;
  void JudgeAnew(const Tablet& tablet, Epoch anew);

  Cluster& cluster_;
  const CatalogWatch& catalog_;
  const int groups_;
  const bool merges_;
  TableId table_;  // none: there is no table yet
  std::set<int> lost_;
  std::map<TabletId, Epoch> judged_;
  std::vector<std::string> problems_;
};

}  // namespace ebla::sim

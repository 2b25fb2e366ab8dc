// tests/sim/runner/memory_watch.h
// What a table in memory may lose. What was acknowledged is kept while a majority of a tablet's voters lives on with
// all that it held: only what lay on tablets of which fewer did is not judged (PROTOCOL 5). And none begins anew while
// a voter has its data, in itself or in what it was split off.
// Place:   run.cc tells it of deaths before they happen, and has it look often.
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
  // The clients' table has groups of keys with numbers below `groups`. `merges`: tablets are merged, too.
  MemoryWatch(Cluster& cluster, const CatalogWatch& catalog, int groups, bool merges)
      : cluster_(cluster), catalog_(catalog), groups_(groups), merges_(merges) {}

  void Watch(TableId table) { table_ = table; }
  // The process of this server ends, and what it has in memory with it.
  void Dies(int server);
  // Whether nothing acknowledged may be lost by that.
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
  TableId table_;  // none: there is none yet
  std::set<int> lost_;
  std::map<TabletId, Epoch> judged_;
  std::vector<std::string> problems_;
};

}  // namespace ebla::sim

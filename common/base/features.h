// common/base/features.h
// The formats and messages added since the first build, each with the level that introduced it. A build speaks one
// level, which means all features up to that level. A cluster also has a level, in the coordinator's /cluster, which
// all of its processes speak. So builds work side by side, because no process writes or sends a format that the oldest
// of them cannot read.
// Place:      a process has one Features, made where it starts; hosts and the access control ask it. The leading master
//             raises the cluster's level (master/leader/cluster_level.h).
// To add one: raise kFeatureLevel, unless this release has raised it already; add the feature to kFeatures, and ask
//             Has() before writing or sending it. Reading needs no asking. docs/design/decisions.md explains which
//             changes need a feature.
// Invariants: a feature that a process has stays until the process ends, because Learn() lowers nothing.
// Threads:    Features: any.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace ebla {

// 1: all builds that say nothing of levels.
inline constexpr int kFeatureLevelFirst = 1;
// This build's level.
inline constexpr int kFeatureLevel = 3;

struct Feature {
  std::string_view name;
  int level;
  std::string_view what;  // it changes, for operators
};

// Users' grants count, and users log in. Before this level every user's certificate may read and write every table, so
// that an operator has the time of an upgrade to grant permissions.
inline constexpr Feature kGrants{"grants", 2,
                                 "users read and write what `ebla grant` gives them (before, every table), and log in"};

// Tables whose records live in memory alone. An older build would store such a table's records on its disk, and take
// them for complete after a restart. A SPLIT that is logged again also needs this feature: it names no primary and
// begins its epoch (PROTOCOL 5), so an older build would apply it differently.
inline constexpr Feature kMemoryTables{"memory_tables", 2, "tables can be made that live in memory alone"};

// Functions of records: writes of kind APPLY. A build that does not know them refuses one that its client repeats
// there, whether or not another server applied it before.
inline constexpr Feature kRecordFunctions{
    "record_functions", 2, "commands of Redis and Memcached that need the old value take one round trip (before, two)"};

// Functions of key groups, batches with several functions on one key, and tables that are one key group. An older
// server refuses such writes unseen, whether or not another has applied them before, and an older master splits such a
// table.
inline constexpr Feature kGroupFunctions{
    "group_functions", 3,
    "functions read and change all records of a key group in one step, and a table can be one group"};

// Merges that servers carry out ahead of the catalog. An older server makes a merged tablet although it has promised
// another master not to, and an older master takes the replicas of such a tablet for those of a later catalog.
inline constexpr Feature kMergesWithoutCoordinator{
    "merges_without_coordinator", 3, "a merge of two tablets makes no client wait for ZooKeeper (before, both did)"};

// Tables in sorted runs. An older build cannot open a store that has one.
inline constexpr Feature kSortedTables{
    "sorted_tables", 3, "new tables keep their records in sorted runs, which suits data far beyond memory"};

inline constexpr std::array kFeatures = {kGrants,       kMemoryTables,  kRecordFunctions, kMergesWithoutCoordinator,
                                         kSortedTables, kGroupFunctions};

// "... wait" or the like precedes it.
std::string UntilFeature(const Feature& feature);

class Features {
 public:
  explicit Features(int own = kFeatureLevel) : own_(own) {}
  Features(const Features&) = delete;
  Features& operator=(const Features&) = delete;

  int own() const { return own_; }
  // 0: not known yet.
  int cluster() const { return cluster_.load(std::memory_order_acquire); }
  void Learn(int cluster) {
    int known = this->cluster();
    while (known < cluster && !cluster_.compare_exchange_weak(known, cluster, std::memory_order_acq_rel)) {
    }
  }
  bool Has(const Feature& feature) const { return cluster() >= feature.level; }

 private:
  const int own_;
  std::atomic<int> cluster_{0};
};

// The level of a process or a node, which may be missing.
constexpr int LevelOr1(int said) { return said < kFeatureLevelFirst ? kFeatureLevelFirst : said; }

// INVALID_ARGUMENT where a process of this level has no place in a cluster of that one.
Status CheckLevel(int own, int cluster);

}  // namespace ebla

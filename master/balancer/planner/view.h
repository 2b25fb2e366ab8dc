// master/balancer/planner/view.h
// The cluster as the planner sees it at one moment: servers, tables with their thresholds, tablets with their load. All
// inputs of a plan are here or in memory.h, so that a saved view (view_json.h) replays elsewhere.
// Place:      the master makes one every few seconds; planner.h turns it into actions; placement.h reads the servers.
// Invariants: those of CheckView(): indices in range, tablets ordered by table and range, ranges that do not overlap.
// Size:       about 400 bytes a tablet, so that a million of them take less than half a gigabyte.
// Threads:    values.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/split_key.h"
#include "common/base/status.h"

namespace ebla::master {

using ServerIndex = uint32_t;  // into ClusterView::servers
using TableIndex = uint32_t;   // into ClusterView::tables
using TabletIndex = uint32_t;  // into ClusterView::tablets

// The dimensions in which a server can be overloaded. The order is that of importance where two weigh the same.
enum class Dimension : uint8_t { kCpu, kOperations, kWriteBytes, kDisk, kReplicas, kPrimaries };
inline constexpr size_t kDimensions = 6;
// Cores; operations/s; bytes/s; bytes; replicas; primaries.
using Loads = std::array<double, kDimensions>;

struct PlannedServer {
  ServerName name;
  std::string rack;
  bool live = false;
  bool lost = false;            // away for so long that what it holds is replaced
  bool maintenance = false;     // gets nothing new
  bool draining = false;        // gets nothing new and gives away what it has
  bool surplus = false;         // draining because the cluster is larger than its load asks; released once empty
  bool writes_refused = false;  // its disk is at the reserve
  double cpu = 0;               // cores busy, all of its process: what its tablets take, and the rest
  int64_t disk_free_bytes = 0;
  int64_t disk_total_bytes = 0;  // 0: not known
  // Sums over its tablets. The planner makes its own from ClusterView::tablets; placement.h uses these.
  size_t tablets = 0;  // replicas, also those still being copied
  size_t primaries = 0;
  double operations_per_second = 0;
  int64_t size_bytes = 0;

  bool usable() const { return live && !maintenance && !draining && !writes_refused; }
  friend bool operator==(const PlannedServer&, const PlannedServer&) = default;
};

struct TableView {
  TableId id;
  std::string name;
  size_t replicas = 3;
  // A tablet over one of these is split; 0: never for this. Measured at the primary.
  int64_t split_bytes = int64_t{8} << 30;
  double split_operations = 2'500;
  double split_cores = 0.5;
  // Neighbours are merged when their sums stay below twice this part of each threshold; 0: never.
  double merge_part = 0.25;
  KeyGroupRule key_group;

  friend bool operator==(const TableView&, const TableView&) = default;
};

// The servers of a tablet's replicas, in place: a tablet has seven at most.
class Members {
 public:
  static constexpr size_t kMost = 7;

  bool Add(ServerIndex server) {
    if (size_ == kMost) return false;
    servers_[size_++] = server;
    return true;
  }
  void Replace(ServerIndex old, ServerIndex next) {
    std::replace(servers_.begin(), servers_.begin() + size_, old, next);
  }
  bool Contains(ServerIndex server) const { return std::find(begin(), end(), server) != end(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ServerIndex front() const { return servers_[0]; }
  ServerIndex operator[](size_t i) const { return servers_[i]; }
  const ServerIndex* begin() const { return servers_.data(); }
  const ServerIndex* end() const { return servers_.data() + size_; }
  friend bool operator==(const Members& a, const Members& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<ServerIndex, kMost> servers_{};
  uint8_t size_ = 0;
};

// Per second, decayed, of one replica.
struct Rates {
  float reads = 0;
  float writes = 0;
  float read_bytes = 0;
  float write_bytes = 0;  // a follower writes what its primary does
  float cpu = 0;          // cores

  double operations() const { return static_cast<double>(reads) + static_cast<double>(writes); }
  friend bool operator==(const Rates&, const Rates&) = default;
};

// The highest seen in the last minutes.
struct Peaks {
  float operations = 0;
  float cpu = 0;

  friend bool operator==(const Peaks&, const Peaks&) = default;
};

// The primary's cut of its load in two, or the reason why there is none.
enum class SplitFinding : uint8_t {
  kNoKey,         // too few operations seen
  kKey,           // TabletView::split_key halves the load
  kPopularKey,    // most of it is on one key
  kOneDirection,  // keys are written in order; split_key, where there is one, lies at the end
};

enum class TabletState : uint8_t {
  kSettled,     // led, its epoch's Barrier committed: may be changed
  kUnsettled,   // being made primary, or without a report
  kIntentOpen,  // a split or merge is under way
  kCopying,     // a replica is being added or moved
};

struct TabletView {
  TabletId id;
  TableIndex table = 0;
  TabletState state = TabletState::kSettled;
  SplitFinding finding = SplitFinding::kNoKey;
  Members voters;              // the primary first
  Members learners;            // those that are level first
  uint8_t learners_level = 0;  // learners with nearly the whole log, by the primary's report
  Rates led;                   // at the primary
  Rates followed;              // at the busiest follower
  Peaks peaks;                 // at the primary, within `history`
  Duration history{0};         // for how long, up to five minutes, the peaks are known
  int64_t size_bytes = 0;
  KeyRange range;
  std::string split_key;   // see finding
  std::string middle_key;  // halves the data; empty: not known
  // When such a thing happened last; zero: not known.
  MonotonicTime last_split;  // also when its table was created
  MonotonicTime last_merge;
  MonotonicTime last_failed;  // an action on it that did not succeed
  MonotonicTime held_until;   // an operator has placed it by hand

  ServerIndex primary() const { return voters.front(); }
  bool settled() const { return state == TabletState::kSettled; }
  friend bool operator==(const TabletView&, const TabletView&) = default;
};

struct ClusterView {
  std::vector<PlannedServer> servers;
  std::vector<TableView> tables;
  std::vector<TabletView> tablets;  // by table, then by range
  MonotonicTime now;
};

// INVALID_ARGUMENT naming the first thing that is not as a view must be.
Status CheckView(const ClusterView& view);

// The cost of one replica to its server.
Loads LoadsOf(const TabletView& tablet, bool leads);

const char* Name(Dimension dimension);
// "1,234 operations/s", "0.52 cores", "3.1 GiB".
std::string Amount(Dimension dimension, double amount);
// "35 s", "12 min", "2.5 h".
std::string Amount(Duration duration);
// " for 12 s; the planner acts after 30 s", behind what has lasted so long.
std::string Lasting(Duration lasted, Duration needed);

}  // namespace ebla::master

// master/balancer/planner/memory.h
// The planner's memory from one pass to the next: lasting conditions and recent actions. MakePlan takes and returns it,
// and so stays a function of its arguments.
// Invariants: 1. Small: only tablets that are over a threshold or were acted on lately have an entry.
//             2. An empty one is safe: nothing has lasted yet, and everything may have been split when it began. So
//                a new master does nothing that the old one would not have done later.
// Threads:    values.
#pragma once

#include <array>
#include <map>
#include <unordered_map>

#include "master/balancer/planner/view.h"

namespace ebla::master {

// Since when something has been so in every pass.
struct Streak {
  MonotonicTime since;
  MonotonicTime seen;
  size_t samples = 0;

  void Count(MonotonicTime now, Duration gap_max) {
    if (samples == 0 || now - seen > gap_max) *this = {.since = now};
    seen = now;
    ++samples;
  }
  bool Lasts(MonotonicTime now, Duration time, size_t passes) const { return samples >= passes && now - since >= time; }
  friend bool operator==(const Streak&, const Streak&) = default;
};

struct TabletMemory {
  Streak over;                     // a split threshold
  MonotonicTime left_alone_until;  // it cannot be split
  size_t actions = 0;              // splits, transfers and moves since it was quiet for a day
  MonotonicTime acted;             // the last of them
  ServerName moving_from;          // a replica's, until it is there
  ServerName moving_to;
  Rates led;  // what it cost before the last

  friend bool operator==(const TabletMemory&, const TabletMemory&) = default;
};

struct ServerMemory {
  std::array<Streak, kDimensions> over;
  std::array<bool, kDimensions> overloaded{};  // began to be so, and has not come down far enough

  friend bool operator==(const ServerMemory&, const ServerMemory&) = default;
};

struct ScaleMemory {
  Streak over;
  Streak under;
  MonotonicTime grown;     // asked for a server
  MonotonicTime released;  // drained one

  friend bool operator==(const ScaleMemory&, const ScaleMemory&) = default;
};

struct PlannerMemory {
  MonotonicTime began;  // of the first pass; zero: there was none
  std::unordered_map<TabletId, TabletMemory> tablets;
  std::map<ServerName, ServerMemory> servers;
  ScaleMemory scale;
};

}  // namespace ebla::master

// tests/bench/compare/parts.h
// The parts of a comparison. Each runs its servers from its construction to its end, all of them at once, and measures
// them in turns. A peer that is not installed is left out, with a line on stderr.
// Errors:  any other ends the program.
// Threads: thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

class Part {
 public:
  virtual ~Part() = default;
  virtual void Round(Figures& figures) = 0;
};

struct PartKind {
  std::string_view name, what;
  // Below the directory, which is there.
  std::unique_ptr<Part> (*make)(const std::string& directory, const BenchOptions& options);
  bool asked_for = false;  // only --part runs it, for one round
};

// One process against Redis, Memcached and a plain file; its load and scans against bare WiredTiger's; three replicas
// against etcd, and against one; what other stores' clients see of it; what puts and records cost the disk in the long
// run; how often a cache that is too small has what it is asked for; what TLS costs, and users beside each other; data
// far beyond memory against RocksDB. Two of them share a name, so that --part runs both.
inline constexpr int kPartKinds = 10;
extern const PartKind kParts[kPartKinds];

// Each ratio and bound whose rows are there, beside what is wanted of it.
void AddRatios(Report& report);

}  // namespace ebla::bench

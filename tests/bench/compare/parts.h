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
  std::string_view packages = {};  // of Debian, with its peers
  bool charted = false;            // the chart has its ratios
  bool asked_for = false;          // only --part runs it, for one round
  std::string_view with = {};      // the --part of this name runs it, too

  bool Runs(std::string_view part) const { return part.empty() ? !asked_for : part == name || part == with; }
  int Rounds(const BenchOptions& options) const { return asked_for ? 1 : options.rounds; }
};

// One process against Redis, Memcached and a plain file; its load and scans against bare WiredTiger's; data far beyond
// memory against RocksDB; functions against puts and gets; three replicas against etcd, and against one; 1,000 tablets
// against one; what other stores' clients see of it; what TLS costs, and users beside each other; what puts and records
// cost the disk in the long run; how often a cache that is too small has what it is asked for.
inline constexpr int kPartKinds = 12;
extern const PartKind kParts[kPartKinds];

// Each ratio and bound whose rows are there, beside what is wanted of it.
void AddRatios(Report& report);

}  // namespace ebla::bench

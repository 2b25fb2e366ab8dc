// tests/chaos/damage/prepared.h
// The directory from which each case of a shape begins: stopped processes with records in every kind of file, and
// copies of the files from before.
//
//   <dir>/site/          copied for each case
//   <dir>/older/         the same after the second of six lives of the servers, before the last checkpoint
//   <dir>/late/          data of the servers within the last life, without a part of its writes
//
// Lives 1 to 3 end with a checkpoint. Lives 4 to 6 have none, so each leaves a segment of the log whose records are
// nowhere else. The last life ends once the inventories tell of all of it (vouched.h).
// Threads: thread-compatible; the processes die with the thread, and none is left.
#pragma once

#include <string>

#include "tests/chaos/damage/records.h"
#include "tests/chaos/damage/site.h"
#include "tests/chaos/damage/trees.h"

namespace ebla::chaos {

struct Prepared {
  Shape shape = Shape::kStandalone;
  std::string dir;
  DamageRecords records;  // acknowledged in the site
  Tree tree;              // of its ZooKeeper; of a standalone none

  std::string site() const { return dir + "/site"; }
  // The older copy of a file of this kind, or of a directory.
  std::string OlderOf(const std::string& server, const KindFacts& facts, const std::string& name) const;
};

struct PrepareOptions {
  Shape shape = Shape::kStandalone;
  std::string dir;
  std::string bin_dir;
  Trees* trees = nullptr;  // of a standalone none
};
Result<Prepared> Prepare(const PrepareOptions& options);

}  // namespace ebla::chaos

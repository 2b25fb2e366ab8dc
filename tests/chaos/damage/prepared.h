// tests/chaos/damage/prepared.h
// The directory from which each case of a shape begins: stopped processes with records in every kind of file, and
// copies of the files from before.
//
//   <dir>/site/          copied for each case
//   <dir>/older/         the same after the second of six lives of the servers, before the last checkpoint
//   <dir>/late/          INVENTORY and log/ within the last life, without a part of its writes
//
// Lives 1 to 3 end with a checkpoint. Lives 4 to 6 have none, so each leaves a segment of the log whose records are
// nowhere else.
// Threads: thread-compatible; the processes die with the thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "tests/chaos/damage/records.h"
#include "tests/chaos/damage/site.h"

namespace ebla::chaos {

// A disk may lose what was synced within the last second before a crash; docs/design/storage.md says so, and no case
// tries it.
constexpr std::chrono::seconds kVouchedAfter(2);

struct Prepared {
  SiteMembers members;
  std::string dir;
  DamageRecords records;  // acknowledged in the site

  std::string site() const { return dir + "/site"; }
  // The older copy of a file of this kind, or of a directory.
  std::string OlderOf(const std::string& server, const KindFacts& facts, const std::string& name) const;
};

Result<Prepared> Prepare(Shape shape, const std::string& dir, const std::string& bin_dir);

// Copies a directory with its holes.
Status CopyDirectory(const std::string& from, const std::string& to);

}  // namespace ebla::chaos

// tests/chaos/damage/harm.h
// Damages one file, or one directory, of a server as a disk does that lies: in place, below the server's descriptors.
// Errors:  NOT_FOUND (the server has no such file) and CONDITION_FAILED (the damage would change nothing, as for a page
//          that is zero already) leave all as it is.
// Threads: functions of their arguments.
#pragma once

#include <string>

#include "common/base/status.h"
#include "tests/chaos/damage/cases.h"

namespace ebla::chaos {

// The path of the file of this kind, absolute if the directory is.
Result<std::string> FindFile(const KindFacts& facts, const std::string& data_dir);

struct Harm {
  std::string path;   // damaged
  std::string older;  // a copy of before, for Damage::kOlder; for kForeign and kSwapped, the other server's
  Damage damage = Damage::kBit;
  int place = 0;      // percent of the content, which ends with the last byte that is not zero
  uint64_t seed = 1;  // decides the bit
  bool directory = false;
};
// Describes the damage, as "bit 3 of byte 812 of /x/IDENTITY".
Result<std::string> Inflict(const Harm& harm);
// Puts back what was before. Only if IsUndone().
Status Undo(const Harm& harm);

// Copies a directory, or a file, with its holes.
Status CopyDirectory(const std::string& from, const std::string& to);

}  // namespace ebla::chaos

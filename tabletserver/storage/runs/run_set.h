// tabletserver/storage/runs/run_set.h
// The runs of a table at one moment. A reader keeps them for as long as it reads, whatever is merged meanwhile.
// Threads: immutable values.
#pragma once

#include <memory>
#include <vector>

#include "tabletserver/storage/runs/run.h"
#include "tabletserver/storage/runs/run_filter.h"

namespace ebla::tabletserver {

// A file of sorted rows, which never changes.
struct RunFile {
  Run run;  // its holes are those of RunOfTable
  RunFilter filter;
};

struct RunOfTable {
  std::shared_ptr<const RunFile> file;
  RunHoles holes;

  // Whether the run may have the key; `hash` is RunFilter::HashOf(key).
  bool MayContain(std::string_view key, uint64_t hash) const {
    return key >= file->run.first_key && key <= file->run.last_key && file->filter.MayContain(hash) &&
           !holes.Contains(key);
  }
};

struct RunSet {
  std::vector<RunOfTable> runs;  // the newest first

  int64_t bytes() const {
    int64_t sum = 0;
    for (const RunOfTable& one : runs) sum += one.file->run.bytes;
    return sum;
  }
};
using RunSetPtr = std::shared_ptr<const RunSet>;

}  // namespace ebla::tabletserver

// tabletserver/storage/wiredtiger/wt_run_blocks.h
// Checks the file of a run, past every cache.
// Why:     a run is written once, so one checkpoint's cursor finds its pages in the cache as often as it looks.
// Format:  a block that describes the file, then its pages one after the other (wt_blocks.h). Nothing else is ever
//          written into it.
// Threads: a function of its arguments.
#pragma once

#include <string>

#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

// 0: no damage, or `stopped` by the pace. kDamagedBlock: a block is damaged, the disk cannot read it, or there is no
// file. Another errno: the file could not be opened, which tells nothing of it.
int CheckRunBlocks(const std::string& path, const RecordFiles::Pace& pace, bool& stopped);

}  // namespace ebla::tabletserver

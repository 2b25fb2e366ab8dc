// tabletserver/shard/log_retention.h
// How much of a tablet's log stays on disk for replicas that are behind: up to a number of entries and of bytes. A
// replica that falls further behind is copied afresh (PROTOCOL 9), so that a server which is away for days costs its
// peers no disk.
// Place:      log_truncator.h asks after each checkpoint.
// How:        The log's bytes are judged by samples of it, which a restart needs no memory for: 32 stretches, each by
//             the mean of its first 64 KiB. Off by a stretch, and by what a stretch hides of uncommonly large entries.
// Threads:    the shard's executor.
#pragma once

#include <cstdint>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

struct LogRetention {
  uint64_t entries_max = 1'000'000;
  uint64_t bytes_max = uint64_t{1} << 30;
};

// The entries from `first` through `last`. RetainedFrom returns the first one to retain, or last.Next() to retain none.
struct LogStretch {
  Lsn first, last;
};
Result<Lsn> RetainedFrom(TabletStore& store, TabletId tablet, LogStretch wanted, const LogRetention& retention);

}  // namespace ebla::tabletserver

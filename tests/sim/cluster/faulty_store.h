// tests/sim/cluster/faulty_store.h
// Between the real tablet server and its disk: bugs on purpose that need no switch in production's code, in a faulty
// store (bugs.h has them beside the rules left out); and watches over what is applied, and over what is kept to be
// delivered, which no client is told.
// Threads: as tablet_store.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "tabletserver/storage/tablet_store.h"
#include "tests/sim/cluster/state_watch.h"

namespace ebla::sim {

enum class StoreFault : uint8_t {
  kNone,
  kAckBeforeFlush,  // a flush is answered before it is done: a crash loses acknowledged writes
  kForgetWindow,    // the dedup window is lost in a restart: a retry executes again
  kTornBatch,       // of several changes of one entry, the last is now and then not applied: half a batch
  kStaleRead,       // a read now and then sees the record as it was before
};

inline constexpr auto kStoreFaultNames =
    std::to_array<std::string_view>({"none", "ack_before_flush", "forget_window", "torn_batch", "stale_read"});

// Of each PutUnresolved that succeeded, before it is durable.
using UnresolvedWatch = std::function<void(TabletId tablet, TableId table, const tabletserver::LogEntry& entry)>;

// Of each Get, before it looks.
using ReadWatch = std::function<void(std::string_view key)>;

// Of each ForgetReplica, when it is done.
using ForgetWatch = std::function<void(TabletId tablet)>;

struct StoreWatches {
  UnresolvedWatch kept;
  ReadWatch read;
  ForgetWatch forgotten;
};

// `watch` hears of every batch that the store of `server` has taken, before any fault is injected.
std::unique_ptr<tabletserver::TabletStore> MakeFaultyStore(StoreFault store_fault,
                                                           std::unique_ptr<tabletserver::TabletStore> store,
                                                           StoreWatches watches, StateWatch& watch, ServerName server);

}  // namespace ebla::sim

// tests/sim/planted_bug.h
// Bugs on purpose, which the simulator must find: a checker that cannot fail proves nothing. They live in a store that
// lies, between the real tablet server and its disk, and nowhere else.
// Threads: as tablet_store.h.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "tabletserver/storage/tablet_store.h"

namespace ebla::sim {

enum class PlantedBug {
  kNone,
  kAckBeforeFlush,  // a flush is answered before it is done: a crash loses acknowledged writes
  kForgetWindow,    // the window is lost in a restart: a retry executes again
  kTornBatch,       // of several changes of one entry, the last is now and then not applied: half a batch
  kStaleRead,       // a read now and then sees the record as it was before
};

std::optional<PlantedBug> ParsePlantedBug(std::string_view name);  // "none", "ack_before_flush", ...
std::string_view PlantedBugName(PlantedBug bug);

std::unique_ptr<tabletserver::TabletStore> Plant(PlantedBug bug, std::unique_ptr<tabletserver::TabletStore> store);

}  // namespace ebla::sim

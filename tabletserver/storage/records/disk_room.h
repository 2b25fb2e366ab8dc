// tabletserver/storage/records/disk_room.h
// The writes of clients that a store takes with the room that its disk has left (PROTOCOL 25). A delete passes below
// the reserve, because deletes are how an operator without another server gets room again.
// Place:   wiredtiger/disk_reserve.h decides it. The log (tablet_log.h), the admission of writes
//          (tablet/write_admission.h) and hinted writes (hints/hinted_writes.h) refuse by it.
// Threads: values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "common/base/status.h"
#include "tabletserver/storage/log/log_entry.h"

namespace ebla::tabletserver {

enum class DiskRoom : uint8_t {
  kAll,
  kDeletes,  // below the reserve: writes without any effect but deletes
  kNone,     // most of the reserve is used; its rest is for barriers, states, and checkpoints
};

// Whether a write with these effects takes no room for long. True also without effects, as of a refusal.
inline bool OnlyDeletes(std::span<const Effect> effects) { return std::ranges::all_of(effects, &Effect::is_delete); }

// Why a write is refused with this room, which is not all.
inline Status NoDiskRoom(DiskRoom room) {
  return Error(Code::kOverloaded, room == DiskRoom::kDeletes
                                      ? "the disk is full but for its reserve, and only deletes pass: free or add "
                                        "space on this server"
                                      : "the disk is full, and most of its reserve is used: free or add space on this "
                                        "server");
}

}  // namespace ebla::tabletserver

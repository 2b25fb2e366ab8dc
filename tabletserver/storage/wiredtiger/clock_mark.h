// tabletserver/storage/wiredtiger/clock_mark.h
// How far the machine's clocks had come at a moment that the disk remembers: a start compares its own clocks with it.
// Place:   store_inventory.h keeps the latest mark. WtStore::found_clock() is the mark of the process before this one.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>

namespace ebla::tabletserver {

struct ClockMark {
  std::string boot;           // the machine's boot id; empty: there is no mark
  int64_t since_boot_ms = 0;  // CLOCK_BOOTTIME
  int64_t day_ms = 0;         // time of day, since 1970
  friend bool operator==(const ClockMark&, const ClockMark&) = default;
};

}  // namespace ebla::tabletserver

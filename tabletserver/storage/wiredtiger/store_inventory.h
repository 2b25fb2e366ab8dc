// tabletserver/storage/wiredtiger/store_inventory.h
// The extent of a store's log and records, noted outside of them. A start compares it with its files, and so tells the
// end of a log from a log that has lost its end.
// Place:      wt_store.cc reads it before it opens the log. inventory_keeper.h writes it while the store runs.
// Format:     two files of one block (kInventoryBytes) each, in different directories as a rule, padded with zeros:
//             "ebla inventory, format 1, crc C" (the CRC-32 of the lines that follow), then lines of a word and its
//             values; an unknown line is kept:
//               generation G         grows with each write
//               life L               start counter of the process that wrote it
//               written MS           time of day
//               server UUID          whose store it is; builds of before wrote none
//               log ID               as in LogExtent, numbers in decimal
//               segments FIRST LAST BYTES
//               end SEGMENT OFFSET SEQUENCE
//               needed SEQUENCE
//               checkpoint N         the last of WtCheckpoints that the disk has
//               clock BOOT SINCE_BOOT_MS DAY_MS
//             A file is made once, by rename, and overwritten in place: that takes no room of a full disk, but on a
//             file system that writes each block to a new place (btrfs, ZFS).
// Invariants: 1. Every claim was true of the disk before it was written.
//             2. At any moment one file at least is whole, and its claims hold: a write that a crash tears is of one
//                file, and nothing that a claim needs is removed before both have a newer claim.
// Errors:     INTERNAL: a file can be neither overwritten nor made again. UNAVAILABLE: it cannot, for want of room, of
//             permission and the like.
// Threads:    any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/wiredtiger/clock_mark.h"

namespace ebla::tabletserver {

inline constexpr size_t kInventoryBytes = 4096;

class StoreInventory {
 public:
  struct Contents {
    uint64_t generation = 0;
    uint64_t life = 0;
    int64_t written_ms = 0;
    std::string server;  // empty: unknown
    LogExtent log;
    uint64_t checkpoint = 0;
    ClockMark clock;
    std::vector<std::string> others;  // lines that this build does not know
    friend bool operator==(const Contents&, const Contents&) = default;
  };
  using Files = std::array<std::string, 2>;

  // Reads what is there, and changes nothing.
  explicit StoreInventory(Files files);
  ~StoreInventory();
  StoreInventory(const StoreInventory&) = delete;
  StoreInventory& operator=(const StoreInventory&) = delete;

  const Files& files() const { return files_; }
  // The newest whole one; none: no file is whole.
  const std::optional<Contents>& found() const { return found_; }
  // The files that are there and not whole, with the reason.
  const std::vector<std::string>& damaged() const { return damaged_; }
  // INVALID_ARGUMENT: the files are of two stores, or of another server's. UNAVAILABLE: a file cannot be read now, and
  // found() knows nothing of it. `server`: the uuid; empty: unknown.
  Status CheckIsOf(const std::string& server) const;

  // Durable when it returns. Not `both`: to the file that was written longer ago. Sets the generation, and keeps lines
  // that this build does not know.
  Status Write(Contents contents, bool both);
  // Reads both files from the disk, and makes a file again that is missing, or not as it was written.
  Status Scrub();

 private:
  Status WriteTo(size_t file, const std::string& block) EBLA_REQUIRES(mutex_);
  Status MakeFile(size_t file, const std::string& block) EBLA_REQUIRES(mutex_);

  const Files files_;
  std::optional<Contents> found_;
  size_t found_in_ = 0;
  std::vector<std::string> damaged_;
  Status unusable_;  // as CheckIsOf gives it

  Mutex mutex_;  // held while it writes
  std::array<int, 2> open_ EBLA_GUARDED_BY(mutex_){-1, -1};
  std::array<std::string, 2> blocks_ EBLA_GUARDED_BY(mutex_);  // as they were written; empty: not by this process
  uint64_t generation_ EBLA_GUARDED_BY(mutex_) = 0;
  size_t next_ EBLA_GUARDED_BY(mutex_) = 0;  // to be written
};

// The files of a store's inventory. `other`: WtStoreOptions::inventory_directory.
StoreInventory::Files InventoryFiles(const std::string& directory, const std::string& other);
// The expectation of a start in this life. A life in between was of a build that knows no inventory, and may have
// removed the oldest segments.
std::optional<StoreInventory::Contents> FoundByLife(const StoreInventory& inventory, uint64_t life);

// A block of kInventoryBytes.
std::string EncodeInventory(const StoreInventory::Contents& contents);
// INTERNAL: it is no inventory, damaged, or of a format that this build does not know.
Result<StoreInventory::Contents> DecodeInventory(std::string_view block);

}  // namespace ebla::tabletserver

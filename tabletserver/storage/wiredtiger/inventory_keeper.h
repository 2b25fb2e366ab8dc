// tabletserver/storage/wiredtiger/inventory_keeper.h
// Keeps the inventory of a store that runs: the extent of its log, its last checkpoint, and the machine's clocks.
// Cost:       one sync of one file in a period, if the log has changed. Nothing waits for it.
// Bound:      a start knows of everything that was synced two periods and two such syncs before the crash, and of what
//             was synced one period and one such sync before it, if both files are whole.
// Place:      wt_store.cc makes it; it works on the executor `inventory` of WtStoreOptions.
// Threads:    any. Stop() waits for the write in progress, and ends the regular ones.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/task_gate.h"
#include "tabletserver/storage/wiredtiger/store_inventory.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"

namespace ebla::tabletserver {

class InventoryKeeper {
 public:
  // Both outlive it.
  InventoryKeeper(StoreInventory& inventory, const SharedLog& log, const WtStoreOptions& options)
      : inventory_(inventory),
        log_(log),
        life_(options.life),
        server_(options.server),
        clock_(options.clock),
        period_(options.inventory_period) {}
  ~InventoryKeeper() { Stop(); }

  // Writes now and then from now on. `failed` gets the error of the last such write.
  void Start(Executor& executor, std::function<void(const Status&)> failed);
  void Stop() { gate_->Close(); }
  // Writes both files, durably.
  Status WriteBoth() { return Write(true); }
  // The disk has this checkpoint. Writes both files.
  Status NoteCheckpoint(uint64_t number);

 private:
  Status Write(bool both);
  void Look();
  void Later();

  StoreInventory& inventory_;
  const SharedLog& log_;
  const uint64_t life_;
  const std::string server_;
  const std::function<ClockMark()> clock_;  // null: none
  const Duration period_;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
  Executor* executor_ = nullptr;
  std::function<void(const Status&)> failed_;

  Mutex mutex_;  // held while it writes: an older claim must never follow a newer one
  uint64_t checkpoint_ EBLA_GUARDED_BY(mutex_) = 0;
  LogExtent written_ EBLA_GUARDED_BY(mutex_);
  int periods_ EBLA_GUARDED_BY(mutex_) = 0;  // since the last write
};

}  // namespace ebla::tabletserver

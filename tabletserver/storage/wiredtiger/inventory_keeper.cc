#include "tabletserver/storage/wiredtiger/inventory_keeper.h"

namespace ebla::tabletserver {

namespace {

// The clocks of a store at rest are noted this often.
constexpr int kClockPeriods = 120;

}  // namespace

void InventoryKeeper::Start(Executor& executor, std::function<void(const Status&)> failed) {
  executor_ = &executor;
  failed_ = std::move(failed);
  Later();
}

void InventoryKeeper::Later() {
  executor_->After(period_, [this, gate = gate_] { gate->Enter([this] { Look(); }); });
}

void InventoryKeeper::Look() {
  bool due = false;
  {
    MutexLock lock(mutex_);
    due = log_.extent() != written_ || (++periods_ >= kClockPeriods && clock_);
  }
  const Status written = due ? Write(false) : Status();
  if (!written.ok()) return failed_(written);
  Later();
}

Status InventoryKeeper::NoteCheckpoint(uint64_t number) {
  {
    MutexLock lock(mutex_);
    checkpoint_ = number;
  }
  return Write(true);
}

Status InventoryKeeper::Write(bool both) {
  MutexLock lock(mutex_);
  StoreInventory::Contents contents;
  contents.life = life_;
  contents.server = server_;
  contents.log = log_.extent();
  contents.checkpoint = checkpoint_;
  if (clock_) contents.clock = clock_();
  // The clock is judged after the store has been opened: until then the found mark stays.
  if (contents.clock.boot.empty() && inventory_.found()) contents.clock = inventory_.found()->clock;
  contents.written_ms = contents.clock.day_ms;
  EBLA_TRY(inventory_.Write(contents, both));
  written_ = contents.log;
  periods_ = 0;
  return {};
}

}  // namespace ebla::tabletserver

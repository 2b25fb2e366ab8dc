#include "tabletserver/storage/testing/simulated_store.h"

#include <glog/logging.h>

#include <utility>

namespace ebla::tabletserver {

namespace {

constexpr Duration kCleanEvery = std::chrono::seconds(1);

}  // namespace

void SimulatedStore::Watch::Recovered(const std::vector<RecoveredReplica>& replicas) {
  MutexLock lock(disk_->mutex_);
  disk_->present_.clear();
  for (const RecoveredReplica& replica : replicas) {
    if (!replica.state.tombstone) disk_->present_.insert(replica.tablet);
  }
}

void SimulatedStore::Watch::BeforePutState(TabletId tablet, const ReplicaState& state) {
  MutexLock lock(disk_->mutex_);
  if (state.tombstone) {
    disk_->present_.erase(tablet);
  } else {
    disk_->present_.insert(tablet);
  }
}

void SimulatedStore::Watch::BeforeRemoveSuffix(TabletId tablet, Lsn from) {
  MutexLock lock(disk_->mutex_);
  const auto applied = disk_->records_.applied.find(tablet);
  CHECK(applied == disk_->records_.applied.end() || applied->second.state.applied.lsn < from)
      << "tablet " << tablet << ": removing applied entries from " << from;
}

void SimulatedStore::Watch::BeforeTruncateLog(TabletId tablet, Lsn below) {
  const Lsn first = disk_->log_->Bounds(tablet).first;  // none of a tablet in memory
  if (!first || below <= first) return;
  MutexLock lock(disk_->mutex_);
  const auto held = disk_->checkpoint_.applied.find(tablet);
  CHECK(held != disk_->checkpoint_.applied.end() && below <= held->second.state.applied.lsn.Next())
      << "tablet " << tablet << ": the last checkpoint still needs log below " << below;
}

SimulatedStore::SimulatedStore(SimulatedDisk& disk, Executor& executor, Options options)
    : disk_(disk),
      life_(disk),
      executor_(executor),
      flusher_(disk, executor, /*of_log=*/true),
      background_(disk, executor, /*of_log=*/false),
      watch_(options.watch != nullptr ? std::move(options.watch) : std::make_unique<Watch>()),
      records_(options.records ? options.records(disk) : std::make_unique<FakeRecordStore>(disk)),
      store_{disk.Open(),  // before its loss is known
             life_,
             *records_,
             {.flusher = &flusher_,
              .background = &background_,
              .memory = options.memory,
              .watch = watch_.get(),
              .loss = options.loss ? options.loss : disk.loss()}} {
  watch_->disk_ = &disk;
  watch_->life_ = this;
  const Status opened = store_.Open();
  CHECK(opened.ok()) << opened;
  CleanLater();
  NoteLater();
}

SimulatedStore::~SimulatedStore() {
  gate_->Close();
  disk_.Close();
}

// ---- checkpoints, one at a time --------------------------------------------------------------------------------------

void SimulatedStore::Watch::TakeCheckpoint(RecordStore&, std::move_only_function<void(Status)> done) {
  life_->checkpoints_.push_back(std::move(done));
  if (life_->checkpoints_.size() == 1) life_->BeginCheckpoint();
}

void SimulatedStore::BeginCheckpoint() {
  background_.Post([this, gate = gate_] {
    gate->Enter([this] {
      const Status begun = records_->BeginCheckpoint();
      if (!begun.ok()) return FinishCheckpoint(begun);
      background_.PostEndOfCheckpoint([this, gate = gate_] { gate->Enter([this] { EndCheckpoint(); }); });
    });
  });
}

void SimulatedStore::EndCheckpoint() { FinishCheckpoint(records_->EndCheckpoint()); }

void SimulatedStore::FinishCheckpoint(const Status& status) {
  if (status.ok()) disk_.NoteExtent();
  checkpoints_.front()(status);
  checkpoints_.pop_front();
  if (!checkpoints_.empty()) BeginCheckpoint();
}

// ----------------------------------------------------------------------------------------------------------------------

void SimulatedStore::CleanLater() {
  executor_.After(kCleanEvery, [this, gate = gate_] {
    gate->Enter([this] {
      store_.CleanLog(true);
      CleanLater();
    });
  });
}

void SimulatedStore::NoteLater() {
  executor_.After(SimulatedDisk::kNoteEvery, [this, gate = gate_] {
    gate->Enter([this] {
      disk_.NoteExtent();
      NoteLater();
    });
  });
}

}  // namespace ebla::tabletserver

// tabletserver/maintenance/checkpointer.h
// Makes the store take a checkpoint periodically, or when much has been logged since the last one or many files wait to
// be removed, and the shards truncate the log that it covers.
// Place:      tabletserver_host.h owns it; the store does the work on a thread of its own.
// Invariants: one checkpoint at a time; log is truncated only below a finished one.
// Threads:    everything on its executor. The store's answer finds it gone if it was destroyed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class LogTruncator;

class Checkpointer {
 public:
  struct Options {
    Duration period = std::chrono::seconds(60);
    int64_t log_bytes = int64_t{1} << 30;
    int64_t kept_bytes = int64_t{256} << 20;  // of files that a checkpoint lets go; 1 MiB on a full disk
    // Logs of tables in memory are truncated when they have grown by so much and have doubled, and longer ones every
    // memory_log_period.
    int64_t memory_log_bytes = int64_t{256} << 10;
    Duration memory_log_period = std::chrono::milliseconds(100);
    Duration look_in_memory_every = std::chrono::milliseconds(5);
    // The first checkpoint is due after this part of both limits, so that servers started together, and replicas with
    // the same log, do not keep their disks busy together.
    double first_part = 1;
    Duration look_every = std::chrono::seconds(1);
    std::function<void()> on_finished = [] {};  // after each that succeeded, on the executor
  };

  Checkpointer(Executor& executor, TabletStore& store, std::vector<LogTruncator*> truncators, Options options);
  ~Checkpointer();

  void Start();
  // Takes one now, or after the one under way; `done` gets the outcome.
  void CheckpointNow(std::move_only_function<void(Status)> done);

  uint64_t finished() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ebla::tabletserver

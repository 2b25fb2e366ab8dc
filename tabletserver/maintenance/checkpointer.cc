#include "tabletserver/maintenance/checkpointer.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "tabletserver/shard/log_truncator.h"
#include "tabletserver/storage/in_memory/in_memory_store.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kKeptFull = int64_t{1} << 20;

}  // namespace

class Checkpointer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, TabletStore& store, std::vector<LogTruncator*> truncators, Options options)
      : executor_(executor),
        store_(store),
        truncators_(std::move(truncators)),
        options_(std::move(options)),
        last_(executor.Now()) {}

  void Look() {
    if (stopped_) return;
    executor_.After(options_.look_every, [self = shared_from_this()] { self->Look(); });
    if (running_) return;
    const TabletStore::Health health = store_.health();
    const int64_t logged = health.log_bytes;
    const double part = finished() == 0 ? options_.first_part : 1;
    const bool due = executor_.Now() - last_ >= options_.period * part && logged > 0;
    // On a full disk merges have freed them for nothing until then, and no write may come that makes one due.
    const int64_t kept = health.room == DiskRoom::kAll ? options_.kept_bytes : std::min(options_.kept_bytes, kKeptFull);
    const bool frees = health.kept_for_checkpoint_bytes >= kept;
    if (due || frees || static_cast<double>(logged) >= static_cast<double>(options_.log_bytes) * part) Run();
  }
  void Stop() { stopped_ = true; }
  void Now(std::move_only_function<void(Status)> done) {
    waiting_.push_back(std::move(done));
    if (!running_) Run();
  }
  uint64_t finished() const { return finished_.load(std::memory_order_relaxed); }

  // Logs of tables in memory take the room of their records, and no recovery needs them.
  void LookInMemory() {
    InMemoryStore* const memory = store_.memory_tables();
    if (stopped_ || memory == nullptr) return;
    const InMemoryStore::LogsUse logs = memory->Logs();
    executor_.After(logs.bytes > 0 ? options_.look_in_memory_every : options_.memory_log_period,
                    [self = shared_from_this()] { self->LookInMemory(); });
    memory_logs_least_ = std::min(memory_logs_least_, logs.bytes);
    const bool due = executor_.Now() - memory_logs_truncated_ >= options_.memory_log_period;
    // A look visits all tablets. Log retained for followers that are behind is retained the next time, too.
    constexpr int64_t kBytesOfTablet = 1 << 10;
    const int64_t grown = std::max({options_.memory_log_bytes, kBytesOfTablet * logs.tablets, memory_logs_least_});
    if (logs.bytes < (due ? options_.memory_log_bytes : memory_logs_least_ + grown)) return;
    memory_logs_least_ = logs.bytes;
    memory_logs_truncated_ = executor_.Now();
    const TabletStore::CheckpointResult applied = memory->AppliedOfLogs();
    for (LogTruncator* truncator : truncators_) truncator->Truncate(applied, LogTruncator::Cause::kInMemory);
  }

 private:
  void Run() {
    running_ = true;
    last_ = executor_.Now();
    store_.Checkpoint(executor_, [self = shared_from_this(), asked = std::exchange(waiting_, {})](auto result) mutable {
      self->Finished(std::move(result), std::move(asked));
    });
  }

  void Finished(Result<TabletStore::CheckpointResult> result,
                std::vector<std::move_only_function<void(Status)>> asked) {
    if (stopped_) return;
    running_ = false;
    if (result) {
      finished_.fetch_add(1, std::memory_order_relaxed);
      for (LogTruncator* truncator : truncators_) truncator->Truncate(*result);
      options_.on_finished();
    } else {
      LOG(ERROR) << "checkpoint failed: " << result.error();
    }
    for (auto& done : asked) done(result ? Status::Ok() : result.error());
    if (!waiting_.empty()) Run();
  }

  Executor& executor_;
  TabletStore& store_;
  const std::vector<LogTruncator*> truncators_;
  const Options options_;
  MonotonicTime last_;  // began
  MonotonicTime memory_logs_truncated_;
  int64_t memory_logs_least_ = 0;  // since then
  bool running_ = false;
  bool stopped_ = false;
  std::vector<std::move_only_function<void(Status)>> waiting_;  // for the next one
  std::atomic<uint64_t> finished_{0};
};

Checkpointer::Checkpointer(Executor& executor, TabletStore& store, std::vector<LogTruncator*> truncators,
                           Options options)
    : impl_(std::make_shared<Impl>(executor, store, std::move(truncators), std::move(options))) {}

Checkpointer::~Checkpointer() { impl_->Stop(); }

void Checkpointer::Start() {
  impl_->Look();
  impl_->LookInMemory();
}

void Checkpointer::CheckpointNow(std::move_only_function<void(Status)> done) { impl_->Now(std::move(done)); }

uint64_t Checkpointer::finished() const { return impl_->finished(); }

}  // namespace ebla::tabletserver

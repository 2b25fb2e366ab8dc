#include "tabletserver/storage/log_flusher.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "common/base/mutex.h"

namespace ebla::tabletserver {
namespace {

// Whoever flushes at once has other things to do.
constexpr Duration kPatience = std::chrono::milliseconds(5), kMistrust = std::chrono::seconds(10);

}  // namespace

struct LogFlusher::State : std::enable_shared_from_this<State> {
  struct Waiter {
    Executor* executor;
    std::move_only_function<void(Status)> done;
  };
  // Tells each executor's waiters in one task, in the order of their requests.
  static void Complete(std::vector<Waiter> waiters, const Status& status) {
    for (auto first = waiters.begin(); first != waiters.end();) {
      Executor* const executor = first->executor;
      std::vector<std::move_only_function<void(Status)>> group;
      for (; first != waiters.end() && first->executor == executor; ++first) group.push_back(std::move(first->done));
      executor->Post([group = std::move(group), status]() mutable {
        for (auto& done : group) done(status);
      });
    }
  }

  State(TabletLog& log, Executor& executor, Duration interval)
      : log(log), executor(executor), interval_max(interval), interval(interval) {}

  void StartTimer() EBLA_REQUIRES(mutex);
  void ChooseInterval() EBLA_REQUIRES(mutex);

  void Request(FlushMode mode, Waiter waiter);
  std::optional<Status> FlushAtOnce();
  void Run();
  void NoteUnsynced() EBLA_REQUIRES(mutex);
  void IntervalEnds();
  void PostRun() {
    executor.Post([self = weak_from_this()] {
      if (auto state = self.lock()) state->Run();
    });
  }

  TabletLog& log;
  Executor& executor;

  Mutex running;  // held while a flush runs; before `mutex`
  bool closed EBLA_GUARDED_BY(running) = false;

  Mutex mutex;
  std::vector<Waiter> waiters EBLA_GUARDED_BY(mutex);
  bool wants_disk EBLA_GUARDED_BY(mutex) = false;  // one of them, or the end of an interval, wants an fsync
  bool posted EBLA_GUARDED_BY(mutex) = false;
  bool unsynced EBLA_GUARDED_BY(mutex) = false;     // flushed to the operating system since the last fsync
  TimerId timer EBLA_GUARDED_BY(mutex);             // of the interval's end
  MonotonicTime slow_until EBLA_GUARDED_BY(mutex);  // nothing is flushed at once
  struct TableInterval {
    int64_t schema_version = 0;
    Duration interval{0};
  };
  std::map<TableId, TableInterval> tables EBLA_GUARDED_BY(mutex);
  const Duration interval_max;
  Duration interval EBLA_GUARDED_BY(mutex);
};

void LogFlusher::State::Request(FlushMode mode, Waiter waiter) {
  bool first;
  {
    MutexLock lock(mutex);
    waiters.push_back(std::move(waiter));
    wants_disk |= mode == FlushMode::kSync;
    first = !std::exchange(posted, true);
  }
  if (first) PostRun();  // whom this wakes wants the lock
}

void LogFlusher::State::Run() {
  MutexLock run(running);
  if (closed) return;
  std::vector<Waiter> served;
  bool to_disk = false;
  {
    MutexLock lock(mutex);
    posted = false;
    served.swap(waiters);
    to_disk = std::exchange(wants_disk, false);
    unsynced = false;
    if (!to_disk) NoteUnsynced();
  }
  Complete(std::move(served), log.Flush(to_disk ? FlushMode::kSync : FlushMode::kInterval));
}

std::optional<Status> LogFlusher::State::FlushAtOnce() {
  {
    MutexLock lock(mutex);
    if (posted || executor.Now() < slow_until) return std::nullopt;
  }
  const MonotonicTime began = executor.Now();
  std::optional<Status> flushed = log.FlushAtOnce();
  const MonotonicTime now = executor.Now();
  // Not before it is written: an fsync that ends meanwhile has nothing of it.
  MutexLock lock(mutex);
  if (flushed) NoteUnsynced();
  if (now - began > kPatience) slow_until = now + kMistrust;
  return flushed;
}

void LogFlusher::State::NoteUnsynced() {
  unsynced = true;
  if (!timer) StartTimer();
}

void LogFlusher::State::StartTimer() {
  executor.Cancel(timer);
  timer = executor.After(interval, [self = weak_from_this()] {
    if (auto state = self.lock()) state->IntervalEnds();
  });
}

void LogFlusher::State::ChooseInterval() {
  Duration shortest = interval_max;
  for (const auto& [id, table] : tables) shortest = std::min(shortest, table.interval);
  const bool shorter = shortest < std::exchange(interval, shortest);
  if (shorter && timer) StartTimer();
}

void LogFlusher::State::IntervalEnds() {
  MutexLock lock(mutex);
  timer = {};
  if (!unsynced) return;
  wants_disk = true;
  if (!std::exchange(posted, true)) PostRun();
}

LogFlusher::LogFlusher(TabletLog& log, Executor& executor, Duration interval)
    : state_(std::make_shared<State>(log, executor, interval)) {}

LogFlusher::~LogFlusher() {
  MutexLock run(state_->running);
  state_->closed = true;
}

void LogFlusher::Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) {
  state_->Request(mode, {&executor, std::move(done)});
}

std::optional<Status> LogFlusher::FlushAtOnce() { return state_->FlushAtOnce(); }

void LogFlusher::SetInterval(TableId table, int64_t schema_version, Duration interval) {
  MutexLock lock(state_->mutex);
  const auto [known, added] = state_->tables.try_emplace(table, schema_version, interval);
  if (!added && schema_version < known->second.schema_version) return;
  known->second = {schema_version, interval};
  state_->ChooseInterval();
}

void LogFlusher::ForgetTable(TableId table) {
  MutexLock lock(state_->mutex);
  if (state_->tables.erase(table) > 0) state_->ChooseInterval();
}

}  // namespace ebla::tabletserver

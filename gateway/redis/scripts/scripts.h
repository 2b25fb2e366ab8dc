// gateway/redis/scripts/scripts.h
// The state that the connections of a gateway share for scripts: the threads that run them, the scripts by their names,
// and the runs that SCRIPT KILL ends.
// Place:   redis_listener.h starts and stops it. Scripts block, so that no loop and no thread of the SDK may run one.
// Bounds:  runs as many scripts at a time as it has threads; as many more wait, with the values that were loaded for
//          them. A script that waits beyond its deadline fails when a thread takes it. Scripts write so many lines a
//          second to the log.
// Threads: any; Start and Stop from one, which is none of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "gateway/redis/scripts/engine/script_cache.h"
#include "gateway/redis/scripts/engine/script_engine.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

class Scripts {
 public:
  struct Options {
    size_t waiting_max = 1'000;
    size_t waiting_bytes_max = 256 << 20;  // of all scripts that wait, or of a single one
    int log_lines_max = 100;               // per second
    ScriptLimits limits;
  };
  Scripts() : Scripts(Options()) {}
  explicit Scripts(const Options& options) : options_(options) {}
  ~Scripts() { Stop(); }
  Scripts(const Scripts&) = delete;

  // Before Start(), a run takes place within its call.
  void Start(size_t threads);
  // Fails the scripts that wait, and cuts those that run. Precedes the release of the last reference.
  void Stop();

  // `work`, which holds so many bytes, is called once, on one of the threads, with OK. With an error the script must
  // not run: DEADLINE_EXCEEDED or UNAVAILABLE, and within the call OVERLOADED.
  using Work = std::move_only_function<void(const Status& may)>;
  void Run(Until until, size_t bytes, Work work);

  // SCRIPT KILL: ends all scripts of this owner that run now. False: none runs.
  bool Kill(std::string_view owner);
  // A run of a script, while the object lives.
  class Running {
   public:
    Running(Scripts& scripts, std::string owner);
    ~Running();
    Running(const Running&) = delete;
    bool killed() const { return scripts_.stopped_ || killed_; }

   private:
    friend Scripts;
    Scripts& scripts_;
    const std::string owner_;
    std::atomic<bool> killed_{false};
  };

  // Whether a script may write one more line to the log.
  bool TakeLogLine();

  ScriptCache& cache() { return cache_; }
  size_t running() const;
  size_t waiting() const;
  const ScriptLimits& limits() const { return options_.limits; }

 private:
  struct Waiting {
    Until until;
    size_t bytes;
    Work work;
  };
  void RunThread();
  std::optional<Waiting> Take();

  const Options options_;
  ScriptCache cache_;
  std::atomic<bool> stopped_{false};  // written under the mutex
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Waiting> waiting_ EBLA_GUARDED_BY(mutex_);
  size_t waiting_bytes_ EBLA_GUARDED_BY(mutex_) = 0;
  std::set<Running*> running_ EBLA_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point log_second_ EBLA_GUARDED_BY(mutex_);
  int log_lines_ EBLA_GUARDED_BY(mutex_) = 0;  // since then
  std::vector<std::thread> threads_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis

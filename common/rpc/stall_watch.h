// common/rpc/stall_watch.h
// Names what holds event loops up. Such a loop answers no client, and latencies alone do not tell why.
// How:     each loop gets a small task ten times a second. If the task has not run within kLong, the watch asks the
//          loop's thread by a signal for its stack, and logs it with the thread's state; again whenever the stall has
//          lasted ten times longer. The stall's end is logged and counted. A minute has kLinesMax lines at most.
// Signal:  SIGRTMIN + 5, with SA_RESTART. Only a thread that is held up gets it. A thread that waits for a disk within
//          the kernel answers later; then its state and place in the kernel (/proc, wchan) are all that is logged.
// Stack:   the innermost function is first. A program without symbols shows addresses for addr2line.
// Place:   tabletserver/server/server_process.cc watches shards and loops; its /metrics shows figures().
// Threads: it has one of its own. figures() from any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"

namespace ebla::rpc {

class EventLoop;

class StallWatch {
 public:
  static constexpr std::chrono::milliseconds kLong{100};
  static constexpr int kLinesMax = 60;

  struct Figures {
    std::string loop;
    uint64_t stalls = 0;
    Duration stalled{};  // in all of them
  };
  using Tell = std::function<void(const std::string& line)>;

  // Loops that run, and that stop only after this has ended. `tell`: called on the watch's thread; null: to the log.
  explicit StallWatch(const std::vector<EventLoop*>& loops, Tell tell = nullptr);
  ~StallWatch();
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  std::vector<Figures> figures() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace ebla::rpc

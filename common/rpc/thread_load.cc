#include "common/rpc/thread_load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>

namespace ebla::rpc {
namespace {

std::string ReadStart(int fd) {
  std::string text(128, '\0');
  const ssize_t got = pread(fd, text.data(), text.size() - 1, 0);
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

}  // namespace

// The bounds are measured on two processors that the servers share with their clients: docs/lab/loop-threads.md.
ThreadChange Advise(const ThreadLoad& load) {
  constexpr double kSaturated = 0.95;
  constexpr double kProcessorToSpare = 0.5;
  constexpr double kContended = 0.15;
  constexpr Duration kShortStretch = std::chrono::microseconds(200);

  if (load.waiting >= kContended && load.stretch < kShortStretch) return ThreadChange::kJoin;
  if (load.busy >= kSaturated && load.idle_processors >= kProcessorToSpare) return ThreadChange::kSpread;
  return ThreadChange::kNone;
}

ThreadMeter::ThreadMeter(Duration window)
    : window_(window),
      schedule_fd_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)),
      uptime_fd_(open("/proc/uptime", O_RDONLY | O_CLOEXEC)) {
  Restart(Clock::now());
}

ThreadMeter::~ThreadMeter() {
  if (schedule_fd_ >= 0) close(schedule_fd_);
  if (uptime_fd_ >= 0) close(uptime_fd_);
}

std::optional<ThreadLoad> ThreadMeter::Measure(Clock::time_point now) {
  const Duration passed = now - since_;
  if (passed < window_) return std::nullopt;
  const Counted before = before_;
  const Duration slept = slept_;
  Restart(now);
  const auto part = [passed](Duration time) {
    return static_cast<double>(time.count()) / static_cast<double>(passed.count());
  };
  const Duration running(before_.running_ns - before.running_ns);
  return ThreadLoad{
      .busy = 1 - part(slept),
      .running = part(running),
      .waiting = part(Duration(before_.waiting_ns - before.waiting_ns)),
      .stretch = running / std::max<int64_t>(1, before_.stretches - before.stretches),
      .idle_processors = (before_.idle_seconds - before.idle_seconds) / std::chrono::duration<double>(passed).count()};
}

void ThreadMeter::Restart(Clock::time_point now) {
  since_ = now;
  slept_ = {};
  before_ = Count();
}

ThreadMeter::Counted ThreadMeter::Count() const {
  Counted counted;
  int64_t running = 0;
  int64_t waiting = 0;
  int64_t stretches = 0;
  if (std::sscanf(ReadStart(schedule_fd_).c_str(), "%" SCNd64 " %" SCNd64 " %" SCNd64, &running, &waiting,
                  &stretches) == 3) {
    counted.running_ns = running;
    counted.waiting_ns = waiting;
    counted.stretches = stretches;
  }
  double idle = 0;
  if (std::sscanf(ReadStart(uptime_fd_).c_str(), "%*f %lf", &idle) == 1) counted.idle_seconds = idle;
  return counted;
}

}  // namespace ebla::rpc

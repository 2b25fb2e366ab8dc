#include "common/rpc/thread_load.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace ebla::rpc {
namespace {

// The bounds are measured on two processors that the servers share with their clients: docs/lab/loop-threads.md.
constexpr double kSaturated = 0.95;
constexpr double kBlocked = 0.05;
constexpr double kProcessorToSpare = 0.5;
constexpr double kBusy = 0.5, kProcessorsToWaste = 2;
constexpr double kContended = 0.15;
constexpr Duration kShortStretch = std::chrono::microseconds(200);

// Counts the processors that this thread may run on. A wait for a disk leaves the processor idle.
std::optional<double> IdleSeconds() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return std::nullopt;
  static const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream file("/proc/stat");
  double sum = 0;
  bool any = false;
  for (std::string line; std::getline(file, line) && line.starts_with("cpu");) {
    if (line.size() < 4 || line[3] == ' ') continue;  // that of all together
    int processor = 0;
    long long idle = 0;
    long long waits_for_disk = 0;
    if (std::sscanf(line.c_str(), "cpu%d %*d %*d %*d %lld %lld", &processor, &idle, &waits_for_disk) != 3) continue;
    if (processor >= CPU_SETSIZE || !CPU_ISSET(processor, &allowed)) continue;
    sum += static_cast<double>(idle + waits_for_disk);
    any = true;
  }
  return any ? std::optional(sum / ticks) : std::nullopt;
}

}  // namespace

ThreadChange Advise(const ThreadLoad& load) {
  const bool wants_more = load.busy >= kSaturated || Blocks(load);
  if (wants_more && load.idle_processors >= kProcessorToSpare) return ThreadChange::kSpread;
  if (load.busy >= kBusy && load.idle_processors >= kProcessorsToWaste) return ThreadChange::kSpread;
  const bool one_too_many = load.waiting >= kContended && load.stretch < kShortStretch;
  return one_too_many && !Blocks(load) ? ThreadChange::kJoin : ThreadChange::kNone;
}

bool Blocks(const ThreadLoad& load) { return load.blocked >= kBlocked || load.disk_reads > 0; }

bool ThreadMeter::Works() { return IdleSeconds().has_value() && std::ifstream("/proc/thread-self/schedstat").good(); }

ThreadMeter::ThreadMeter(Duration window)
    : window_(window), schedule_fd_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {
  Restart(Clock::now());
}

ThreadMeter::~ThreadMeter() {
  if (schedule_fd_ >= 0) close(schedule_fd_);
}

std::optional<ThreadLoad> ThreadMeter::Measure(Clock::time_point now, bool counts_idle) {
  const Duration passed = now - since_;
  if (passed < window_) return std::nullopt;
  const Counted before = before_;
  const Duration slept = slept_;
  const std::optional<double> idle_before = idle_before_;
  Restart(now);

  const auto part = [passed](Duration time) {
    return static_cast<double>(time.count()) / static_cast<double>(passed.count());
  };
  const Duration running(before_.running_ns - before.running_ns);
  ThreadLoad load{.busy = 1 - part(slept),
                  .running = part(running),
                  .waiting = part(Duration(before_.waiting_ns - before.waiting_ns)),
                  .stretch = running / std::max<int64_t>(1, before_.stretches - before.stretches),
                  .disk_reads = before_.disk_reads - before.disk_reads};
  // The system counts the wait after a sleep as waiting, and the sleep as measured here lasts until that wait is over.
  load.blocked = std::max(0.0, load.busy - load.running - load.waiting);
  if (counts_idle && (load.busy >= kBusy || Blocks(load))) idle_before_ = IdleSeconds();
  if (idle_before && idle_before_)
    load.idle_processors = (*idle_before_ - *idle_before) / std::chrono::duration<double>(passed).count();
  return load;
}

void ThreadMeter::Restart(Clock::time_point now) {
  since_ = now;
  slept_ = {};
  before_ = Count();
  idle_before_.reset();
}

ThreadMeter::Counted ThreadMeter::Count() const {
  Counted counted;
  if (rusage used; getrusage(RUSAGE_THREAD, &used) == 0) counted.disk_reads = used.ru_inblock;
  std::array<char, 128> text{};
  if (pread(schedule_fd_, text.data(), text.size() - 1, 0) > 0)
    std::sscanf(text.data(), "%*d %" SCNd64 " %" SCNd64, &counted.waiting_ns, &counted.stretches);
  // The file lacks the present stretch.
  if (timespec time; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
    counted.running_ns = Duration(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)).count();
  return counted;
}

}  // namespace ebla::rpc

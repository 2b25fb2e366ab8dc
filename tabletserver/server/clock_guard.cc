#include "tabletserver/server/clock_guard.h"

#include <glog/logging.h>

#include <cstdlib>
#include <utility>

#include "common/base/number_limits.h"

namespace ebla::tabletserver {
namespace {

using std::chrono::milliseconds;

constexpr char kUnknownBoot[] = "unknown";  // as good as another boot

int64_t Ms(Duration duration) { return std::chrono::duration_cast<milliseconds>(duration).count(); }

// "3 d 4 h", "59 min", "12 s".
std::string Lasting(int64_t ms) {
  const int64_t seconds = std::abs(ms) / 1000;
  const auto two = [](int64_t large, const char* unit, int64_t small, const char* smaller) {
    return std::to_string(large) + unit + (small > 0 ? " " + std::to_string(small) + smaller : "");
  };
  if (seconds >= 86'400) return two(seconds / 86'400, " d", seconds % 86'400 / 3600, " h");
  if (seconds >= 3600) return two(seconds / 3600, " h", seconds % 3600 / 60, " min");
  return seconds >= 60 ? two(seconds / 60, " min", seconds % 60, " s") : std::to_string(seconds) + " s";
}

}  // namespace

ClockGuard::ClockGuard(const Executor& machine, ClockGuardOptions options)
    : machine_(machine), options_(std::move(options)) {
  MutexLock lock(mutex_);
  const Reading now = Read();
  sure_ = now;
  sure_boot_ = options_.boot;
  // No real clock shows more: as good as no mark.
  if (!options_.found || !limits::IsWithin(options_.found->day_ms, limits::kExpiryMsMax)) return;
  const ClockMark& mark = *options_.found;
  const MonotonicTime when{milliseconds(mark.since_boot_ms)};
  if (!options_.boot.empty() && mark.boot == options_.boot && mark.since_boot_ms >= 0 && when <= now.since_boot) {
    sure_ = {when, mark.day_ms};
  } else {
    sure_.machine_ms = mark.day_ms;
    sure_boot_ = mark.boot;
    former_ = sure_;
  }
  Look();
}

// Two looks that are apart make no clock doubtful: the process was stopped between them.
ClockGuard::Reading ClockGuard::Read() const {
  constexpr int kTries = 5;
  Reading reading;
  for (int tries = 0; tries < kTries; ++tries) {
    reading = {machine_.Now(), machine_.TimeOfDayMs()};
    if (machine_.Now() - reading.since_boot <= std::chrono::seconds(1)) break;
  }
  return reading;
}

int64_t ClockGuard::AheadMs(const Reading& of, const Reading& reading) {
  return reading.machine_ms - of.machine_ms - Ms(reading.since_boot - of.since_boot);
}

int64_t ClockGuard::SureAt(MonotonicTime now) const { return sure_.machine_ms + Ms(now - sure_.since_boot); }

bool ClockGuard::IsWithinBounds(const Reading& reading) const {
  const int64_t step_ms = Ms(options_.step_max);
  if (std::abs(AheadMs(sure_, reading)) <= step_ms) return true;
  if (!former_) return false;
  const int64_t ahead_ms = AheadMs(*former_, reading);
  return ahead_ms >= -step_ms && ahead_ms <= Ms(options_.leap_max);
}

void ClockGuard::Believe(const Reading& reading) const {
  sure_ = reading;
  sure_boot_ = options_.boot;
}

ClockGuard::Reading ClockGuard::Look() const {
  // Asked before and after, because a clock that is set between is no longer synchronized.
  const bool synchronized_before = options_.synchronized();
  const Reading now = Read();
  const bool synchronized = synchronized_before && options_.synchronized();
  if (synchronized) former_.reset();
  const int64_t ahead_ms = AheadMs(sure_, now);
  if (synchronized || IsWithinBounds(now)) {
    Believe(now);
    if (trust_ == ClockTrust::kDoubted) {
      trust_ = ClockTrust::kSure;
      LOG(WARNING) << "the machine's clock is believed again: "
                   << (synchronized ? "NTP has synchronized it" : "it shows a time that can be right");
    }
  } else if (trust_ != ClockTrust::kDoubted) {
    trust_ = ClockTrust::kDoubted;
    LOG(ERROR) << "the machine's clock is " << Lasting(ahead_ms) << (ahead_ms > 0 ? " ahead of" : " behind")
               << " the last time that was sure, and is not believed: what this server leads from now on expires late. "
               << "Have NTP set the clock; if it is right: ebla server clock NAME --accept";
  }
  return now;
}

int64_t ClockGuard::DayMs() const {
  MutexLock lock(mutex_);
  return SureAt(Look().since_boot);
}

ClockTrust ClockGuard::trust() const {
  MutexLock lock(mutex_);
  Look();
  return trust_;
}

ClockMark ClockGuard::mark() const {
  MutexLock lock(mutex_);
  const Reading now = Look();
  return {.boot = sure_boot_.empty() ? kUnknownBoot : sure_boot_,
          .since_boot_ms = Ms(now.since_boot.since_boot),
          .day_ms = SureAt(now.since_boot)};
}

ClockGuard::State ClockGuard::state() const {
  MutexLock lock(mutex_);
  const Reading now = Look();
  State state{.machine_ms = now.machine_ms, .waiting = waiting_.load(std::memory_order_relaxed)};
  if (trust_ == ClockTrust::kDoubted) state.doubt_ms = now.machine_ms - SureAt(now.since_boot);
  return state;
}

void ClockGuard::Compare(int64_t masters_day_ms, const std::string& boot) {
  if (options_.boot.empty() || boot.empty() || boot == options_.boot) return;
  if (masters_day_ms <= 0 || masters_day_ms > limits::kExpiryMsMax) return;
  MutexLock lock(mutex_);
  const Reading now = Look();
  if (trust_ != ClockTrust::kDoubted) return;
  if (std::abs(now.machine_ms - masters_day_ms) > Ms(options_.apart_max)) return;
  Believe(now);
  former_.reset();
  trust_ = ClockTrust::kSure;
  LOG(WARNING) << "the master's clock, of another machine, shows the same time: this machine's is believed again";
}

void ClockGuard::Accept() {
  MutexLock lock(mutex_);
  const Reading now = Look();
  if (trust_ != ClockTrust::kDoubted) return;
  LOG(WARNING) << "an operator accepts the machine's clock, which was doubted by "
               << Lasting(now.machine_ms - SureAt(now.since_boot)) << ": records expire by it from now on";
  Believe(now);
  former_.reset();
  trust_ = ClockTrust::kAccepted;
}

}  // namespace ebla::tabletserver

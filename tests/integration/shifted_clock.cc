// Shifts the time of day of the program that it is loaded into, while the monotonic clocks run on. The program is the
// shipped one, without any change for this test.
//   LD_PRELOAD=libshifted_clock.so EBLA_CLOCK_SHIFT=FILE   the file holds two numbers of 8 bytes in this machine's
//                                                          order: by how many seconds, and 1 if NTP is to have
//                                                          synchronized the clock; a change takes effect at once
//   EBLA_BOOT_ID=FILE                                      it reads this file in place of the machine's boot id
// Place:   clock_test.cc loads it.
// Threads: any.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/integration/next_function.h"

namespace {

using ebla::testing::Next;

struct Clock {
  int64_t shift_s = 0;
  int64_t synchronized = 0;
};

const volatile Clock* MapClock() {
  const char* const path = std::getenv("EBLA_CLOCK_SHIFT");
  const int fd = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const mapped = mmap(nullptr, sizeof(Clock), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return mapped == MAP_FAILED ? nullptr : static_cast<const volatile Clock*>(mapped);
}
Clock Now() {
  static const volatile Clock* const clock = MapClock();
  return clock == nullptr ? Clock() : Clock{clock->shift_s, clock->synchronized};
}

const char* Redirected(const char* path) {
  const char* const boot_id = std::getenv("EBLA_BOOT_ID");
  return boot_id != nullptr && std::string_view(path) == "/proc/sys/kernel/random/boot_id" ? boot_id : path;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  static const auto next = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int failed = next(clock, now);
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += Now().shift_s;
  return failed;
}
int adjtimex(timex* clock) noexcept {
  *clock = {};
  const bool synchronized = Now().synchronized != 0;
  clock->status = synchronized ? 0 : STA_UNSYNC;
  return synchronized ? TIME_OK : TIME_ERROR;
}
int gettimeofday(timeval* __restrict now, void* __restrict zone) {
  static const auto next = Next<int(timeval*, void*)>("gettimeofday");
  const int failed = next(now, zone);
  if (failed == 0) now->tv_sec += Now().shift_s;
  return failed;
}
time_t time(time_t* to) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (to != nullptr) *to = now.tv_sec;
  return now.tv_sec;
}
FILE* fopen(const char* path, const char* mode) {
  return Next<FILE*(const char*, const char*)>("fopen")(Redirected(path), mode);
}
FILE* fopen64(const char* path, const char* mode) {
  return Next<FILE*(const char*, const char*)>("fopen64")(Redirected(path), mode);
}

}  // extern "C"
#pragma GCC visibility pop

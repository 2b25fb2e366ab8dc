#include "common/rpc/scheduling.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

namespace ebla::rpc {
namespace {

struct Seen {
  int nice = 0;
  std::string slice;  // in nanoseconds; empty where the system does not show it
};

Seen SeenWith(const Scheduling& scheduling) {
  Seen seen;
  std::thread([&] {
    Schedule(scheduling);
    seen.nice = getpriority(PRIO_PROCESS, 0);
    std::ifstream lines("/proc/thread-self/sched");
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("se.slice")) seen.slice = line.substr(line.find_last_of(" :") + 1);
  }).join();
  return seen;
}

// A sandbox may forbid it.
bool MayBeNice() { return setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)) == 0; }

bool SystemHasSlices() {
  utsname system;
  int major = 0, minor = 0;
  const bool slices = uname(&system) == 0 && std::sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
                      (major > 6 || (major == 6 && minor >= 12));
  char attributes[48];
  return slices && !SeenWith({}).slice.empty() &&
         syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0) == 0 &&
         syscall(SYS_sched_setattr, 0, attributes, 0) == 0;
}

TEST(SchedulingTest, IsOfOneThread) {
  if (!MayBeNice()) GTEST_SKIP() << "this system lets no thread step back";
  const Seen before = SeenWith({});
  EXPECT_EQ(SeenWith({.nicer = 5}).nice, std::min(before.nice + 5, 19));
  EXPECT_EQ(SeenWith({}).nice, before.nice);
}

TEST(SchedulingTest, ASliceLeavesTheRestAsItWas) {
  const int nice = SeenWith({}).nice;
  EXPECT_EQ(SeenWith({.slice = std::chrono::microseconds(300)}).nice, nice);
  if (!MayBeNice()) GTEST_SKIP() << "this system lets no thread step back: only the slice was seen";
  EXPECT_EQ(SeenWith({.nicer = 3, .slice = std::chrono::microseconds(300)}).nice, std::min(nice + 3, 19));
}

TEST(SchedulingTest, AThreadHasTheSliceThatItWants) {
  if (!SystemHasSlices()) GTEST_SKIP() << "this Linux gives threads no slices of their own, or does not show them";
  const std::string before = SeenWith({}).slice;
  EXPECT_EQ(SeenWith({.slice = std::chrono::microseconds(300)}).slice, "300000");
  EXPECT_EQ(SeenWith({.nicer = 3, .slice = std::chrono::milliseconds(10)}).slice, "10000000");
  EXPECT_EQ(SeenWith({}).slice, before);
}

}  // namespace
}  // namespace ebla::rpc

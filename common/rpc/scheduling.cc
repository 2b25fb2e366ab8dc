#include "common/rpc/scheduling.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace ebla::rpc {
namespace {

// The struct of sched_setattr(2), because the system's header clashes with glibc's, which has neither it nor the
// functions.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;  // the slice, in nanoseconds
  uint64_t deadline;
  uint64_t period;
};
static_assert(sizeof(SchedulingAttributes) == 48);  // of the first version, which every later system takes

}  // namespace

void Schedule(const Scheduling& scheduling) {
  if (scheduling.nicer > 0) (void)!::nice(scheduling.nicer);
  if (scheduling.slice <= Duration{}) return;
  SchedulingAttributes attributes{};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  attributes.runtime = static_cast<uint64_t>(scheduling.slice.count());
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace ebla::rpc

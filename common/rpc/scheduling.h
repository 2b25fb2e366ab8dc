// common/rpc/scheduling.h
// How a thread stands to the others of its process where they wait for a processor.
#pragma once

#include "common/base/executor.h"

namespace ebla::rpc {

struct Scheduling {
  // How far it steps back behind the others: nice(2).
  int nicer = 0;
  // For how long it wants a processor at a time, if it is woken: one that wants it for less comes sooner, and takes it
  // from one that wants it for longer. Linux has 0.1 to 100 ms, from 6.12 on (sched_setattr(2); I. Stoica, H. Abdel-Wahab:
  // Earliest Eligible Virtual Deadline First, 1995). Zero: as the system's others.
  Duration slice{};
};

// Of this thread. What the system does not allow or does not know stays as it was.
void Schedule(const Scheduling& scheduling);

}  // namespace ebla::rpc

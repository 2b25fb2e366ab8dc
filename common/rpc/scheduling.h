// common/rpc/scheduling.h
// A thread's scheduling against other threads of its process when processors are short.
#pragma once

#include "common/base/executor.h"

namespace ebla::rpc {

struct Scheduling {
  // How far it yields to other threads: nice(2).
  int nicer = 0;
  // The length of its time slices. A woken thread with shorter slices runs sooner, and preempts one with longer slices.
  // Linux has 0.1 to 100 ms, from 6.12 on (sched_setattr(2); I. Stoica, H. Abdel-Wahab: Earliest Eligible Virtual
  // Deadline First, 1995). Zero keeps the system's default.
  Duration slice{};
};

// Sets this thread's scheduling. Settings that the system does not allow or know stay as they were.
void Schedule(const Scheduling& scheduling);

}  // namespace ebla::rpc

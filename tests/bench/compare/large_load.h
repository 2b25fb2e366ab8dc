// tests/bench/compare/large_load.h
// A load of far more records than fit in a server's cache: its pace, the bytes that it writes, and the room that it
// takes on the disk, at the end and at most.
// Threads: thread-compatible.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

struct Pace {
  double seconds = 0;   // until every record was answered, without the server's work after that
  double slowdown = 0;  // the time of the last million records over that of the second one; 0: below three millions
};

inline constexpr int64_t kMillion = 1'000'000;

// `millions`: the seconds from the load's begin until each whole million of records was answered.
double Slowdown(const std::vector<double>& millions);

// `load` also waits until the server is at rest: written bytes and the room at the end are of that time. The room is
// looked at each second, with `servers.directory` for the data alone.
Figure MeasureLargeLoad(const Servers& servers, int64_t records, size_t record_bytes,
                        const std::function<Pace()>& load);

}  // namespace ebla::bench

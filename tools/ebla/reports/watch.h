// tools/ebla/reports/watch.h
// One frame of `ebla cluster watch`. It shows servers with their load, each table's tablets on the line of its keys
// with their primaries, and copies under way. Pure.
//
//   ebla  c-1  m-1 leads (term 7)  3 of 3 servers live  1 table  3 tablets  1 copy
//     SERVER  STATE  TABLETS  LEADS  READS/S  WRITES/S  CPU  SIZE  DISK_FREE
//   A ts-1    live         3      2 ...
//   carts  3 tablets  1,200 reads/s  30 writes/s
//   |AAAAAAAAAA|BBBBBBBBBB|aaaaaaaaaa|     a small letter marks a copy under way, ! that no reporting server leads
//
// Place:   verbs_watch.cc asks the master, and owns the terminal.
// Threads: functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

struct WatchView {
  ClusterInfo info;
  std::vector<ServerSummary> servers;
  std::vector<TableInfo> tables;
  std::vector<TabletSummary> tablets;  // by table, then range
};

struct FrameSize {
  size_t columns = 100;
  size_t rows = 40;
};

// Lines that fit, without line ends. `colour`: with ANSI colours, which take no columns.
std::vector<std::string> DrawFrame(const WatchView& view, FrameSize size, bool colour);

}  // namespace ebla::shell

// tools/ycsb/hdr_log.h
// With hdrhistogram.fileoutput=true: a file of histograms for each metric, one line for each interval, in the log
// format of HdrHistogram 1.3, which its plotters read.
//
//   <hdrhistogram.output.path>READ.hdr     "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_..."
//
// Place:   runner.h writes each interval, and what is left at the end.
// Errors:  INTERNAL names the file that cannot be written.
// Threads: one.
#pragma once

#include <fstream>
#include <map>
#include <string>

#include "common/base/status.h"
#include "tools/load/histogram.h"
#include "tools/load/pacer.h"
#include "tools/ycsb/measurements.h"

namespace ebla::ycsb {

class HdrLog {
 public:
  // `prefix` is put before the name of each file: a folder with its slash, or the begin of the names.
  HdrLog(std::string prefix, SteadyTime start) : prefix_(std::move(prefix)), start_(start), reported_(start) {}

  // Writes a line of each metric that has samples since the latest interval.
  Status Write(const Samples& interval, SteadyTime now);

 private:
  Result<std::ofstream*> FileOf(const std::string& metric);

  const std::string prefix_;
  const SteadyTime start_;
  SteadyTime reported_;
  std::map<std::string, std::ofstream> files_;
};

// HdrHistogram's own encoding, version 2: compressed, in base64. Three significant digits, as this histogram's buckets.
std::string EncodeHistogram(const load::Histogram& histogram);

}  // namespace ebla::ycsb

// tests/sim/cluster/event_log.h
// The events of a run, line by line, in virtual time. A replay of a seed prints them, and a test compares them to show
// that the same seed gives the same run.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/testing/sim_executor.h"

namespace ebla::sim {

class EventLog {
 public:
  explicit EventLog(const testing::SimScheduler& scheduler) : scheduler_(scheduler) {}

  // "   12.345678 ts-2        crashed"
  void Add(const std::string& who, const std::string& what);
  // `sink` also gets each line as soon as it is added.
  void SetSink(std::function<void(const std::string&)> sink) { sink_ = std::move(sink); }

  const std::vector<std::string>& lines() const { return lines_; }
  uint64_t digest() const { return digest_; }  // of all lines

 private:
  const testing::SimScheduler& scheduler_;
  std::vector<std::string> lines_;
  std::function<void(const std::string&)> sink_;
  uint64_t digest_ = 14695981039346656037u;
};

}  // namespace ebla::sim

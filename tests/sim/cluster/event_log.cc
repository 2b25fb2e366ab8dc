#include "tests/sim/cluster/event_log.h"

#include <cstdio>

namespace ebla::sim {

void EventLog::Add(const std::string& who, const std::string& what) {
  char head[64];
  const double seconds = static_cast<double>(scheduler_.Now().since_boot.count()) / 1e9;
  std::snprintf(head, sizeof head, "%12.6f %-10s ", seconds, who.c_str());
  std::string line = head + what;
  for (const char c : line) digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211u;  // FNV-1a
  if (sink_) sink_(line);
  lines_.push_back(std::move(line));
}

}  // namespace ebla::sim

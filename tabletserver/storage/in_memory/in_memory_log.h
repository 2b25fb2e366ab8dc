// tabletserver/storage/in_memory/in_memory_log.h
// The log of one memory tablet: consecutive encoded entries. It serves followers that are behind and new primaries; no
// recovery uses it.
// Invariants: lsns follow each other without a gap, from first() to the last.
// Threads:    thread-compatible; in_memory_store.h holds a lock for each.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/status.h"
#include "tabletserver/storage/log/log_entry.h"

namespace ebla::tabletserver {

class InMemoryLog {
 public:
  void Append(const LogEntry& entry);
  Result<std::vector<LogEntry>> Read(Lsn from, Lsn last, size_t bytes_max) const;
  void RemoveSuffix(Lsn from);
  void Truncate(Lsn below);

  Lsn first() const { return entries_.empty() ? Lsn{} : first_; }  // none: it is empty
  int64_t bytes() const { return bytes_; }

 private:
  static int64_t BytesOf(const std::string& encoded) {
    return static_cast<int64_t>(sizeof(std::string) + encoded.capacity());
  }

  Lsn first_;
  std::deque<std::string> entries_;
  int64_t bytes_ = 0;
};

}  // namespace ebla::tabletserver

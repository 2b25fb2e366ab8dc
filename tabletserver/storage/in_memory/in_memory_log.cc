#include "tabletserver/storage/in_memory/in_memory_log.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver {

void InMemoryLog::Append(const LogEntry& entry) {
  if (entries_.empty()) first_ = entry.version.lsn;
  CHECK_EQ(entry.version.lsn.value, first_.value + entries_.size()) << "the log would have a gap";
  // Allocating and freeing large memory costs a fault a page.
  constexpr size_t kKept = 512 << 10;
  static thread_local ByteWriter out;
  out.Clear();
  EncodeLogEntry(entry, out);
  entries_.emplace_back(out.view());  // just as long as it is
  if (out.view().size() > kKept) out = {};
  bytes_ += BytesOf(entries_.back());
}

Result<std::vector<LogEntry>> InMemoryLog::Read(Lsn from, Lsn last, size_t bytes_max) const {
  std::vector<LogEntry> entries;
  size_t bytes = 0;
  const uint64_t begin = std::max(from.value, first_.value);
  for (uint64_t lsn = begin; lsn <= last.value && lsn - first_.value < entries_.size(); ++lsn) {
    if (bytes >= bytes_max && !entries.empty()) break;
    const std::string& encoded = entries_[lsn - first_.value];
    EBLA_ASSIGN(LogEntry entry, DecodeLogEntry(encoded));
    entries.push_back(std::move(entry));
    bytes += encoded.size();
  }
  return entries;
}

void InMemoryLog::RemoveSuffix(Lsn from) {
  while (!entries_.empty() && first_.value + entries_.size() > from.value) {
    bytes_ -= BytesOf(entries_.back());
    entries_.pop_back();
  }
}

void InMemoryLog::Truncate(Lsn below) {
  while (!entries_.empty() && first_ < below) {
    bytes_ -= BytesOf(entries_.front());
    entries_.pop_front();
    first_ = first_.Next();
  }
}

}  // namespace ebla::tabletserver

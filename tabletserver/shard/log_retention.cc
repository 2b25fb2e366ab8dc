#include "tabletserver/shard/log_retention.h"

#include <algorithm>
#include <vector>

namespace ebla::tabletserver {
namespace {

constexpr uint64_t kStretches = 32;
constexpr size_t kSampleBytes = 64 << 10;

// About the bytes of `entries` entries from `from` on; 0: the log does not hold them.
Result<uint64_t> Estimate(TabletStore& store, TabletId tablet, Lsn from, uint64_t entries) {
  EBLA_ASSIGN(const std::vector<LogEntry> sample,
              store.ReadLog(tablet, from, Lsn{from.value + entries - 1}, kSampleBytes));
  if (sample.empty()) return 0;
  uint64_t bytes = 0;
  for (const LogEntry& entry : sample) bytes += entry.ApproximateBytes();
  return bytes * entries / sample.size();
}

}  // namespace

Result<Lsn> RetainedFrom(TabletStore& store, TabletId tablet, LogStretch wanted, const LogRetention& retention) {
  const uint64_t last = wanted.last.value;
  const uint64_t first =
      std::max(wanted.first.value, last > retention.entries_max ? last - retention.entries_max + 1 : 1);
  if (first > last) return Lsn{last + 1};
  const uint64_t length = std::max<uint64_t>((last - first + kStretches) / kStretches, 1);
  uint64_t from = last + 1;
  uint64_t bytes = 0;
  while (from > first) {
    const uint64_t entries = std::min(length, from - first);
    EBLA_ASSIGN(const uint64_t more, Estimate(store, tablet, Lsn{from - entries}, entries));
    bytes += more;
    if (bytes > retention.bytes_max) break;
    from -= entries;
  }
  return Lsn{from};
}

}  // namespace ebla::tabletserver

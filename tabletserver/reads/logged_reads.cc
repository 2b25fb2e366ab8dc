#include "tabletserver/reads/logged_reads.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tabletserver/storage/merged_scan.h"

namespace ebla::tabletserver {

const StoredRecord* NewerThan(const SnapshotPosition& position, const LoggedSlice& logged, std::string_view key) {
  const auto found = logged.records.find(key);
  return found != logged.records.end() && found->second.version.lsn > position.applied ? &found->second : nullptr;
}

namespace {

// The records of the slice in the range that a snapshot with this position lacks.
class NewerRecords {
 public:
  using Row = std::pair<const std::string, StoredRecord>;

  NewerRecords(const LoggedSlice& logged, const ScanBounds& bounds, const SnapshotPosition& position)
      : position_(position) {
    for (const Row& row : logged.records) {
      if (bounds.range.Contains(row.first)) rest_.push_back(&row);
    }
    if (!bounds.reverse) std::reverse(rest_.begin(), rest_.end());
  }

  const Row* Peek() {
    while (!rest_.empty() && rest_.back()->second.version.lsn <= position_.applied) rest_.pop_back();
    return rest_.empty() ? nullptr : rest_.back();
  }
  void Pop() { rest_.pop_back(); }

 private:
  const SnapshotPosition& position_;
  std::vector<const Row*> rest_;  // the next one last
};

}  // namespace

Status ScanWith(const RecordScan& scan, const ScanBounds& bounds, const LoggedSlice& logged,
                const SnapshotPosition& position, const TabletStore::Visitor& visit) {
  NewerRecords newer(logged, bounds, position);
  const auto key_of = [](const NewerRecords::Row& row) -> std::string_view { return row.first; };
  const auto show_newer = [&](const NewerRecords::Row& row) { return visit(row.first, row.second); };
  return MergedScan(bounds, newer, key_of, show_newer, visit, scan);
}

}  // namespace ebla::tabletserver

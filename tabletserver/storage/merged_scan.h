// tabletserver/storage/merged_scan.h
// A scan of records with newer ones on top of it, as one, in order.
// Place:   reads/logged_reads.cc has the log's part of a session on top of a snapshot; tablet/logged_records.cc has
//          what is not applied.
// Threads: a function of its arguments.
#pragma once

#include <string_view>

#include "common/base/status.h"
#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

// Newer: `const Row* Peek()`, the next one in the order of the scan (null: none is left), and `void Pop()`. Peek is
// first called once the scan has begun, or has ended.
// key_of(row), show_newer(row) -> more, show_stored(key, record) -> more, scan(bounds, visitor) -> Status.
template <class Newer, class KeyOf, class ShowNewer, class ShowStored, class Scan>
Status MergedScan(const ScanBounds& bounds, Newer& newer, const KeyOf& key_of, const ShowNewer& show_newer,
                  const ShowStored& show_stored, const Scan& scan) {
  if (bounds.range.Empty()) return Status::Ok();
  bool more = true;
  const auto show_next = [&] {
    more = show_newer(*newer.Peek());
    newer.Pop();
  };
  const auto comes_before = [&](std::string_view a, std::string_view b) { return bounds.reverse ? a > b : a < b; };
  EBLA_TRY(scan(bounds, [&](std::string_view key, const StoredRecord& record) {
    while (more && newer.Peek() != nullptr && comes_before(key_of(*newer.Peek()), key)) show_next();
    if (!more) return false;
    if (newer.Peek() != nullptr && key_of(*newer.Peek()) == key) {
      show_next();
    } else {
      more = show_stored(key, record);
    }
    return more;
  }));
  while (more && newer.Peek() != nullptr) show_next();
  return Status::Ok();
}

}  // namespace ebla::tabletserver

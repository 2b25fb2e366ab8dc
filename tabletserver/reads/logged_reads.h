// tabletserver/reads/logged_reads.h
// A snapshot of the store together with what the log holds above it: a SESSION read sees both as one (PROTOCOL 16).
// Threads: pure functions.
#pragma once

#include <functional>
#include <string_view>

#include "common/base/status.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

// The logged record that counts beside a snapshot with this position; null: the snapshot's own does.
const StoredRecord* NewerThan(const SnapshotPosition& position, const LoggedSlice& logged, std::string_view key);

// Scans records and slice as one, in order. `position`: of the snapshot that is scanned, set before its first record.
using RecordScan = std::function<Status(const ScanBounds& bounds, const TabletStore::Visitor& visit)>;
Status ScanWith(const RecordScan& scan, const ScanBounds& bounds, const LoggedSlice& logged,
                const SnapshotPosition& position, const TabletStore::Visitor& visit);

}  // namespace ebla::tabletserver

#include "tabletserver/storage/unresolved_writes.h"

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/store_watch.h"

namespace ebla::tabletserver {

UnresolvedWrites::UnresolvedWrites(TabletLog& log, StoreWatch* watch) : log_(log), watch_(watch) {
  log_.WhenLost([this](std::string_view key, int64_t value_bytes) {
    if (const auto place = ParseUnresolvedKey(key)) CountOf(place->tablet).Add(-1, -value_bytes);
  });
}

Status UnresolvedWrites::Put(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  for (const LogEntry* entry : entries) {
    const std::string key = UnresolvedKey(tablet, entry->version);
    EBLA_ASSIGN(const std::optional<std::string> stored, log_.Get(key));
    if (stored) continue;
    const std::string value = EncodeUnresolved(table, *entry);
    EBLA_TRY(log_.Put(key, value));
    CountOf(tablet).Add(1, std::ssize(value));
    log_.NoteWritten(std::ssize(value));
  }
  if (watch_ != nullptr) watch_->UnresolvedPut(tablet, table, entries);
  return {};
}

Result<std::vector<UnresolvedLogEntry>> UnresolvedWrites::List(TableId table, const UnresolvedPosition& after,
                                                               size_t entries_max, size_t bytes_max) {
  std::vector<UnresolvedLogEntry> listed;
  size_t bytes = 0;
  for (std::string at = UnresolvedKey(after.tablet, after.version);
       listed.size() < entries_max && bytes <= bytes_max;) {
    EBLA_ASSIGN(const std::optional<TabletLog::Value> next, log_.Next(kUnresolvedKeys, at));
    if (!next) break;
    at = next->first;
    EBLA_ASSIGN(const UnresolvedPosition place, ParseUnresolvedKey(at));
    EBLA_ASSIGN(UnresolvedLogEntry unresolved, DecodeUnresolved(place.tablet, next->second));
    if (table && unresolved.table != table) continue;
    bytes += unresolved.entry.ApproximateBytes();
    listed.push_back(std::move(unresolved));
  }
  return listed;
}

Status UnresolvedWrites::Discard(TabletId tablet, Version version) {
  const std::string key = UnresolvedKey(tablet, version);
  EBLA_ASSIGN(const std::optional<std::string> stored, log_.Get(key));
  if (!stored) return {};
  EBLA_TRY(log_.Erase(key));
  CountOf(tablet).Add(-1, -std::ssize(*stored));
  return {};
}

Status UnresolvedWrites::Open() {
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<TabletLog::Value> next, log_.Next(kUnresolvedKeys, at));
    if (!next) return {};
    at = next->first;
    EBLA_ASSIGN(const UnresolvedPosition place, ParseUnresolvedKey(at));
    CountOf(place.tablet).Add(1, std::ssize(next->second));
  }
}

}  // namespace ebla::tabletserver

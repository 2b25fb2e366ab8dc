#include "tools/backup/archive/replay.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "common/base/duration_text.h"
#include "common/base/iso_time.h"
#include "tools/backup/listing.h"

namespace ebla::backup {
namespace {

// Clocks differ: the machine's that made the backup, and the archiver's.
constexpr int64_t kClocksMs = 1'000;

std::string Spans(const ArchivedTable& table) {
  if (table.spans.empty()) return "it has no moment of this table yet";
  std::string text = "it has ";
  for (const Span& span : table.spans)
    text += (&span == table.spans.data() ? "" : ", ") + IsoTime(span.from_ms) + " to " + IsoTime(span.through_ms);
  return text;
}

}  // namespace

Result<int64_t> ParseMoment(const std::string& text, int64_t now_ms) {
  const auto wrong = [&] {
    return Error(Code::kInvalidArgument,
                 "\"" + EscapeBytes(text) +
                     "\" is no moment: give it as 2026-11-25T04:30:00Z, \"now\", \"5m ago\", or in ms since 1970");
  };
  constexpr std::string_view kAgo = " ago";
  if (text == "now") return now_ms;
  if (text.ends_with(kAgo)) {
    const auto age = ParseDuration(std::string_view(text).substr(0, text.size() - kAgo.size()));
    if (!age || age->count() > now_ms) return wrong();
    return now_ms - age->count();
  }
  int64_t ms = 0;
  const char* const end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data(), end, ms); error == std::errc() && at == end) return ms;
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return wrong();
  int fraction = 0;
  if (*rest == '.') {
    int unit = 100;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10) fraction += (*rest - '0') * unit;
  }
  if (std::string_view(rest) != "Z") return wrong();
  const int day = parts.tm_mday, second = parts.tm_sec;
  const std::time_t moment = timegm(&parts);
  if (parts.tm_mday != day || parts.tm_sec != second) return wrong();  // the 30th of February
  return static_cast<int64_t>(moment) * 1000 + fraction;
}

Result<Replay> Replay::Open(BackupStore& store, const Manifest& backup, int64_t at_ms, const Key& key) {
  if (at_ms < backup.ended_ms)
    return Error(Code::kInvalidArgument, "the backup " + backup.name + " ended at " + IsoTime(backup.ended_ms) +
                                             ", after the wanted moment: take an earlier backup");
  Result<ArchiveIndex> index = ReadArchiveIndex(store, backup.cluster, key);
  if (!index && index.error().code() == Code::kNotFound)
    return Error(Code::kInvalidArgument, "there is no archive of this backup's cluster in " + store.LocationOf("") +
                                             ": only `ebla backup archive` records the changes that a moment needs");
  if (!index) return Error(std::move(index.error()));
  Replay replay(store, *std::move(index), at_ms, key);
  replay.began_ms_ = backup.began_ms;
  for (const TablePart& table : backup.tables) replay.in_backup_.insert(table.id);
  EBLA_ASSIGN(replay.files_, ListArchiveFiles(store, replay.index_, key));
  std::erase_if(replay.files_, [&](const ArchiveFile& file) {
    return file.from_ms > at_ms || file.through_ms < backup.began_ms - kReplayedBeforeMs;
  });
  return replay;
}

Result<bool> Replay::WasThere(const TablePart& part) const {
  const auto table = std::ranges::find(index_.tables, part.id, &ArchivedTable::id);
  if (table == index_.tables.end())
    return Error(Code::kInvalidArgument, "the archive does not have table \"" + part.name + "\"");
  if (IsGone(*table)) return false;
  int64_t from = began_ms_ - kClocksMs;
  if (table->whole && !table->spans.empty()) from = std::max(from, table->spans.front().from_ms);
  if (table->Covering(from, at_ms_) != nullptr) return true;
  return Error(Code::kInvalidArgument, "the archive does not have every moment of table \"" + part.name +
                                           "\" from the backup's beginning, " + IsoTime(began_ms_) + ", to " +
                                           IsoTime(at_ms_) + ": " + Spans(*table));
}

bool Replay::WasMadeBetween(const ArchivedTable& table) const {
  const bool known_whole = table.whole && !table.spans.empty();
  if (known_whole && at_ms_ < table.spans.front().from_ms) return false;
  if (at_ms_ < table.unseen_ms) return false;
  // An older table that is not in the backup was dropped before it.
  if (table.seen_ms != 0) return table.seen_ms > began_ms_ - kClocksMs;
  return known_whole && table.spans.front().from_ms >= began_ms_ - kReplayedBeforeMs;
}

Result<std::vector<ArchivedTable>> Replay::MadeSince(const std::string& name) const {
  std::vector<ArchivedTable> made;
  for (const ArchivedTable& table : index_.tables) {
    if (!name.empty() && table.name != name) continue;
    if (in_backup_.contains(table.id) || IsGone(table) || !WasMadeBetween(table)) continue;
    if (!table.whole || table.spans.empty() || table.Covering(table.spans.front().from_ms, at_ms_) == nullptr)
      return Error(Code::kInvalidArgument, "table \"" + table.name + "\" was created after the backup began, " +
                                               IsoTime(began_ms_) +
                                               ", and the archive does not have every moment of it up to " +
                                               IsoTime(at_ms_) + ": " + Spans(table));
    made.push_back(table);
  }
  return made;
}

// Changes before the span are in the backup, or were overwritten by changes that are.
std::map<uint64_t, int64_t> Replay::Beginnings() const {
  std::map<uint64_t, int64_t> beginnings;
  for (const ArchivedTable& table : index_.tables) {
    for (const Span& span : table.spans) {
      if (span.from_ms <= at_ms_ && at_ms_ <= span.through_ms)
        beginnings[table.id] = std::max(span.from_ms, began_ms_ - kReplayedBeforeMs);
    }
  }
  return beginnings;
}

Status Replay::Read(const std::function<Status(uint64_t table, const UnresolvedEffect& change)>& visit) const {
  const std::map<uint64_t, int64_t> beginnings = Beginnings();
  for (const ArchiveFile& file : files_) {
    EBLA_TRY(ReadArchiveFile(*store_, index_.cluster, file, key_, [&](const ArchivedEntry& entry) -> Status {
      const auto beginning = beginnings.find(entry.table.value);
      if (entry.at_ms > at_ms_ || beginning == beginnings.end() || entry.at_ms < beginning->second) return {};
      for (const UnresolvedEffect& effect : entry.effects) EBLA_TRY(visit(entry.table.value, effect));
      return {};
    }));
  }
  return {};
}

Result<std::string> BackupBefore(BackupStore& store, int64_t at_ms, const std::string& table, const Key& key) {
  EBLA_ASSIGN(const std::vector<Listed> all, ListAll(store, key));
  std::string name;
  std::set<std::string> clusters;
  for (const Listed& one : all) {
    const Manifest& backup = one.manifest;
    if (!one.finished || !one.problem.empty() || backup.ended_ms > at_ms) continue;
    const bool has_it = !backup.documents.empty() || (!table.empty() && backup.Find(table) != nullptr);
    if (!has_it) continue;
    clusters.insert(backup.cluster);
    name = one.name;
  }
  const std::string what = table.empty() ? "everything" : "table \"" + table + "\"";
  if (clusters.size() > 1)
    return Error(Code::kInvalidArgument,
                 store.LocationOf("") + " has backups of several clusters with " + what + ": name the backup");
  if (clusters.empty())
    return Error(Code::kNotFound, "no backup of " + what + " in " + store.LocationOf("") + " ended before " +
                                      IsoTime(at_ms) + ": `ebla backup list` shows when each began");
  return name;
}

}  // namespace ebla::backup

#include "tools/backup/create.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

#include "common/base/clocks.h"
#include "common/base/interruptible_wait.h"
#include "tools/backup/pace.h"
#include "tools/backup/record_stream.h"
#include "tools/backup/settings.h"

namespace ebla::backup {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRetryFirst{50}, kRetryMost{1000};

// The first stretch of keys that no part covers yet.
std::optional<KeyRange> FirstGap(const std::vector<Part>& parts) {
  std::vector<KeyRange> ranges;
  for (const Part& part : parts) ranges.push_back(part.range);
  std::ranges::sort(ranges, {}, &KeyRange::start);
  KeyRange gap;
  for (const KeyRange& range : ranges) {
    if (range.start > gap.start) {
      gap.end = range.start;
      return gap;
    }
    if (range.end.empty()) return std::nullopt;
    gap.start = range.end;
  }
  return gap;
}

// The parts that hold what one read of a tablet brings, each a file of some size.
class TabletParts {
 public:
  // The first file has this number; `range`: all that they cover.
  TabletParts(BackupStore& store, const CreateOptions& options, KeyRange range, size_t number)
      : store_(store), options_(options), range_(std::move(range)), number_(number) {}

  Status Add(const Row& row) {
    EBLA_TRY(Room(row.key));
    return writer_->Add(row);
  }
  Status AddDelete(const std::string& key) {
    EBLA_TRY(Room(key));
    return writer_->AddDelete(key);
  }
  Result<std::vector<Part>> Finish(uint64_t epoch, uint64_t applied) {
    if (!writer_) EBLA_TRY(Begin(range_.start));
    EBLA_TRY(End(range_.end));
    for (Part& part : parts_) {
      part.epoch = epoch;
      part.applied = applied;
    }
    return std::move(parts_);
  }
  uint64_t bytes() const { return bytes_ + (writer_ ? writer_->bytes() : 0); }

 private:
  Status Room(const std::string& key) {
    if (!writer_) return Begin(range_.start);
    if (writer_->bytes() < options_.part_bytes) return {};
    EBLA_TRY(End(key));
    return Begin(key);
  }
  Status Begin(const std::string& start) {
    char file[24];
    std::snprintf(file, sizeof file, "%05zu.part", number_++);
    const Part part{.file = file, .range = {start, range_.end}, .goes_on = !parts_.empty()};
    EBLA_ASSIGN(writer_, PartWriter::Create(store_, options_.name, part, options_.key));
    return {};
  }
  Status End(const std::string& end) {
    bytes_ += writer_->bytes();
    EBLA_ASSIGN(Part part, writer_->Finish(0, 0, end));
    parts_.push_back(std::move(part));
    writer_.reset();
    return {};
  }

  BackupStore& store_;
  const CreateOptions& options_;
  const KeyRange range_;
  size_t number_;
  std::optional<PartWriter> writer_;
  std::vector<Part> parts_;
  uint64_t bytes_ = 0;  // of parts_
};

class Maker {
 public:
  Maker(const Client& client, BackupStore& store, const CreateOptions& options)
      : client_(client), store_(store), options_(options) {}

  Result<Manifest> Run() {
    EBLA_TRY(Begin());
    for (size_t i = 0; i < manifest_.tables.size();) {
      Result<bool> there = CoverAll(manifest_.tables[i]);
      if (!there) return Error(std::move(there.error()));
      if (*there) {
        ++i;
      } else {
        manifest_.tables.erase(manifest_.tables.begin() + static_cast<ptrdiff_t>(i));
      }
    }
    manifest_.ended_ms = TimeOfDayMs();
    EBLA_TRY(ClearAway());
    EBLA_TRY(WriteManifest(store_, kManifestFile, manifest_, options_.key));
    // If this deletion fails, the manifest counts.
    std::ignore = store_.Delete(options_.name + "/" + kProgressFile);
    return manifest_;
  }

 private:
  Status Begin() {
    EBLA_TRY(CheckBackupName(options_.name));
    EBLA_ASSIGN(const bool there, store_.Exists(options_.name + "/" + kManifestFile));
    if (there)
      return Error(Code::kInvalidArgument, "there is a backup " + options_.name + " in " + store_.LocationOf(""));
    if (!options_.since.empty()) {
      EBLA_ASSIGN(before_, Chain::Open(store_, options_.since, options_.key));
    }
    EBLA_ASSIGN(const bool begun, store_.Exists(options_.name + "/" + kProgressFile));
    if (begun) return ResumeProgress();
    EBLA_ASSIGN(const ClusterInfo cluster, client_.DescribeCluster());
    manifest_ = {.name = options_.name,
                 .since = options_.since,
                 .cluster = cluster.cluster_id,
                 .began_ms = TimeOfDayMs(),
                 .ended_ms = 0,
                 .tables = {},
                 .documents = {}};
    if (options_.tables.empty()) {
      EBLA_ASSIGN(manifest_.documents, ReadSettings(client_));
    }
    return AddTables();
  }

  // Resumes the progress of an earlier run.
  Status ResumeProgress() {
    EBLA_ASSIGN(manifest_, ReadManifest(store_, options_.name, kProgressFile, options_.key));
    if (manifest_.since != options_.since)
      return Error(Code::kInvalidArgument,
                   "the unfinished backup " + options_.name + " in " + store_.LocationOf("") +
                       (manifest_.since.empty() ? " is a whole backup" : " was begun since " + manifest_.since) +
                       ": continue it with the same --since, or delete it");
    for (const TablePart& table : manifest_.tables) next_file_ += table.parts.size();
    EBLA_ASSIGN(const std::vector<TableInfo> tables, client_.ListTables());
    const auto gone = [&](const TablePart& table) {
      return std::ranges::none_of(tables, [&](const TableInfo& info) { return info.id.value == table.id; });
    };
    const auto first = std::ranges::find_if(manifest_.tables, gone);
    if (first == manifest_.tables.end()) return {};
    if (!options_.tables.empty())
      return Error(Code::kInvalidArgument, "table \"" + first->name +
                                               "\" was dropped after this backup began: "
                                               "delete the unfinished backup " +
                                               options_.name);
    std::erase_if(manifest_.tables, gone);
    return {};
  }

  Status AddTables() {
    EBLA_ASSIGN(std::vector<TableInfo> tables, client_.ListTables());
    std::ranges::sort(tables, {}, &TableInfo::name);
    for (const std::string& wanted : options_.tables) {
      if (std::ranges::find(tables, wanted, &TableInfo::name) == tables.end())
        return Error(Code::kNoSuchTable, "there is no table \"" + EscapeBytes(wanted) + "\"");
    }
    for (const TableInfo& info : tables) {
      const bool wanted =
          options_.tables.empty() || std::ranges::find(options_.tables, info.name) != options_.tables.end();
      if (!wanted) continue;
      if (info.options.memory.value_or(false)) {
        if (!options_.tables.empty()) {
          return Error(Code::kInvalidArgument, "table \"" + EscapeBytes(info.name) +
                                                   "\" lives only in memory and cannot be backed up: dump it");
        }
        options_.left_out("table \"" + EscapeBytes(info.name) + "\" lives only in memory and is left out");
        continue;
      }
      TablePart& table = manifest_.tables.emplace_back();
      table.name = info.name;
      table.id = info.id.value;
      table.options = info.options;
      // After a table was dropped and created again, versions do not relate to the former table's records.
      const TablePart* before = before_ ? before_->newest().Find(info.name) : nullptr;
      table.whole = before == nullptr || before->id != table.id;
    }
    return WriteManifest(store_, kProgressFile, manifest_, options_.key);
  }

  // Deletes objects of an earlier run that no part names.
  Status ClearAway() {
    std::set<std::string> named = {kManifestFile, kProgressFile};
    for (const TablePart& table : manifest_.tables)
      for (const Part& part : table.parts) named.insert(part.file);
    EBLA_ASSIGN(const std::vector<std::string> there, store_.List(options_.name));
    for (const std::string& file : there) {
      if (!named.contains(file) && !file.ends_with('/')) EBLA_TRY(store_.Delete(options_.name + "/" + file));
    }
    return {};
  }

  // False: the table was dropped meanwhile, and was not asked for by name.
  Result<bool> CoverAll(TablePart& table) {
    while (const std::optional<KeyRange> gap = FirstGap(table.parts)) {
      const Status covered = Cover(table, *gap);
      if (covered.code() == Code::kNoSuchTable && options_.tables.empty()) return false;
      if (!covered.ok()) return Error(covered);
    }
    std::ranges::sort(table.parts, {}, [](const Part& part) { return part.range.start; });
    return true;
  }

  // Adds a part that begins where the gap does.
  Status Cover(TablePart& table, const KeyRange& gap) {
    const auto until = Clock::now() + options_.patience;
    auto rest = kRetryFirst;
    while (true) {
      const Status status = TryCover(table, gap);
      if (status.ok()) return WriteManifest(store_, kProgressFile, manifest_, options_.key);
      const Code code = status.code();
      const bool final = code == Code::kInvalidArgument || code == Code::kPermissionDenied || code == Code::kInternal ||
                         code == Code::kNoSuchTable;
      if (final || options_.interrupted()) return status;
      if (Clock::now() >= until)
        return Error(code,
                     "table \"" + table.name + "\" from " + gap.ToString() + " on cannot be read: " + status.message());
      if (!WaitUnless(options_.interrupted, rest)) return status;
      rest = std::min(2 * rest, kRetryMost);
    }
  }

  Status TryCover(TablePart& table, const KeyRange& gap) {
    EBLA_TRY(WaitUntil(next_tablet_));
    EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client_.ListTablets(table.name));
    const auto tablet =
        std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(gap.start); });
    if (tablet == tablets.end() || tablet->primary.empty())
      return Error(Code::kUnavailable, "the tablet has no primary at present");
    if (tablet->table_id.value != table.id)
      return Error(Code::kNoSuchTable, "table \"" + table.name + "\" was dropped meanwhile");
    EBLA_ASSIGN(const std::vector<ServerSummary> servers, client_.ListServers());
    const auto server = std::ranges::find(servers, tablet->primary, &ServerSummary::name);
    if (server == servers.end()) return Error(Code::kUnavailable, "its primary is not known");
    return ReadTablet(table, gap, *server, *tablet);
  }

  Status ReadTablet(TablePart& table, const KeyRange& gap, const ServerSummary& server, const TabletSummary& tablet) {
    const auto since = Clock::now();
    EBLA_ASSIGN(SnapshotPage page, client_.ReadSnapshot(server, tablet, 0));
    const uint64_t snapshot = page.snapshot;
    const bool more = !page.done;
    const Status status = ReadOn(table, gap, server, tablet, std::move(page));
    if (!status.ok() && more) client_.EndSnapshot(server, tablet, snapshot);
    next_tablet_ = pace_.AfterTablet(Clock::now(), since);
    return status;
  }

  // From its first page on.
  Status ReadOn(TablePart& table, const KeyRange& gap, const ServerSummary& server, const TabletSummary& tablet,
                SnapshotPage page) {
    const KeyRange range = gap.Intersect(page.range);
    if (range.start != gap.start || range.Empty()) return Error(Code::kUnavailable, "the tablet was split meanwhile");
    TabletParts parts(store_, options_, range, next_file_ + 1);
    Changes changes;
    if (!table.whole) {
      EBLA_ASSIGN(changes.before, before_->Read(table.name, range));
      EBLA_ASSIGN(changes.old, changes.before->Next());
    }
    const uint64_t before = progress_.file_bytes;
    while (true) {
      for (const Row& row : page.rows) {
        if (range.Contains(row.key)) EBLA_TRY(Write(parts, changes, row));
      }
      progress_.table = table.name;
      progress_.file_bytes = before + parts.bytes();
      EBLA_TRY(Rest(page));
      if (page.done) break;
      EBLA_ASSIGN(page, client_.ReadSnapshot(server, tablet, page.snapshot));
    }
    EBLA_TRY(WriteDeletes(parts, changes, nullptr));
    EBLA_ASSIGN(const std::vector<Part> done, parts.Finish(tablet.epoch.value, page.applied));
    next_file_ += done.size();
    table.parts.insert(table.parts.end(), done.begin(), done.end());
    return {};
  }

  // The backup before, if this one holds only changes since it.
  struct Changes {
    std::unique_ptr<RecordStream> before;
    std::optional<BackupRecord> old;  // its next
  };

  static Status Write(TabletParts& parts, Changes& changes, const Row& row) {
    EBLA_TRY(WriteDeletes(parts, changes, &row.key));
    if (changes.old && changes.old->row.key == row.key) {
      const bool same = changes.old->row.record.version == row.record.version &&
                        changes.old->row.record.expires == row.record.expires;
      EBLA_ASSIGN(changes.old, changes.before->Next());
      if (same) return {};
    }
    return parts.Add(row);
  }
  // Writes deletes of records that existed before this key (null: of all remaining ones) and do not any more.
  static Status WriteDeletes(TabletParts& parts, Changes& changes, const std::string* before) {
    while (changes.old && (before == nullptr || changes.old->row.key < *before)) {
      EBLA_TRY(parts.AddDelete(changes.old->row.key));
      EBLA_ASSIGN(changes.old, changes.before->Next());
    }
    return {};
  }

  // Tells how far it is, and waits for what the pace allows.
  Status Rest(const SnapshotPage& page) {
    progress_.records += page.rows.size();
    uint64_t bytes = 0;
    for (const Row& row : page.rows) bytes += row.key.size() + row.record.value.size();
    progress_.read_bytes += bytes;
    options_.progress(progress_);
    return WaitUntil(pace_.AfterPage(Clock::now(), bytes));
  }
  Status WaitUntil(Clock::time_point time) const {
    if (WaitUnless(options_.interrupted, time - Clock::now())) return {};
    return Error(Code::kUnavailable, "interrupted; the same command continues from here");
  }

  const Client& client_;
  BackupStore& store_;
  const CreateOptions& options_;
  std::optional<Chain> before_;
  Manifest manifest_;
  size_t next_file_ = 0;
  Progress progress_;
  Pace pace_{options_.bytes_per_second};
  Clock::time_point next_tablet_{};
};

}  // namespace

Result<Manifest> Create(const Client& client, BackupStore& store, const CreateOptions& options) {
  return Maker(client, store, options).Run();
}

}  // namespace ebla::backup

#include "tools/backup/create.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "tools/backup/record_stream.h"

namespace ebla::backup {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRetryFirst{50}, kRetryMost{1000};

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

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

class Maker {
 public:
  Maker(const Client& client, const CreateOptions& options)
      : client_(client), options_(options), directory_(options.directory + "/" + options.name) {}

  Result<Manifest> Run() {
    EBLA_TRY(Begin());
    for (TablePart& table : manifest_.tables) {
      while (const std::optional<KeyRange> gap = FirstGap(table.parts)) EBLA_TRY(Cover(table, *gap));
      std::ranges::sort(table.parts, {}, [](const Part& part) { return part.range.start; });
    }
    manifest_.ended_ms = NowMs();
    EBLA_TRY(WriteManifest(directory_, kManifestFile, manifest_, options_.key));
    std::remove((directory_ + "/" + kProgressFile).c_str());
    return manifest_;
  }

 private:
  Status Begin() {
    EBLA_TRY(CheckBackupName(options_.name));
    std::error_code failed;
    std::filesystem::create_directories(directory_, failed);
    if (failed) return Error(Code::kInvalidArgument, "cannot make " + directory_ + ": " + failed.message());
    if (std::filesystem::exists(directory_ + "/" + kManifestFile))
      return Error(Code::kInvalidArgument, "there is a backup " + options_.name + " in " + options_.directory);
    if (!options_.since.empty()) {
      EBLA_ASSIGN(before_, Chain::Open(options_.directory, options_.since, options_.key));
    }
    if (std::filesystem::exists(directory_ + "/" + kProgressFile)) return GoOn();
    EBLA_ASSIGN(const ClusterInfo cluster, client_.DescribeCluster());
    manifest_ = {.name = options_.name,
                 .since = options_.since,
                 .cluster = cluster.cluster_id,
                 .began_ms = NowMs(),
                 .ended_ms = 0,
                 .tables = {}};
    return AddTables();
  }

  // What an earlier run has done.
  Status GoOn() {
    EBLA_ASSIGN(manifest_, ReadManifest(directory_, kProgressFile, options_.key));
    if (manifest_.since != options_.since)
      return Error(Code::kInvalidArgument,
                   "the unfinished backup " + options_.name + " in " + options_.directory +
                       (manifest_.since.empty() ? " is a whole one" : " was begun since " + manifest_.since) +
                       ": go on with it so, or delete it");
    for (const TablePart& table : manifest_.tables) {
      EBLA_ASSIGN(const TableInfo info, client_.DescribeTable(table.name));
      if (info.id.value != table.id)
        return Error(Code::kInvalidArgument, "table \"" + table.name +
                                                 "\" was made anew since this backup was begun: "
                                                 "delete the unfinished backup " +
                                                 options_.name);
      next_file_ += table.parts.size();
    }
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
      TablePart& table = manifest_.tables.emplace_back();
      table.name = info.name;
      table.id = info.id.value;
      table.options = info.options;
      // Of a table that was made anew, versions say nothing of the former one's records.
      const TablePart* before = before_ ? before_->newest().Find(info.name) : nullptr;
      table.whole = before == nullptr || before->id != table.id;
    }
    return WriteManifest(directory_, kProgressFile, manifest_, options_.key);
  }

  // Adds a part that begins where the gap does.
  Status Cover(TablePart& table, const KeyRange& gap) {
    const auto until = Clock::now() + options_.patience;
    auto rest = kRetryFirst;
    while (true) {
      const Status status = TryCover(table, gap);
      if (status.ok()) return WriteManifest(directory_, kProgressFile, manifest_, options_.key);
      const Code code = status.code();
      const bool final = code == Code::kInvalidArgument || code == Code::kPermissionDenied || code == Code::kInternal ||
                         code == Code::kNoSuchTable;
      if (final || options_.interrupted()) return status;
      if (Clock::now() >= until)
        return Error(code,
                     "table \"" + table.name + "\" from " + gap.ToString() + " on cannot be read: " + status.message());
      std::this_thread::sleep_for(rest);
      rest = std::min(2 * rest, kRetryMost);
    }
  }

  Status TryCover(TablePart& table, const KeyRange& gap) {
    EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client_.ListTablets(table.name));
    const auto tablet =
        std::ranges::find_if(tablets, [&](const TabletSummary& one) { return one.range.Contains(gap.start); });
    if (tablet == tablets.end() || tablet->primary.empty())
      return Error(Code::kUnavailable, "the tablet has no primary at present");
    if (tablet->table_id.value != table.id)
      return Error(Code::kInvalidArgument, "table \"" + table.name + "\" was dropped meanwhile");
    EBLA_ASSIGN(const std::vector<ServerSummary> servers, client_.ListServers());
    const auto server = std::ranges::find(servers, tablet->primary, &ServerSummary::name);
    if (server == servers.end()) return Error(Code::kUnavailable, "its primary is not known");
    return ReadTablet(table, gap, *server, *tablet);
  }

  Status ReadTablet(TablePart& table, const KeyRange& gap, const ServerSummary& server, const TabletSummary& tablet) {
    EBLA_ASSIGN(SnapshotPage page, client_.ReadSnapshot(server, tablet, 0));
    const uint64_t snapshot = page.snapshot;
    const bool more = !page.done;
    const Status status = ReadOn(table, gap, server, tablet, std::move(page));
    if (!status.ok() && more) client_.EndSnapshot(server, tablet, snapshot);
    return status;
  }

  // From its first page on.
  Status ReadOn(TablePart& table, const KeyRange& gap, const ServerSummary& server, const TabletSummary& tablet,
                SnapshotPage page) {
    Part part;
    char file[16];
    std::snprintf(file, sizeof file, "%05zu.part", next_file_ + 1);
    part.file = file;
    part.range = gap.Intersect(page.range);
    if (part.range.start != gap.start || part.range.Empty())
      return Error(Code::kUnavailable, "the tablet was split meanwhile");
    EBLA_ASSIGN(PartWriter writer, PartWriter::Create(directory_, part, options_.key));
    Changes changes;
    if (!table.whole) {
      EBLA_ASSIGN(changes.before, before_->Read(table.name, part.range));
      EBLA_ASSIGN(changes.old, changes.before->Next());
    }
    const uint64_t before = progress_.file_bytes;
    while (true) {
      for (const Row& row : page.rows) {
        if (part.range.Contains(row.key)) EBLA_TRY(Write(writer, changes, row));
      }
      progress_.table = table.name;
      progress_.file_bytes = before + writer.bytes();
      EBLA_TRY(Pace(page));
      if (page.done) break;
      EBLA_ASSIGN(page, client_.ReadSnapshot(server, tablet, page.snapshot));
    }
    EBLA_TRY(WriteDeletes(writer, changes, nullptr));
    EBLA_ASSIGN(const Part done, writer.Finish(tablet.epoch.value, page.applied));
    table.parts.push_back(done);
    ++next_file_;
    return {};
  }

  // The backup before, where this one says what has changed since.
  struct Changes {
    std::unique_ptr<RecordStream> before;
    std::optional<BackupRecord> old;  // its next
  };

  static Status Write(PartWriter& writer, Changes& changes, const Row& row) {
    EBLA_TRY(WriteDeletes(writer, changes, &row.key));
    if (changes.old && changes.old->row.key == row.key) {
      const bool same = changes.old->row.record.version == row.record.version &&
                        changes.old->row.record.expires == row.record.expires;
      EBLA_ASSIGN(changes.old, changes.before->Next());
      if (same) return {};
    }
    return writer.Add(row);
  }
  // Of what was there before this key, or at all, and is no more.
  static Status WriteDeletes(PartWriter& writer, Changes& changes, const std::string* before) {
    while (changes.old && (before == nullptr || changes.old->row.key < *before)) {
      EBLA_TRY(writer.AddDelete(changes.old->row.key));
      EBLA_ASSIGN(changes.old, changes.before->Next());
    }
    return {};
  }

  // Tells how far it is, and waits for what the pace allows.
  Status Pace(const SnapshotPage& page) {
    progress_.records += page.rows.size();
    for (const Row& row : page.rows) progress_.read_bytes += row.key.size() + row.record.value.size();
    options_.progress(progress_);
    const auto due = began_ + std::chrono::microseconds(1'000'000 * progress_.read_bytes /
                                                        std::max<uint64_t>(options_.bytes_per_second, 1));
    while (Clock::now() < due && !options_.interrupted())
      std::this_thread::sleep_for(std::min<Clock::duration>(due - Clock::now(), std::chrono::milliseconds(100)));
    if (options_.interrupted()) return Error(Code::kUnavailable, "interrupted; the same command goes on from here");
    return {};
  }

  const Client& client_;
  const CreateOptions& options_;
  const std::string directory_;
  std::optional<Chain> before_;
  Manifest manifest_;
  size_t next_file_ = 0;
  Progress progress_;
  const Clock::time_point began_ = Clock::now();
};

}  // namespace

Result<Manifest> Create(const Client& client, const CreateOptions& options) { return Maker(client, options).Run(); }

}  // namespace ebla::backup

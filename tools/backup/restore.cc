#include "tools/backup/restore.h"

#include <algorithm>

#include "common/base/mutex.h"
#include "tools/backup/record_stream.h"
#include "tools/backup/settings.h"

namespace ebla::backup {
namespace {

// Puts under way, at most so many, and the first that failed.
class Puts {
 public:
  explicit Puts(size_t most) : most_(most) {}
  ~Puts() { Drain(); }

  void Enter() {
    MutexLock lock(mutex_);
    while (under_way_ >= most_) changed_.Wait(mutex_);
    ++under_way_;
  }
  void Leave(const Status& status) {
    MutexLock lock(mutex_);
    --under_way_;
    if (!status.ok() && first_.ok()) first_ = status;
    changed_.NotifyAll();
  }
  void Drain() {
    MutexLock lock(mutex_);
    while (under_way_ > 0) changed_.Wait(mutex_);
  }
  Status first() {
    MutexLock lock(mutex_);
    return first_;
  }

 private:
  const size_t most_;
  Mutex mutex_;
  CondVar changed_;
  size_t under_way_ EBLA_GUARDED_BY(mutex_) = 0;
  Status first_ EBLA_GUARDED_BY(mutex_);
};

Result<Table> MakeTable(const Client& client, const RestoreOptions& options, const TablePart& table) {
  const std::string& name = options.as.empty() ? table.name : options.as;
  if (options.go_on && client.DescribeTable(name).has_value()) return client.OpenTable(name);
  CreateTableOptions create{.table = table.options, .split_points = {}, .deadline = std::chrono::seconds(120)};
  if (options.replicas) create.table.replicas = options.replicas;
  for (const Part& part : table.parts) {
    if (!part.goes_on && !part.range.start.empty() && part.range.start.size() <= 256)
      create.split_points.push_back(part.range.start);
  }
  EBLA_ASSIGN([[maybe_unused]] const TableInfo made, client.CreateTable(name, std::move(create)));
  return client.OpenTable(name);
}

// None: it has expired.
std::optional<PutOptions> OptionsFor(const Record& record) {
  PutOptions options{.ttl = std::chrono::milliseconds(0), .deadline = std::chrono::seconds(60)};
  if (!record.expires) return options;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(*record.expires - std::chrono::system_clock::now());
  if (left.count() <= 0) return std::nullopt;
  options.ttl = left;
  return options;
}

Status RestoreTable(const Client& client, const RestoreOptions& options, const Chain& chain, const TablePart& table,
                    Progress& progress, Restored& restored) {
  EBLA_ASSIGN(const Table to, MakeTable(client, options, table));
  EBLA_ASSIGN(const std::unique_ptr<RecordStream> stream, chain.Read(table.name));
  progress.table = to.name();
  Puts puts(options.parallel);
  while (puts.first().ok()) {
    EBLA_ASSIGN(std::optional<BackupRecord> record, stream->Next());
    if (!record) break;
    const auto put = OptionsFor(record->row.record);
    if (!put) {
      ++restored.expired;
      continue;
    }
    puts.Enter();
    to.AsyncPut(record->row.key, record->row.record.value, *put,
                [&puts](Result<Version> version) { puts.Leave(version ? Status() : version.error()); });
    ++progress.records;
    options.progress(progress);
    if (options.interrupted())
      return Error(Code::kUnavailable, "interrupted; the same command with --continue goes on");
  }
  puts.Drain();
  return puts.first();
}

}  // namespace

Result<Restored> Restore(const Client& client, BackupStore& store, const RestoreOptions& options) {
  if (!options.as.empty() && options.table.empty())
    return Error(Code::kInvalidArgument, "a new name is given to one table: say which");
  EBLA_ASSIGN(const Chain chain, Chain::Open(store, options.name, options.key));
  if (!options.table.empty() && chain.newest().Find(options.table) == nullptr)
    return Error(Code::kNotFound, "the backup " + options.name + " holds no table \"" + options.table + "\"");
  if (options.settings && !options.table.empty())
    return Error(Code::kInvalidArgument, "settings are the whole cluster's: restore them with all tables");
  const std::vector<Document>& settings = chain.newest().documents;
  if (options.settings) EBLA_TRY(CheckSettings(settings));
  Progress progress;
  Restored restored;
  for (const TablePart& table : chain.newest().tables) {
    if (!options.table.empty() && table.name != options.table) continue;
    EBLA_TRY(RestoreTable(client, options, chain, table, progress, restored));
    ++restored.tables;
  }
  restored.records = progress.records;
  if (options.settings) {
    EBLA_TRY(GiveSettings(client, settings));
    restored.settings = settings.size();
  }
  return restored;
}

Result<Verified> Verify(BackupStore& store, const std::string& name, const Key& key, bool alone,
                        const std::function<void(const Progress&)>& progress) {
  EBLA_ASSIGN(Chain chain, Chain::Open(store, name, key));
  if (alone) chain.backups.resize(1);
  Verified verified;
  Progress done;
  for (const Manifest& backup : chain.backups) {
    for (const TablePart& table : backup.tables) {
      done.table = table.name;
      std::string covered;
      for (const Part& part : table.parts) {
        if (part.range.start != covered || (covered.empty() && &part != &table.parts.front()))
          return Error(Code::kInvalidArgument, "the backup " + backup.name + " has a gap in table \"" + table.name +
                                                   "\" before " + part.range.ToString());
        covered = part.range.end;
        const auto stream = ReadPart(store, backup.name, part, key);
        while (true) {
          EBLA_ASSIGN(const std::optional<BackupRecord> record, stream->Next());
          if (!record) break;
          if (++done.records % 1000 == 0) progress(done);
        }
        ++verified.files;
        verified.file_bytes += part.file_bytes;
      }
      if (table.parts.empty() || !covered.empty())
        return Error(Code::kInvalidArgument,
                     "the backup " + backup.name + " lacks the end of table \"" + table.name + "\"");
    }
  }
  verified.records = done.records;
  return verified;
}

}  // namespace ebla::backup

#include "tools/backup/restore.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/base/clocks.h"
#include "common/base/iso_time.h"
#include "common/base/mutex.h"
#include "tools/backup/archive/replay.h"
#include "tools/backup/record_stream.h"
#include "tools/backup/settings.h"

namespace ebla::backup {
namespace {

// Writes under way, at most so many and one of a key, and the first that failed.
class Writes {
 public:
  explicit Writes(size_t most) : most_(most) {}
  ~Writes() { Drain(); }

  void Enter(const std::string& key) {
    MutexLock lock(mutex_);
    while (keys_.size() >= most_ || keys_.contains(key)) changed_.Wait(mutex_);
    keys_.insert(key);
  }
  void Leave(const std::string& key, const Status& status) {
    MutexLock lock(mutex_);
    keys_.erase(key);
    if (!status.ok() && first_.ok()) first_ = status;
    changed_.NotifyAll();
  }
  void Drain() {
    MutexLock lock(mutex_);
    while (!keys_.empty()) changed_.Wait(mutex_);
  }
  Status first() {
    MutexLock lock(mutex_);
    return first_;
  }

 private:
  const size_t most_;
  Mutex mutex_;
  CondVar changed_;
  std::set<std::string> keys_ EBLA_GUARDED_BY(mutex_);
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
  const Result<TableInfo> made = client.CreateTable(name, std::move(create));
  if (!made && made.error().code() == Code::kTableExists)
    return Error(Code::kTableExists, "table \"" + name + "\" exists: restore under another name, with --table " +
                                         table.name + " --as NAME, or drop the table first");
  if (!made) return Error(made.error());
  return client.OpenTable(name);
}

// None: it has expired.
std::optional<PutOptions> OptionsFor(const std::optional<Expiry>& expires) {
  PutOptions options{.ttl = std::chrono::milliseconds(0), .deadline = std::chrono::seconds(60)};
  if (!expires) return options;
  if (HasPassed(*expires)) return std::nullopt;
  options.ttl.reset();
  options.expires = expires;
  return options;
}

class Restorer {
 public:
  Restorer(const Client& client, const RestoreOptions& options, const Chain& chain)
      : client_(client), options_(options), chain_(chain) {}

  Result<Restored> Run(BackupStore& store) {
    Result<Restored> restored = RestoreAll(store);
    if (restored || unfinished_.empty() || options_.interrupted()) return restored;
    std::string tables;
    for (const std::string& name : unfinished_) tables += (tables.empty() ? "table " : ", table ") + name;
    return Error(restored.error().code(),
                 restored.error().message() + "; these tables are left, and incomplete: " + tables +
                     ". Drop them, or run the same command with --continue once the cause is gone");
  }

 private:
  Result<Restored> RestoreAll(BackupStore& store) {
    std::optional<Replay> replay;
    if (options_.at_ms) {
      EBLA_ASSIGN(replay, Replay::Open(store, chain_.newest(), *options_.at_ms, options_.key));
    }
    // All that could be missing is looked for before the first table is made.
    EBLA_ASSIGN(const std::vector<TablePart> tables, Wanted(replay));
    std::map<uint64_t, Table> made;
    for (const TablePart& table : tables) {
      EBLA_ASSIGN(Table to, RestoreTable(table));
      made.emplace(table.id, std::move(to));
    }
    if (replay) EBLA_TRY(WriteChanges(*replay, made));
    restored_.records = progress_.records;
    return restored_;
  }

  Result<std::vector<TablePart>> Wanted(const std::optional<Replay>& replay) const {
    std::vector<TablePart> tables;
    for (const TablePart& table : chain_.newest().tables) {
      if (!options_.table.empty() && table.name != options_.table) continue;
      bool there = true;
      if (replay) {
        EBLA_ASSIGN(there, replay->WasThere(table));
      }
      if (there) tables.push_back(table);
    }
    if (!replay) return tables;
    // Only a backup of everything shows which tables did not exist yet.
    if (!options_.table.empty() || !chain_.newest().documents.empty()) {
      EBLA_ASSIGN(const std::vector<ArchivedTable> made, replay->MadeSince(options_.table));
      for (const ArchivedTable& table : made)
        tables.push_back({.name = table.name, .id = table.id, .whole = true, .options = table.options, .parts = {}});
    }
    if (!options_.table.empty() && tables.empty())
      return Error(Code::kNotFound, "table \"" + options_.table + "\" was not there at " + IsoTime(*options_.at_ms));
    return tables;
  }

  Result<Table> RestoreTable(const TablePart& table) {
    EBLA_ASSIGN(Table to, MakeTable(client_, options_, table));
    progress_.table = to.name();
    unfinished_.push_back(to.name());
    Writes writes(options_.parallel);
    if (!table.parts.empty()) EBLA_TRY(WriteRecords(table, to, writes));
    writes.Drain();
    EBLA_TRY(writes.first());
    if (!options_.at_ms) unfinished_.pop_back();  // else the changes since are still to come
    ++restored_.tables;
    return to;
  }

  // Writes the changes of all tables, in one reading of the archive.
  Status WriteChanges(const Replay& replay, const std::map<uint64_t, Table>& tables) {
    Writes writes(options_.parallel);
    EBLA_TRY(replay.Read([&](uint64_t table, const UnresolvedEffect& change) -> Status {
      const auto to = tables.find(table);
      return to == tables.end() ? Status() : Write(change, to->second, writes);
    }));
    writes.Drain();
    return writes.first();
  }

  Status WriteRecords(const TablePart& table, const Table& to, Writes& writes) {
    EBLA_ASSIGN(const std::unique_ptr<RecordStream> stream, chain_.Read(table.name));
    while (true) {
      EBLA_ASSIGN(std::optional<BackupRecord> record, stream->Next());
      if (!record) return {};
      const auto put = OptionsFor(record->row.record.expires);
      if (!put) {
        ++restored_.expired;
        continue;
      }
      Put(record->row.key, record->row.record.value, *put, to, writes);
      ++progress_.records;
      EBLA_TRY(GoesOn(writes));
    }
  }

  // A record that has expired since must not leave its older version in the table.
  Status Write(const UnresolvedEffect& change, const Table& to, Writes& writes) {
    const auto put = change.is_delete ? std::nullopt : OptionsFor(change.expires);
    if (put) {
      Put(change.key, change.value, *put, to, writes);
    } else {
      writes.Enter(change.key);
      to.AsyncDelete(change.key, {.deadline = std::chrono::seconds(60)},
                     [&writes, key = change.key](const Status& status) { writes.Leave(key, status); });
    }
    ++restored_.changes;
    return GoesOn(writes);
  }

  static void Put(const std::string& key, const std::string& value, const PutOptions& options, const Table& to,
                  Writes& writes) {
    writes.Enter(key);
    to.AsyncPut(key, value, options, [&writes, key](const Result<Version>& version) {
      writes.Leave(key, version ? Status() : version.error());
    });
  }

  Status GoesOn(Writes& writes) const {
    options_.progress(progress_);
    if (options_.interrupted())
      return Error(Code::kUnavailable, "interrupted; the same command with --continue continues");
    return writes.first();
  }

  const Client& client_;
  const RestoreOptions& options_;
  const Chain& chain_;
  Progress progress_;
  Restored restored_;
  std::vector<std::string> unfinished_;  // tables that are made, and not all of their records are in them
};

}  // namespace

Result<Restored> Restore(const Client& client, BackupStore& store, const RestoreOptions& options) {
  if (!options.as.empty() && options.table.empty())
    return Error(Code::kInvalidArgument, "--as renames one table: name it with --table");
  EBLA_ASSIGN(const Chain chain, Chain::Open(store, options.name, options.key));
  // Of everything: the archive may have it since.
  const bool may_have_been_made = options.at_ms && !chain.newest().documents.empty();
  if (!options.table.empty() && chain.newest().Find(options.table) == nullptr && !may_have_been_made) {
    std::string names;
    for (const TablePart& table : chain.newest().tables) names += (names.empty() ? "" : ", ") + table.name;
    return Error(Code::kNotFound, "the backup " + options.name + " holds no table \"" + options.table + "\"" +
                                      (names.empty() ? "" : "; it holds " + names));
  }
  if (options.settings && !options.table.empty())
    return Error(Code::kInvalidArgument, "settings are the whole cluster's: restore them with all tables");
  const std::vector<Document>& settings = chain.newest().documents;
  if (options.settings) EBLA_TRY(CheckSettings(settings));
  EBLA_ASSIGN(Restored restored, Restorer(client, options, chain).Run(store));
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

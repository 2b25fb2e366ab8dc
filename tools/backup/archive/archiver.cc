#include "tools/backup/archive/archiver.h"

#include <algorithm>
#include <random>
#include <set>
#include <span>

#include "common/base/clocks.h"
#include "common/base/interruptible_wait.h"

namespace ebla::backup {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRest{1000}, kRestMost{30'000};
constexpr std::chrono::minutes kDeletes{1};  // between looks at what is too old
constexpr size_t kRoundBytes = 64 << 20;     // what a round makes ready; then it writes first
constexpr size_t kFileBytes = 32 << 20;      // of a file at most, about
constexpr int kHeartbeats = 3;               // without a word from a run that has not ended: it is no more

std::string DrawWriter() {
  std::random_device random;
  return std::to_string((uint64_t{random()} << 32) | random());
}

}  // namespace

Archiver::Archiver(const Client& client, BackupStore& store, const ArchiverOptions& options)
    : client_(client),
      store_(store),
      options_(options),
      logs_({.follow = [this](const ServerSummary& server,
                              const FollowLogOptions& follow) { return client_.FollowLog(server, follow); },
             .wall_clock_ms = TimeOfDayMs,
             .now = [] { return Clock::now(); },
             .say = [this](const std::string& line) { options_.say(line); }}) {}

Status Archiver::Open() {
  EBLA_ASSIGN(const ClusterInfo cluster, client_.DescribeCluster());
  index_.cluster = cluster.cluster_id;
  EBLA_TRY(AwaitEndOfAnother());
  chains_.Load(index_.chains);
  logs_.SetPlaces(index_.places);
  found_writer_ = std::exchange(index_.writer, DrawWriter());
  found_looked_ms_ = index_.chains.looked_ms;
  index_.every_ms = options_.every.count();
  now_ms_ = TimeOfDayMs();
  flushed_ = Clock::now();
  // Written before the first file, because files without an index look like an archive that has lost it.
  return found_writer_.empty() ? WriteArchiveIndex(store_, index_, options_.key) : Status();
}

// Reads the index. A run that was killed has not said that it has ended; one that lives writes it every so often.
Status Archiver::AwaitEndOfAnother() {
  for (std::optional<std::string> heard;;) {
    Result<ArchiveIndex> index = ReadArchiveIndex(store_, index_.cluster, options_.key);
    if (!index && index.error().code() != Code::kNotFound) return Error(std::move(index.error()));
    if (!index) {
      EBLA_ASSIGN(const bool has_files, HasArchiveFiles(store_, index_.cluster));
      if (!has_files) return {};
      return Error(Code::kInvalidArgument,
                   "there are files of an archive in " + store_.LocationOf(ArchiveFolder(index_.cluster)) +
                       ", but no index: restore the index, or move the files away to start a new archive");
    }
    index_ = *std::move(index);
    const std::string now = index_.writer + "@" + std::to_string(index_.chains.looked_ms);
    if (index_.every_ms == 0 || heard == now) return TakeOver();
    if (heard) return AnotherRun();
    heard = now;
    options_.say("waiting to see whether another run still writes this archive");
    const auto rest = kHeartbeats * std::chrono::milliseconds(index_.every_ms) + kRest;
    if (!WaitUnless(options_.interrupted, rest)) return Error(Code::kUnavailable, "interrupted");
  }
}

// An older build has left the files unnamed, and known more than what it had kept.
Status Archiver::TakeOver() {
  if (index_.files.sum) return {};
  EBLA_ASSIGN(const std::vector<ArchiveFile> files, ListArchiveFiles(store_, index_, options_.key));
  ArchivedFiles named;
  named.first = files.empty() ? index_.files.last + 1 : files.front().number;
  named.last = named.first - 1;
  named.sum = 0;
  for (const ArchiveFile& file : files) named.Add(file.name, options_.key);
  index_.files = std::move(named);
  for (TabletChains::State::Table& table : index_.chains.tables) {
    const ArchivedTable* const kept = index_.Find(table.table.value);
    if (kept == nullptr || kept->spans.empty() || !table.coverage) continue;
    table.coverage->span.from_ms = std::max(table.coverage->span.from_ms, kept->spans.back().from_ms);
  }
  return {};
}

void Archiver::NoteTables(const std::vector<TableInfo>& tables, int64_t before_ms, int64_t after_ms) {
  for (const TableInfo& info : tables) {
    ArchivedTable* table = index_.Find(info.id.value);
    if (table == nullptr) {
      table = &index_.tables.emplace_back();
      table->id = info.id.value;
      table->unseen_ms = before_ms;
      table->seen_ms = now_ms_;
    }
    table->name = info.name;
    table->options = info.options;
    table->dropped_ms = 0;  // a catalog that was made anew may have lacked it for a while
  }
  for (ArchivedTable& table : index_.tables) {
    const bool there = std::ranges::any_of(tables, [&](const TableInfo& info) { return info.id.value == table.id; });
    if (!there && table.dropped_ms == 0) table.dropped_ms = after_ms;
  }
}

Result<bool> Archiver::Round() {
  now_ms_ = TimeOfDayMs() - 1;  // what is of the present millisecond may be yet to come
  EBLA_ASSIGN(std::vector<TableInfo> tables, client_.ListTables());
  const int64_t listed_ms = TimeOfDayMs();
  EBLA_ASSIGN(std::vector<TabletSummary> tablets, client_.ListTablets());
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client_.ListServers());
  // Tables in memory are in no log on a disk.
  std::set<TableId> in_memory;
  for (const TableInfo& table : tables) {
    if (table.options.memory.value_or(false)) in_memory.insert(table.id);
  }
  std::erase_if(tables, [&](const TableInfo& table) { return in_memory.contains(table.id); });
  std::erase_if(tablets, [&](const TabletSummary& tablet) { return in_memory.contains(tablet.table_id); });
  NoteTables(tables, std::exchange(index_.chains.looked_ms, now_ms_), listed_ms);
  std::vector<TabletChains::Listed> listed;
  for (const TabletSummary& tablet : tablets) listed.push_back({tablet.id, tablet.table_id});
  chains_.BeginRound(now_ms_, listed);
  began_[chains_.round()] = logs_.places();
  bool through = true;
  const bool all_read = logs_.Read(servers, index_.places, chains_, [&] {
    through = !options_.interrupted() && chains_.ready_bytes() < kRoundBytes && !chains_.Full();
    return through;
  });
  for (const TableId anew : chains_.EndRound(all_read, TimeOfDayMs())) {
    const ArchivedTable* const table = index_.Find(anew.value);
    options_.say("table " + (table == nullptr ? std::to_string(anew.value) : table->name) +
                 ": some changes are missing, so its history starts again; make a backup for the moments from now on");
  }
  const bool due = Clock::now() - flushed_ >= options_.every || chains_.ready_bytes() >= options_.file_bytes;
  if (due) EBLA_TRY(Flush());
  return through;
}

void Archiver::NoteSpans() {
  for (ArchivedTable& table : index_.tables) {
    const auto coverage = chains_.CoverageOf(TableId{table.id});
    if (!coverage || coverage->span.through_ms <= coverage->span.from_ms) continue;
    if (table.spans.empty()) table.whole = coverage->whole;
    const bool goes_on = !table.spans.empty() && coverage->span.from_ms == table.spans.back().from_ms;
    if (!goes_on) {
      options_.say("table " + table.name + ": every moment can be restored from now on");
      table.spans.push_back(coverage->span);
    }
    table.spans.back().through_ms = coverage->span.through_ms;
  }
}

Error Archiver::AnotherRun() const {
  return {Code::kInvalidArgument,
          "another run writes the archive in " + store_.LocationOf(ArchiveFolder(index_.cluster)) + ": run only one"};
}

// Two runs would each undo the other run's changes.
Status Archiver::CheckWriter() {
  const Result<ArchiveIndex> there = ReadArchiveIndex(store_, index_.cluster, options_.key);
  if (!there && there.error().code() != Code::kNotFound) return there.error();
  if (!there || there->writer == index_.writer) return {};
  return there->writer == found_writer_ && there->chains.looked_ms == found_looked_ms_ ? Status() : AnotherRun();
}

Status Archiver::Flush() {
  EBLA_TRY(CheckWriter());
  NoteSpans();
  ArchiveIndex next = index_;
  const bool left_files = std::exchange(left_files_, true);
  for (std::span<const ArchivedEntry> left = chains_.ready(); !left.empty();) {
    size_t count = 0;
    for (size_t bytes = 0; count < left.size() && bytes < kFileBytes; ++count) bytes += BytesOf(left[count].effects);
    EBLA_ASSIGN(const std::string name,
                WriteArchiveFile(store_, next, next.files.last + 1, left.first(count), options_.key));
    next.files.Add(name, options_.key);
    left = left.subspan(count);
  }
  next.chains = chains_.Save();
  const std::set<uint64_t> held = chains_.HeldRounds();
  std::erase_if(began_,
                [&](const auto& round) { return !held.contains(round.first) && round.first != chains_.round(); });
  next.places = began_.empty() ? logs_.places() : began_.begin()->second;
  EBLA_TRY(WriteArchiveIndex(store_, next, options_.key));
  index_ = std::move(next);
  chains_.ClearReady();
  flushed_ = Clock::now();
  // Not before: the index that could not be written a moment ago may be there all the same, and name them.
  if (left_files) EBLA_TRY(DeleteUnnamedFiles(store_, index_));
  left_files_ = false;
  return options_.keep.count() > 0 && flushed_ - deleted_ >= kDeletes ? DeleteOld() : Status();
}

Status Archiver::Close() {
  if (index_.chains.looked_ms == found_looked_ms_) return {};  // it has not looked
  index_.every_ms = 0;
  return Flush();
}

// Once nothing is ready that is not written.
Status Archiver::DeleteOld() {
  deleted_ = Clock::now();
  const int64_t before = now_ms_ - options_.keep.count();
  EBLA_ASSIGN(const std::vector<ArchiveFile> files, ListArchiveFiles(store_, index_, options_.key));
  std::vector<ArchiveFile> old;
  for (const ArchiveFile& file : files) {
    if (file.through_ms >= before - kReplayedBeforeMs || file.number == index_.files.last) break;
    old.push_back(file);
  }
  if (old.empty()) return {};
  for (const ArchiveFile& file : old) index_.files.RemoveFirst(file.name, options_.key);
  for (ArchivedTable& table : index_.tables) {
    std::erase_if(table.spans, [&](const Span& span) { return span.through_ms < before; });
    for (Span& span : table.spans) {
      if (span.from_ms >= before) continue;
      span.from_ms = before;
      table.whole = false;
    }
  }
  std::erase_if(index_.tables,
                [&](const ArchivedTable& table) { return table.dropped_ms != 0 && table.dropped_ms < before; });
  chains_.CutBefore(before);
  index_.chains = chains_.Save();
  EBLA_TRY(WriteArchiveIndex(store_, index_, options_.key));
  for (const ArchiveFile& file : old) EBLA_TRY(store_.Delete(ArchiveFolder(index_.cluster) + "/" + file.name));
  return {};
}

Status RunArchiver(const Client& client, BackupStore& store, const ArchiverOptions& options) {
  Archiver archiver(client, store, options);
  if (Status opened = archiver.Open(); !opened.ok()) return options.interrupted() ? Status() : opened;
  auto rest = kRest;
  while (!options.interrupted()) {
    const Result<bool> through = archiver.Round();
    const Code code = through ? Code::kOk : through.error().code();
    if (code == Code::kInvalidArgument || code == Code::kPermissionDenied) return through.error();
    if (through && !*through) continue;  // there is more
    rest = through ? kRest : std::min(2 * rest, kRestMost);
    if (!through)
      options.say(through.error().ToString() + "; next attempt in " + std::to_string(rest.count() / 1000) + " s");
    if (!WaitUnless(options.interrupted, rest)) break;
  }
  return archiver.Close();
}

}  // namespace ebla::backup

#include "tools/backup/archive/archiver.h"

#include <algorithm>
#include <random>

#include "common/base/interruptible_wait.h"

namespace ebla::backup {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRest{1000}, kRestMost{30'000};
constexpr std::chrono::seconds kHeldUp{30};  // by an entry of which nobody knows whether it is committed
constexpr std::chrono::minutes kDeletes{1};  // between looks at what is too old
constexpr size_t kRoundBytes = 64 << 20;     // what a round holds in memory; then it writes first

int64_t WallClockMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string DrawWriter() {
  std::random_device random;
  return std::to_string((uint64_t{random()} << 32) | random());
}

}  // namespace

Status Archiver::Open() {
  EBLA_ASSIGN(const ClusterInfo cluster, client_.DescribeCluster());
  Result<ArchiveIndex> index = ReadArchiveIndex(store_, cluster.cluster_id, options_.key);
  if (!index && index.error().code() != Code::kNotFound) return Error(std::move(index.error()));
  if (index) {
    index_ = *std::move(index);
    found_writer_ = index_.writer;
    chains_.Load(index_.chains);
    places_ = index_.places;
  }
  index_.cluster = cluster.cluster_id;
  index_.writer = DrawWriter();
  now_ms_ = WallClockMs();
  flushed_ = Clock::now();
  return {};
}

void Archiver::NoteTables(const std::vector<TableInfo>& tables) {
  for (const TableInfo& info : tables) {
    ArchivedTable* table = index_.Find(info.id.value);
    if (table == nullptr) {
      table = &index_.tables.emplace_back();
      table->id = info.id.value;
    }
    table->name = info.name;
    table->options = info.options;
  }
  for (ArchivedTable& table : index_.tables) {
    const bool there = std::ranges::any_of(tables, [&](const TableInfo& info) { return info.id.value == table.id; });
    if (!there && table.dropped_ms == 0) table.dropped_ms = now_ms_;
  }
}

bool Archiver::ReadLog(const ServerSummary& server) {
  LogPlace& place = places_[server.name];
  std::vector<TabletId> held_by;
  while (chains_.ready_bytes() < kRoundBytes && !options_.interrupted()) {
    const auto waits = waits_.find(server.name);
    const bool pass_over = waits != waits_.end() && Clock::now() - waits->second >= kHeldUp;
    Result<LogPage> page = client_.FollowLog(server, place, pass_over ? held_by : std::vector<TabletId>());
    if (!page) return false;
    const bool moved = page->next.segment != place.segment || page->next.offset != place.offset;
    place = page->next;
    const bool at_end = page->at_end, held_up = !page->waits_for.empty();
    if (!held_up || moved) waits_.erase(server.name);
    if (held_up) waits_.try_emplace(server.name, Clock::now());
    const bool more_held = pass_over && std::ranges::any_of(page->waits_for, [&](const TabletId tablet) {
                             return std::ranges::find(held_by, tablet) == held_by.end();
                           });
    held_by.insert(held_by.end(), page->waits_for.begin(), page->waits_for.end());
    chains_.Take(*std::move(page));
    if (!more_held && (at_end || held_up)) return at_end || pass_over;
  }
  return false;
}

Status Archiver::Round() {
  now_ms_ = WallClockMs();
  EBLA_ASSIGN(const std::vector<TableInfo> tables, client_.ListTables());
  EBLA_ASSIGN(const std::vector<TabletSummary> tablets, client_.ListTablets());
  EBLA_ASSIGN(const std::vector<ServerSummary> servers, client_.ListServers());
  NoteTables(tables);
  std::vector<TabletChains::Listed> listed;
  for (const TabletSummary& tablet : tablets) listed.push_back({tablet.id, tablet.table_id});
  chains_.BeginRound(now_ms_, listed);
  began_[chains_.round()] = places_;
  bool all_read = true;
  for (const ServerSummary& server : servers) {
    if (server.live) all_read = ReadLog(server) && all_read;
  }
  for (const TableId anew : chains_.EndRound(all_read)) {
    const ArchivedTable* const table = index_.Find(anew.value);
    options_.say("table " + (table == nullptr ? std::to_string(anew.value) : table->name) +
                 ": something lacks, so it begins anew; make a backup for the moments from now on");
  }
  const bool due = Clock::now() - flushed_ >= options_.every || chains_.ready_bytes() >= options_.file_bytes;
  return due ? Flush() : Status();
}

void Archiver::NoteSpans() {
  for (ArchivedTable& table : index_.tables) {
    const auto coverage = chains_.CoverageOf(TableId{table.id});
    if (!coverage || coverage->span.through_ms <= coverage->span.from_ms) continue;
    if (table.spans.empty()) table.whole = coverage->whole;
    // One that --keep has cut begins later than the chains know.
    const bool goes_on = !table.spans.empty() && coverage->span.from_ms <= table.spans.back().through_ms;
    if (!goes_on) {
      options_.say("table " + table.name + ": every moment is known from now on");
      table.spans.push_back(coverage->span);
    }
    table.spans.back().through_ms = std::max(table.spans.back().through_ms, coverage->span.through_ms);
  }
}

// Two runs would each undo what the other says.
Status Archiver::CheckWriter() {
  const Result<ArchiveIndex> there = ReadArchiveIndex(store_, index_.cluster, options_.key);
  if (!there && there.error().code() != Code::kNotFound) return there.error();
  if (!there || there->writer == index_.writer || there->writer == found_writer_) return {};
  return Error(Code::kInvalidArgument,
               "another run writes the archive in " + store_.Where(ArchiveFolder(index_.cluster)) + ": one is enough");
}

Status Archiver::Flush() {
  EBLA_TRY(CheckWriter());
  NoteSpans();
  ArchiveIndex next = index_;
  if (left_files_) EBLA_TRY(DeleteUnnamedFiles(store_, index_));
  left_files_ = true;
  if (!chains_.ready().empty()) {
    ++next.last_file;
    EBLA_TRY(WriteArchiveFile(store_, next.cluster, next.last_file, chains_.ready(), options_.key));
  }
  next.chains = chains_.Save();
  const uint64_t oldest = chains_.OldestRound();
  began_.erase(began_.begin(), began_.lower_bound(oldest));
  next.places = began_.empty() ? places_ : began_.begin()->second;
  EBLA_TRY(WriteArchiveIndex(store_, next, options_.key));
  index_ = std::move(next);
  left_files_ = false;
  chains_.ClearReady();
  flushed_ = Clock::now();
  return options_.keep.count() > 0 && flushed_ - deleted_ >= kDeletes ? DeleteOld() : Status();
}

Status Archiver::DeleteOld() {
  deleted_ = Clock::now();
  const int64_t before = now_ms_ - options_.keep.count();
  EBLA_ASSIGN(const std::vector<ArchiveFile> files, ListArchiveFiles(store_, index_));
  std::vector<ArchiveFile> old;
  for (const ArchiveFile& file : files) {
    if (file.through_ms >= before || file.number == index_.last_file) break;
    old.push_back(file);
  }
  if (old.empty()) return {};
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
  EBLA_TRY(WriteArchiveIndex(store_, index_, options_.key));
  for (const ArchiveFile& file : old) EBLA_TRY(store_.Delete(ArchiveFolder(index_.cluster) + "/" + file.name));
  return {};
}

Status RunArchiver(const Client& client, BackupStore& store, const ArchiverOptions& options) {
  Archiver archiver(client, store, options);
  EBLA_TRY(archiver.Open());
  auto rest = kRest;
  while (!options.interrupted()) {
    const Status round = archiver.Round();
    const Code code = round.code();
    if (code == Code::kInvalidArgument || code == Code::kPermissionDenied) return round;
    rest = round.ok() ? kRest : std::min(2 * rest, kRestMost);
    if (!round.ok()) options.say(round.ToString() + "; tries again in " + std::to_string(rest.count() / 1000) + " s");
    if (!WaitUnless(options.interrupted, rest)) break;
  }
  return archiver.Flush();
}

}  // namespace ebla::backup

#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"

#include <absl/cleanup/cleanup.h>
#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"
#include "tabletserver/storage/wiredtiger/wt_run_rows.h"
#include "tabletserver/storage/wiredtiger/wt_run_writer.h"
#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

namespace ebla::tabletserver {

namespace {

constexpr Duration kAgain = std::chrono::milliseconds(100);
constexpr Duration kSlowWaitMax = std::chrono::milliseconds(5);
constexpr int64_t kBytesMax = int64_t{256} << 20;
constexpr std::string_view kRunPrefix = "run_";

int RemoveRuns(WtSession& session, TableId table, const std::vector<std::shared_ptr<const RunFile>>& files) {
  for (const auto& file : files) {
    if (const int error = RemoveRunRows(session, table, {file->run.number})) return error;
  }
  return 0;
}

// Which no further merge may take.
std::set<RunNumber> FixedRuns(SortedTable& table) EBLA_REQUIRES(table.buffer.write_mutex()) {
  std::set<RunNumber> fixed = table.unreadable;
  for (const auto& [order, merge] : table.merges) fixed.insert(merge.inputs.begin(), merge.inputs.end());
  return fixed;
}

PlannedRun PlannedRunOf(const RunOfTable& one, const std::set<RunNumber>& fixed) {
  const Run& run = one.file->run;
  PlannedRun planned{
      .bytes = run.bytes, .records = run.records, .deletes = run.deletes, .fixed = fixed.contains(run.number)};
  if (!one.holes.empty()) planned.bytes_in_holes = run.bytes - ShareOf(run, one.holes, {}).bytes;
  return planned;
}

int DropFile(WtSession& session, RunFileId file) {
  WT_SESSION* const raw = session.get();
  return raw->drop(raw, RunFileUri(file).c_str(), "force=true,checkpoint_wait=false");
}

// The first cursor on a file waits for each thread that makes or drops another one, syncs included, and no read is to
// wait so long. This session keeps the cursor, and with it the file open. A damaged file is left to its first read.
void OpenRun(WtSession& session, const Run& run) {
  std::ignore = WtCursor(session, {run.number}, PageUse::kAgain).error();
}

std::string DescribeLargest(const std::vector<SortedTablePtr>& all) {
  const auto largest = std::ranges::max_element(all, {}, [](const auto& table) { return table->buffer.bytes(); });
  if (largest == all.end()) return {};
  return "table " + std::to_string((*largest)->id.value) + " has " + std::to_string((*largest)->buffer.bytes() >> 20) +
         " MiB of them, and " + std::to_string((*largest)->buffer.runs()->runs.size()) +
         " runs; merges are behind at more than " + std::to_string(2 * RunsMax(MergeLimits()));
}

}  // namespace

WtSortedTables::WtSortedTables(const WtStoreOptions& options, WtConnection& connection, WtSessions& sessions)
    : options_(options),
      bytes_max_(options.buffer_bytes > 0 ? options.buffer_bytes : std::min(options.cache_bytes / 4, kBytesMax)),
      generation_bytes_max_(bytes_max_ / 4),
      executor_(options.writer != nullptr ? *options.writer : *options.background),
      connection_(connection),
      sessions_(sessions) {}

// ---- tables ---------------------------------------------------------------------------------------------------------

Status WtSortedTables::Open() {
  {
    EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
    EBLA_ASSIGN(std::vector<RunTable> tables, ReadRunTables(sessions_, *session));
    for (RunTable& found : tables) {
      const auto table = std::make_shared<SortedTable>(found.table, found.compression, buffer_bytes_);
      for (const RunOfTable& run : found.runs.runs) {
        next_file_ = std::max(next_file_.load(), run.file->run.number + 1);
        const RunFileId file{run.file->run.number};
        if (sessions_.NoteIfDamaged(*session, found.table, RunFileName(file), /*only_to_read=*/true))
          sessions_.damaged().NoteLostRun(file.number);
      }
      {
        const MutexLock lock(table->buffer.write_mutex());
        if (!found.runs.runs.empty()) table->next_order = found.runs.runs.front().file->run.order + 1;
        table->buffer.SetRuns(std::make_shared<const RunSet>(std::move(found.runs)));
      }
      Add(table);
    }
  }
  return RemoveLeftFiles();
}

Status WtSortedTables::RemoveLeftFiles() {
  std::set<uint64_t> named;
  for (const SortedTablePtr& table : All()) {
    for (const RunSetPtr runs = table->buffer.runs(); const RunOfTable& run : runs->runs)
      named.insert(run.file->run.number);
  }
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::set<std::string> known;
  EBLA_TRY(sessions_.Check(ReadFileNames(session->get(), known), "reading the metadata"));
  for (const std::string& file : known) {
    const auto number = NumberInName(file, kRunPrefix);
    if (!number) continue;
    next_file_ = std::max(next_file_.load(), *number + 1);
    if (!named.contains(*number)) EBLA_TRY(sessions_.Check(DropFile(*session, {*number}), "removing a run"));
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
    const std::string file = entry.path().filename();
    const auto number = NumberInName(file, kRunPrefix);
    if (!number || known.contains(file)) continue;
    next_file_ = std::max(next_file_.load(), *number + 1);
    std::error_code ignored;
    std::filesystem::remove(entry.path(), ignored);
  }
  return {};
}

void WtSortedTables::Add(SortedTablePtr table) {
  const WriterLock lock(mutex_);
  tables_[table->id] = std::move(table);
  count_ = tables_.size();
}

Status WtSortedTables::Ensure(TableId table, TableCompression compression) {
  if (Find(table) != nullptr) return {};
  EBLA_TRY(StoreDirectory::NoteSortedTables(options_.directory));
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const int error = RunTransaction(*session, [&] { return WriteTableRow(*session, table, compression); });
  EBLA_TRY(sessions_.Check(OfSystemTable(error), "making a table"));
  const WriterLock lock(mutex_);
  SortedTablePtr& made = tables_[table];
  if (made == nullptr) made = std::make_shared<SortedTable>(table, compression, buffer_bytes_);
  count_ = tables_.size();
  return {};
}

// The buffer's changes of tablets are written, because tablets may have been dropped before the table.
Status WtSortedTables::Drop(const SortedTablePtr& table) {
  const MutexLock lock(table->buffer.write_mutex());
  if (table->dropped) return {};  // there may be another one of this id by now
  const RunSetPtr runs = table->buffer.runs();
  const TableBuffer::Generations generations = table->buffer.ToWrite();
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const int error = RunTransaction(*session, [&]() -> int {
    for (const auto& generation : generations) {
      for (const auto& [tablet, changes] : generation->tablets) {
        if (const int error = WriteTabletChanges(*session, tablet, changes)) return error;
      }
    }
    for (const RunOfTable& run : runs->runs) {
      if (const int error = RemoveRunRows(*session, table->id, {run.file->run.number})) return error;
    }
    return RemoveRunRows(*session, table->id, {});
  });
  EBLA_TRY(sessions_.Check(OfSystemTable(error), "dropping a table"));
  table->dropped = true;
  const auto none = std::make_shared<const RunSet>();
  for (const auto& generation : generations) table->buffer.Written(*generation, none);
  table->buffer.SetRuns(none);
  for (const RunOfTable& run : runs->runs) Retire(run.file);
  NoteRoom();
  sessions_.damaged().Forget(table->id);
  const WriterLock tables_lock(mutex_);
  tables_.erase(table->id);
  count_ = tables_.size();
  return {};
}

SortedTablePtr WtSortedTables::Find(TableId table) const {
  if (empty()) return nullptr;
  const ReaderLock lock(mutex_);
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : found->second;
}

std::vector<SortedTablePtr> WtSortedTables::All() const {
  const ReaderLock lock(mutex_);
  std::vector<SortedTablePtr> all;
  for (const auto& [id, table] : tables_) all.push_back(table);
  return all;
}

int64_t WtSortedTables::FileBytes(const SortedTable& table) const {
  int64_t bytes = 0;
  for (const RunSetPtr runs = table.buffer.runs(); const RunOfTable& run : runs->runs) {
    std::error_code error;
    const auto size = std::filesystem::file_size(options_.directory + "/" + RunFileName({run.file->run.number}), error);
    if (!error) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

// ---- changes --------------------------------------------------------------------------------------------------------

// Waits longer the fuller the buffers are, so that writes become slower before they stop.
Status WtSortedTables::WaitForRoom(Duration longest) {
  const int64_t slow_from = bytes_max_ / 4 * 3;
  const int64_t bytes = buffer_bytes();
  if (bytes < slow_from) return {};
  const auto full = [] { return Error(Code::kOverloaded, "the disk is slower than the writes of this server"); };
  const auto begun = std::chrono::steady_clock::now();
  // One of the calls that a round makes waits, and not each of them.
  if (bytes >= bytes_max_ && begun.time_since_epoch() < full_until_.load()) return full();
  NoteApplied();  // a write that failed has posted no next one
  const double fullness = static_cast<double>(bytes - slow_from) / static_cast<double>(bytes_max_ - slow_from);
  const auto slowly = begun + std::chrono::duration_cast<Duration>(kSlowWaitMax * std::min(fullness, 1.0));
  const MutexLock lock(room_mutex_);
  while (buffer_bytes() >= slow_from && written_.WaitUntil(room_mutex_, slowly)) continue;
  // Other writers may have taken the last room meanwhile.
  if (buffer_bytes() < bytes_max_) return {};
  while (buffer_bytes() >= slow_from && written_.WaitUntil(room_mutex_, begun + longest)) continue;
  if (buffer_bytes() < bytes_max_) return {};
  full_until_ = std::chrono::steady_clock::now().time_since_epoch() + longest;
  LOG_EVERY_T(WARNING, 10) << "writes wait, as the buffers of sorted tables are full: " << DescribeLargest(All());
  return full();
}

void WtSortedTables::NoteRoom() {
  const MutexLock lock(room_mutex_);
  written_.NotifyAll();
}

void WtSortedTables::NoteApplied() {
  if (buffer_bytes() < generation_bytes_max_ || writing_.exchange(true)) return;
  executor_.Post([this, gate = gate_] { gate->Enter([this] { WriteSome(); }); });
}

void WtSortedTables::WriteSome() {
  writing_ = false;
  const SortedTablePtr table = Largest();
  Status written;
  if (table != nullptr) {
    written = buffer_bytes() < bytes_max_ / 2 ? WriteFull(*table) : Write(*table);
    LOG_IF(WARNING, !written.ok()) << "the buffer of table " << table->id << " is not written: " << written;
  }
  if (buffer_bytes() < (table == nullptr ? generation_bytes_max_ : bytes_max_ / 2)) return;
  if (table != nullptr && written.ok()) return NoteApplied();
  // A later look, and none of the writes until then posts another.
  if (writing_.exchange(true)) return;
  executor_.After(kAgain, [this, gate = gate_] { gate->Enter([this] { WriteSome(); }); });
}

Status WtSortedTables::WriteFull(SortedTable& table) {
  const MutexLock lock(table.buffer.write_mutex());
  return WriteGenerations(table, table.buffer.Frozen());
}

SortedTablePtr WtSortedTables::Largest() const {
  SortedTablePtr largest;
  int64_t most = 0;
  for (const SortedTablePtr& table : All()) {
    const int64_t bytes = table->buffer.bytes();
    if (bytes <= most || WaitsForMerges(*table)) continue;
    most = bytes;
    largest = table;
  }
  return largest;
}

bool WtSortedTables::Forget(TabletId tablet) {
  return std::ranges::any_of(All(), [tablet](const SortedTablePtr& table) { return table->buffer.Forget(tablet); });
}

Status WtSortedTables::Clear(SortedTable& table, const KeyRange& range) {
  ++hurried_;  // copies and removals of all tablets wait for this one
  const absl::Cleanup calm = [this] { --hurried_; };
  const MutexLock lock(table.buffer.write_mutex());
  if (table.buffer.AnyIn(range)) EBLA_TRY(WriteGenerations(table, table.buffer.ToWrite()));
  RunSet left;
  std::vector<RunOfTable> changed;
  std::vector<std::shared_ptr<const RunFile>> gone;
  for (const RunSetPtr runs = table.buffer.runs(); RunOfTable run : runs->runs) {
    const Run& rows = run.file->run;
    const bool meets = range.Overlaps({rows.first_key, KeyAfter(rows.last_key)});
    if (meets) run.holes.Add(range);
    if (run.holes.Covers(rows.first_key, rows.last_key)) {
      gone.push_back(run.file);
      continue;
    }
    if (meets) changed.push_back(run);
    left.runs.push_back(std::move(run));
  }
  if (!changed.empty() || !gone.empty()) {
    EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
    const int error = RunTransaction(*session, [&]() -> int {
      for (const RunOfTable& run : changed) {
        if (const int error = WriteHoles(*session, table.id, run)) return error;
      }
      return RemoveRuns(*session, table.id, gone);
    });
    EBLA_TRY(sessions_.Check(OfSystemTable(error), "clearing a range"));
  }
  for (auto& [order, merge] : table.merges) merge.cleared.push_back(range);
  table.buffer.SetRuns(std::make_shared<const RunSet>(std::move(left)));
  for (auto& file : gone) Retire(std::move(file));
  if (!changed.empty()) on_runs_(table.id);  // no further run may come, and the disk would not get the hole's bytes
  return {};
}

// ---- files ----------------------------------------------------------------------------------------------------------

Status WtSortedTables::Write(SortedTable& table) {
  const MutexLock lock(table.buffer.write_mutex());
  return WriteGenerations(table, table.buffer.ToWrite());
}

Status WtSortedTables::WriteGenerations(SortedTable& table, const TableBuffer::Generations& generations) {
  if (table.dropped) return {};
  for (const auto& generation : generations) EBLA_TRY(WriteGeneration(table, *generation));
  return {};
}

Status WtSortedTables::WriteGeneration(SortedTable& table, const BufferGeneration& generation) {
  const RunSetPtr before = table.buffer.runs();
  WtRunWriter writer(connection_, options_.directory, NextFile(), table.compression,
                     [this](RunFileId file) { RemoveLater(file); });
  RunSet after = *before;
  int error = 0;
  if (!generation.rows.empty()) {
    const PacedSyncs paced =
        PacedSyncs::WhileWriting([this] { return hurried_ > 0 || buffer_bytes() >= bytes_max_ / 2; });
    error = writer.Begin(generation.rows.size());
    if (error == 0) {
      generation.rows.ForEach([&](std::string_view key, const SortedRows::Bytes& row) {
        error = writer.Add(key, row);
        return error == 0;
      });
    }
    std::shared_ptr<const RunFile> run;
    if (error == 0) error = writer.Finish(table.next_order++, run);
    if (IsShortage(error)) return ShortageError(error, "writing a run");
    EBLA_TRY(sessions_.Check(error, "writing a run"));
    after.runs.insert(after.runs.begin(), {std::move(run), {}});
  }
  {
    EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
    if (after.runs.size() > before->runs.size()) OpenRun(*session, after.runs.front().file->run);
    error = RunTransaction(*session, [&]() -> int {
      if (after.runs.size() > before->runs.size()) {
        if (const int error = WriteRunRows(*session, table.id, after.runs.front(), writer.filter()))
          return OfSystemTable(error);
      }
      for (const auto& [tablet, changes] : generation.tablets) {
        if (const int error = WriteTabletChanges(*session, tablet, changes)) return error;
      }
      return 0;
    });
  }
  EBLA_TRY(sessions_.Check(error, "writing a run"));
  writer.Keep();
  table.buffer.Written(generation, std::make_shared<const RunSet>(std::move(after)));
  NoteRoom();
  if (!generation.rows.empty()) on_runs_(table.id);
  return {};
}

Status WtSortedTables::WriteAll() {
  for (const SortedTablePtr& table : All()) {
    EBLA_TRY(Write(*table));
  }
  return {};
}

std::optional<TableMerge> WtSortedTables::BeginMerge(const SortedTablePtr& table, const MergeChoice& choose) {
  const MutexLock lock(table->buffer.write_mutex());
  if (table->dropped) return std::nullopt;
  const RunSetPtr all = table->buffer.runs();
  const std::vector<RunOfTable>& runs = all->runs;
  std::vector<PlannedRun> planned;
  const std::set<RunNumber> fixed = FixedRuns(*table);
  for (const RunOfTable& run : runs) planned.push_back(PlannedRunOf(run, fixed));
  const std::optional<MergePlan> plan = choose(planned);
  if (!plan) return std::nullopt;
  const auto first = runs.begin() + static_cast<ptrdiff_t>(plan->first);
  TableMerge merge{.table = table,
                   .inputs = {first, first + static_cast<ptrdiff_t>(plan->count)},
                   .oldest = plan->first + plan->count == runs.size()};
  SortedTable::UnderMerge& under = table->merges[first->file->run.order];
  for (const RunOfTable& input : merge.inputs) under.inputs.insert(input.file->run.number);
  return merge;
}

// The inputs may have become fewer, where a cleared range has taken all of one.
Status WtSortedTables::EndMerge(const TableMerge& merge, const std::shared_ptr<const RunFile>& merged,
                                std::string_view filter) {
  SortedTable& table = *merge.table;
  const MutexLock lock(table.buffer.write_mutex());
  if (table.dropped) return Error(Code::kNoSuchTable, "the table was dropped during a merge");
  const auto under = table.merges.find(merge.inputs.front().file->run.order);
  RunOfTable result{merged, {}};
  for (const KeyRange& range : under->second.cleared) result.holes.Add(range);
  bool placed = merged == nullptr || result.holes.Covers(merged->run.first_key, merged->run.last_key);
  const bool keep = !placed;
  RunSet after;
  std::vector<std::shared_ptr<const RunFile>> gone;
  for (const RunSetPtr runs = table.buffer.runs(); const RunOfTable& run : runs->runs) {
    // In the place of the inputs, which are adjacent: above the first older run.
    if (!placed && run.file->run.order <= merged->run.order) {
      after.runs.push_back(result);
      placed = true;
    }
    under->second.inputs.contains(run.file->run.number) ? gone.push_back(run.file) : after.runs.push_back(run);
  }
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  if (keep) OpenRun(*session, merged->run);
  const int error = RunTransaction(*session, [&]() -> int {
    if (const int error = RemoveRuns(*session, table.id, gone)) return error;
    return keep ? WriteRunRows(*session, table.id, result, filter) : 0;
  });
  EBLA_TRY(sessions_.Check(OfSystemTable(error), "replacing runs by a merged one"));
  if (!placed) after.runs.push_back(result);
  table.merges.erase(under);
  table.buffer.SetRuns(std::make_shared<const RunSet>(std::move(after)));
  for (auto& file : gone) Retire(std::move(file));
  if (merged != nullptr && !keep) Retire(merged);
  return {};
}

void WtSortedTables::AbandonMerge(const TableMerge& merge, std::optional<RunNumber> unreadable) {
  SortedTable& table = *merge.table;
  const MutexLock lock(table.buffer.write_mutex());
  table.merges.erase(merge.inputs.front().file->run.order);
  if (unreadable) table.unreadable.insert(*unreadable);
  table.unreadable_count = table.unreadable.size();
}

bool WtSortedTables::IsMerging(SortedTable& table) const {
  const MutexLock lock(table.buffer.write_mutex());
  return !table.merges.empty();
}

// Runs that no merge can take would never become fewer. Each may also keep apart seven others, too few for a merge.
bool WtSortedTables::WaitsForMerges(const SortedTable& table) {
  const MergeLimits limits;
  return table.buffer.runs()->runs.size() > 2 * RunsMax(limits) + limits.runs_per_tier * table.unreadable_count;
}

void WtSortedTables::Retire(std::shared_ptr<const RunFile> file) {
  const MutexLock lock(retired_mutex_);
  retired_bytes_ += file->run.bytes;
  const RunFileId id{file->run.number};
  retired_.push_back({.file = id, .run = std::move(file), .since = checkpoints_});
}

void WtSortedTables::RemoveLater(RunFileId file) {
  const MutexLock lock(retired_mutex_);
  retired_.push_back({.file = file, .run = nullptr, .since = checkpoints_});
}

uint64_t WtSortedTables::BeginCheckpoint() {
  const MutexLock lock(retired_mutex_);
  retired_bytes_ = 0;
  return ++checkpoints_;
}

void WtSortedTables::EndCheckpoint(uint64_t begun) {
  std::vector<Retired> unused;
  {
    const MutexLock lock(retired_mutex_);
    const auto in_use = [&](const Retired& one) { return one.since >= begun || one.run.use_count() > 1; };
    const auto first = std::ranges::partition(retired_, in_use).begin();
    std::ranges::move(first, retired_.end(), std::back_inserter(unused));
    retired_.erase(first, retired_.end());
  }
  for (Retired& one : unused) {
    if (RemoveFile(one.file)) continue;
    const MutexLock lock(retired_mutex_);
    retired_.push_back(std::move(one));
  }
}

// False: it is in use at present.
bool WtSortedTables::RemoveFile(RunFileId file) {
  sessions_.CloseCursors(file);
  const auto session = sessions_.ForThisThread();
  if (!session) return false;
  const int error = DropFile(**session, file);
  LOG_IF(WARNING, error != 0 && error != EBUSY)
      << "cannot remove " << RunFileUri(file) << ": " << wiredtiger_strerror(error);
  return error == 0;
}

}  // namespace ebla::tabletserver

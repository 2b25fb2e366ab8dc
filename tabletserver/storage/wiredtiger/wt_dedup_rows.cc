#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"

#include <algorithm>
#include <iterator>
#include <ranges>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kPiece = 256;  // rows of a tablet that are written out at once: its writes wait meanwhile

int WriteChange(WtCursor& window, TabletId tablet, const DedupChange& change) {
  for (const auto& [client, sequence] : change.erase) {
    if (const int error = window.Remove(DedupKey(tablet, client, sequence))) return error;
  }
  for (const DedupRow& row : change.put) {
    const std::string key = DedupKey(tablet, row.client, row.sequence);
    if (const int error = window.Insert(key, EncodeDedupRow(row))) return error;
  }
  return 0;
}

}  // namespace

int RemoveDedupRows(WtSession& session, TabletId tablet) {
  WtCursor window(session, SystemTable::kWindow);
  return window.error() != 0 ? window.error() : RemoveRowsWith(window, TabletKey(tablet));
}

int WtDedupRows::Waiting::Write(WtCursor& window, size_t rows_max) const {
  for (const auto& [id, unwritten] : rows | std::views::take(rows_max)) {
    const std::string key = DedupKey(tablet, id.first, id.second);
    const int error = unwritten.row ? window.Insert(key, EncodeDedupRow(*unwritten.row)) : window.Remove(key);
    if (error != 0) return error;
  }
  return 0;
}

WtDedupRows::Change::Change(WtDedupRows& rows, std::span<const ApplyBatch> batches) EBLA_NO_THREAD_SAFETY_ANALYSIS
    // The locks travel in the object: the analysis follows none that do.
    : batches_(batches) {
  for (const ApplyBatch& batch : batches) of_.push_back(rows.Of(batch.tablet));
  for (const auto& waiting : of_) locked_.push_back(waiting.get());
  std::ranges::sort(locked_, {}, &Waiting::tablet);
  locked_.erase(std::ranges::unique(locked_).begin(), locked_.end());
  for (Waiting* waiting : locked_) waiting->mutex.Lock();
  through_ = rows.through_ > 0;
}

WtDedupRows::Change::~Change() EBLA_NO_THREAD_SAFETY_ANALYSIS {  // as above
  for (Waiting* waiting : locked_) waiting->mutex.Unlock();
}

int WtDedupRows::Change::Write(WtSession& session) const {
  for (const ApplyBatch& batch : batches_) {
    if (!batch.forget) continue;
    if (const int error = RemoveDedupRows(session, batch.tablet)) return error;
  }
  if (!through_) return 0;
  WtCursor window(session, SystemTable::kWindow);
  if (const int error = window.error()) return error;
  for (size_t i = 0; i < batches_.size(); ++i) {
    if (batches_[i].forget) continue;
    const Waiting& waiting = *of_[i];
    waiting.mutex.AssertHeld();
    if (const int error = waiting.Write(window, waiting.rows.size())) return error;
    if (const int error = WriteChange(window, waiting.tablet, batches_[i].dedup_window)) return error;
  }
  return 0;
}

void WtDedupRows::Change::Commit() {
  for (size_t i = 0; i < batches_.size(); ++i) {
    Waiting& waiting = *of_[i];
    waiting.mutex.AssertHeld();
    if (through_ || batches_[i].forget) {
      waiting.rows.clear();
      continue;
    }
    for (const UnwrittenDedupRows::RowId& id : batches_[i].dedup_window.erase) waiting.rows.Erase(id);
    for (const DedupRow& row : batches_[i].dedup_window.put) waiting.rows.Put(row);
  }
}

std::shared_ptr<WtDedupRows::Waiting> WtDedupRows::Of(TabletId tablet) {
  MutexLock lock(mutex_);
  std::shared_ptr<Waiting>& waiting = waiting_[tablet];
  if (waiting == nullptr) waiting = std::make_shared<Waiting>(tablet);
  return waiting;
}

std::vector<std::shared_ptr<WtDedupRows::Waiting>> WtDedupRows::All() const {
  std::vector<std::shared_ptr<Waiting>> all;
  MutexLock lock(mutex_);
  for (const auto& [tablet, waiting] : waiting_) all.push_back(waiting);
  return all;
}

int WtDedupRows::WriteOut(WtSession& session) {
  for (const std::shared_ptr<Waiting>& waiting : All()) {
    for (bool more = true; more;) {
      MutexLock lock(waiting->mutex);
      const int error = RunTransaction(session, [&]() -> int {
        waiting->mutex.AssertHeld();
        WtCursor window(session, SystemTable::kWindow);
        return window.error() != 0 ? window.error() : waiting->Write(window, kPiece);
      });
      if (error != 0) return error;
      more = waiting->rows.size() > kPiece;
      waiting->rows.erase(waiting->rows.begin(), more ? std::next(waiting->rows.begin(), kPiece) : waiting->rows.end());
    }
  }
  return 0;
}

std::expected<WtDedupRows::WrittenThrough, int> WtDedupRows::WriteThrough(WtSession& session) {
  // Most of it first, while Applies still leave theirs in memory.
  if (const int error = WriteOut(session)) return std::unexpected(error);
  WrittenThrough through(*this);
  if (const int error = WriteOut(session)) return std::unexpected(error);
  return through;
}

int WtDedupRows::Forget(WtSession& session, TabletId tablet) {
  const std::shared_ptr<Waiting> waiting = Of(tablet);
  {
    MutexLock lock(waiting->mutex);
    waiting->rows.clear();
  }
  {
    MutexLock lock(mutex_);
    waiting_.erase(tablet);
  }
  return TruncateRows(session, SystemTable::kWindow, DedupKey(tablet, {}, {}),
                      DedupKey(tablet, ClientId{UINT64_MAX}, Sequence{UINT64_MAX}));
}

Result<std::vector<DedupRow>> WtDedupRows::Read(WtSessions& sessions, WtSession& session, TabletId tablet) {
  WtCursor cursor(session, SystemTable::kWindow);
  EBLA_TRY(sessions.Check(cursor.error(), "opening a cursor"));
  std::vector<DedupRow> rows;
  int error = cursor.SeekAtOrAfter(TabletKey(tablet));
  for (; error == 0; error = cursor.Next()) {
    std::string_view key, row;
    EBLA_TRY(sessions.Check(cursor.GetKey(&key), "reading a dedup window"));
    EBLA_ASSIGN(const DedupKeyParts parts, ParseDedupKey(key));
    if (parts.tablet != tablet) return rows;
    EBLA_TRY(sessions.Check(cursor.GetValue(&row), "reading a dedup window"));
    EBLA_ASSIGN(DedupRow decoded, DecodeDedupRow(parts, row));
    rows.push_back(std::move(decoded));
  }
  if (error != WT_NOTFOUND) EBLA_TRY(sessions.Check(error, "reading a dedup window"));
  return rows;
}

}  // namespace ebla::tabletserver

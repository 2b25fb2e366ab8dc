#include "tabletserver/storage/buffer/table_buffer.h"

#include <glog/logging.h>

#include <algorithm>
#include <iterator>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

// ---- changes --------------------------------------------------------------------------------------------------------

TableBuffer::TableBuffer(std::atomic<int64_t>& bytes)
    : all_bytes_(bytes), generations_{std::make_shared<BufferGeneration>()} {}

TableBuffer::~TableBuffer() { all_bytes_ -= counted_; }

void TableBuffer::Apply(std::span<const ApplyBatch> batches, int64_t generation_bytes_max) {
  const TableWriterLock lock(mutex_);
  const ChangeNumber scanned = BeginChange();
  for (const ApplyBatch& batch : batches) Put(batch, scanned);
  EndChange(generation_bytes_max);
}

void TableBuffer::Put(std::span<const std::pair<std::string, StoredRecord>> records, int64_t generation_bytes_max) {
  const TableWriterLock lock(mutex_);
  const ChangeNumber scanned = BeginChange();
  for (const auto& [key, record] : records) {
    EncodeRecord(record, scratch_);
    Latest().rows.Put(key, scratch_.view(), change_, scanned);
  }
  EndChange(generation_bytes_max);
}

// Returns the newest change that a scan sees.
ChangeNumber TableBuffer::BeginChange() {
  ++change_;
  const MutexLock lock(scans_mutex_);
  return scans_.empty() ? 0 : *scans_.rbegin();
}

void TableBuffer::EndChange(int64_t generation_bytes_max) {
  if (Latest().rows.bytes() >= generation_bytes_max) Freeze();
  Count();
}

void TableBuffer::Put(const ApplyBatch& batch, ChangeNumber scanned) {
  TabletChanges& tablet = Latest().tablets[batch.tablet];
  if (batch.forget) {
    tablet = {.forget = true};
    applied_[batch.tablet] = {};
    return;
  }
  for (const RecordChange& change : batch.records) {
    const Effect& effect = *change.effect;
    if (effect.is_delete && !effect.timed()) {
      Latest().rows.Put(effect.key, std::nullopt, change_, scanned);
    } else {
      EncodeRecord(effect, change.version, scratch_);
      Latest().rows.Put(effect.key, scratch_.view(), change_, scanned);
    }
  }
  for (const UnwrittenDedupRows::RowId& id : batch.dedup_window.erase) tablet.dedup_window.Erase(id);
  for (const DedupRow& row : batch.dedup_window.put) tablet.dedup_window.Put(row);
  tablet.applied = batch.state;
  applied_[batch.tablet] = batch.state.applied.lsn;
}

bool TableBuffer::Forget(TabletId tablet) {
  const TableWriterLock lock(mutex_);
  if (!applied_.contains(tablet)) return false;
  Latest().tablets[tablet] = {.forget = true};
  applied_[tablet] = {};
  return true;
}

void TableBuffer::Freeze() {
  if (!Latest().empty()) generations_.insert(generations_.begin(), std::make_shared<BufferGeneration>());
}

void TableBuffer::Count() {
  int64_t bytes = 0;
  for (const auto& generation : generations_) bytes += generation->rows.bytes();
  all_bytes_ += bytes - std::exchange(counted_, bytes);
}

int64_t TableBuffer::bytes() const {
  const TableReaderLock lock(mutex_);
  return counted_;
}

// ---- writing to the file --------------------------------------------------------------------------------------------

TableBuffer::Generations TableBuffer::Frozen() const {
  const TableReaderLock lock(mutex_);
  return {generations_.rbegin(), std::prev(generations_.rend())};
}

TableBuffer::Generations TableBuffer::ToWrite() {
  {
    const TableWriterLock lock(mutex_);
    Freeze();
  }
  return Frozen();
}

RunSetPtr TableBuffer::runs() const {
  const TableReaderLock lock(mutex_);
  return runs_;
}

void TableBuffer::SetRuns(RunSetPtr runs) {
  const TableWriterLock lock(mutex_);
  runs_ = std::move(runs);
}

void TableBuffer::Written(const BufferGeneration& generation, RunSetPtr runs) {
  std::shared_ptr<BufferGeneration> freed;  // after the lock
  const TableWriterLock lock(mutex_);
  CHECK(generations_.size() > 1 && generations_.back().get() == &generation);
  freed = std::move(generations_.back());
  generations_.pop_back();
  runs_ = std::move(runs);
  Count();
  for (const auto& [tablet, changes] : generation.tablets) {
    const auto applied = applied_.find(tablet);
    if (applied != applied_.end() && applied->second == Lsn{}) applied_.erase(applied);
  }
}

bool TableBuffer::AnyIn(const KeyRange& range) const {
  const TableReaderLock lock(mutex_);
  return std::ranges::any_of(generations_, [&](const auto& generation) { return generation->rows.AnyIn(range); });
}

// ---- reads ----------------------------------------------------------------------------------------------------------

bool TableBuffer::Reader::SetPosition(SnapshotPosition& position) const EBLA_NO_THREAD_SAFETY_ANALYSIS {
  const auto applied = buffer_.applied_.find(position.tablet);
  if (applied == buffer_.applied_.end()) return false;
  position.applied = applied->second;
  return true;
}

std::optional<SortedRows::Bytes> TableBuffer::Reader::Find(std::string_view key) const EBLA_NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& generation : buffer_.generations_) {
    if (const auto found = generation->rows.Find(key)) return found;
  }
  return std::nullopt;
}

RunSetPtr TableBuffer::Reader::runs() const EBLA_NO_THREAD_SAFETY_ANALYSIS { return buffer_.runs_; }

BufferSnapshot::BufferSnapshot(const TableBuffer::Reader& reader) EBLA_NO_THREAD_SAFETY_ANALYSIS
    : buffer_(reader.buffer_),
      change_(reader.buffer_.change_),
      generations_(reader.buffer_.generations_) {
  const MutexLock lock(buffer_.scans_mutex_);
  buffer_.scans_.insert(change_);
}

BufferSnapshot::~BufferSnapshot() {
  const MutexLock lock(buffer_.scans_mutex_);
  buffer_.scans_.erase(buffer_.scans_.find(change_));
}

std::optional<SortedRows::Bytes> BufferSnapshot::Find(std::string_view key) const {
  const TableReaderLock lock(buffer_.mutex_);
  for (const auto& generation : generations_) {
    if (const auto found = generation->rows.Find(key, change_)) return found;
  }
  return std::nullopt;
}

BufferScan::BufferScan(const BufferSnapshot& snapshot, const KeyRange& range, bool reverse)
    : snapshot_(snapshot), reverse_(reverse) {
  const TableReaderLock lock(snapshot_.buffer_.mutex_);
  for (const auto& generation : snapshot_.generations_) {
    if (!generation->rows.AnyIn(range)) continue;
    Source& source = sources_.emplace_back(Source{.generation = *generation, .rest = range});
    generation->rows.Read(source.rest, reverse_, snapshot_.change_, source.page_rows, source.page);
  }
  Choose();
}

std::string_view BufferScan::key() const { return at_->key(); }

SortedRows::Bytes BufferScan::row() const { return at_->page.rows[at_->next].bytes; }

void BufferScan::Choose() {
  at_ = nullptr;
  for (Source& source : sources_) {
    if (!source.valid()) continue;
    // The latest generation is the first, and replaces the same keys of earlier ones.
    if (at_ == nullptr || (reverse_ ? source.key() > at_->key() : source.key() < at_->key())) at_ = &source;
  }
}

void BufferScan::Advance(Source& source) {
  if (++source.next < source.page.rows.size()) return;
  const std::string last(source.page.rows.back().key);
  (reverse_ ? source.rest.end : source.rest.start) = reverse_ ? last : KeyAfter(last);
  source.next = 0;
  source.page.rows.clear();
  if (source.rest.Empty() || (reverse_ && last.empty())) return;  // an empty end would be none
  const TableReaderLock lock(snapshot_.buffer_.mutex_);
  source.page_rows = std::min(2 * source.page_rows, SortedRows::kPageRowsMax);
  source.generation.rows.Read(source.rest, reverse_, snapshot_.change_, source.page_rows, source.page);
}

void BufferScan::Next() {
  const std::string_view passed = key();
  for (Source& source : sources_) {
    if (source.valid() && source.key() == passed) Advance(source);
  }
  Choose();
}

}  // namespace ebla::tabletserver

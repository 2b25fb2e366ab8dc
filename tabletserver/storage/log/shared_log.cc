#include "tabletserver/storage/log/shared_log.h"

#include <glog/logging.h>

#include <algorithm>
#include <random>
#include <utility>

#include "common/base/encoding.h"
#include "tabletserver/storage/log/log_salvage.h"
#include "tabletserver/storage/log/log_scan.h"

namespace ebla::tabletserver {

namespace {

// Of a record: a wire may have erred, and not the disk.
constexpr int kReadTries = 2;

ByteWriter EntriesHead(const SharedLog::Batch& batch) {
  ByteWriter head;
  head.Varint(batch.tablet.value).Varint(batch.first.value).Varint(batch.entries.size());
  return head;
}

int64_t VarintBytes(uint64_t number) {
  int64_t bytes = 1;
  for (; number >= 0x80; number >>= 7) ++bytes;
  return bytes;
}

char* Copy(std::string_view bytes, char* to) { return std::ranges::copy(bytes, to).out; }

char* CopyVarint(uint64_t number, char* to) {
  for (; number >= 0x80; number >>= 7) *to++ = static_cast<char>(number | 0x80);
  *to++ = static_cast<char>(number);
  return to;
}

int64_t EntriesBytes(const SharedLog::Batch& batch) {
  auto bytes = static_cast<int64_t>(EntriesHead(batch).view().size());
  for (const std::string_view entry : batch.entries) bytes += VarintBytes(entry.size()) + std::ssize(entry);
  return bytes;
}

}  // namespace

// ---- opening -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<SharedLog>> SharedLog::Open(LogDisk& disk, SharedLogOptions options) {
  std::unique_ptr<SharedLog> log(new SharedLog(disk, std::move(options)));
  SegmentHeader next;
  {
    MutexLock writing(log->writing_);
    MutexLock lock(log->mutex_);
    const bool salvages = log->options_.salvage != nullptr;
    EBLA_ASSIGN(next, salvages ? LogSalvage(*log).Replay() : log->Replay());
  }
  log->counts_.SetExtent({.log = next.log, .last_segment = next.number - 1, .needed = next.first_sequence - 1});
  if (log->options_.before_begin) EBLA_TRY(log->options_.before_begin(*log));
  MutexLock writing(log->writing_);
  MutexLock lock(log->mutex_);
  log->next_segment_ = next.number;
  log->next_sequence_ = next.first_sequence;
  EBLA_TRY(log->writer_.Begin(next, log->options_.segment_bytes));
  EBLA_TRY(log->writer_.Sync());
  log->segments_[next.number] = {log->writer_.file(), log->options_.segment_bytes, next};
  log->first_needed_ = log->segments_.begin()->first;
  return log;
}

SharedLog::~SharedLog() = default;

// Ends what earlier lives have written by the header of a new segment, durably: frames that a crash left behind the
// last whole one can never seem to continue the new ones.
Result<SegmentHeader> SharedLog::Replay() {
  EBLA_ASSIGN(const std::vector<FoundSegment> found, FindSegments(disk_, options_.expected));
  const uint64_t id = options_.new_log_id != 0 ? options_.new_log_id : std::random_device()();
  SegmentHeader next{.log = id, .number = 1, .first_sequence = 1};
  LogEnd end;
  for (size_t i = 0; i < found.size(); ++i) {
    const FoundSegment& segment = found[i];
    const bool last = i + 1 == found.size();
    EBLA_ASSIGN(const std::string whole, ReadWhole(*segment.file));
    SegmentHeader header = segment.header.value_or(next);
    if (segment.header) {
      if (i > 0 && header.first_sequence != next.first_sequence)
        return LogDamage(segment.name, 0, "frames lack before it");
      const bool goes_on = !last && found[i + 1].header;
      const auto visit = [&](const LogRecord& record, const LogPlace& place) {
        mutex_.AssertHeld();
        return ReplayRecord(record, place);
      };
      EBLA_ASSIGN(const ScannedSegment scanned,
                  ScanSegment(whole, segment.name, header,
                              goes_on ? std::optional(found[i + 1].header->first_sequence) : std::nullopt, visit));
      next.first_sequence = scanned.next_sequence;
      end = {segment.name, scanned.end, scanned.next_sequence};
    } else {
      // A crash interrupted its beginning, or its header is damaged.
      if (WasSynced(whole, segment.number, next.first_sequence))
        return LogDamage(segment.name, 0, "its header is not whole");
      if (options_.expected && segment.number <= options_.expected->last_segment)
        end = {segment.name, 0, next.first_sequence};
      EBLA_ASSIGN(loss_, CheckEnd(end, options_.expected, options_.joins_short));
      EBLA_TRY(segment.file->Write(0, EncodeSegmentHeader(header)));
      EBLA_TRY(segment.file->Sync());
    }
    if (segment.shrank) counts_.lost_unsynced = true;
    segments_[segment.number] = {segment.file, std::ssize(whole), header};
    next.log = header.log;
    next.number = segment.number + 1;
    if (options_.progress) options_.progress(static_cast<int64_t>(i) + 1, std::ssize(found));
  }
  EBLA_ASSIGN(loss_, CheckEnd(end, options_.expected, options_.joins_short));
  if (const Status whole = index_.CheckWhole(); !whole.ok()) {
    return Error(Code::kInternal, found.front().name + " or a later segment is an older copy, as " + whole.message() +
                                      ": put the newest files back");
  }
  return next;
}

Status SharedLog::ReplayRecord(const LogRecord& record, const LogPlace& place) {
  switch (record.kind) {
    case LogRecordKind::kEntries: {
      EBLA_ASSIGN(const EntriesBody body, DecodeEntries(record.body));
      index_.AddEntries(body.tablet, body.first, body.entries.size(), place);
      return {};
    }
    case LogRecordKind::kPut: {
      EBLA_ASSIGN(const PutBody body, DecodePut(record.body));
      index_.Put(body.key, place);
      return {};
    }
    case LogRecordKind::kErase: index_.Erase(record.body); return {};
    case LogRecordKind::kCutEnd: {
      EBLA_ASSIGN(const CutBody body, DecodeCut(record.body));
      index_.CutEnd(body.tablet, body.lsn);
      end_cuts_[body.tablet].push_back({place, body.lsn, Lsn{}});
      return {};
    }
    case LogRecordKind::kCutStart: {
      EBLA_ASSIGN(const CutBody body, DecodeCut(record.body));
      index_.CutStart(body.tablet, body.lsn);
      return {};
    }
  }
  return LogDamage(
      disk_.Name(place.segment), place.offset,
      "a record of kind " + std::to_string(static_cast<int>(record.kind)) + ", which this build does not know");
}

// ---- changes -------------------------------------------------------------------------------------------------------

void SharedLog::CloseFrame() {
  tail_.Close();
  next_offset_ = tail_.last().end();
}

void SharedLog::MakeRoom(int64_t bytes) {
  const auto fits = [&](int64_t end) { return end + bytes <= options_.segment_bytes; };
  if (tail_.open()) {
    if (tail_.HasRoom(bytes) && fits(tail_.last().end())) return;
    CloseFrame();
  }
  // A frame that is larger than a segment gets a larger one.
  if (next_offset_ > kLogBlock && !fits(next_offset_ + kFrameHeader)) {
    ++next_segment_;
    next_offset_ = kLogBlock;
  }
  tail_.Begin(next_segment_, next_offset_, next_sequence_++, bytes);
}

void SharedLog::AddEntries(const Batch& batch) {
  const LogTail::Record record = tail_.Add(LogRecordKind::kEntries, EntriesBytes(batch));
  char* to = Copy(EntriesHead(batch).view(), record.body);
  for (const std::string_view entry : batch.entries) to = Copy(entry, CopyVarint(entry.size(), to));
  index_.AddEntries(batch.tablet, batch.first, batch.entries.size(), record.place);
}

void SharedLog::AddValue(std::string_view key, std::string_view value) {
  ByteWriter head;
  head.Bytes(key);
  const int64_t bytes = std::ssize(head.view()) + std::ssize(value);
  MakeRoom(kRecordHeader + bytes);
  const LogTail::Record record = tail_.Add(LogRecordKind::kPut, bytes);
  Copy(value, Copy(head.view(), record.body));
  index_.Put(key, record.place);
}

// A call may have several batches of one tablet.
Status SharedLog::CheckContinue(std::span<const Batch> batches) const {
  std::unordered_map<TabletId, Lsn> ends;
  for (const Batch& batch : batches) {
    const auto [end, first] = ends.try_emplace(batch.tablet);
    if (first) end->second = index_.Bounds(batch.tablet).last;
    if (end->second && batch.first != end->second.Next()) {
      return Error(Code::kInternal, "the log of tablet " + std::to_string(batch.tablet.value) + " ends with " +
                                        std::to_string(end->second.value) + ", not before " +
                                        std::to_string(batch.first.value));
    }
    end->second = Lsn{batch.first.value + batch.entries.size() - 1};
  }
  return {};
}

Status SharedLog::Append(std::span<const Batch> batches) {
  int64_t bytes = 0;
  for (const Batch& batch : batches) bytes += kRecordHeader + EntriesBytes(batch);
  MutexLock lock(mutex_);
  EBLA_TRY(reason_);
  EBLA_TRY(CheckContinue(batches));
  MakeRoom(bytes);
  for (const Batch& batch : batches) AddEntries(batch);
  return {};
}

Result<LogPlace> SharedLog::AddCut(LogRecordKind kind, TabletId tablet, Lsn lsn) {
  ByteWriter body;
  body.Varint(tablet.value).Varint(lsn.value);
  EBLA_TRY(reason_);
  MakeRoom(kRecordHeader + std::ssize(body.view()));
  const LogTail::Record record = tail_.Add(kind, std::ssize(body.view()));
  Copy(body.view(), record.body);
  return record.place;
}

Status SharedLog::CutEnd(TabletId tablet, Lsn from, Lsn settled) {
  MutexLock lock(mutex_);
  EBLA_ASSIGN(const LogPlace place, AddCut(LogRecordKind::kCutEnd, tablet, from));
  index_.CutEnd(tablet, from);
  end_cuts_[tablet].push_back({place, std::max(from, settled), settled});
  return {};
}

Status SharedLog::CutStart(TabletId tablet, Lsn below) {
  MutexLock lock(mutex_);
  EBLA_ASSIGN([[maybe_unused]] const LogPlace place, AddCut(LogRecordKind::kCutStart, tablet, below));
  index_.CutStart(tablet, below);
  return {};
}

Status SharedLog::Put(std::string_view key, std::string_view value) {
  MutexLock lock(mutex_);
  EBLA_TRY(reason_);
  AddValue(key, value);
  return {};
}

Status SharedLog::Erase(std::string_view key) {
  MutexLock lock(mutex_);
  EBLA_TRY(reason_);
  if (index_.Value(key) != nullptr) AddErase(key);
  return {};
}

void SharedLog::AddErase(std::string_view key) {
  MakeRoom(kRecordHeader + std::ssize(key));
  Copy(key, tail_.Add(LogRecordKind::kErase, std::ssize(key)).body);
  index_.Erase(key);
}

Result<bool> SharedLog::ReplaceAt(std::string_view key, const LogPlace& place, std::optional<std::string_view> value) {
  MutexLock lock(mutex_);
  EBLA_TRY(reason_);
  const LogPlace* const stands = index_.Value(key);
  if (stands == nullptr || *stands != place) return false;
  if (value) {
    AddValue(key, *value);
  } else {
    AddErase(key);
  }
  return true;
}

// ---- to the disk ---------------------------------------------------------------------------------------------------

Status SharedLog::Flush(Depth depth) {
  MutexLock writing(writing_);
  EBLA_ASSIGN(const std::vector<LogTail::FramePtr> frames, TakeUnwritten(depth));
  EBLA_TRY(Write(frames));
  if (depth == Depth::kSystem) writer_.StartWriting();
  if (depth == Depth::kDisk && !writer_.synced()) {
    if (Status synced = writer_.Sync(); !synced.ok()) return Fail(std::move(synced));
  }
  MutexLock lock(mutex_);
  tail_.Trim(writer_.written(), options_.tail_bytes);
  return {};
}

std::optional<Status> SharedLog::FlushAtOnce() {
  if (!writing_.TryLock()) return std::nullopt;
  MutexLock writing(writing_, std::adopt_lock);
  const auto frames = TakeUnwritten(Depth::kSystem);
  if (!frames) return frames.error();
  if (!writer_.WritesInMemory(*frames)) return std::nullopt;
  if (Status written = Write(*frames); !written.ok()) return written;
  MutexLock lock(mutex_);
  tail_.Trim(writer_.written(), options_.tail_bytes);
  return Status();
}

Result<std::vector<LogTail::FramePtr>> SharedLog::TakeUnwritten(Depth depth) {
  MutexLock lock(mutex_);
  EBLA_TRY(reason_);
  if (tail_.open()) CloseFrame();
  // Synced bytes are never written again (log_format.h).
  if (depth == Depth::kDisk) next_offset_ = AlignUp(next_offset_, kLogBlock);
  return tail_.After(writer_.written());
}

Status SharedLog::Write(std::span<const LogTail::FramePtr> frames) {
  const auto write = [this](LogTail::Frame& frame) -> Status {
    writing_.AssertHeld();
    if (!writer_.Writes(frame.segment)) {
      const int64_t bytes = std::max(options_.segment_bytes, frame.end());
      EBLA_TRY(writer_.Sync());
      EBLA_TRY(writer_.Begin({writer_.header().log, frame.segment, frame.sequence}, bytes));
      MutexLock lock(mutex_);
      segments_[frame.segment] = {writer_.file(), bytes, writer_.header()};
    }
    return writer_.Write(frame);
  };
  for (const LogTail::FramePtr& frame : frames) {
    if (Status written = write(*frame); !written.ok()) return Fail(std::move(written));
  }
  return {};
}

LogExtent SharedLog::extent() const {
  LogExtent extent = counts_.extent();
  MutexLock lock(mutex_);
  extent.first_segment = first_needed_;
  return extent;
}

Result<uint64_t> SharedLog::MarkEnd() {
  EBLA_TRY(Flush(Depth::kDisk));
  uint64_t mark = 0;
  {
    MutexLock lock(mutex_);
    EBLA_TRY(reason_);
    // A frame tells of what was on the disk before it: it would not vouch for changes that were made meanwhile.
    if (next_sequence_ - 1 > counts_.synced) return mark;
    AddErase({});  // no value has this key
    mark = tail_.last().sequence;
    tail_.last().only_marks = true;
    CloseFrame();  // later changes are in a later frame
  }
  EBLA_TRY(Flush(Depth::kDisk));
  return mark;
}

uint64_t SharedLog::changed() const {
  MutexLock lock(mutex_);
  return next_sequence_ - 1;
}

Status SharedLog::Fail(Status reason) {
  MutexLock lock(mutex_);
  if (reason_.ok()) reason_ = std::move(reason);
  return reason_;
}

Status SharedLog::status() const {
  MutexLock lock(mutex_);
  return reason_;
}

// ---- reading -------------------------------------------------------------------------------------------------------

std::vector<TabletId> SharedLog::Tablets() const {
  MutexLock lock(mutex_);
  return index_.Tablets();
}

LogBounds SharedLog::Bounds(TabletId tablet) const {
  MutexLock lock(mutex_);
  return index_.Bounds(tablet);
}

SharedLog::Source SharedLog::SourceOf(const LogPlace& place) const {
  Source source{.place = place, .frame = tail_.Find(place), .file = nullptr};
  if (!source.frame) source.file = segments_.at(place.segment).file;
  return source;
}

Result<std::optional<SharedLog::Held>> SharedLog::Hold(const Source& source) const {
  const LogPlace& place = source.place;
  std::optional<Held> held(std::in_place);
  std::optional<LogRecord> record;
  if (source.frame) {
    held->frame = source.frame;
    record = ParseLogRecord(source.frame->At(place), place.offset);
  } else {
    for (int tries = 1; tries <= kReadTries && !record; ++tries) {
      if (tries > 1) source.file->DropCached(place.offset, place.bytes);
      Result<std::string> read = source.file->Read(place.offset, place.bytes);
      if (!read && tries == kReadTries) return std::unexpected(std::move(read.error()));
      if (!read) continue;
      held->read = std::make_unique<const std::string>(*std::move(read));
      record = DecodeLogRecord(*held->read, place.segment, place.offset);
    }
  }
  if (record) {
    held->record = *record;
    return held;
  }
  MutexLock lock(mutex_);
  if (!segments_.contains(place.segment)) return std::nullopt;
  return LogDamage(disk_.Name(place.segment), place.offset, "a record is not whole");
}

Status SharedLog::Read(TabletId tablet, Lsn from, const Visitor& visitor) const {
  for (;;) {
    LogRun run;
    Source source;
    {
      MutexLock lock(mutex_);
      EBLA_TRY(reason_);
      const LogRun* const found = index_.Find(tablet, from);
      if (found == nullptr) return {};
      run = *found;
      source = SourceOf(run.place);
    }
    EBLA_ASSIGN(const std::optional<Held> held, Hold(source));
    if (!held) continue;
    EBLA_ASSIGN(const EntriesBody body, DecodeEntries(held->record.body));
    for (Lsn lsn = std::max(from, run.first); lsn <= run.last; lsn = lsn.Next()) {
      if (!visitor(lsn, body.entries.at(run.skip + (lsn.value - run.first.value)))) return {};
    }
    from = run.last.Next();
  }
}

Result<std::optional<std::string>> SharedLog::Get(std::string_view key) const {
  for (;;) {
    Source source;
    {
      MutexLock lock(mutex_);
      EBLA_TRY(reason_);
      const LogPlace* const place = index_.Value(key);
      if (place == nullptr) return std::nullopt;
      source = SourceOf(*place);
    }
    EBLA_ASSIGN(const std::optional<Held> held, Hold(source));
    if (!held) continue;
    EBLA_ASSIGN(const PutBody body, DecodePut(held->record.body));
    return std::optional(std::string(body.value));
  }
}

std::optional<std::string> SharedLog::KeyAfter(std::string_view key) const {
  MutexLock lock(mutex_);
  auto next = index_.ValueAfter(key);
  return next ? std::optional(std::move(next->first)) : std::nullopt;
}

// ---- space ---------------------------------------------------------------------------------------------------------

int64_t SharedLog::bytes() const {
  MutexLock lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [number, segment] : segments_) bytes += segment.bytes;
  return bytes;
}

Status SharedLog::Clean() {
  for (;;) {
    uint64_t oldest = 0;
    bool moves = false;
    {
      MutexLock lock(mutex_);
      EBLA_TRY(reason_);
      const auto& [number, segment] = *segments_.begin();
      if (segments_.size() == 1) return {};
      if (kept_ && number >= kept_->from) {
        int64_t bytes = 0;
        for (const auto& [at, kept] : segments_) bytes += kept.bytes;
        if (bytes <= kept_->bytes_max) return {};
      }
      const LogIndex::Live live = index_.live(number);
      moves = live.records > 0;
      if (moves && segment.damaged) return {};
      if (moves && (segments_.size() <= options_.kept_segments ||
                    static_cast<double>(live.bytes) >= options_.moved_below * static_cast<double>(segment.bytes)))
        return {};
      oldest = number;
    }
    if (moves) EBLA_TRY(MoveOn(oldest));
    EBLA_TRY(Flush(Depth::kDisk));
    {
      MutexLock lock(mutex_);
      if (index_.live(oldest).records > 0) {
        if (segments_.at(oldest).damaged) return {};
        return LogDamage(disk_.Name(oldest), kLogBlock, "records that count are lost");
      }
      first_needed_ = std::next(segments_.begin())->first;
    }
    // A start must never miss a segment that was removed.
    if (options_.before_remove) EBLA_TRY(options_.before_remove());
    {
      MutexLock lock(mutex_);
      // First: the file may be another segment's at once, and a reader must then see that this one is gone.
      segments_.erase(oldest);
      for (auto& [tablet, cuts] : end_cuts_)
        std::erase_if(cuts, [&](const EndCut& cut) { return cut.place.segment <= oldest; });
      std::erase_if(end_cuts_, [](const auto& of_tablet) { return of_tablet.second.empty(); });
    }
    EBLA_TRY(disk_.Remove(oldest));
  }
}

Status SharedLog::MoveOn(uint64_t segment) {
  std::shared_ptr<LogFile> file;
  SegmentHeader header;
  uint64_t next = 0;  // the first frame of the segment after it: it is never the last one
  {
    MutexLock lock(mutex_);
    const auto found = segments_.find(segment);
    file = found->second.file;
    header = found->second.header;
    next = std::next(found)->second.header.first_sequence;
  }
  // In pieces, so that a flush meanwhile does not wait much longer.
  constexpr int64_t kMovedAtOnce = int64_t{1} << 20;
  int64_t moved = 0;
  const auto move = [&](const LogRecord& record, const LogPlace& place) -> Status {
    EBLA_TRY(MoveRecord(record, place));
    moved += place.bytes;
    if (moved < kMovedAtOnce) return {};
    moved = 0;
    return Flush(Depth::kDisk);
  };
  Status damage;
  if (const Result<std::string> whole = ReadWhole(*file); !whole) {
    damage = whole.error();
  } else if (const auto scanned = ScanSegment(*whole, disk_.Name(segment), header, next, move); !scanned) {
    damage = scanned.error();
  }
  if (damage.ok()) return {};
  MutexLock lock(mutex_);
  EBLA_TRY(reason_);
  LOG_IF(ERROR, !std::exchange(segments_.at(segment).damaged, true)) << damage;
  return {};
}

Status SharedLog::MoveRecord(const LogRecord& record, const LogPlace& place) {
  if (record.kind == LogRecordKind::kEntries) {
    EBLA_ASSIGN(const EntriesBody body, DecodeEntries(record.body));
    MutexLock lock(mutex_);
    const LogRun* const run = index_.RunAt(body.tablet, body.first, place);
    if (run == nullptr) return {};
    const auto first = body.entries.begin() + static_cast<ptrdiff_t>(run->skip);
    const Batch batch{
        body.tablet, run->first, {first, first + static_cast<ptrdiff_t>(run->last.value - run->first.value) + 1}};
    MakeRoom(kRecordHeader + EntriesBytes(batch));
    AddEntries(batch);
  } else if (record.kind == LogRecordKind::kPut) {
    EBLA_ASSIGN(const PutBody body, DecodePut(record.body));
    MutexLock lock(mutex_);
    const LogPlace* const value = index_.Value(body.key);
    if (value != nullptr && *value == place) AddValue(body.key, body.value);
  }
  return {};
}

}  // namespace ebla::tabletserver

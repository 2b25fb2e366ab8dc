#include "tabletserver/reads/read_path.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tabletserver/reads/logged_reads.h"
#include "tabletserver/reads/snapshot_group_rows.h"

namespace ebla::tabletserver {
namespace {

// Reads of more keys or records than this go to the readers even when everything is in cache.
constexpr size_t kInlineWeightMax = 200;
constexpr size_t kRecordOverheadBytes = 48;  // of a record in a reply: version, expiry, field headers
constexpr int64_t kReadsFullRetryMs = 50;

// A read of the store, from when this is made until Finish(). Each thread measures cache misses in one of kGap reads,
// counted over all tablets, so that no tablet's reads are in step with it.
class TimedRead {
 public:
  TimedRead(const TabletStore& store, const Executor& loop, TabletHandle& handle)
      : store_(store), loop_(loop), handle_(handle) {
    thread_local uint32_t reads = 0;
    if (++reads % kGap == 0) pages_before_ = store.PagesReadByThisThread();
    begun_ = loop.Now();
  }
  TimedRead(const TimedRead&) = delete;
  TimedRead& operator=(const TimedRead&) = delete;
  ~TimedRead() {
    if (!pages_before_) return;
    const auto after = store_.PagesReadByThisThread();
    if (after && *after > *pages_before_) handle_.load.CountCacheMisses((*after - *pages_before_) * kGap);
  }

  // How long it took, of so many keys or records.
  Duration Finish(size_t weight) {
    const Duration took = loop_.Now() - begun_;
    handle_.slow_reads.Note(took, std::max<size_t>(weight, 1));
    return took;
  }

 private:
  static constexpr uint32_t kGap = 64;
  const TabletStore& store_;
  const Executor& loop_;
  TabletHandle& handle_;
  std::optional<uint64_t> pages_before_;  // none: not watched
  MonotonicTime begun_;
};

KeyRange KeysOf(const GetCall& call) { return {call.key, KeyAfter(call.key)}; }
KeyRange KeysOf(const MultiGetCall& call) {
  const auto [least, greatest] = std::minmax_element(call.keys.begin(), call.keys.end());
  return {*least, KeyAfter(*greatest)};
}
KeyRange KeysOf(const ScanCall& call) { return call.range; }
KeyRange KeysOf(const FunctionCall& call) { return call.group; }

}  // namespace

ReadPath::ReadPath(Ports ports) : ports_(std::move(ports)), directory_(ports_.directory.published()) {}

bool ReadPath::ShouldOffload(const TabletHandle& handle, size_t weight) const {
  return !ports_.readers.empty() && (weight > kInlineWeightMax || handle.slow_reads.Expected());
}

// ---- one attempt ----------------------------------------------------------------------------------------------------

NextStep ReadPath::Read(TabletHandle* handle, const ReadCall& call, std::string_view key, GetResult& result) const {
  ReadAttempt attempt(ports_.store, call, handle, result);
  if (!attempt.Admit(key, ports_.loop.Now())) return attempt.TakeStep();
  TimedRead read(ports_.store, ports_.loop, *handle);
  const LoggedSlice* logged = attempt.logged();
  SnapshotPosition position{handle->tablet, {}};
  auto record = ports_.store.Get(call.table, key, logged == nullptr ? nullptr : &position);
  const Duration took = read.Finish(1);
  if (!attempt.Settle(record ? Status() : record.error())) return attempt.TakeStep();
  result.record = *std::move(record);
  if (logged != nullptr) {
    if (const StoredRecord* newer = NewerThan(position, *logged, key)) result.record = *newer;
    if (!attempt.ConfirmLogged(*logged, position.applied)) return attempt.TakeStep();
  }
  handle->load.CountReads(ports_.loop_index, 1, key.size() + (result.record ? result.record->value.size() : 0), took,
                          [key](uint64_t) { return key; });
  if (result.record && attempt.Lives(key, *result.record)) return attempt.TakeStep();
  result.record.reset();
  result.status = Status(Code::kNotFound, "");
  return attempt.TakeStep();
}

NextStep ReadPath::Read(TabletHandle* handle, const MultiGetCall& call, MultiGetResult& result) const {
  ReadAttempt attempt(ports_.store, call, handle, result);
  const KeyRange touched = call.keys.empty() ? KeyRange::All() : KeysOf(call);
  if (!attempt.Admit(touched, ports_.loop.Now())) return attempt.TakeStep();
  result.items.assign(call.keys.size(), {});
  std::vector<std::string_view> keys;
  std::vector<size_t> places;
  for (size_t i = 0; i < call.keys.size(); ++i) {
    if (!CheckKey(call.keys[i]).ok()) {
      result.items[i].code = Code::kInvalidArgument;
    } else if (!result.view->range.Contains(call.keys[i])) {
      result.items[i].code = Code::kWrongTablet;
    } else {
      keys.push_back(call.keys[i]);
      places.push_back(i);
    }
  }
  TimedRead read(ports_.store, ports_.loop, *handle);
  const LoggedSlice* logged = attempt.logged();
  SnapshotPosition position{handle->tablet, {}};
  auto records =
      ports_.store.MultiGet(call.table, keys, kMultiGetReplyBytesMax, logged == nullptr ? nullptr : &position);
  const Duration took = read.Finish(records ? records->size() : 0);
  if (!attempt.Settle(records ? Status() : records.error())) return attempt.TakeStep();
  if (logged != nullptr) {
    for (size_t i = 0; i < records->size(); ++i) {
      if (const StoredRecord* newer = NewerThan(position, *logged, keys[i])) (*records)[i] = *newer;
    }
    if (!attempt.ConfirmLogged(*logged, position.applied)) return attempt.TakeStep();
  }
  size_t bytes = 0;
  std::vector<size_t> waiting;  // places
  for (size_t i = 0; i < keys.size(); ++i) {
    MultiGetResult::Item& item = result.items[places[i]];
    if (i >= records->size()) {
      item.code = Code::kOverloaded;  // not read: the reply is full, and the client asks for these again
      continue;
    }
    std::optional<StoredRecord>& record = (*records)[i];
    if (!record || !attempt.Lives(keys[i], *record)) {
      item.code = Code::kNotFound;
      if (record && attempt.WaitsForPurge(*record)) waiting.push_back(places[i]);
    } else {
      bytes += record->value.size() + kRecordOverheadBytes;
      item.record = *std::move(record);
    }
  }
  handle->load.CountReads(ports_.loop_index, records->size(), bytes, took,
                          [&keys](uint64_t draw) -> std::string_view { return keys[draw % keys.size()]; });
  // Only these keys are asked for again, and the remaining answers do not wait for them, because a multiGet may combine
  // unrelated requests.
  if (!waiting.empty() && waiting.size() < records->size()) {
    for (const size_t place : waiting) result.items[place].code = Code::kOverloaded;
    return NextStep();
  }
  return attempt.TakeStep();
}

NextStep ReadPath::Read(TabletHandle* handle, const ScanCall& call, ScanResult& result) const {
  ReadAttempt attempt(ports_.store, call, handle, result);
  if (!attempt.Admit(call.range, ports_.loop.Now())) return attempt.TakeStep();
  const KeyRange& tablet = result.view->range;
  // A reader may come to it when it has been split since it was found: what the scan begins with is another's then.
  if (!(call.reverse ? tablet.ContainsBelow(call.range.end) : tablet.Contains(call.range.start))) {
    result.status = NoReplicaHere();
    return attempt.TakeStep();
  }
  const ScanBounds bounds{call.range.Intersect(tablet), call.reverse};
  size_t examined = 0;
  size_t bytes = 0;
  bool cut = false;
  std::string last;
  constexpr size_t kReserved = 128;
  result.records.reserve(call.limit > 0 ? std::min<size_t>(call.limit, kReserved) : kReserved);
  TimedRead read(ports_.store, ports_.loop, *handle);
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    // The bounds are looked at before the record that would exceed them: it begins the next page.
    if ((call.limit > 0 && result.records.size() >= call.limit) || examined >= kScanExaminedMax ||
        bytes >= call.page_bytes) {
      cut = true;
      return false;
    }
    ++examined;
    last = key;
    if (!attempt.Lives(key, record)) return true;
    StoredRecord copy;
    copy.version = record.version;
    copy.expires_at = record.expires_at;
    if (!call.keys_only) copy.value = record.value;
    bytes += key.size() + copy.value.size() + kRecordOverheadBytes;
    result.records.emplace_back(std::string(key), std::move(copy));
    return true;
  };
  const LoggedSlice* logged = attempt.logged();
  SnapshotPosition position{handle->tablet, {}};
  Status status;
  if (logged != nullptr) {
    const auto scan = [&](const ScanBounds& within, const TabletStore::Visitor& visitor) {
      return ports_.store.Scan(call.table, within, visitor, &position);
    };
    status = ScanWith(scan, bounds, *logged, position, visit);
  } else if (!bounds.range.Empty()) {
    status = ports_.store.Scan(call.table, bounds, visit);
  }
  // The records before a damaged place are a page, and the next page tells of the damage.
  if (!status.ok() && logged == nullptr && !result.records.empty()) {
    cut = true;
    status = {};
  }
  const Duration took = read.Finish(examined);
  handle->load.CountReads(ports_.loop_index, 1, bytes, took, [&result](uint64_t draw) -> std::string_view {
    return result.records.empty() ? std::string_view() : result.records[draw % result.records.size()].first;
  });
  if (!attempt.Settle(std::move(status))) return attempt.TakeStep();
  if (logged != nullptr && !attempt.ConfirmLogged(*logged, position.applied)) return attempt.TakeStep();
  if (call.reverse) {
    result.remaining = {call.range.start, cut ? last : std::max(call.range.start, tablet.start)};
    result.done = !cut && tablet.start <= call.range.start;
  } else {
    const bool reaches_end = tablet.end.empty() || (!call.range.end.empty() && call.range.end <= tablet.end);
    result.remaining = {cut ? KeyAfter(last) : (reaches_end ? call.range.end : tablet.end), call.range.end};
    result.done = !cut && reaches_end;
  }
  return attempt.TakeStep();
}

NextStep ReadPath::Read(TabletHandle* handle, const FunctionCall& call, FunctionCallResult& result) const {
  ReadAttempt attempt(ports_.store, call, handle, result);
  if (!attempt.Admit(call.group, ports_.loop.Now())) return attempt.TakeStep();
  // A reader may come to it when it has been split since it was found.
  if (!result.view->range.Contains(call.key)) {
    result.status = NoReplicaHere();
    return attempt.TakeStep();
  }
  const bool may_offload = !call.on_reader && !ports_.readers.empty();
  FunctionRoom room;
  Result<FunctionResult> made;
  const LoggedSlice* logged = attempt.logged();
  SnapshotPosition position{handle->tablet, {}};
  TimedRead read(ports_.store, ports_.loop, *handle);
  Status status =
      ports_.store.Read(call.table, logged == nullptr ? nullptr : &position, [&](RecordStore::View& view) -> Status {
        attempt.Restart();
        room = FunctionRoom({.bytes = kReadRowsBytesMax,
                             .rows = may_offload ? kInlineWeightMax : kFunctionRowsMax,
                             .answer_bytes = kReadAnswerBytesMax,
                             .answers_bytes = kReadAnswerBytesMax});
        SnapshotGroupRows rows(call.group.Intersect(result.view->range), {view, position, logged}, attempt, room);
        made = call.function->run({.arguments = call.arguments,
                                   .now_ms = static_cast<int64_t>(result.time.value),
                                   .record = std::nullopt,
                                   .key = call.key,
                                   .rows = &rows});
        return rows.store_failure();
      });
  const Duration took = read.Finish(room.rows_taken());
  if (!attempt.Settle(std::move(status))) return attempt.TakeStep();
  if (logged != nullptr && !attempt.ConfirmLogged(*logged, position.applied)) return attempt.TakeStep();
  if (may_offload && room.rows_refused()) return NextStep{.kind = NextStep::Kind::kOffload};
  handle->load.CountReads(ports_.loop_index, 1, room.bytes_taken(), took,
                          [&call](uint64_t) -> std::string_view { return call.key; });
  Status refused = made ? CheckScope(*call.function, *made) : Status(made.error());
  if (refused.ok()) refused = room.TakeAnswer(*made);
  if (refused.ok()) {
    result.answer = std::move(made->answer);
  } else {
    result.status = Status(Code::kInvalidArgument, refused.message());
  }
  return attempt.TakeStep();
}

// ---- the course of a read -------------------------------------------------------------------------------------------

std::shared_ptr<TabletHandle> ReadPath::Locate(TableId table, std::string_view key) {
  const auto* handle = Find(table, key);
  return handle == nullptr ? nullptr : *handle;
}

std::shared_ptr<TabletHandle> ReadPath::Locate(const MultiGetCall& call) {
  for (const std::string& key : call.keys) {
    if (const auto* handle = Find(call.table, key); handle != nullptr && CheckKey(key).ok()) return *handle;
  }
  return nullptr;
}

std::shared_ptr<TabletHandle> ReadPath::Locate(const ScanCall& call) {
  const auto* handle = directory_.Get()->FindForScan(call.table, call.range, call.reverse);
  return handle == nullptr ? nullptr : *handle;
}

namespace {

size_t Weight(const GetCall&) { return 1; }
size_t Weight(const MultiGetCall& call) { return call.keys.size(); }
size_t Weight(const FunctionCall& call) { return call.on_reader ? kFunctionRowsMax : 1; }
size_t Weight(const ScanCall& call) { return call.limit == 0 ? kScanExaminedMax : call.limit; }

}  // namespace

template <class Call, class Result>
void ReadPath::Serve(Call call, std::move_only_function<void(Result)> done) {
  std::shared_ptr<TabletHandle> handle = Locate(call);
  if (handle != nullptr) call.Ask(handle->tablet);
  if (handle != nullptr && ShouldOffload(*handle, Weight(call))) {
    return Offload(std::move(handle), std::move(call), std::move(done));
  }
  Result result;
  NextStep next = Read(handle.get(), call, result);
  Finish(std::move(handle), std::move(call), std::move(next), std::move(result), std::move(done));
}

template <class Call, class Result>
void ReadPath::Offload(std::shared_ptr<TabletHandle> handle, Call call, std::move_only_function<void(Result)> done) {
  if constexpr (std::is_same_v<Call, FunctionCall>) call.on_reader = true;
  if (!ports_.readers.Enter()) {
    Result result;
    result.status = Status(Code::kOverloaded, "too many reads wait for the disk");
    result.retry_after_ms = kReadsFullRetryMs;
    return done(std::move(result));
  }
  ports_.readers.Run([this, handle = std::move(handle), call = std::move(call), done = std::move(done)]() mutable {
    Result result;
    NextStep next = Read(handle.get(), call, result);
    ports_.mailbox.Put(
        [this, handle = std::move(handle), call = std::move(call), next = std::move(next), result = std::move(result),
         done = std::move(done)]() mutable {
          Finish(std::move(handle), std::move(call), std::move(next), std::move(result), std::move(done));
        },
        0);
  });
}

template <class Call, class Result>
void ReadPath::Finish(std::shared_ptr<TabletHandle> handle, Call call, NextStep next, Result result,
                      std::move_only_function<void(Result)> done) {
  if (next.kind == NextStep::Kind::kDone) return done(std::move(result));
  if (next.kind == NextStep::Kind::kAgain) {
    // By way of the queue: the shard may be about to publish what it has changed.
    ports_.mailbox.Put(
        [this, call = std::move(call), done = std::move(done)]() mutable { Serve(std::move(call), std::move(done)); },
        0);
    return;
  }
  if constexpr (std::is_same_v<Call, FunctionCall>) {
    if (next.kind == NextStep::Kind::kOffload) return Offload(std::move(handle), std::move(call), std::move(done));
  }
  ReadWaits& shard = *ports_.shards[handle->shard];
  const MonotonicTime deadline = call.deadline;
  if (next.kind == NextStep::Kind::kConfirm) {
    return shard.ConfirmLeadership(
        handle, deadline, ports_.loop_index,
        [this, call = std::move(call), result = std::move(result), done = std::move(done)](Status status) mutable {
          // The confirmation holds for the epoch of then; a newer epoch needs its own.
          if (result.view != nullptr) call.confirmed = result.view->epoch;
          if (status.ok()) return Serve(std::move(call), std::move(done));
          if (status.code() == Code::kOverloaded) result.retry_after_ms = kReadsFullRetryMs;
          if (status.code() == Code::kNotPrimary) result.retry_after_ms = kNotReadyRetryMs;
          if (status.code() == Code::kComeAgain) result.retry_after_ms = kFrozenRetryMs;
          result.status = std::move(status);
          done(std::move(result));
        });
  }
  if (next.kind == NextStep::Kind::kLogged) {
    KeyRange keys = KeysOf(call);
    return shard.TakeLogged(handle, std::move(keys), next.upto, kScanExaminedMax, ports_.loop_index,
                            [this, call = std::move(call), done = std::move(done)](auto slice) mutable {
                              call.logged_refused = !slice.has_value();
                              if (slice) call.logged = *std::move(slice);
                              Serve(std::move(call), std::move(done));
                            });
  }
  if (next.kind == NextStep::Kind::kAwait) {
    if (next.awaited) call.awaited = next.awaited;
    return shard.AwaitApplied(
        handle, next.upto, deadline, ports_.loop_index,
        [this, call = std::move(call), result = std::move(result), done = std::move(done)](Status status) mutable {
          if (status.ok()) return Serve(std::move(call), std::move(done));
          if (status.code() == Code::kOverloaded) result.retry_after_ms = kReadsFullRetryMs;
          result.status = std::move(status);
          done(std::move(result));
        });
  }
  shard.PurgeExpired(handle, std::move(next.expired), next.reached, deadline, ports_.loop_index,
                     [this, handle, reached = next.reached, call = std::move(call), result = std::move(result),
                      done = std::move(done)](Status status) mutable {
                       // An entry logged before that one may have written the key again, and shows only now.
                       call.judged_at = std::max(call.judged_at, reached);
                       if (status.ok()) return Serve(std::move(call), std::move(done));
                       result.status = std::move(status);
                       result.applied = handle->AppliedBound();
                       done(std::move(result));
                     });
}

// The fast path of Get, in the header, needs this one elsewhere.
template void ReadPath::Serve(GetCall call, std::move_only_function<void(GetResult)> done);

void ReadPath::MultiGet(MultiGetCall call, std::move_only_function<void(MultiGetResult)> done) {
  Serve(std::move(call), std::move(done));
}

void ReadPath::Apply(FunctionCall call, std::move_only_function<void(FunctionCallResult)> done) {
  Serve(std::move(call), std::move(done));
}

void ReadPath::Scan(ScanCall call, std::move_only_function<void(ScanResult)> done) {
  Serve(std::move(call), std::move(done));
}

}  // namespace ebla::tabletserver

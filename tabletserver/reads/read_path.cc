#include "tabletserver/reads/read_path.h"

#include <algorithm>
#include <utility>

#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {
namespace {

// Reads of more keys or records than this go to the readers even when everything is in cache.
constexpr size_t kInlineWeightMax = 200;
constexpr size_t kRecordOverheadBytes = 48;  // of a record in a reply: version, expiry, field headers
constexpr int64_t kNotReadyRetryMs = 5;
constexpr int64_t kMergedRetryMs = 1;
constexpr int64_t kFrozenRetryMs = 5;
constexpr int64_t kReadsFullRetryMs = 50;
constexpr size_t kExpiredMax = 100;  // that one read has purged

// The logged record that counts beside a snapshot with this position; null: the snapshot's own does.
const StoredRecord* NewerThan(const SnapshotPosition& position, const LoggedSlice& logged, std::string_view key) {
  const auto found = logged.records.find(key);
  return found != logged.records.end() && found->second.version.lsn > position.applied ? &found->second : nullptr;
}

// Scans records and slice as one, in order.
Status ScanWith(TabletStore& store, TableId table, const ScanBounds& bounds, const LoggedSlice& logged,
                SnapshotPosition& position, const TabletStore::Visitor& visit) {
  std::vector<std::pair<std::string_view, const StoredRecord*>> rest;  // the next one last
  for (const auto& [key, record] : logged.records) {
    if (bounds.range.Contains(key)) rest.emplace_back(key, &record);
  }
  if (!bounds.reverse) std::reverse(rest.begin(), rest.end());
  bool more = true;
  const auto show = [&](std::string_view key, const StoredRecord& record) { return more = visit(key, record); };
  // Those before `key`, or all that are left where there is none.
  const auto show_before = [&](const std::string_view* key) {
    while (more && !rest.empty()) {
      const auto [next, record] = rest.back();
      if (key != nullptr && (bounds.reverse ? next <= *key : next >= *key)) return;
      rest.pop_back();
      if (record->version.lsn > position.applied) show(next, *record);
    }
  };
  if (bounds.range.Empty()) return Status::Ok();
  EBLA_TRY(store.Scan(
      table, bounds,
      [&](std::string_view key, const StoredRecord& record) {
        show_before(&key);
        if (!more) return false;
        const StoredRecord* newer = NewerThan(position, logged, key);
        if (!rest.empty() && rest.back().first == key) rest.pop_back();
        return show(key, newer == nullptr ? record : *newer);
      },
      &position));
  show_before(nullptr);
  return Status::Ok();
}

Status NotHere() { return Error(Code::kWrongTablet, "no replica of that part of the table is on this server"); }

}  // namespace

// ---- ReaderPool -----------------------------------------------------------------------------------------------------

bool ReaderPool::Enter() {
  if (waiting_.fetch_add(1, std::memory_order_relaxed) < reads_max_) return true;
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void ReaderPool::Run(Task task) {
  Executor& reader = *executors_[next_.fetch_add(1, std::memory_order_relaxed) % executors_.size()];
  reader.Post([this, task = std::move(task)]() mutable {
    task();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  });
}

namespace {

// Counts what reads lack in the cache, by one read in kGap of each thread; which one goes by its thread's reads of all
// tablets, so that no tablet's are in step with it.
class CacheMissWatch {
 public:
  CacheMissWatch(const TabletStore& store, LoadMeter& meter) : store_(store), meter_(meter) {
    thread_local uint32_t reads = 0;
    if (++reads % kGap == 0) before_ = store.PagesReadByThisThread();
  }
  CacheMissWatch(const CacheMissWatch&) = delete;
  CacheMissWatch& operator=(const CacheMissWatch&) = delete;
  ~CacheMissWatch() {
    if (!before_) return;
    const auto after = store_.PagesReadByThisThread();
    if (after && *after > *before_) meter_.CountCacheMisses((*after - *before_) * kGap);
  }

 private:
  static constexpr uint32_t kGap = 64;
  const TabletStore& store_;
  LoadMeter& meter_;
  std::optional<uint64_t> before_;  // none: not watched
};

// How old what is seen may be.
Duration BoundOf(const ReadCall& call, const TabletHandle& handle) {
  return call.level == ReadLevel::kDefault ? handle.default_bounded.load(std::memory_order_relaxed) : call.bounded;
}

}  // namespace

// ---- admission ------------------------------------------------------------------------------------------------------

ReadPath::ReadPath(Ports ports) : ports_(std::move(ports)), directory_(ports_.directory.published()) {}

bool ReadPath::Admit(const ReadCall& call, const KeyRange* touched, std::string_view key, TabletHandle* handle,
                     ReadAnswer& answer, Attempt& attempt) const {
  const MonotonicTime now = ports_.loop.Now();  // before the view and its lease
  if (handle != nullptr) answer.view = handle->view();
  if (answer.view == nullptr || answer.view->role == RoleKind::kAbsent) {
    if (handle != nullptr && handle->part_of_another()) return !ChangedMeanwhile(*handle, answer, attempt);
    answer.status = NotHere();
    return false;
  }
  const TabletView& view = *answer.view;
  answer.applied = view.applied;
  // A replica that does not know the time since its restart judges by what it has applied.
  answer.time = std::max(call.judged_at ? call.judged_at : view.time.Now(now), view.applied_time);
  if (touched == nullptr && !view.range.Contains(key)) {
    answer.status = NotHere();
    return false;
  }
  if (now >= call.deadline) {
    answer.status = Status(Code::kDeadlineExceeded, "the deadline passed before the read began");
    return false;
  }
  if (!view.failure.empty()) {
    answer.status = Status(Code::kUnavailable, "the replica here has failed: " + view.failure);
    return false;
  }
  const bool leads = view.role == RoleKind::kPrimary;
  answer.level =
      call.level == ReadLevel::kDefault ? handle->default_read_level.load(std::memory_order_relaxed) : call.level;
  const ReadLevel level = answer.level;
  // PROTOCOL 11: its child may write what this replica does not know.
  const bool of_child = view.splitting && (touched == nullptr ? key >= view.split_key
                                                              : touched->Overlaps({view.split_key, view.range.end}));
  if (leads && of_child && level != ReadLevel::kEventual && rules::ChildsReadsWait()) {
    attempt = {.next = Next::kAwait, .upto = view.splitting};
    return false;
  }
  if (level == ReadLevel::kEventual && !view.incomplete) return true;
  if (level == ReadLevel::kSession && !view.incomplete) {
    // Within this tablet: of what lies beyond it, its history knows nothing.
    const KeyRange keys =
        touched == nullptr ? KeyRange{std::string(key), KeyAfter(key)} : touched->Intersect(view.range);
    if (AdmitSession(call, keys, *handle, answer, attempt)) return true;
    if (leads || !answer.status.ok()) return false;
  }
  // As old as the moment at which it is known to have had everything: an echo's, or the end of a lease.
  const bool fresh = view.fresh_as_of != MonotonicTime{} && now - view.fresh_as_of <= BoundOf(call, *handle);
  if (level == ReadLevel::kBounded && !leads && !view.incomplete && fresh) return true;
  if (leads) return AdmitAtPrimary(call, *handle, answer, now, attempt);
  answer.status =
      Status(Code::kNotPrimary, view.primary.empty() ? "no primary of this tablet is known yet"
                                                     : "the tablet's primary is server \"" + view.primary + "\"");
  if (view.primary.empty()) answer.retry_after_ms = kNotReadyRetryMs;
  return false;
}

// False with neither a status nor a next step: a follower that has not got that far.
bool ReadPath::AdmitSession(const ReadCall& call, const KeyRange& touched, TabletHandle& handle, ReadAnswer& answer,
                            Attempt& attempt) const {
  const TabletView& view = *answer.view;
  const TokenVerdict verdict = JudgeToken(call.token, touched, view);
  if (verdict.kind == TokenVerdict::Kind::kServe) return true;
  if (verdict.kind == TokenVerdict::Kind::kLost) {
    std::string names;
    for (const Version& lost : verdict.lost) names += (names.empty() ? "" : ", ") + lost.ToString();
    answer.status =
        Status(Code::kLostWrite, (verdict.lost.size() == 1 ? "version " : "versions ") + names +
                                     (verdict.lost.size() == 1 ? " was" : " were") + " rolled back by a failover");
    return false;
  }
  if (view.role != RoleKind::kPrimary) return false;
  // What this primary has not appended nobody has seen: it is another's that leads by now, or made up. To wait would be
  // to believe it. (The bound may be ahead of the view: it is raised first.)
  if (verdict.version.epoch > view.epoch ||
      verdict.version.lsn > std::max(view.last_appended.lsn, handle.AppliedBound().lsn)) {
    answer.status = Status(Code::kComeAgain, "the session's token names a version that this primary has not written");
    answer.retry_after_ms = kNotReadyRetryMs;
    return false;
  }
  // What an earlier epoch logged may be no part of this one's log: that is known once it has been applied.
  const bool own = verdict.of_one_epoch && verdict.version.epoch == view.epoch;
  const LoggedSlice* logged = own ? LoggedOf(call, answer) : nullptr;
  if (logged != nullptr && verdict.version.lsn <= logged->upto) return true;
  const bool at_hand = own && !view.replaying && !call.logged_refused;
  attempt = {.next = at_hand ? Next::kLogged : Next::kAwait, .upto = verdict.version.lsn};
  return false;
}

bool ReadPath::ChangedMeanwhile(const TabletHandle& handle, ReadAnswer& answer, Attempt& attempt) {
  if (answer.view != nullptr && handle.split_at() == answer.view->split_at()) return false;
  if (handle.part_of_another()) {
    answer.status = Status(Code::kComeAgain, "the tablet has just been merged");
    answer.retry_after_ms = kMergedRetryMs;
  } else {
    attempt = {.next = Next::kAgain};
  }
  return true;
}

const LoggedSlice* ReadPath::LoggedOf(const ReadCall& call, const ReadAnswer& answer) {
  const bool same =
      call.logged != nullptr && answer.view->role == RoleKind::kPrimary && answer.view->epoch == call.logged->epoch;
  return same ? call.logged.get() : nullptr;
}

void ReadPath::ConfirmLogged(const TabletHandle& handle, const LoggedSlice& logged, Lsn applied, ReadAnswer& answer) {
  // What a new epoch applies shows in the store only after its view is published.
  const auto now = handle.view();
  if (now == nullptr || now->role != RoleKind::kPrimary || now->epoch != answer.view->epoch) {
    answer.status = Status(Code::kComeAgain, "the tablet has just changed its primary");
    answer.retry_after_ms = kNotReadyRetryMs;
  }
  // The session may have seen more than is applied; its token says so already. Not of what has been applied meanwhile.
  if (applied < logged.upto) answer.applied = {};
}

// May the primary serve it now, under its lease or confirmed?
bool ReadPath::AdmitAtPrimary(const ReadCall& call, const TabletHandle& handle, ReadAnswer& answer, MonotonicTime now,
                              Attempt& attempt) const {
  const TabletView& view = *answer.view;
  if (!view.barrier_applied) {
    answer.status = Status(Code::kComeAgain, "the tablet's new primary has not begun to serve yet");
    answer.retry_after_ms = kNotReadyRetryMs;
    return false;
  }
  const bool bounded = answer.level == ReadLevel::kBounded && view.lease_until != MonotonicTime::Max();
  const MonotonicTime good_until = bounded ? view.lease_until + BoundOf(call, handle) : view.lease_until;
  if (view.frozen && (answer.level == ReadLevel::kStrong || now >= good_until)) {
    answer.status = Status(Code::kComeAgain, "the tablet is being merged");
    answer.retry_after_ms = kFrozenRetryMs;
    return false;
  }
  if (now >= good_until && call.confirmed != view.epoch && rules::StrongNeedsLease()) {
    attempt = {.next = Next::kConfirm};
    return false;
  }
  // PROTOCOL 15: what was acknowledged by when it came; once that is known it is not raised.
  const Lsn awaited = call.awaited.epoch == view.epoch ? call.awaited.lsn : view.pending_primary;
  const bool pending = awaited > view.applied.lsn && rules::StrongWaitsForPrimaryWrites();
  if (answer.level == ReadLevel::kStrong && pending) {
    attempt = {.next = Next::kAwait, .upto = awaited, .awaited = {view.epoch, awaited}};
    return false;
  }
  return true;
}

bool ReadPath::ShouldOffload(const TabletHandle& handle, size_t weight) const {
  return !ports_.readers.empty() && (weight > kInlineWeightMax || handle.slow_reads.Expected());
}

bool ReadPath::WaitsForPurge(const ReadAnswer& answer, const StoredRecord& record) {
  if (answer.level != ReadLevel::kStrong || !rules::ExpiryNeedsEntry()) return false;
  const bool expired = !record.tombstone && record.expires_at && record.expires_at <= answer.time;
  return expired && record.expires_at > answer.view->applied_time;
}

bool ReadPath::Lives(const ReadAnswer& answer, std::string_view key, const StoredRecord& record, Attempt& attempt) {
  if (record.tombstone) return false;
  if (!record.expires_at || record.expires_at > answer.time) return true;
  if (WaitsForPurge(answer, record)) {
    attempt.next = Next::kPurge;
    attempt.reached = std::max(attempt.reached, record.expires_at);
    // Any one entry of a later time will do; the background purge comes for the rest.
    if (attempt.expired.size() < kExpiredMax) attempt.expired.push_back({std::string(key), record.version});
  }
  return false;
}

// ---- one attempt ----------------------------------------------------------------------------------------------------

ReadPath::Attempt ReadPath::Read(TabletHandle* handle, const ReadCall& call, std::string_view key,
                                 GetResult& result) const {
  Attempt attempt;
  if (!Admit(call, nullptr, key, handle, result, attempt)) return attempt;
  const CacheMissWatch misses(ports_.store, handle->load);
  const MonotonicTime begun = ports_.loop.Now();
  const LoggedSlice* logged = LoggedOf(call, result);
  SnapshotPosition position{handle->tablet, {}};
  auto record = ports_.store.Get(call.table, key, logged == nullptr ? nullptr : &position);
  const Duration took = ports_.loop.Now() - begun;
  handle->slow_reads.Note(took);
  if (!record) {
    result.status = record.error();
    return attempt;
  }
  result.applied = handle->AppliedBound();
  if (ChangedMeanwhile(*handle, result, attempt)) return attempt;
  result.record = *std::move(record);
  if (logged != nullptr) {
    if (const StoredRecord* newer = NewerThan(position, *logged, key)) result.record = *newer;
    ConfirmLogged(*handle, *logged, position.applied, result);
    if (!result.status.ok()) return attempt;
  }
  handle->load.CountReads(ports_.loop_index, 1, key.size() + (result.record ? result.record->value.size() : 0), took,
                          [key](uint64_t) { return key; });
  if (result.record && Lives(result, key, *result.record, attempt)) return attempt;
  result.record.reset();
  result.status = Status(Code::kNotFound, "");
  return attempt;
}

ReadPath::Attempt ReadPath::Read(TabletHandle* handle, const MultiGetCall& call, MultiGetResult& result) const {
  Attempt attempt;
  KeyRange touched = KeyRange::All();
  if (!call.keys.empty()) {
    const auto [least, greatest] = std::ranges::minmax(call.keys);
    touched = {least, KeyAfter(greatest)};
  }
  if (!Admit(call, &touched, {}, handle, result, attempt)) return attempt;
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
  const CacheMissWatch misses(ports_.store, handle->load);
  const MonotonicTime begun = ports_.loop.Now();
  const LoggedSlice* logged = LoggedOf(call, result);
  SnapshotPosition position{handle->tablet, {}};
  auto records =
      ports_.store.MultiGet(call.table, keys, kMultiGetReplyBytesMax, logged == nullptr ? nullptr : &position);
  const Duration took = ports_.loop.Now() - begun;
  handle->slow_reads.Note(took, std::max<size_t>(records ? records->size() : 0, 1));
  if (!records) {
    result.status = records.error();
    return attempt;
  }
  result.applied = handle->AppliedBound();
  if (ChangedMeanwhile(*handle, result, attempt)) return attempt;
  if (logged != nullptr) {
    for (size_t i = 0; i < records->size(); ++i) {
      if (const StoredRecord* newer = NewerThan(position, *logged, keys[i])) (*records)[i] = *newer;
    }
    ConfirmLogged(*handle, *logged, position.applied, result);
    if (!result.status.ok()) return attempt;
  }
  size_t bytes = 0;
  std::vector<size_t> waiting;  // places
  for (size_t i = 0; i < keys.size(); ++i) {
    MultiGetResult::Item& item = result.items[places[i]];
    if (i >= records->size()) {
      item.code = Code::kOverloaded;  // not read: the reply is full, and whoever asks asks for these again
      continue;
    }
    std::optional<StoredRecord>& record = (*records)[i];
    if (!record || !Lives(result, keys[i], *record, attempt)) {
      item.code = Code::kNotFound;
      if (record && WaitsForPurge(result, *record)) waiting.push_back(places[i]);
    } else {
      bytes += record->value.size() + kRecordOverheadBytes;
      item.record = *std::move(record);
    }
  }
  handle->load.CountReads(ports_.loop_index, records->size(), bytes, took,
                          [&keys](uint64_t draw) -> std::string_view { return keys[draw % keys.size()]; });
  // The others' answers do not wait with these, which are asked for again: many who have nothing to do with each other may
  // ask together.
  if (!waiting.empty() && waiting.size() < records->size()) {
    for (const size_t place : waiting) result.items[place].code = Code::kOverloaded;
    return Attempt();
  }
  return attempt;
}

ReadPath::Attempt ReadPath::Read(TabletHandle* handle, const ScanCall& call, ScanResult& result) const {
  Attempt attempt;
  if (!Admit(call, &call.range, {}, handle, result, attempt)) return attempt;
  const KeyRange& tablet = result.view->range;
  // A reader may come to it when it has been split since it was found: what the scan begins with is another's then.
  if (!(call.reverse ? tablet.ContainsBelow(call.range.end) : tablet.Contains(call.range.start))) {
    result.status = NotHere();
    return attempt;
  }
  const ScanBounds bounds{call.range.Intersect(tablet), call.reverse};
  size_t examined = 0;
  size_t bytes = 0;
  bool cut = false;
  std::string last;
  const CacheMissWatch misses(ports_.store, handle->load);
  const MonotonicTime begun = ports_.loop.Now();
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    // The bounds are looked at before the record that would exceed them: it begins the next page.
    if ((call.limit > 0 && result.records.size() >= call.limit) || examined >= kScanExaminedMax ||
        bytes >= call.page_bytes) {
      cut = true;
      return false;
    }
    ++examined;
    last = key;
    if (!Lives(result, key, record, attempt)) return true;
    StoredRecord copy;
    copy.version = record.version;
    copy.expires_at = record.expires_at;
    if (!call.keys_only) copy.value = record.value;
    bytes += key.size() + copy.value.size() + kRecordOverheadBytes;
    result.records.emplace_back(std::string(key), std::move(copy));
    return true;
  };
  const LoggedSlice* logged = LoggedOf(call, result);
  SnapshotPosition position{handle->tablet, {}};
  Status status;
  if (logged != nullptr) {
    status = ScanWith(ports_.store, call.table, bounds, *logged, position, visit);
  } else if (!bounds.range.Empty()) {
    status = ports_.store.Scan(call.table, bounds, visit);
  }
  const Duration took = ports_.loop.Now() - begun;
  handle->slow_reads.Note(took, std::max<size_t>(examined, 1));
  handle->load.CountReads(ports_.loop_index, 1, bytes, took, [&result](uint64_t draw) -> std::string_view {
    return result.records.empty() ? std::string_view() : result.records[draw % result.records.size()].first;
  });
  if (!status.ok()) {
    result.status = status;
    return attempt;
  }
  result.applied = handle->AppliedBound();
  if (ChangedMeanwhile(*handle, result, attempt)) return attempt;
  if (logged != nullptr) {
    ConfirmLogged(*handle, *logged, position.applied, result);
    if (!result.status.ok()) return attempt;
  }
  if (call.reverse) {
    result.remaining = {call.range.start, cut ? last : std::max(call.range.start, tablet.start)};
    result.done = !cut && tablet.start <= call.range.start;
  } else {
    const bool reaches_end = tablet.end.empty() || (!call.range.end.empty() && call.range.end <= tablet.end);
    result.remaining = {cut ? KeyAfter(last) : (reaches_end ? call.range.end : tablet.end), call.range.end};
    result.done = !cut && reaches_end;
  }
  return attempt;
}

// ---- the course of a read -------------------------------------------------------------------------------------------

std::shared_ptr<TabletHandle> ReadPath::Locate(const GetCall& call) {
  const auto* handle = Find(call.table, call.key);
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
size_t Weight(const ScanCall& call) { return call.limit == 0 ? kScanExaminedMax : call.limit; }

KeyRange KeysOf(const GetCall& call) { return {call.key, KeyAfter(call.key)}; }
KeyRange KeysOf(const MultiGetCall& call) {
  const auto [least, greatest] = std::minmax_element(call.keys.begin(), call.keys.end());
  return {*least, KeyAfter(*greatest)};
}
KeyRange KeysOf(const ScanCall& call) { return call.range; }

}  // namespace

template <class Call, class Result>
void ReadPath::Serve(Call call, std::move_only_function<void(Result)> done) {
  std::shared_ptr<TabletHandle> handle = Locate(call);
  if (handle != nullptr) call.Ask(handle->tablet);
  if (handle != nullptr && ShouldOffload(*handle, Weight(call))) {
    return Offload(std::move(handle), std::move(call), std::move(done));
  }
  Result result;
  Attempt attempt = Read(handle.get(), call, result);
  Finish(std::move(handle), std::move(call), std::move(attempt), std::move(result), std::move(done));
}

template <class Call, class Result>
void ReadPath::Offload(std::shared_ptr<TabletHandle> handle, Call call, std::move_only_function<void(Result)> done) {
  if (!ports_.readers.Enter()) {
    Result result;
    result.status = Status(Code::kOverloaded, "too many reads wait for the disk");
    result.retry_after_ms = kReadsFullRetryMs;
    return done(std::move(result));
  }
  ports_.readers.Run([this, handle = std::move(handle), call = std::move(call), done = std::move(done)]() mutable {
    Result result;
    Attempt attempt = Read(handle.get(), call, result);
    ports_.mailbox.Put(
        [this, handle = std::move(handle), call = std::move(call), attempt = std::move(attempt),
         result = std::move(result), done = std::move(done)]() mutable {
          Finish(std::move(handle), std::move(call), std::move(attempt), std::move(result), std::move(done));
        },
        0);
  });
}

template <class Call, class Result>
void ReadPath::Finish(std::shared_ptr<TabletHandle> handle, Call call, Attempt attempt, Result result,
                      std::move_only_function<void(Result)> done) {
  if (attempt.next == Next::kDone) return done(std::move(result));
  if (attempt.next == Next::kAgain) {
    // By way of the queue: the shard may be about to publish what it has changed.
    ports_.mailbox.Put(
        [this, call = std::move(call), done = std::move(done)]() mutable { Serve(std::move(call), std::move(done)); },
        0);
    return;
  }
  ReadWaits& shard = *ports_.shards[handle->shard];
  const MonotonicTime deadline = call.deadline;
  if (attempt.next == Next::kConfirm) {
    return shard.ConfirmLeadership(
        handle, deadline, ports_.loop_index,
        [this, call = std::move(call), result = std::move(result), done = std::move(done)](Status status) mutable {
          // Of the epoch that led then; should another lead by now, it is asked about anew.
          if (result.view != nullptr) call.confirmed = result.view->epoch;
          if (status.ok()) return Serve(std::move(call), std::move(done));
          if (status.code() == Code::kOverloaded) result.retry_after_ms = kReadsFullRetryMs;
          if (status.code() == Code::kNotPrimary) result.retry_after_ms = kNotReadyRetryMs;
          if (status.code() == Code::kComeAgain) result.retry_after_ms = kFrozenRetryMs;
          result.status = std::move(status);
          done(std::move(result));
        });
  }
  if (attempt.next == Next::kLogged) {
    KeyRange keys = KeysOf(call);
    return shard.TakeLogged(handle, std::move(keys), attempt.upto, kScanExaminedMax, ports_.loop_index,
                            [this, call = std::move(call), done = std::move(done)](auto slice) mutable {
                              call.logged_refused = !slice.has_value();
                              if (slice) call.logged = *std::move(slice);
                              Serve(std::move(call), std::move(done));
                            });
  }
  if (attempt.next == Next::kAwait) {
    if (attempt.awaited) call.awaited = attempt.awaited;
    return shard.AwaitApplied(
        handle, attempt.upto, deadline, ports_.loop_index,
        [this, call = std::move(call), result = std::move(result), done = std::move(done)](Status status) mutable {
          if (status.ok()) return Serve(std::move(call), std::move(done));
          if (status.code() == Code::kOverloaded) result.retry_after_ms = kReadsFullRetryMs;
          result.status = std::move(status);
          done(std::move(result));
        });
  }
  shard.PurgeExpired(handle, std::move(attempt.expired), attempt.reached, deadline, ports_.loop_index,
                     [this, handle, reached = attempt.reached, call = std::move(call), result = std::move(result),
                      done = std::move(done)](Status status) mutable {
                       // What was logged before that entry may have written the key anew, and shows only now.
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

void ReadPath::Scan(ScanCall call, std::move_only_function<void(ScanResult)> done) {
  Serve(std::move(call), std::move(done));
}

}  // namespace ebla::tabletserver

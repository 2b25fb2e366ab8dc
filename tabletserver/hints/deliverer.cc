#include "tabletserver/hints/deliverer.h"

#include <glog/logging.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/family.h"

namespace ebla::tabletserver {
namespace {

std::pair<TabletId, Version> PlaceOf(const UndoneEntry& kept) { return {kept.tablet, kept.entry.version}; }

}  // namespace

bool Deliverable(const LogEntry& entry) {
  if (entry.conditional || !entry.outcome.counters.empty()) return false;
  return std::any_of(entry.effects.begin(), entry.effects.end(), [](const Effect& effect) { return effect.timed(); });
}

Deliverer::Deliverer(Options options, TabletStore& store, DeliveryRoute::Ports ports)
    : options_(options), store_(store), ports_(ports), route_(options.route, ports) {}

void Deliverer::Start() { Look(); }

void Deliverer::Wake() {
  ports_.executor.Post([this] {
    woken_ = true;
    if (!under_way_) Begin();
  });
}

void Deliverer::Look() {
  ports_.executor.After(options_.look, [this] { Look(); });
  if (under_way_) return;
  const TabletStore::Health health = store_.health();
  if (health.any_entries + health.undone_entries == 0) {
    figures_.waiting = figures_.conflicts = figures_.oldest_age_ms = 0;
    stuck_.clear();
    return;
  }
  // A shard may have undone something since.
  const bool more = health.any_entries + health.undone_entries > figures_.waiting + figures_.conflicts;
  if (more || ports_.executor.Now() >= next_) Begin();
}

// ---- a pass ---------------------------------------------------------------------------------------------------------

void Deliverer::Begin() {
  under_way_ = true;
  woken_ = false;
  pass_ = {};
  NextPage();
}

void Deliverer::NextPage() {
  Result<std::vector<UndoneEntry>> page =
      store_.ListUndone({}, pass_.place, options_.entries_at_once, options_.bytes_at_once);
  if (!page) {
    LOG_EVERY_N(ERROR, 100) << "cannot read what is to be delivered: " << page.error();
    return End();
  }
  if (page->empty()) return End();
  pass_.place = {page->back().tablet, page->back().entry.version};
  pass_.open = 1;  // until all are begun
  for (UndoneEntry& kept : *page) Consider(std::move(kept));
  --pass_.open;
  if (pass_.open > 0) return Pump();
  ports_.executor.Post([this] { NextPage(); });
}

void Deliverer::Consider(UndoneEntry kept) {
  // What changed nothing, such as a refusal, leaves nothing to settle.
  if (kept.entry.effects.empty() || (!Deliverable(kept.entry) && InHistory(kept))) {
    if (ForgetNow(kept)) return;
  }
  if (!Deliverable(kept.entry) || stuck_.contains(PlaceOf(kept))) {
    ++pass_.conflicts;
    return;
  }
  auto entry = std::make_shared<Entry>(Entry{std::move(kept), 0});
  entry->left = entry->kept.entry.effects.size();
  ++pass_.open;
  for (size_t i = 0; i < entry->left; ++i) jobs_.push_back({entry, i});
}

void Deliverer::Pump() {
  while (!jobs_.empty() && sending_ < options_.effects_at_once) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++sending_;
    const Effect& effect = job.entry->kept.entry.effects[job.effect];
    route_.Send(job.entry->kept.table, effect, [this, entry = job.entry](Status status) {
      --sending_;
      OnEffect(entry, status);
      Pump();
    });
  }
}

void Deliverer::OnEffect(const std::shared_ptr<Entry>& entry, const Status& status) {
  switch (status.code()) {
    case Code::kOk: break;
    case Code::kNoSuchTable: entry->gone = true; break;
    case Code::kConditionFailed:
    case Code::kInvalidArgument:
      if (!std::exchange(entry->stuck, true)) {
        LOG(WARNING) << "a write of tablet " << entry->kept.tablet << ", version " << entry->kept.entry.version
                     << ", stays as a conflict record: " << status;
      }
      break;
    default: entry->again = true;
  }
  if (--entry->left > 0) return;
  Settle(*entry);
  if (--pass_.open == 0) ports_.executor.Post([this] { NextPage(); });
}

void Deliverer::Settle(Entry& entry) {
  const UndoneEntry& kept = entry.kept;
  if (entry.gone && TableGoneHere(kept.table)) {
    LOG(WARNING) << "a write of table " << kept.table << " is dropped with its table: " << kept.entry.effects.size()
                 << " keys, version " << kept.entry.version;
    if (ForgetNow(kept)) ++figures_.dropped;
    return;
  }
  entry.again = entry.again || entry.gone;
  if (!entry.again && !entry.stuck) {
    pass_.progress = true;
    if (ForgetNow(kept)) ++figures_.delivered;
    return;
  }
  if (!entry.again) {
    stuck_.insert(PlaceOf(kept));
    ++pass_.conflicts;
    return;
  }
  ++pass_.waiting;
  if (!pass_.oldest || kept.entry.time < pass_.oldest) pass_.oldest = kept.entry.time;
}

void Deliverer::End() {
  under_way_ = false;
  figures_.waiting = pass_.waiting;
  figures_.conflicts = pass_.conflicts;
  const int64_t age_ms = pass_.oldest ? ports_.executor.TimeOfDayMs() - static_cast<int64_t>(pass_.oldest.value) : 0;
  figures_.oldest_age_ms = std::max<int64_t>(age_ms, 0);
  backoff_ =
      pass_.progress || backoff_ == Duration(0) ? options_.backoff_first : std::min(2 * backoff_, options_.backoff_max);
  next_ = ports_.executor.Now() + (pass_.waiting > 0 ? backoff_ : options_.conflicts);
  if (pass_.waiting == 0) backoff_ = Duration(0);
  if (woken_)
    return ports_.executor.Post([this] {
      if (!under_way_) Begin();
    });
  // Sooner than the next look.
  if (pass_.waiting > 0 && backoff_ < options_.look) {
    ports_.executor.After(backoff_, [this] {
      if (!under_way_) Begin();
    });
  }
}

// Whoever says that there is no such table may know an older catalog, as a master does that has just been deposed or
// whose coordinator was restored. The order to remove the table's data is confirmed first, and forgets what is kept
// with it.
bool Deliverer::TableGoneHere(TableId table) const {
  const std::vector<TableId> here = store_.Tables();
  return !std::binary_search(here.begin(), here.end(), table);
}

bool Deliverer::ForgetNow(const UndoneEntry& kept) {
  const Status status = store_.ForgetUndone(kept.tablet, kept.entry.version);
  LOG_IF_EVERY_N(ERROR, !status.ok(), 100) << "cannot forget what is settled: " << status;
  return status.ok();
}

// The tablet whose log it was, or, as that has become part of another, whose has its keys now; null: neither is here.
std::shared_ptr<TabletHandle> Deliverer::HistoryOf(const UndoneEntry& kept) const {
  const auto snapshot = ports_.directory.snapshot();
  for (const auto& handle : snapshot->All()) {
    if (handle->tablet == kept.tablet) return handle;
  }
  const auto* of_key =
      kept.entry.effects.empty() ? nullptr : snapshot->Find(kept.table, kept.entry.effects.front().key);
  return of_key == nullptr ? nullptr : *of_key;
}

// As PROTOCOL 17 judges a version; but here what is no longer known does not count.
bool Deliverer::InHistory(const UndoneEntry& kept) const {
  const Version version = kept.entry.version;
  const auto handle = HistoryOf(kept);
  const auto view = handle == nullptr ? nullptr : handle->view();
  if (view == nullptr || view->incomplete || view->applied.lsn < version.lsn) return false;
  const auto within = [&](const std::vector<EpochStart>& starts) {
    for (size_t i = 0; i < starts.size(); ++i) {
      if (starts[i].epoch != version.epoch) continue;
      return starts[i].first <= version.lsn && (i + 1 == starts.size() || starts[i + 1].first > version.lsn);
    }
    return false;
  };
  const bool older =
      view->former != nullptr && (view->epoch_starts.empty() || version.epoch < view->epoch_starts.front().epoch);
  if (!older) return within(view->epoch_starts);
  return std::ranges::any_of(*view->former, [&](const FormerRange& former) {
    return former.range.Contains(kept.entry.effects.front().key) && within(former.epoch_starts);
  });
}

// ---- for people -----------------------------------------------------------------------------------------------------

void Deliverer::List(TableId table, UndonePlace after, size_t entries_max, size_t bytes_max,
                     std::move_only_function<void(Result<std::vector<Kept>>)> done) {
  ports_.executor.Post([this, table, after, entries_max, bytes_max, done = std::move(done)]() mutable {
    Result<std::vector<UndoneEntry>> entries = store_.ListUndone(table, after, entries_max, bytes_max);
    if (!entries) return done(Error(entries.error()));
    auto listed = std::make_shared<std::vector<Kept>>();
    for (UndoneEntry& entry : *entries) {
      const bool waiting = Deliverable(entry.entry) && !stuck_.contains(PlaceOf(entry));
      listed->push_back({std::move(entry), waiting, false});
    }
    MarkRepeated(std::move(listed), std::move(done));
  });
}

// Asks the windows of the tablets that are here, one shard after another.
void Deliverer::MarkRepeated(std::shared_ptr<std::vector<Kept>> listed,
                             std::move_only_function<void(Result<std::vector<Kept>>)> done) {
  struct Gather {
    std::shared_ptr<std::vector<Kept>> listed;
    std::move_only_function<void(Result<std::vector<Kept>>)> done;
    std::map<TabletId, std::vector<size_t>> left;
  };
  auto gather = std::make_shared<Gather>(Gather{std::move(listed), std::move(done), {}});
  for (size_t i = 0; i < gather->listed->size(); ++i) {
    const Kept& kept = (*gather->listed)[i];
    if (kept.waiting || !kept.entry.tablet || !kept.entry.entry.client) continue;
    const auto handle = HistoryOf(kept.entry);
    gather->left[handle == nullptr ? kept.entry.tablet : handle->tablet].push_back(i);
  }
  // Runs on the executor, once more after each tablet's answer.
  auto step = std::make_shared<std::function<void()>>();
  *step = [this, gather, weak = std::weak_ptr(step)] {
    if (gather->left.empty()) return gather->done(std::move(*gather->listed));
    const auto [tablet, indices] = *gather->left.begin();
    gather->left.erase(gather->left.begin());
    std::vector<Shard::WriteName> names;
    for (const size_t i : indices) {
      const LogEntry& entry = (*gather->listed)[i].entry.entry;
      names.push_back({entry.client, entry.sequence, entry.version});
    }
    Shard& shard = *ports_.shards[ShardOfFamily(tablet, ports_.shards.size())];
    shard.FindRepeated(tablet, std::move(names),
                       [this, gather, indices, step = weak.lock()](std::vector<bool> repeated) {
                         ports_.executor.Post([gather, indices, step, repeated = std::move(repeated)] {
                           for (size_t i = 0; i < indices.size(); ++i)
                             (*gather->listed)[indices[i]].repeated = repeated[i];
                           (*step)();
                         });
                       });
  };
  (*step)();
}

void Deliverer::Forget(TableId table, UndonePlace place, std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, table, place, done = std::move(done)]() mutable {
    // The list goes on after a place, so that before it is asked for.
    UndonePlace before = place;
    before.version.lsn = Lsn{place.version.lsn.value - 1};
    Result<std::vector<UndoneEntry>> found = store_.ListUndone(table, before, 1, 0);
    if (!found) return done(found.error());
    if (found->empty() || PlaceOf(found->front()) != std::pair(place.tablet, place.version)) {
      return done(Error(Code::kNotFound, "no such write is kept here"));
    }
    Status forgotten = store_.ForgetUndone(place.tablet, place.version);
    if (!forgotten.ok()) return done(std::move(forgotten));
    stuck_.erase(PlaceOf(found->front()));
    store_.Flush(FlushMode::kSync, ports_.executor, std::move(done));
  });
}

}  // namespace ebla::tabletserver

#include "tabletserver/hints/hint_delivery.h"

#include <glog/logging.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/lineage.h"
#include "tabletserver/shard/shard.h"

namespace ebla::tabletserver {
namespace {

std::pair<TabletId, Version> PlaceOf(const UnresolvedLogEntry& unresolved) {
  return {unresolved.tablet, unresolved.entry.version};
}

}  // namespace

bool Deliverable(const LogEntry& entry) {
  if (entry.conditional || !entry.outcome.counters.empty()) return false;
  return std::any_of(entry.effects.begin(), entry.effects.end(), [](const Effect& effect) { return effect.timed(); });
}

HintDelivery::HintDelivery(Options options, TabletStore& store, DeliveryRoute::Ports ports)
    : options_(options), store_(store), ports_(ports), route_(options.route, ports) {}

void HintDelivery::Start() { Look(); }

void HintDelivery::Wake() {
  ports_.executor.Post([this] {
    woken_ = true;
    if (!under_way_) Begin();
  });
}

void HintDelivery::Look() {
  ports_.executor.After(options_.look, [this] { Look(); });
  if (under_way_) return;
  const TabletStore::Health health = store_.health();
  if (health.hinted_entries + health.rolled_back_entries == 0) {
    figures_.waiting = figures_.conflicts = figures_.oldest_age_ms = 0;
    stuck_.clear();
    return;
  }
  // A shard may have rolled back something since.
  const bool more = health.hinted_entries + health.rolled_back_entries > figures_.waiting + figures_.conflicts;
  if (more || ports_.executor.Now() >= next_) Begin();
}

// ---- a pass ---------------------------------------------------------------------------------------------------------

void HintDelivery::Begin() {
  under_way_ = true;
  woken_ = false;
  pass_ = {};
  NextPage();
}

void HintDelivery::NextPage() {
  Result<std::vector<UnresolvedLogEntry>> page =
      store_.unresolved().List({}, pass_.place, options_.entries_at_once, options_.bytes_at_once);
  if (!page) {
    LOG_EVERY_N(ERROR, 100) << "cannot read what is to be delivered: " << page.error();
    return End();
  }
  if (page->empty()) return End();
  pass_.place = {page->back().tablet, page->back().entry.version};
  pass_.open = 1;  // until all are begun
  for (UnresolvedLogEntry& unresolved : *page) Consider(std::move(unresolved));
  --pass_.open;
  if (pass_.open > 0) return Pump();
  ports_.executor.Post([this] { NextPage(); });
}

void HintDelivery::Consider(UnresolvedLogEntry unresolved) {
  // An entry without effects, such as a refusal, leaves nothing to settle.
  if (unresolved.entry.effects.empty() || (!Deliverable(unresolved.entry) && InHistory(unresolved))) {
    if (ForgetNow(unresolved)) return;
  }
  if (!Deliverable(unresolved.entry) || stuck_.contains(PlaceOf(unresolved))) {
    ++pass_.conflicts;
    return;
  }
  auto entry = std::make_shared<Entry>(Entry{std::move(unresolved), 0});
  entry->left = entry->unresolved.entry.effects.size();
  ++pass_.open;
  for (size_t i = 0; i < entry->left; ++i) jobs_.push_back({entry, i});
}

void HintDelivery::Pump() {
  while (!jobs_.empty() && sending_ < options_.effects_at_once) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++sending_;
    const Effect& effect = job.entry->unresolved.entry.effects[job.effect];
    route_.Send(job.entry->unresolved.table, effect, [this, entry = job.entry](Status status) {
      --sending_;
      OnEffect(entry, status);
      Pump();
    });
  }
}

void HintDelivery::OnEffect(const std::shared_ptr<Entry>& entry, const Status& status) {
  switch (status.code()) {
    case Code::kOk: break;
    case Code::kNoSuchTable: entry->gone = true; break;
    case Code::kConditionFailed:
    case Code::kInvalidArgument:
      if (!std::exchange(entry->stuck, true)) {
        LOG(WARNING) << "a write of tablet " << entry->unresolved.tablet << ", version "
                     << entry->unresolved.entry.version << ", stays as a conflict record: " << status;
      }
      break;
    default: entry->again = true;
  }
  if (--entry->left > 0) return;
  Settle(*entry);
  if (--pass_.open == 0) ports_.executor.Post([this] { NextPage(); });
}

void HintDelivery::Settle(Entry& entry) {
  const UnresolvedLogEntry& unresolved = entry.unresolved;
  if (entry.gone && TableGoneHere(unresolved.table)) {
    LOG(WARNING) << "a write of table " << unresolved.table
                 << " is dropped with its table: " << unresolved.entry.effects.size() << " keys, version "
                 << unresolved.entry.version;
    if (ForgetNow(unresolved)) ++figures_.dropped;
    return;
  }
  entry.again = entry.again || entry.gone;
  if (!entry.again && !entry.stuck) {
    pass_.progress = true;
    if (ForgetNow(unresolved)) ++figures_.delivered;
    return;
  }
  if (!entry.again) {
    stuck_.insert(PlaceOf(unresolved));
    ++pass_.conflicts;
    return;
  }
  ++pass_.waiting;
  if (!pass_.oldest || unresolved.entry.time < pass_.oldest) pass_.oldest = unresolved.entry.time;
}

void HintDelivery::End() {
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

// A master that answers NO_SUCH_TABLE may know an older catalog, because it was just deposed or its coordinator was
// restored. The order to remove the table's data is confirmed first, and removes the unresolved writes, too.
bool HintDelivery::TableGoneHere(TableId table) const {
  const std::vector<TableId> here = store_.Tables();
  return !std::binary_search(here.begin(), here.end(), table);
}

bool HintDelivery::ForgetNow(const UnresolvedLogEntry& unresolved) {
  const Status status = store_.unresolved().Discard(unresolved.tablet, unresolved.entry.version);
  LOG_IF_EVERY_N(ERROR, !status.ok(), 100) << "cannot remove settled writes: " << status;
  return status.ok();
}

// The tablet whose log it was, or, as that has become part of another, whose has its keys now; null: neither is here.
std::shared_ptr<TabletHandle> HintDelivery::HistoryOf(const UnresolvedLogEntry& unresolved) const {
  const auto snapshot = ports_.directory.snapshot();
  for (const auto& handle : snapshot->All()) {
    if (handle->tablet == unresolved.tablet) return handle;
  }
  const auto* of_key = unresolved.entry.effects.empty()
                           ? nullptr
                           : snapshot->Find(unresolved.table, unresolved.entry.effects.front().key);
  return of_key == nullptr ? nullptr : *of_key;
}

// Judges a version by PROTOCOL 17, but ignores a history that is no longer known.
bool HintDelivery::InHistory(const UnresolvedLogEntry& unresolved) const {
  const Version version = unresolved.entry.version;
  const auto handle = HistoryOf(unresolved);
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
    return former.range.Contains(unresolved.entry.effects.front().key) && within(former.epoch_starts);
  });
}

// ---- for people -----------------------------------------------------------------------------------------------------

void HintDelivery::List(TableId table, UnresolvedPosition after, size_t entries_max, size_t bytes_max,
                        std::move_only_function<void(Result<std::vector<Unresolved>>)> done) {
  ports_.executor.Post([this, table, after, entries_max, bytes_max, done = std::move(done)]() mutable {
    Result<std::vector<UnresolvedLogEntry>> entries = store_.unresolved().List(table, after, entries_max, bytes_max);
    if (!entries) return done(Error(entries.error()));
    auto listed = std::make_shared<std::vector<Unresolved>>();
    for (UnresolvedLogEntry& entry : *entries) {
      const bool waiting = Deliverable(entry.entry) && !stuck_.contains(PlaceOf(entry));
      listed->push_back({std::move(entry), waiting, false});
    }
    MarkRepeated(std::move(listed), std::move(done));
  });
}

// Asks the dedup windows of the tablets that are here, one shard after another.
void HintDelivery::MarkRepeated(std::shared_ptr<std::vector<Unresolved>> listed,
                                std::move_only_function<void(Result<std::vector<Unresolved>>)> done) {
  struct Gather {
    std::shared_ptr<std::vector<Unresolved>> listed;
    std::move_only_function<void(Result<std::vector<Unresolved>>)> done;
    std::map<TabletId, std::vector<size_t>> left;
  };
  auto gather = std::make_shared<Gather>(Gather{std::move(listed), std::move(done), {}});
  for (size_t i = 0; i < gather->listed->size(); ++i) {
    const Unresolved& unresolved = (*gather->listed)[i];
    if (unresolved.waiting || !unresolved.entry.tablet || !unresolved.entry.entry.client) continue;
    const auto handle = HistoryOf(unresolved.entry);
    gather->left[handle == nullptr ? unresolved.entry.tablet : handle->tablet].push_back(i);
  }
  // Runs on the executor, once more after each tablet's answer.
  auto step = std::make_shared<std::function<void()>>();
  *step = [this, gather, weak = std::weak_ptr(step)] {
    if (gather->left.empty()) return gather->done(std::move(*gather->listed));
    const auto [tablet, indices] = *gather->left.begin();
    gather->left.erase(gather->left.begin());
    std::vector<WriteName> names;
    for (const size_t i : indices) {
      const LogEntry& entry = (*gather->listed)[i].entry.entry;
      names.push_back({entry.client, entry.sequence, entry.version});
    }
    Shard& shard = *ports_.shards[ShardOfLineage(tablet, ports_.shards.size())];
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

void HintDelivery::Forget(TableId table, UnresolvedPosition place, std::move_only_function<void(Status)> done) {
  ports_.executor.Post([this, table, place, done = std::move(done)]() mutable {
    // The list begins after a position, so it is asked for from the one before.
    UnresolvedPosition before = place;
    before.version.lsn = Lsn{place.version.lsn.value - 1};
    Result<std::vector<UnresolvedLogEntry>> found = store_.unresolved().List(table, before, 1, 0);
    if (!found) return done(found.error());
    if (found->empty() || PlaceOf(found->front()) != std::pair(place.tablet, place.version)) {
      return done(Error(Code::kNotFound, "no such write is unresolved here"));
    }
    Status forgotten = store_.unresolved().Discard(place.tablet, place.version);
    if (!forgotten.ok()) return done(std::move(forgotten));
    stuck_.erase(PlaceOf(found->front()));
    store_.Flush(FlushMode::kSync, ports_.executor, std::move(done));
  });
}

}  // namespace ebla::tabletserver

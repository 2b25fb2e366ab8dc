#include "tabletserver/service/log_feed_handler.h"

#include <utility>

#include "common/rpc/idl_convert.h"
#include "tabletserver/service/translate.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kBusyRetryMs = 50;

TabletTime RoundedUp(const TabletTimeBasis& basis, MonotonicTime now) {
  return basis.Now(now + std::chrono::milliseconds(1) - Duration(1));
}

LogPosition FromIdl(const idl::LogPlace& place) {
  return {.log = static_cast<uint64_t>(place.logId),
          .segment = static_cast<uint64_t>(place.segment),
          .offset = place.offset,
          .sequence = static_cast<uint64_t>(place.sequence)};
}

idl::LogPlace ToIdl(const LogPosition& position) {
  idl::LogPlace place;
  place.logId = static_cast<int64_t>(position.log);
  place.segment = static_cast<int64_t>(position.segment);
  place.offset = position.offset;
  place.sequence = static_cast<int64_t>(position.sequence);
  return place;
}

idl::LoggedEntry ToIdl(FeedEntry&& from) {
  idl::LoggedEntry entry;
  entry.tabletId = static_cast<int64_t>(from.tablet.value);
  entry.tableId = static_cast<int64_t>(from.table.value);
  entry.version = rpc::ToIdl(from.entry.version);
  entry.tabletTimeMs = static_cast<int64_t>(from.entry.time.value);
  for (Effect& effect : from.entry.effects) {
    idl::KeptEffect& to = entry.effects.emplace_back();
    to.key = std::move(effect.key);
    to.isDelete = effect.is_delete;
    if (effect.is_delete) continue;
    to.__set_value(std::move(effect.value));
    if (effect.expires_at) to.__set_expiresAtMs(static_cast<int64_t>(effect.expires_at.value));
  }
  return entry;
}

idl::LoggedStart ToIdl(const FeedStart& from) {
  idl::LoggedStart start;
  start.tabletId = static_cast<int64_t>(from.tablet.value);
  start.tableId = static_cast<int64_t>(from.table.value);
  start.lsn = static_cast<int64_t>(from.lsn.value);
  for (const auto& [tablet, lsn] : from.origins) {
    idl::LoggedOrigin& origin = start.origins.emplace_back();
    origin.tabletId = static_cast<int64_t>(tablet.value);
    origin.lsn = static_cast<int64_t>(lsn.value);
  }
  return start;
}

}  // namespace

std::optional<TabletMoment> MomentOf(const Executor& executor, const TabletTimeBasis& basis,
                                     const std::function<void()>& look) {
  constexpr int kTries = 5;
  for (int tries = 0; tries < kTries; ++tries) {
    const TabletTime tablet = RoundedUp(basis, executor.Now());
    const int64_t day_ms = executor.TimeOfDayMs();
    look();
    const MonotonicTime after = executor.Now();
    if (RoundedUp(basis, after) == tablet) return TabletMoment{after, tablet, day_ms};
  }
  return std::nullopt;
}

class LogFeedHandler::State {
 public:
  State(Executor& executor, TabletStore& store, const TabletDirectory& directory)
      : executor_(executor), store_(store), directory_(directory) {}

  Executor& executor() const { return executor_; }
  // False: a reader is active.
  bool Begin() { return !reading_.exchange(true); }

  void Read(const idl::FollowLogRequest& request, const Done& done) {
    std::vector<idl::LedTablet> led = Led();
    idl::FollowLogReply reply;
    FeedRequest asked{.from = FromIdl(request.place),
                      .keep_from = FromIdl(request.keepFrom),
                      .pass_over = {},
                      .bytes_max = kPageBytes};
    for (const int64_t tablet : request.passOver) asked.pass_over.insert(TabletId{static_cast<uint64_t>(tablet)});
    Result<FeedPage> page = store_.Follow(asked);
    if (!page) {
      FillRefusal(page.error(), -1, reply.header);
    } else {
      reply.upTo = ToIdl(page->next);
      reply.lost = page->lost;
      reply.atEnd = page->at_end;
      for (const TabletId tablet : page->waits_for) reply.waitsFor.push_back(static_cast<int64_t>(tablet.value));
      reply.led = std::move(led);
      for (const FeedStart& start : page->starts) reply.starts.push_back(ToIdl(start));
      reply.entries.reserve(page->entries.size());
      for (FeedEntry& entry : page->entries) reply.entries.push_back(ToIdl(std::move(entry)));
    }
    reading_ = false;
    done(reply);
  }

 private:
  // A primary that still has the lease once the rest is read had all acknowledged writes by then.
  std::vector<idl::LedTablet> Led() const {
    std::vector<idl::LedTablet> led;
    for (const std::shared_ptr<TabletHandle>& handle : directory_.snapshot()->All()) {
      const std::shared_ptr<const TabletView> view = handle->view();
      if (view == nullptr || view->role != RoleKind::kPrimary || !view->barrier_applied) continue;
      if (!view->time.at || handle->part_of_another()) continue;
      Version applied;
      const auto moment = MomentOf(executor_, view->time, [&] { applied = handle->AppliedBound(); });
      if (!moment || moment->monotonic >= view->lease_until) continue;  // the next page says it
      if (applied.epoch != view->epoch) continue;  // another replica is primary by now, and this server knows it
      idl::LedTablet& tablet = led.emplace_back();
      tablet.tabletId = static_cast<int64_t>(handle->tablet.value);
      tablet.tableId = static_cast<int64_t>(handle->table.value);
      tablet.appliedLsn = static_cast<int64_t>(applied.lsn.value);
      tablet.tabletTimeMs = static_cast<int64_t>(moment->tablet.value);
      tablet.timeOfDayMs = moment->day_ms;
      tablet.epoch = static_cast<int64_t>(view->epoch.value);
    }
    return led;
  }

  Executor& executor_;
  TabletStore& store_;
  const TabletDirectory& directory_;
  std::atomic<bool> reading_{false};
};

LogFeedHandler::LogFeedHandler(Executor& executor, TabletStore& store, const TabletDirectory& directory)
    : state_(std::make_shared<State>(executor, store, directory)) {}

void LogFeedHandler::Answer(const idl::FollowLogRequest& request, Done done) {
  if (!state_->Begin()) {
    idl::FollowLogReply reply;
    FillRefusal(Error(Code::kComeAgain, "this server's log is being read by another"), kBusyRetryMs, reply.header);
    return done(reply);
  }
  state_->executor().Post([state = state_, request, done = std::move(done)] { state->Read(request, done); });
}

}  // namespace ebla::tabletserver

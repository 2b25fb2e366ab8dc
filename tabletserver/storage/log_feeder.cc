#include "tabletserver/storage/log_feeder.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

struct LogFeeder::Page {
  FeedPage feed;
  const std::set<TabletId>& pass_over;
  std::map<TabletId, ReplicaState> states;  // as they are at present
};

Result<const ReplicaState*> LogFeeder::StateOf(TabletId tablet, Page& page) {
  const auto [state, added] = page.states.try_emplace(tablet);
  if (added) {
    EBLA_ASSIGN(const std::optional<std::string> value, values_.Get(ReplicaStateKey(tablet)));
    if (value) {
      EBLA_ASSIGN(state->second, DecodeReplicaState(*value));
    }
  }
  return &state->second;
}

Result<bool> LogFeeder::TakeEntries(const LogRecord& record, uint64_t segment, Page& page) {
  EBLA_ASSIGN(const EntriesBody body, DecodeEntries(record.body));
  EBLA_ASSIGN(const ReplicaState* const state, StateOf(body.tablet, page));
  if (!state->table) return true;
  const LogPlace place{segment, record.offset, record.bytes};
  // Before it is asked what was cut: what is cut later was not applied by now.
  const Lsn applied = applied_(body.tablet);
  Lsn lsn = body.first;
  for (const std::string_view encoded : body.entries) {
    const Lsn at = std::exchange(lsn, lsn.Next());
    const LogFollower::Fate fate = follower_.FateOf(body.tablet, at, place);
    if (fate == LogFollower::Fate::kCut) continue;
    if (at > applied && fate != LogFollower::Fate::kSettled) {
      if (state->present() && !page.pass_over.contains(body.tablet)) return false;
      continue;
    }
    EBLA_ASSIGN(LogEntry entry, DecodeLogEntry(encoded));
    if (entry.kind == EntryKind::kSplit) {
      EBLA_ASSIGN(const SplitDetail split, DecodeSplitDetail(entry.detail));
      page.feed.starts.push_back({split.child, state->table, {{body.tablet, at}}, at});
    }
    page.feed.entries.push_back({body.tablet, state->table, std::move(entry)});
  }
  return true;
}

Status LogFeeder::TakeState(const LogRecord& record, Page& page) {
  EBLA_ASSIGN(const PutBody body, DecodePut(record.body));
  if (!body.key.starts_with(kReplicaStateKeys)) return {};
  EBLA_ASSIGN(const TabletId tablet, ParseReplicaStateKey(body.key));
  EBLA_ASSIGN(const ReplicaState state, DecodeReplicaState(body.value));
  if (!state.present()) return {};  // of one that is gone the state is kept, and moved on from time to time
  if (state.merged) {
    const MergedTablet& left = state.merged->left;
    const MergedTablet& right = state.merged->right;
    page.feed.starts.push_back({tablet,
                                state.table,
                                {{left.tablet, left.freeze.lsn}, {right.tablet, right.freeze.lsn}},
                                state.merged->position.lsn});
  } else if (state.lineage_parent) {
    page.feed.starts.push_back({tablet, state.table, {{state.lineage_parent, state.lineage_lsn}}, state.lineage_lsn});
  }
  return {};
}

Result<bool> LogFeeder::TakeFrame(const LogFrame& frame, Page& page) {
  const size_t entries = page.feed.entries.size(), starts = page.feed.starts.size();
  std::set<TabletId> waits_for;  // all of them: else each would be found only once the one before it is passed over
  for (const LogRecord& record : frame.records) {
    if (record.kind == LogRecordKind::kPut) EBLA_TRY(TakeState(record, page));
    if (record.kind != LogRecordKind::kEntries) continue;
    EBLA_ASSIGN(const bool taken, TakeEntries(record, frame.header.segment, page));
    if (!taken) {
      EBLA_ASSIGN(const EntriesBody body, DecodeEntries(record.body));
      waits_for.insert(body.tablet);
    }
  }
  if (waits_for.empty()) return true;
  page.feed.waits_for.assign(waits_for.begin(), waits_for.end());
  page.feed.entries.erase(page.feed.entries.begin() + static_cast<ptrdiff_t>(entries), page.feed.entries.end());
  page.feed.starts.erase(page.feed.starts.begin() + static_cast<ptrdiff_t>(starts), page.feed.starts.end());
  return false;
}

Status LogFeeder::Open() {
  EBLA_ASSIGN(const std::optional<std::string> value, values_.Get(kHeldLogKey));
  if (!value) return {};
  const Result<HeldLog> held = DecodeHeldLog(*value);
  if (!held || held->log != follower_.log()) return {};  // of a newer build, perhaps: no reason not to start
  MutexLock lock(mutex_);
  held_ = held->segment;
  read_ = std::chrono::steady_clock::now();
  follower_.Keep({.log = held->log, .segment = held->segment}, held_bytes_max_);
  return {};
}

Status LogFeeder::Hold(const LogPosition& begin, const LogPosition& keep_from) {
  LogPosition kept{.log = follower_.log()};  // from another log's place it reads the oldest on
  if (follower_.Knows(begin)) kept.segment = begin.segment;
  if (follower_.Knows(keep_from)) kept.segment = std::min(kept.segment, keep_from.segment);
  MutexLock lock(mutex_);
  read_ = std::chrono::steady_clock::now();
  follower_.Keep(kept, held_bytes_max_);
  if (held_ == kept.segment) return {};
  held_ = kept.segment;
  return values_.Put(kHeldLogKey, EncodeHeldLog({.log = kept.log, .segment = kept.segment}));
}

Result<FeedPage> LogFeeder::Read(const FeedRequest& request) {
  const LogPosition begin = request.from.log == 0 ? follower_.Recent() : request.from;
  EBLA_TRY(Hold(begin, request.keep_from));
  Page page{.feed = {}, .pass_over = request.pass_over, .states = {}};
  EBLA_ASSIGN(const LogFollower::Step step,
              follower_.Read(begin, static_cast<int64_t>(request.bytes_max),
                             [&](const LogFrame& frame) { return TakeFrame(frame, page); }));
  page.feed.next = step.next;
  page.feed.lost = step.lost;
  page.feed.at_end = step.at_end;
  return std::move(page.feed);
}

void LogFeeder::ReleaseIfLeft(bool room) {
  MutexLock lock(mutex_);
  if (!held_ || (room && std::chrono::steady_clock::now() - read_ < kPatience)) return;
  held_.reset();
  follower_.Release();
  if (const Status erased = values_.Erase(kHeldLogKey); !erased.ok()) LOG(WARNING) << erased;
}

}  // namespace ebla::tabletserver

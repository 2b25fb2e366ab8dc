#include "tabletserver/reads/read_attempt.h"

#include <algorithm>
#include <utility>

#include "tabletserver/reads/tablet_directory.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kMergedRetryMs = 1;
constexpr size_t kExpiredMax = 100;  // that one read has purged

std::string NamesOf(const std::vector<Version>& versions) {
  std::string names;
  for (const Version& version : versions) names += (names.empty() ? "" : ", ") + version.ToString();
  return (versions.size() == 1 ? "version " : "versions ") + names + (versions.size() == 1 ? " was" : " were");
}

}  // namespace

bool ReadAttempt::Refuse(Status why, int64_t retry_after_ms) {
  answer_.status = std::move(why);
  if (retry_after_ms >= 0) answer_.retry_after_ms = retry_after_ms;
  return false;
}

bool ReadAttempt::Postpone(NextStep step) {
  step_ = std::move(step);
  return false;
}

// How old what is seen may be.
Duration ReadAttempt::bound() const {
  return call_.level == ReadLevel::kDefault ? handle_->default_bounded.load(std::memory_order_relaxed) : call_.bounded;
}

bool ReadAttempt::Admit(const KeyRange* touched, std::string_view key, MonotonicTime now) {
  if (handle_ != nullptr) answer_.view = handle_->view();
  if (answer_.view == nullptr || answer_.view->role == RoleKind::kAbsent) {
    if (handle_ != nullptr && handle_->part_of_another()) return !ChangedMeanwhile();
    return Refuse(NoReplicaHere());
  }
  const TabletView& view = *answer_.view;
  answer_.applied = view.applied;
  // A replica that does not know the time since its restart judges by what it has applied.
  answer_.time = std::max(call_.judged_at ? call_.judged_at : view.time.Now(now), view.applied_time);
  if (touched == nullptr && !view.range.Contains(key)) return Refuse(NoReplicaHere());
  if (now >= call_.deadline)
    return Refuse(Status(Code::kDeadlineExceeded, "the deadline passed before the read began"));
  if (!view.failure.empty()) return Refuse(Status(Code::kUnavailable, "the replica here has failed: " + view.failure));
  const bool leads = view.role == RoleKind::kPrimary;
  answer_.level =
      call_.level == ReadLevel::kDefault ? handle_->default_read_level.load(std::memory_order_relaxed) : call_.level;
  const ReadLevel level = answer_.level;
  // PROTOCOL 11: its child may write what this replica does not know.
  const bool of_child = view.splitting && (touched == nullptr ? key >= view.split_key
                                                              : touched->Overlaps({view.split_key, view.range.end}));
  if (leads && of_child && level != ReadLevel::kEventual && rules::ChildsReadsWait())
    return Postpone({.kind = NextStep::Kind::kAwait, .upto = view.splitting});
  // The copy of a lost replica may be half done: its mark may have been at the log's end.
  const bool whole = !view.incomplete && !view.lost;
  if (level == ReadLevel::kEventual && whole) return true;
  // A merged tablet that has applied nothing of its own may be one that was given up: it knows no later epoch of the
  // two, and would judge a session's versions without it.
  const bool merged_only = view.merged && view.applied == view.merged->position;
  if (level == ReadLevel::kSession && whole && !merged_only) {
    // Within this tablet: of what lies beyond it, its history knows nothing.
    const KeyRange keys =
        touched == nullptr ? KeyRange{std::string(key), KeyAfter(key)} : touched->Intersect(view.range);
    if (AdmitSession(keys)) return true;
    if (leads || !answer_.status.ok()) return false;
  }
  // The state's age counts from the moment of its last proven completeness, by an echo or the end of a lease.
  const bool fresh = view.fresh_as_of != MonotonicTime{} && now - view.fresh_as_of <= bound();
  if (level == ReadLevel::kBounded && !leads && whole && fresh) return true;
  if (leads) return AdmitAtPrimary(now);
  if (view.primary.empty())
    return Refuse(Status(Code::kNotPrimary, "no primary of this tablet is known yet"), kNotReadyRetryMs);
  return Refuse(Status(Code::kNotPrimary, "the tablet's primary is server \"" + view.primary + "\""));
}

// False with neither a status nor a next step: a follower that has not got that far.
bool ReadAttempt::AdmitSession(const KeyRange& touched) {
  const TabletView& view = *answer_.view;
  const TokenVerdict verdict = JudgeToken(call_.token, touched, view);
  if (verdict.kind == TokenVerdict::Kind::kServe) return true;
  if (verdict.kind == TokenVerdict::Kind::kLost)
    return Refuse(Status(Code::kLostWrite, NamesOf(verdict.lost) + " rolled back by a failover"));
  if (view.role != RoleKind::kPrimary) return false;
  // No client of this primary has seen a version that it has not appended. The version is a newer primary's, or
  // invented, and waiting would mean to believe it. (The bound may be ahead of the view, because it is raised first.)
  if (verdict.version.epoch > view.epoch ||
      verdict.version.lsn > std::max(view.last_appended.lsn, handle_->AppliedBound().lsn)) {
    return Refuse(Status(Code::kComeAgain, "the session's token names a version that this primary has not written"),
                  kNotReadyRetryMs);
  }
  // An entry of an earlier epoch may be missing in this one's log; its application settles that.
  const bool own = verdict.of_one_epoch && verdict.version.epoch == view.epoch;
  const LoggedSlice* slice = own ? logged() : nullptr;
  if (slice != nullptr && verdict.version.lsn <= slice->upto) return true;
  const bool at_hand = own && !view.replaying && !call_.logged_refused;
  return Postpone({.kind = at_hand ? NextStep::Kind::kLogged : NextStep::Kind::kAwait, .upto = verdict.version.lsn});
}

// May the primary serve it now, under its lease or confirmed?
bool ReadAttempt::AdmitAtPrimary(MonotonicTime now) {
  const TabletView& view = *answer_.view;
  if (!view.barrier_applied) {
    if (store_.damage().Hits(view.tablet, view.table))
      return Refuse(Status(Code::kUnavailable, "files of table " + std::to_string(view.table.value) +
                                                   " are damaged on this server, so its primary cannot serve"));
    return Refuse(Status(Code::kComeAgain, "the tablet's new primary has not begun to serve yet"), kNotReadyRetryMs);
  }
  const bool bounded = answer_.level == ReadLevel::kBounded && view.lease_until != MonotonicTime::Max();
  const MonotonicTime good_until = bounded ? view.lease_until + bound() : view.lease_until;
  if (view.frozen && (answer_.level == ReadLevel::kStrong || now >= good_until))
    return Refuse(Status(Code::kComeAgain, "the tablet is being merged"), kFrozenRetryMs);
  if (now >= good_until && call_.confirmed != view.epoch && rules::StrongNeedsLease())
    return Postpone({.kind = NextStep::Kind::kConfirm});
  // PROTOCOL 15: waits for PRIMARY writes acknowledged before the read arrived; once known, the position is not raised.
  const Lsn awaited = call_.awaited.epoch == view.epoch ? call_.awaited.lsn : view.pending_primary;
  const bool pending = awaited > view.applied.lsn && rules::StrongWaitsForPrimaryWrites();
  if (answer_.level == ReadLevel::kStrong && pending)
    return Postpone({.kind = NextStep::Kind::kAwait, .upto = awaited, .awaited = {view.epoch, awaited}});
  return true;
}

const LoggedSlice* ReadAttempt::logged() const {
  const bool same =
      call_.logged != nullptr && answer_.view->role == RoleKind::kPrimary && answer_.view->epoch == call_.logged->epoch;
  return same ? call_.logged.get() : nullptr;
}

bool ReadAttempt::Settle(Status read) {
  // Another server may answer.
  if (!read.ok() && !store_.health().status.ok()) return Refuse(Status(Code::kUnavailable, read.message()));
  if (!read.ok()) return Refuse(std::move(read));
  answer_.applied = handle_->AppliedBound();
  return !ChangedMeanwhile();
}

bool ReadAttempt::ChangedMeanwhile() {
  if (answer_.view != nullptr && handle_->split_at() == answer_.view->split_at()) return false;
  if (handle_->part_of_another()) {
    Refuse(Status(Code::kComeAgain, "the tablet has just been merged"), kMergedRetryMs);
  } else {
    Postpone({.kind = NextStep::Kind::kAgain});
  }
  return true;
}

bool ReadAttempt::ConfirmLogged(const LoggedSlice& logged, Lsn applied) {
  // The session may have seen more than is applied, which its token already shows. But the answer must not name a
  // position that was applied meanwhile.
  if (applied < logged.upto) answer_.applied = {};
  // A new epoch's effects reach the store only after its view is published.
  const auto now = handle_->view();
  if (now != nullptr && now->role == RoleKind::kPrimary && now->epoch == answer_.view->epoch) return true;
  return Refuse(Status(Code::kComeAgain, "the tablet has just changed its primary"), kNotReadyRetryMs);
}

bool ReadAttempt::WaitsForPurge(const StoredRecord& record) const {
  if (answer_.level != ReadLevel::kStrong || !rules::ExpiryNeedsEntry()) return false;
  const bool expired = !record.tombstone && record.expires_at && record.expires_at <= answer_.time;
  return expired && record.expires_at > answer_.view->applied_time;
}

bool ReadAttempt::Lives(std::string_view key, const StoredRecord& record) {
  if (record.tombstone) return false;
  if (!record.expires_at || record.expires_at > answer_.time) return true;
  if (WaitsForPurge(record)) {
    step_.kind = NextStep::Kind::kPurge;
    step_.reached = std::max(step_.reached, record.expires_at);
    // One entry of a later time is enough; the background purge removes the rest.
    if (step_.expired.size() < kExpiredMax) step_.expired.push_back({std::string(key), record.version});
  }
  return false;
}

}  // namespace ebla::tabletserver

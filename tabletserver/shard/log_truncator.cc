#include "tabletserver/shard/log_truncator.h"

#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/shard/lineage_checkpoints.h"
#include "tabletserver/shard/part_lender.h"
#include "tabletserver/shard/shard_tablets.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(5);
constexpr Duration kLatePause = std::chrono::milliseconds(1);  // where the next checkpoint was faster
constexpr uint64_t kPieceMin = 8;                              // entries: each may have hundreds of KB
constexpr uint64_t kPieceMax = 1 << 16;

// A peer that answered since then needs entries below `first`. Without them it would be copied, again and again under
// load.
bool IsNeededByThePresent(const ReplicaCore& replica, Lsn first, MonotonicTime since) {
  const Leadership* const lead = replica.standing().leadership();
  if (lead == nullptr) return false;
  return std::ranges::any_of(lead->Progress(), [&](const PeerProgress& peer) {
    return peer.heard >= since && (peer.copying || peer.flushed < first);
  });
}

}  // namespace

void LogTruncator::Truncate(const TabletStore::CheckpointResult& covered, Cause cause) {
  shard_.executor().Post([this, covered, cause] {
    cause == Cause::kCheckpointed ? checkpoints_.OnCheckpointed(covered) : part_lender_.ForgetInMemory();
    const bool under_way = !truncations_.empty();
    if (cause == Cause::kCheckpointed) late_ = under_way;
    for (const auto& [id, lsn] : covered) {
      const auto tablet = shard_.tablets.FindStaying(id);
      if (tablet == nullptr || !tablet->data.quiet() || !lsn) continue;
      // The position belongs to an earlier life of this replica, which was dropped and created again since that
      // checkpoint.
      if (lsn > tablet->core->applied_state().applied.lsn) continue;
      truncations_[id] = {.tablet = tablet, .logs_discarded = tablet->data.logs_discarded(), .recoverable = lsn.Next()};
    }
    if (!under_way) Continue();
  });
}

void LogTruncator::Continue() {
  const MonotonicTime begun = shard_.Now();
  while (!truncations_.empty()) {
    // Takes the tablets in turn, so that under constant work no tablet is always the last.
    auto one = truncations_.lower_bound(last_);
    if (one == truncations_.end()) one = truncations_.begin();
    last_ = one->first;
    const auto tablet = one->second.tablet.lock();
    bool more = false;
    // Entries may be yet to be stored: the end of this turn does so, and the next slice truncates.
    const bool unstored = tablet != nullptr && tablet->touched;
    if (unstored) {
      more = true;
      last_ = last_.Next();  // the next slice begins with another
    } else if (tablet != nullptr && tablet->data.quiet() &&
               tablet->data.logs_discarded() == one->second.logs_discarded) {
      const Result<bool> truncated = TruncateSome(*tablet, one->second);
      // The next checkpoint tries again.
      if (!truncated) LOG(WARNING) << "cannot truncate the log of tablet " << tablet->id << ": " << truncated.error();
      more = truncated.value_or(false);
    }
    if (!more) truncations_.erase(one);
    const Duration took = shard_.Now() - begun;
    if (!truncations_.empty() && (unstored || took >= shard_.options.truncation_slice)) {
      const Duration pause = std::max(took, late_ ? kLatePause : kPause);
      shard_.executor().After(pause, [this] { Continue(); });
      return;
    }
  }
}

// Whether there is more.
Result<bool> LogTruncator::TruncateSome(const ShardTablet& tablet, Truncation& truncation) {
  if (!truncation.below) {
    EBLA_TRY(Begin(tablet, truncation));
    return truncation.next < truncation.below;
  }
  const MonotonicTime begun = shard_.Now();
  truncation.next = std::min(truncation.below, Lsn{truncation.next.value + piece_});
  EBLA_TRY(shard_.store().TruncateLog(tablet.id, truncation.next));
  const Duration took = shard_.Now() - begun;
  if (took > shard_.options.truncation_slice / 2) piece_ = std::max(piece_ / 2, kPieceMin);
  if (took < shard_.options.truncation_slice / 8) piece_ = std::min(piece_ * 2, kPieceMax);
  return truncation.next < truncation.below;
}

// Finds what may go, and has the core look no more for it. A start needs nothing below `recoverable`; replicas that are
// behind may, but not for ever: then they are copied.
Status LogTruncator::Begin(const ShardTablet& tablet, Truncation& truncation) {
  const ReplicaCore& replica = tablet.core->replica();
  if (replica.log().HasWork()) return Status::Ok();  // what the store holds is not what the log is: the next checkpoint
  Lsn below = truncation.recoverable;
  if (const Lsn needed = replica.NeededFrom(); needed < below) {
    const Result<Lsn> retained = RetainedFor(tablet, needed);
    if (!retained && retained.error().code() != Code::kUnavailable) return retained.error();
    below = std::min(below, retained.value_or(below));  // nothing is kept of a log that is damaged
  }
  const auto read = [&] { return shard_.store().ReadLog(tablet.id, below, Lsn{UINT64_MAX}, 1); };
  Result<std::vector<LogEntry>> first = read();
  if (!first && below < truncation.recoverable) {
    below = truncation.recoverable;  // what was to be kept for others is damaged: they are copied
    first = read();
  }
  if (!first) return first.error();
  tablet.core->Step(LogTruncated{first->empty() ? Version{} : first->front().version});
  // It need not be whole to go.
  const Lsn oldest = shard_.store().FirstLogged(tablet.id);
  if (!oldest || oldest >= below) return Status::Ok();
  truncation.next = oldest;
  truncation.below = below;
  return Status::Ok();
}

// Returns how much of the log remains for replicas that are behind.
Result<Lsn> LogTruncator::RetainedFor(const ShardTablet& tablet, Lsn needed) const {
  const ShardOptions& options = shard_.options;
  const ReplicaCore& replica = tablet.core->replica();
  // A replica that was away for long may need entries that are gone. They do not count for the rest.
  const LogStretch wanted{std::max(needed, shard_.store().FirstLogged(tablet.id)), replica.last_appended().lsn};
  const auto from = [&](const LogRetention& retention) {
    return RetainedFrom(shard_.store(), tablet.id, wanted, retention);
  };
  if (!shard_.store().InMemory(tablet.table)) return from(options.log_retention);

  LogRetention least = options.memory_log_retention;
  const int64_t size = tablet.handle == nullptr ? 0 : tablet.handle->size_bytes.load(std::memory_order_relaxed);
  const uint64_t part = static_cast<uint64_t>(std::max<int64_t>(size, 0)) / options.memory_log_part;
  least.bytes_max = std::min(least.bytes_max, std::max(part, options.memory_log_bytes_least));
  EBLA_ASSIGN(const Lsn first, from(least));
  const bool present = IsNeededByThePresent(replica, first, shard_.Now() - options.memory_log_patience);
  return present ? from(options.memory_log_retention) : first;
}

}  // namespace ebla::tabletserver

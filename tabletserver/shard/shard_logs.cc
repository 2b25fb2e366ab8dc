// What a finished checkpoint means for the logs: a start has no need of what is below it, so they are truncated there.
// A little at a time: clients wait as long as one piece takes, and after a busy minute there are hundreds of MB.
#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/shard/shard.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {
namespace {

constexpr Duration kTruncationPause = std::chrono::milliseconds(5);
constexpr Duration kLatePause = std::chrono::milliseconds(1);  // where the next checkpoint was faster
constexpr uint64_t kPieceMin = 8;                              // entries: each may have hundreds of KB
constexpr uint64_t kPieceMax = 1 << 16;

}  // namespace

void Shard::TruncateLogs(const TabletStore::CheckpointResult& covered) {
  ports_.executor.Post([this, covered] {
    Pump();
    OnCheckpointed(covered);
    const bool under_way = !truncations_.empty();
    truncations_late_ = under_way;
    for (const auto& [id, lsn] : covered) {
      const auto tablet = Find(id);
      if (tablet == nullptr || tablet->removing || tablet->background_work || !lsn) continue;
      // Of an earlier life of this replica, dropped and made anew since that checkpoint.
      if (lsn > tablet->core->applied_state().applied.lsn) continue;
      truncations_[id] = {.tablet = tablet, .recoverable = lsn.Next()};
    }
    if (!under_way) ContinueTruncations();
  });
}

void Shard::ContinueTruncations() {
  Pump();  // a log with entries that are yet to be stored is left as it is
  const MonotonicTime begun = ports_.executor.Now();
  while (!truncations_.empty()) {
    // Round and round: where there is always more to do, nobody is always the last.
    auto one = truncations_.lower_bound(truncated_last_);
    if (one == truncations_.end()) one = truncations_.begin();
    truncated_last_ = one->first;
    const auto tablet = one->second.tablet.lock();
    bool more = false;
    if (tablet != nullptr && !tablet->removing && !tablet->background_work) {
      const Result<bool> truncated = TruncateSome(*tablet, one->second);
      // The next checkpoint tries again.
      if (!truncated) LOG(WARNING) << "cannot truncate the log of tablet " << tablet->id << ": " << truncated.error();
      more = truncated.value_or(false);
    }
    if (!more) truncations_.erase(one);
    const Duration took = ports_.executor.Now() - begun;
    if (!truncations_.empty() && took >= options_.truncation_slice) {
      const Duration pause = std::max(took, truncations_late_ ? kLatePause : kTruncationPause);
      ports_.executor.After(pause, [this] { ContinueTruncations(); });
      return;
    }
  }
}

// The log that a copy begins with may be where the old one was to be cut.
void Shard::StopTruncation(TabletId tablet) {
  if (const auto one = truncations_.find(tablet); one != truncations_.end()) one->second.tablet.reset();
}

// Whether there is more. The pieces go from the log's old end on: a crash between two leaves no gap.
Result<bool> Shard::TruncateSome(const Tablet& tablet, Truncation& truncation) {
  if (!truncation.below) {
    EBLA_TRY(BeginTruncation(tablet, truncation));
    return truncation.next < truncation.below;
  }
  const MonotonicTime begun = ports_.executor.Now();
  const Lsn from = truncation.next;
  truncation.next = std::min(truncation.below, Lsn{from.value + truncated_piece_});
  EBLA_TRY(ports_.store.TruncateLog(tablet.id, from, truncation.next));
  const Duration took = ports_.executor.Now() - begun;
  if (took > options_.truncation_slice / 2) truncated_piece_ = std::max(truncated_piece_ / 2, kPieceMin);
  if (took < options_.truncation_slice / 8) truncated_piece_ = std::min(truncated_piece_ * 2, kPieceMax);
  return truncation.next < truncation.below;
}

// Finds what may go, and has the core look no more for it. A start needs nothing below `recoverable`; replicas that are
// behind may, but not for ever: then they are copied.
Status Shard::BeginTruncation(const Tablet& tablet, Truncation& truncation) {
  const ReplicaCore& replica = tablet.core->replica();
  if (replica.store_behind()) return Status::Ok();  // what the store holds is not what the log is: the next checkpoint
  Lsn below = truncation.recoverable;
  if (const Lsn needed = replica.NeededFrom(); needed < below) {
    EBLA_ASSIGN(const Lsn kept,
                RetainedFrom(ports_.store, tablet.id, {needed, replica.last_appended().lsn}, options_.log_retention));
    below = std::min(below, kept);
  }
  EBLA_ASSIGN(const std::vector<LogEntry> oldest, ports_.store.ReadLog(tablet.id, Lsn{1}, Lsn{below.value - 1}, 1));
  EBLA_ASSIGN(const std::vector<LogEntry> first, ports_.store.ReadLog(tablet.id, below, Lsn{UINT64_MAX}, 1));
  tablet.core->Step(LogTruncated{first.empty() ? Version{} : first.front().version});
  if (oldest.empty()) return Status::Ok();
  truncation.next = oldest.front().version.lsn;
  truncation.below = below;
  return Status::Ok();
}

}  // namespace ebla::tabletserver

// tabletserver/shard/read_waiters.h
// The reads of one shard that wait: for an entry to be applied, for a purge, for a majority's word that the replica
// still leads; and those that take what they need from the log.
// Place:      the read path asks through reads/read_waits.h. A round wakes those whose entry it has applied, after it
//             has published the view that shows it (round_driver.h).
// Bounds:     awaiting_max reads that wait for an entry, queue_items_max that wait for a majority; beyond them
//             OVERLOADED.
// Threads:    what read_waits.h declares from any thread; the rest on the shard's executor.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tabletserver/reads/read_waits.h"
#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class ReadWaiters final : public ReadWaits {
 public:
  explicit ReadWaiters(const ShardContext& shard) : shard_(shard) {}

  void AwaitApplied(std::shared_ptr<TabletHandle> handle, Lsn upto, MonotonicTime deadline, size_t loop,
                    Done done) override;
  void TakeLogged(std::shared_ptr<TabletHandle> handle, KeyRange range, Lsn upto, size_t records_max, size_t loop,
                  LoggedDone done) override;
  void PurgeExpired(std::shared_ptr<TabletHandle> handle, std::vector<ExpiredKey> keys, TabletTime reached,
                    MonotonicTime deadline, size_t loop, Done done) override;
  void ConfirmLeadership(std::shared_ptr<TabletHandle> handle, MonotonicTime deadline, size_t loop, Done done) override;

  // ---- executor only ----
  // Wakes the reads whose entry is applied by now, and all reads once the replica no longer leads.
  void Wake(ShardTablet& tablet);
  void WakeAll(ShardTablet& tablet, const Status& status);
  void Confirm(std::vector<ConfirmReply>& replies);
  // Ends the reads whose deadline has passed.
  void Expire(ShardTablet& tablet, MonotonicTime now);
  void ExpireConfirms(MonotonicTime now);

 private:
  struct PendingConfirm {
    MonotonicTime deadline;
    size_t loop = 0;
    Done done;
  };
  void End(AwaitingRead read, Status status);
  void Answer(size_t loop, Done done, Status status);

  const ShardContext shard_;
  size_t awaiting_ = 0;  // of all tablets
  std::unordered_map<RequestToken, PendingConfirm> confirms_;
};

}  // namespace ebla::tabletserver

// tabletserver/shard/merger.h
// The side of the new tablet in a merge (PROTOCOL 10, 13, 14). Its shard asks the shards of the two whether they are
// applied through their FREEZE, and has both lent (part_lender.h, where the steps are drawn). The shard stores the
// states that the new tablet needs. One transaction then gives it all that both had, and one step of the directory puts
// it into their place. No record is touched.
// Place:      tablet_orders.h begins it with the configuration of a tablet that is merged of two and not here yet, and
//             is given back the configuration of the tablet once that is made, or cannot be made so.
// Invariants: 1. The new tablet's state is stored before the tombstones of the two: they without it would be the end of
//                what they had.
//             2. Nothing is merged for an epoch below a promise, or for a master whose term is over.
//             3. Once the store may have a part of the merge, only the merge continues with the three tablets, or a
//                crash ends it.
// Threads:    the shard's executor.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>

#include "tabletserver/shard/part_lender.h"
#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class Merger {
 public:
  explicit Merger(const ShardContext& shard) : shard_(shard) {}

  // The order makes the tablet of two others: nothing of it is here, and it was not dropped here.
  static bool Makes(const ShardTablet& tablet, const ConfigureTablet& input);
  // STALE_EPOCH: the server has promised a later epoch of the tablet, maybe to a master that has given the merge up
  // since (PROTOCOL 14). A merge in a later epoch obeys.
  static Status CheckPromise(const ShardTablet& tablet, const ConfigureTablet& input);
  // Called with the latest order once the tablet can obey it; with none, where the order has waited long enough. The
  // merge continues then.
  using Done = std::move_only_function<void(std::optional<ConfigureTablet>)>;
  void Merge(TabletId tablet, ConfigureTablet input, Done done);

 private:
  // A tablet that is to be made of two others, as long as they are asked.
  struct Merging {
    ConfigureTablet input;  // the latest
    Done done;              // null: it waits no more
    uint64_t orders = 0;
    std::optional<FrozenPart> left, right;

    const Merged& merged() const { return *input.replica.merged; }
    const MergedTablet& part(bool is_right) const { return is_right ? merged().right : merged().left; }
  };
  static void Answer(Merging& merging, std::optional<ConfigureTablet> input);
  void AwaitPart(TabletId tablet, bool right);
  void TakePart(TabletId tablet, bool right);
  // `merge_failed`: the tablet may be made without them.
  void Abandon(TabletId tablet, const Status& why, bool merge_failed = true);
  void Commit(TabletId tablet);
  Status Store(ShardTablet& tablet, const MergeResult& result, const FrozenTablet& left, const FrozenTablet& right);
  void Create(const ShardTabletPtr& tablet, const std::shared_ptr<const MergeResult>& result, const FrozenPart& left,
              const FrozenPart& right);

  const ShardContext shard_;
  std::unordered_map<TabletId, std::shared_ptr<Merging>> mergings_;
};

}  // namespace ebla::tabletserver

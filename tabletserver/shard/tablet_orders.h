// tabletserver/shard/tablet_orders.h
// The master's orders to the tablets of one shard: each is a step of the tablet's core, and answered when the core has
// answered it.
// Place:      service/control_service.h hands them in; the table is in the store already. A round brings the answers
//             (round_driver.h). An order for a tablet that is being merged is refused with COME_AGAIN.
// Invariants: 1. Every order is answered exactly once.
// Threads:    the orders from any, `done` runs on the shard's executor; the rest there alone.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class CopyTarget;
class Merger;
class Remover;

class TabletOrders {
 public:
  struct Parts {
    Merger& merger;
    Remover& remover;
    CopyTarget& copy_target;
  };
  TabletOrders(const ShardContext& shard, const Parts& parts) : shard_(shard), parts_(parts) {}

  void Configure(TabletId tablet, ConfigureTablet input, ControlDone done);
  void Fence(TabletId tablet, FenceReplica input, ControlDone done);
  void Drop(TabletId tablet, Epoch epoch, std::vector<TabletId> splits, ControlDone done);
  void Split(TabletId tablet, Epoch epoch, std::string key, TabletId child, ControlDone done);
  void Freeze(TabletId tablet, Epoch epoch, TabletId into, ControlDone done);
  void Transfer(TabletId tablet, Epoch epoch, ServerName target, Duration patience, ControlDone done);
  // For each replica of the table here.
  void Alter(TabletSchema schema, std::move_only_function<void(Status)> done);

  // ---- executor only ----
  void Reply(const ShardTabletPtr& tablet, ControlReply reply);
  // Raises the time of tablets that began in a doubt, once an operator has accepted the clock; to be called often.
  void RaiseTimes();

 private:
  void ConfigureNow(TabletId tablet, ConfigureTablet input, ControlDone done);
  // For a step whose answer returns as a ControlReply.
  RequestToken Expect(ControlDone done);
  void Obey(const ShardTabletPtr& tablet, ConfigureTablet input, ControlDone done);
  void EmptyFirst(const ShardTabletPtr& tablet, ConfigureTablet input, ControlDone done);
  static void Refuse(const ShardTablet& tablet, Status why, ControlDone& done);
  bool RefuseMerging(TabletId tablet, ControlDone& done) const;
  // Posts a step of the tablet's core: `input(token)` makes it.
  template <class Input>
  void PostStep(TabletId tablet, ControlDone done, Input input);

  const ShardContext shard_;
  const Parts parts_;
  std::unordered_map<RequestToken, ControlDone> waiting_;
  std::map<TabletId, TableId> begun_in_doubt_;  // led here since then
};

}  // namespace ebla::tabletserver

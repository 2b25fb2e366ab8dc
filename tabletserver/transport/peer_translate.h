// tabletserver/transport/peer_translate.h
// Translates between the peers' messages and the core's: appends, heartbeats, and the answers to both.
// Errors:  INVALID_ARGUMENT for entries that cannot be decoded, and for numbers that no honest peer sends
//          (common/base/number_limits.h). Translations from the core cannot fail.
// Threads: functions.
#pragma once

#include "idl/replication_types.h"
#include "tabletserver/replication/replica_types.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"

namespace ebla::tabletserver {

// Without its entries, which the sender encodes once for several peers.
idl::TabletAppend ToIdl(TabletId tablet, const AppendMessage& append);
idl::HeartbeatTablet ToIdl(TabletId tablet, const HeartbeatMessage& heartbeat);
// `latest`: the latest time that is believed, in ms.
Result<AppendMessage> FromIdl(const idl::TabletAppend& append, int64_t latest);
Result<HeartbeatMessage> FromIdl(const idl::HeartbeatTablet& heartbeat, int64_t latest);

idl::TabletAppendReply ToIdl(TabletId tablet, const AppendAnswer& answer);
idl::HeartbeatTabletReply ToIdl(TabletId tablet, const HeartbeatAnswer& answer);
Result<AppendAnswer> FromIdl(const idl::TabletAppendReply& reply);
Result<HeartbeatAnswer> FromIdl(const idl::HeartbeatTabletReply& reply);

idl::MemoryPressure ToIdl(const MemoryPressure& pressure);
Result<std::vector<MemoryPressure>> FromIdl(const std::vector<idl::MemoryPressure>& pressures);

}  // namespace ebla::tabletserver

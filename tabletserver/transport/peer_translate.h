// tabletserver/transport/peer_translate.h
// Between the peers' messages and the core's: appends, heartbeats, and the answers to both.
// Errors:  an append whose entries cannot be decoded is INVALID_ARGUMENT; the rest cannot fail.
// Threads: functions.
#pragma once

#include "idl/replication_types.h"
#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

// Without its entries, which the sender encodes once for several peers.
idl::TabletAppend ToIdl(TabletId tablet, const AppendMessage& append);
idl::HeartbeatTablet ToIdl(TabletId tablet, const HeartbeatMessage& heartbeat);
Result<AppendMessage> FromIdl(const idl::TabletAppend& append);
HeartbeatMessage FromIdl(const idl::HeartbeatTablet& heartbeat);

idl::TabletAppendReply ToIdl(TabletId tablet, const AppendAnswer& answer);
idl::HeartbeatTabletReply ToIdl(TabletId tablet, const HeartbeatAnswer& answer);
AppendAnswer FromIdl(const idl::TabletAppendReply& reply);
HeartbeatAnswer FromIdl(const idl::HeartbeatTabletReply& reply);

}  // namespace ebla::tabletserver

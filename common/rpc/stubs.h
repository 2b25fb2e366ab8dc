// common/rpc/stubs.h
// The generated asynchronous service interfaces over a Channel: how hosts and the client's core call another process.
// Errors:  a failed call returns a reply with the error's code and message (ReplyHeader, MasterReplyHeader,
//          types.Status), with the code that channel.h names; a reply that cannot be read is UNKNOWN_OUTCOME.
// Time:    a call waits for its request's deadline (header.deadlineMs, or deadlineMs) and a little longer, so that the
//          server's own answer arrives first; without such a field, or with 0, for `default_timeout`.
// Threads: calls from any thread; callbacks run on the channel's executor, never inside the call.
#pragma once

#include <memory>

#include "common/rpc/channel.h"
#include "idl/ControlService.h"
#include "idl/MasterService.h"
#include "idl/ReplicationService.h"
#include "idl/TabletService.h"

namespace ebla::rpc {

inline constexpr Duration kDeadlineGrace = std::chrono::milliseconds(50);

std::shared_ptr<idl::TabletServiceCobSvIf> MakeTabletStub(std::shared_ptr<Channel> channel, Duration default_timeout);
std::shared_ptr<idl::MasterServiceCobSvIf> MakeMasterStub(std::shared_ptr<Channel> channel, Duration default_timeout);
std::shared_ptr<idl::ControlServiceCobSvIf> MakeControlStub(std::shared_ptr<Channel> channel, Duration default_timeout);
std::shared_ptr<idl::ReplicationServiceCobSvIf> MakeReplicationStub(std::shared_ptr<Channel> channel,
                                                                    Duration default_timeout);

}  // namespace ebla::rpc

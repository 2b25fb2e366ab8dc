// common/process/addresses.h
// Addresses that flags name: where a process listens, and by which address others reach it.
// Place:   mains and server_process.cc.
// Errors:  INVALID_ARGUMENT names the flag, what is wrong and what to write instead. UNAVAILABLE: no resolver answers
//          now, so that the same flag may do later.
// Threads: functions; a name is resolved while the caller waits.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/rpc/channel.h"

namespace ebla::process {

// host:port or [v6 address]:port.
Result<rpc::Endpoint> EndpointFlag(const std::string& flag, const std::string& text);
// The same; the host resolves.
Result<rpc::Endpoint> ListenFlag(const std::string& flag, const std::string& text);

// By which others reach a process that listens at `listening`: `advertise`, the flag of that name, or, where that is
// empty, where it listens. The host resolves to an address of one machine, and a flag's port is not 0.
Result<rpc::Endpoint> AdvertisedAddress(const std::string& advertise, const rpc::Endpoint& listening);

// An address that this machine alone reaches.
bool IsLoopback(const rpc::Endpoint& endpoint);
// A numeric address that stands for every address of this machine.
bool IsWildcard(const rpc::Endpoint& endpoint);

}  // namespace ebla::process

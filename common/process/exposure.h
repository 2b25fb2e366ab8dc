// common/process/exposure.h
// Whether others than this machine's processes could speak to an address that nothing guards, and --insecure.
// Place:   security_flags.h for servers; the mains of what listens besides.
// Threads: one.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/process/addresses.h"
#include "common/rpc/channel.h"

namespace ebla::process {

// Checks an address without TLS, with the flag that names it. INVALID_ARGUMENT, with `advice`, if other machines reach
// it and --insecure does not allow that. Logs the risk of --insecure.
Status CheckUnguarded(const std::string& flag, const rpc::Endpoint& endpoint, const std::string& advice);

}  // namespace ebla::process

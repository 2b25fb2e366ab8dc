// gateway/host/gateway_flags.h
// The flags that choose a gateway's protocols and tables: of ebla-gateway, and of ebla-standalone, which contains a
// gateway.
// Threads: main's.
#pragma once

#include "common/base/status.h"
#include "gateway/host/gateway_host.h"

namespace ebla::gateway {

// Whether a flag asks for a listener. INVALID_ARGUMENT: none does, but another flag is about the tables of its clients.
Result<bool> GatewayIsAskedFor();

// INVALID_ARGUMENT names the flag. Without `tls` a listener's address must be reachable from this machine alone, unless
// --insecure allows more; the error ends with `remedy`.
Result<GatewayOptions> GatewayOptionsFromFlags(std::shared_ptr<security::TlsCredentials> tls, const char* remedy);

}  // namespace ebla::gateway

// gateway/host/gateway_flags.h
// The flags that say which protocols a gateway speaks, and over which tables: of ebla-gateway, and of ebla-standalone, which
// has one within.
// Threads: main's.
#pragma once

#include "common/base/status.h"
#include "gateway/host/gateway_host.h"

namespace ebla::gateway {

// Whether any of them asks for one. INVALID_ARGUMENT: none does, but one says what tables are made for its clients.
Result<bool> GatewayIsAskedFor();

// INVALID_ARGUMENT names the flag. Without `tls` only addresses of this machine alone are taken, or what --insecure allows;
// `remedy` says what to do instead.
Result<GatewayOptions> GatewayOptionsFromFlags(std::shared_ptr<security::TlsCredentials> tls, const char* remedy);

}  // namespace ebla::gateway

// common/process/security_flags.h
// Flags that decide which callers a server trusts: --tls_dir, and the --insecure of exposure.h.
// Place:   the mains of servers, after the flags are parsed.
// Threads: one.
#pragma once

#include <memory>

#include "common/base/status.h"
#include "common/rpc/channel.h"
#include "common/security/audit_log.h"
#include "common/security/tls.h"

namespace ebla::process {

// The credentials of --tls_dir; null without it.
Result<std::shared_ptr<security::TlsCredentials>> ServerCertificates();
// Tablet servers obey a master's certificate. A process that is its own master obeys its own certificate, unless other
// processes share it. Without certificates every caller is obeyed.
enum class Orders { kTabletServers, kItself };
// INVALID_ARGUMENT for a certificate that the servers it `orders` about would refuse.
Status CheckIsObeyed(security::TlsCredentials* own, Orders orders);

// The value of --password_logins.
bool PasswordLogins();
// The log of --audit_log; null without it.
Result<std::unique_ptr<security::AuditLog>> OpenAuditLog();

// A listening address, and which machines reach it.
struct Exposure {
  rpc::Endpoint listen;       // calls
  rpc::Endpoint http_listen;  // metrics and flags
};
// INVALID_ARGUMENT where others than this machine's could speak to it unasked, and --insecure does not allow that. Logs
// what --insecure leaves open.
Status CheckExposure(const Exposure& exposure);
// Whether it leaves anything open.
bool IsExposed(const Exposure& exposure);

}  // namespace ebla::process

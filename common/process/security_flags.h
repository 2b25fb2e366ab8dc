// common/process/security_flags.h
// How a server is told whom it may trust: --tls_dir, and the --insecure of exposure.h.
// Place:   the mains of servers, after the flags are parsed.
// Threads: one.
#pragma once

#include <memory>

#include "common/base/status.h"
#include "common/rpc/channel.h"
#include "common/security/audit_log.h"
#include "common/security/tls.h"

namespace ebla::process {

// Of --tls_dir; null where there is none.
Result<std::shared_ptr<security::TlsCredentials>> ServerCertificates();
// Tablet servers obey a master's certificate. One that is its own master obeys its own, unless others share that.
// Without certificates everybody is obeyed.
enum class Orders { kTabletServers, kItself };
// INVALID_ARGUMENT for a certificate with which whom it `orders` about would refuse.
Status CheckIsObeyed(security::TlsCredentials* own, Orders orders);

// Of --password_logins.
bool PasswordLogins();
// Of --audit_log; null where there is none.
Result<std::unique_ptr<security::AuditLog>> OpenAuditLog();

// Who listens, and what can reach it.
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

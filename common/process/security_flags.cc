#include "common/process/security_flags.h"

#include <gflags/gflags.h>

#include "common/process/exposure.h"

DEFINE_string(tls_dir, "",
              "Directory with ca.crt, server.crt and server.key, and optionally ca.crl. With it, every connection "
              "speaks TLS and shows a certificate. HTTP needs it, too, except /healthz and /readyz. Empty: the "
              "server trusts every caller that reaches it.");
DEFINE_bool(password_logins, false,
            "With --tls_dir: let clients without a certificate connect and log in with a name and a password. They can "
            "do nothing else before they log in.");
DEFINE_string(audit_log, "",
              "File that records, as JSON lines, what operators and admins change here, and which callers are refused. "
              "At 64 MiB the server starts a new file and retains eight older ones. Empty: no audit log.");
DEFINE_bool(audit_data, false, "Record reads and writes of data in --audit_log, too.");

namespace ebla::process {

Result<std::shared_ptr<security::TlsCredentials>> ServerCertificates() {
  if (FLAGS_tls_dir.empty()) return nullptr;
  return security::TlsCredentials::Load(FLAGS_tls_dir, "server");
}

Status CheckIsObeyed(security::TlsCredentials* own, Orders orders) {
  if (own == nullptr) return {};
  EBLA_ASSIGN(const security::Identity self, own->Self());
  if (self.kind == security::Identity::Kind::kMaster) return {};
  if (orders == Orders::kItself && self.is_process() && self.name != security::kAnyServer) return {};
  return Error(Code::kInvalidArgument,
               FLAGS_tls_dir + "/server.crt is of the " + security::UnitOf(self.kind) + " \"" + self.name +
                   "\", and tablet servers obey only masters: make a master's certificate with " +
                   "ebla cert create-server NAME --master");
}

bool PasswordLogins() { return FLAGS_password_logins; }

Result<std::unique_ptr<security::AuditLog>> OpenAuditLog() {
  if (FLAGS_audit_log.empty()) return nullptr;
  return security::AuditLog::Open({.file = FLAGS_audit_log, .data = FLAGS_audit_data});
}

Status CheckExposure(const Exposure& exposure) {
  if (!FLAGS_tls_dir.empty()) return {};
  const std::string advice = "give it certificates with --tls_dir (ebla cert makes them)";
  EBLA_TRY(CheckUnguarded("listen", exposure.listen, advice));
  return CheckUnguarded("http_listen", exposure.http_listen, advice);
}

bool IsExposed(const Exposure& exposure) {
  return FLAGS_tls_dir.empty() && !(IsLoopback(exposure.listen) && IsLoopback(exposure.http_listen));
}

}  // namespace ebla::process

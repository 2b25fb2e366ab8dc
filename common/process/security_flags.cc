#include "common/process/security_flags.h"

#include <gflags/gflags.h>
#include <glog/logging.h>

DEFINE_string(tls_dir, "",
              "Directory of ca.crt, server.crt and server.key (and ca.crl, if there is one). With it, every connection "
              "speaks TLS and shows a certificate; HTTP, too, but for /healthz and /readyz. Empty: everybody who "
              "reaches this server is trusted.");
DEFINE_bool(insecure, false,
            "Listen on addresses that other machines reach, too, where TLS does not guard them. Whoever reaches them "
            "can read, change and destroy everything.");

DEFINE_bool(password_logins, false,
            "With --tls_dir: let clients without a certificate connect and log in with a name and a password. Until "
            "they have, they can do nothing else.");
DEFINE_string(audit_log, "",
              "File of what operators and admins change here, and of who is refused, as JSON lines. It takes 64 MiB, "
              "and eight older ones beside it. Empty: none.");
DEFINE_bool(audit_data, false, "Write reads and writes of data into --audit_log, too.");

namespace ebla::process {
namespace {

bool IsLoopback(const rpc::Endpoint& endpoint) {
  return endpoint.host.starts_with("127.") || endpoint.host == "::1" || endpoint.host == "localhost";
}

Status Exposed(const std::string& flag, const rpc::Endpoint& endpoint, const std::string& advice) {
  if (!FLAGS_insecure)
    return {Code::kInvalidArgument, "--" + flag + "=" + endpoint.ToString() +
                                        " can be reached from other machines, and nothing guards it: " + advice +
                                        ", listen on 127.0.0.1, or say --insecure where the network is your own"};
  LOG(WARNING) << "--insecure: whoever reaches " << endpoint.ToString() << " (--" << flag << ") is trusted";
  return {};
}

}  // namespace

Result<std::shared_ptr<security::TlsCredentials>> ServerCertificates() {
  if (FLAGS_tls_dir.empty()) return nullptr;
  return security::TlsCredentials::Load(FLAGS_tls_dir, "server");
}

Status CheckIsObeyed(security::TlsCredentials* own, Orders orders) {
  if (own == nullptr) return {};
  EBLA_ASSIGN(const security::Identity self, own->Self());
  if (self.kind == security::Identity::Kind::kMaster) return {};
  if (orders == Orders::kItself && self.is_process() && self.name != security::kAnyServer) return {};
  return Error(Code::kInvalidArgument, FLAGS_tls_dir + "/server.crt is of the " + security::UnitOf(self.kind) + " \"" +
                                           self.name + "\", whom tablet servers do not obey: make a master's with " +
                                           "ebla cert create-server NAME --master");
}

bool PasswordLogins() { return FLAGS_password_logins; }

Result<std::unique_ptr<security::AuditLog>> OpenAuditLog() {
  if (FLAGS_audit_log.empty()) return nullptr;
  return security::AuditLog::Open({.file = FLAGS_audit_log, .data = FLAGS_audit_data});
}

Status CheckExposure(const Exposure& exposure) {
  if (FLAGS_tls_dir.empty() && !IsLoopback(exposure.listen))
    EBLA_TRY(Exposed("listen", exposure.listen, "give it certificates with --tls_dir (ebla cert makes them)"));
  if (FLAGS_tls_dir.empty() && !IsLoopback(exposure.http_listen))
    EBLA_TRY(
        Exposed("http_listen", exposure.http_listen, "give it certificates with --tls_dir (ebla cert makes them)"));
  return {};
}

bool IsExposed(const Exposure& exposure) {
  return FLAGS_tls_dir.empty() && !(IsLoopback(exposure.listen) && IsLoopback(exposure.http_listen));
}

}  // namespace ebla::process

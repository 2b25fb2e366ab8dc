// common/http/http_server.h
// The small HTTP server of every process: /metrics, /healthz, /readyz, /flags, and pages that hosts add.
//   /          a page for people with the process, its readiness, its figures, and its other pages
//   /metrics   Prometheus text of the registry
//   /healthz   200 while the process answers at all
//   /readyz    200 "ready", or "ready, degraded" with what the process lacks; or 503 and the reason
//   /flags     the flags and their values; POST /flags?name=value changes one of `settable_flags`
// Access:     Without TLS, every caller reads, and only this machine changes flags. With `tls` it speaks TLS 1.3, also
//             on loopback. A client with a certificate of the cluster reads everything, and an operator changes flags,
//             from anywhere. Probes have no certificate. For a caller without one, /healthz and /readyz answer without
//             the reason, and every other page answers 403. A refused certificate ends the handshake. A web page
//             changes no flags, because requests with an Origin are refused. Changes of flags are logged; each POST
//             /flags is audited.
// Place:      main makes it on a separate event loop, so that a slow page delays no request.
// Invariants: 1. GET and HEAD change nothing. Requests over 64 KiB and unknown paths are refused.
//             2. At `connections_max` no connection is accepted until one of them ends; further ones wait in the
//                kernel, and cost the process no descriptor.
// Threads:    AddPage before Start; pages and the ready function run on the server's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/rpc/channel.h"
#include "common/security/audit_log.h"
#include "common/security/tls.h"

namespace prometheus {
class Collectable;
}

namespace ebla::http {

struct HttpOptions {
  std::string title = "Ebla";                     // of the page for people, for example "tablet server ts-1"
  rpc::Endpoint listen{"127.0.0.1", 0};           // port 0: the system picks
  std::shared_ptr<security::TlsCredentials> tls;  // null: in the clear
  std::chrono::seconds timeout{30};               // of a connection that neither sends nor reads, also in a handshake
  size_t connections_max = 256;                   // at a time, those in their handshake among them
  std::shared_ptr<prometheus::Collectable> metrics;  // may be null: /metrics is empty
  std::function<Status()> ready = [] { return Status::Ok(); };
  // The services that a ready process lacks at present; empty: none. It still receives requests.
  std::function<std::string()> degraded = [] { return std::string(); };
  security::AuditLog* audit = nullptr;      // outlives the server; null: none
  std::vector<std::string> settable_flags;  // names of gflags that may change while the process runs
};

struct Page {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  explicit HttpServer(HttpOptions options);
  ~HttpServer();  // Stop()

  // `path` begins with "/"; `query` is what follows "?" (undecoded), may be empty.
  void AddPage(std::string path, std::function<Page(const std::string& query)> page);

  // UNAVAILABLE, naming the address, when it cannot listen there.
  Status Start();
  void Stop();
  const rpc::Endpoint& address() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebla::http

// common/security/tls.h
// TLS 1.3 in both directions, each side with a certificate that the cluster's authority has signed. It knows no socket:
// bytes go in and come out.
// Files:   in one directory: ca.crt, the authority; NAME.crt and NAME.key, this process's own, NAME being "server" or
//          "client"; and, if there is one, ca.crl, what the authority has revoked. All of them PEM.
// Who:     a certificate's organizational unit is "server" or "master" for a process of the cluster, "operator" or
//          "user" for any other client; its common name is the name. Others are refused. OpenSSL restricts all but
//          servers and masters to clientAuth, so that none of them can pose as one. A peer with this process's own name
//          is this process itself, as in a server that is its own master, and is trusted.
// Source:  OpenSSL 3; RFC 8446.
// Errors:  INVALID_ARGUMENT, naming the file and what to do, for files that cannot be used, a certificate of its own
//          that has expired or is not valid yet among them; UNAVAILABLE for a peer that is refused or breaks the
//          protocol.
// Threads: TlsCredentials from any; a TlsSession belongs to its connection.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/security/identity.h"

struct ssl_ctx_st;
struct ssl_st;

namespace ebla::security {

class TlsSession;

// This process's certificates as they are now.
class TlsCredentials {
 public:
  // `name`: "server" or "client".
  // kOptional: a client that logs in needs no certificate. kOfAnyTime: required, but may have expired, for a test of
  // whether other processes notice.
  enum class Own { kRequired, kOptional, kOfAnyTime };
  static Result<std::shared_ptr<TlsCredentials>> Load(std::string directory, std::string name,
                                                      Own own = Own::kRequired);

  // Reads the files again when one of them has changed: true. Connections that are up stay as they are. An error leaves
  // everything as it was. So does a ca.crl that vanishes after it was read, because deleting it must not admit revoked
  // certificates.
  Result<bool> Refresh();

  // Before the first connection, in a process that calls itself. A peer with this very certificate is then trusted,
  // unless the certificate is valid for any server.
  void TrustItself() { trusts_itself_ = true; }
  bool trusts_itself() const { return trusts_itself_; }
  // Whom its certificate names; NOT_FOUND where it has none.
  Result<Identity> Self();
  // When its own certificate ends, as Unix time; none: it has none.
  std::optional<int64_t> NotAfter();

  // Begins the session of a new connection. Files that have changed are read first, once a second at most; an error in
  // them is logged once. `nobody`: also from a client without a certificate.
  std::unique_ptr<TlsSession> Accept(bool nobody = false);
  // `host`: the name or address that the server's certificate has to name.
  std::unique_ptr<TlsSession> Connect(const std::string& host);
  // Like Accept(), for a caller that transports the bytes itself (HTTP) and frees the session; the peer may show no
  // certificate.
  ssl_st* AcceptAnonymous();
  // The peer of an established session. No value: it showed no certificate, or an anonymous one, or a gateway's.
  static std::optional<Identity> PeerOf(ssl_st* ssl);

 private:
  TlsCredentials(std::string directory, std::string name, Own own)
      : directory_(std::move(directory)), name_(std::move(name)), own_(own) {}
  std::string FileChanges() const;
  std::shared_ptr<ssl_ctx_st> Context();

  const std::string directory_;
  const std::string name_;
  const Own own_;
  bool trusts_itself_ = false;
  mutable Mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_ EBLA_GUARDED_BY(mutex_);
  std::string file_changes_ EBLA_GUARDED_BY(mutex_);  // when each file was last written
  std::chrono::steady_clock::time_point looked_ EBLA_GUARDED_BY(mutex_);
  std::string wrong_ EBLA_GUARDED_BY(mutex_);  // with the files at the last look; logged
};

// One connection's part of it. After an error it is of no more use, but for what is still to be sent.
class TlsSession {
 public:
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // The first bytes of the connecting side; nothing on the accepting one.
  Status Start(std::string& out);
  // Takes bytes from the peer. Appends the decrypted ones to `plain`, and bytes to be sent to `out`.
  Status Receive(std::string_view bytes, std::string& plain, std::string& out);
  // Only once it is established.
  Status Send(std::string_view plain, std::string& out);

  // Both sides have authenticated themselves.
  bool established() const { return established_; }
  // The peer has ended it in good order.
  bool ended() const { return ended_; }
  // Once it is established.
  const Identity& peer() const { return peer_; }

 private:
  friend class TlsCredentials;
  TlsSession(ssl_st* ssl, bool trusts_itself);
  Status Handshake();
  Status Failure(const std::string& what);

  ssl_st* const ssl_;
  const bool trusts_itself_;
  std::string_view in_;         // what OpenSSL reads from, during a call
  std::string* out_ = nullptr;  // what it writes to, during a call
  bool established_ = false;
  bool ended_ = false;
  Identity peer_;
};

}  // namespace ebla::security

// common/security/certificates.h
// Makes what tls.h reads: an authority, the certificates that it signs, and the list of those it has revoked.
// Place:   `ebla cert` calls it. Nothing that serves does: the authority's key belongs on no server.
// Keys:    elliptic, P-256; signatures with SHA-256. Key files are readable by their owner alone.
// Errors:  INVALID_ARGUMENT for files that are there already, or that cannot be read or written; nothing is
//          overwritten.
// Threads: functions; one at a time for an authority.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/security/identity.h"

namespace ebla::security {

// ca.crt, ca.key and ca.crl, which revokes nothing yet.
Status CreateAuthority(const std::string& directory, int days);

struct CertificateOptions {
  Identity::Kind kind = Identity::Kind::kUser;  // or another
  std::string name;                             // the common name
  std::vector<std::string> hosts;  // of a server: the names and addresses under which others reach it; one at least
  int days = 365;                  // from now on; none or fewer: it has expired
};
// server.crt and server.key, or client.crt and client.key, and a copy of ca.crt.
Status CreateCertificate(const std::string& authority_directory, const std::string& directory,
                         const CertificateOptions& options);

// Adds the certificate to the authority's ca.crl, which every server is then given.
Status Revoke(const std::string& authority_directory, const std::string& certificate_file);

}  // namespace ebla::security

// common/security/identity.h
// Who is at the other end of a connection.
// Place:   a certificate says it (tls.h); the dispatcher asks it who may call what.
// Threads: a value.
#pragma once

#include <string>

namespace ebla::security {

struct Identity {
  enum class Kind {
    kTrusted,  // without security, everybody
    kServer,   // a process of the cluster
    kUser,
  };

  bool of_cluster() const { return kind != Kind::kUser; }

  Kind kind = Kind::kTrusted;
  std::string name;  // of the server or user; empty where everybody is trusted
};

}  // namespace ebla::security

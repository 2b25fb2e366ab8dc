// common/security/identity.h
// Who is at the other end of a connection.
// Place:   a certificate says it (tls.h); the dispatcher asks it before it calls anything.
// Threads: a value.
#pragma once

#include <string>

namespace ebla::security {

struct Identity {
  // Each may do what those before it may.
  enum class Kind {
    kUser,      // data
    kOperator,  // and tables, servers, the cluster
    kServer,    // and what processes of the cluster tell each other; it is one of them
    kTrusted,   // without security, everybody
  };

  bool may(Kind what) const { return kind >= what; }

  Kind kind = Kind::kTrusted;
  std::string name;  // of the server or user; empty where everybody is trusted
};

// What a certificate has for its organizational unit.
constexpr const char* UnitOf(Identity::Kind kind) {
  constexpr const char* kUnits[] = {"user", "operator", "server", ""};
  return kUnits[static_cast<int>(kind)];
}

}  // namespace ebla::security

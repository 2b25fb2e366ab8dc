// common/security/identity.h
// The peer of a connection.
// Place:   from a certificate (tls.h) or a login (caller.h); the dispatcher checks it before it calls a handler.
// Threads: a value.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ebla::security {

// The name in a certificate that several servers share.
inline constexpr std::string_view kAnyServer = "*";

struct Identity {
  // An anonymous caller may log in, and nothing else. Every other caller may do what users may, within its grants if it
  // is a user.
  enum class Kind {
    kAnonymous,  // it has no certificate, and has not logged in
    kUser,       // data
    kOperator,   // and tables, servers, the cluster
    kServer,     // and what tablet servers tell each other and their master; it is one of them
    kMaster,     // and what masters order
    kGateway,    // nothing: it listens for clients of other stores, and a thief of its certificate may do no more
    kTrusted,    // everything: without security, everybody
  };

  bool may(Kind what) const {
    if (kind == Kind::kGateway) return false;
    return what == Kind::kAnonymous || (what == Kind::kUser && kind != Kind::kAnonymous) || what == kind ||
           kind == Kind::kTrusted;
  }
  // It may call nothing, or nothing but a login.
  bool is_anonymous() const { return kind == Kind::kAnonymous || kind == Kind::kGateway; }
  // Others connect to it: its certificate names hosts.
  bool listens() const { return is_process() || kind == Kind::kGateway; }
  bool is_process() const { return kind == Kind::kServer || kind == Kind::kMaster; }
  // Whether it is believed to be the server of this name.
  bool MaySpeakFor(const std::string& server) const {
    return kind == Kind::kTrusted || (kind == Kind::kServer && (name == server || name == kAnyServer));
  }
  bool operator==(const Identity&) const = default;
  // The flow under which this caller's requests share resources with others.
  size_t flow() const { return std::hash<std::string>{}(name) * 8 + static_cast<size_t>(kind); }

  Kind kind = Kind::kTrusted;
  std::string name;  // of the server or user; empty where everybody is trusted
  // After a login: the stored key of the password (scram.h). The login ends when that key changes.
  std::string proof;
};

// The organizational unit in a certificate.
constexpr const char* UnitOf(Identity::Kind kind) {
  constexpr const char* kUnits[] = {"nobody", "user", "operator", "server", "master", "gateway", ""};
  return kUnits[static_cast<int>(kind)];
}

}  // namespace ebla::security

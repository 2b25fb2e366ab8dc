// common/security/scram.h
// Login by name and password: SCRAM-SHA-256 without channel binding, both sides. The password is never sent, and a
// server's stored data is not enough to log in. TLS has authenticated the server already.
// Place:   the client's connection and rpc/login_service.h carry the messages.
// Source:  RFC 5802, RFC 7677; passwords are taken as their bytes, without SASLprep.
// Errors:  INVALID_ARGUMENT a message that breaks the protocol; PERMISSION_DENIED the wrong name or password, or a
//          server that does not know the user.
// Threads: ScramCredentials from any; an exchange belongs to its connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "idl/access_types.h"

namespace ebla::security {

inline constexpr int kScramIterations = 16'384;
inline constexpr int kScramIterationsMin = 4'096;    // RFC 7677
inline constexpr int kScramIterationsMax = 500'000;  // no server may keep a client busy for longer

// The first line of a file. INVALID_ARGUMENT, naming the file.
Result<std::string> ReadPassword(const std::string& file);
// For ScramServer::First.
std::string MakeUnknownUserKey();
// The credentials of a new password, with fresh salt.
Result<idl::Secret> MakeSecret(std::string_view password, int iterations = kScramIterations);
// INVALID_ARGUMENT unless it looks as MakeSecret makes one now: another would tell that its user is known.
Status CheckSecret(const idl::Secret& secret);

// "SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>", in base64: as PostgreSQL and others write it. A thief
// of it can try passwords, and pose as the server.
std::string FormatSecret(const idl::Secret& secret);
Result<idl::Secret> ParseSecret(std::string_view text);

// A client's name and password, and the costly part of each login, done once.
class ScramCredentials {
 public:
  ScramCredentials(std::string user, std::string password) : user_(std::move(user)), password_(std::move(password)) {}
  const std::string& user() const { return user_; }
  Result<std::string> SaltedPassword(const std::string& salt, int iterations) const;

 private:
  const std::string user_;
  const std::string password_;
  mutable Mutex mutex_;
  mutable std::string salt_ EBLA_GUARDED_BY(mutex_);
  mutable int iterations_ EBLA_GUARDED_BY(mutex_) = 0;
  mutable std::string salted_ EBLA_GUARDED_BY(mutex_);
};

// The client's side of one login: send First(), answer the server's reply with Final(), and judge its last message with
// Check().
class ScramClient {
 public:
  explicit ScramClient(std::shared_ptr<const ScramCredentials> credentials);
  std::string First() const { return "n,," + first_bare_; }
  Result<std::string> Final(std::string_view server_first);
  Status Check(std::string_view server_final) const;

 private:
  const std::shared_ptr<const ScramCredentials> credentials_;
  const std::string nonce_;
  const std::string first_bare_;
  std::string server_signature_;
};

// The server's side of one login.
class ScramServer {
 public:
  // None: no such user, or one without a password. It is answered like any other, and fails at the end. With
  // `unknown_user_key`, a secret of the cluster's, every server answers alike, before and after a restart.
  using FindSecret = std::function<std::optional<idl::Secret>(const std::string& user)>;
  Result<std::string> First(std::string_view client_first, const FindSecret& find,
                            const std::string& unknown_user_key = {});
  Result<std::string> Final(std::string_view client_final);
  const std::string& user() const { return user_; }  // once First() has passed
  const std::string& proof() const { return secret_.storedKey; }

 private:
  std::string user_;
  std::string nonce_;
  std::string auth_message_;
  idl::Secret secret_;
  bool known_ = false;
};

}  // namespace ebla::security

// common/rpc/login_exchange.h
// The client's login on a new connection, as messages. Internal to common/rpc.
// Place:   connection.h sends its messages before any call, and passes it the answers.
// Errors:  PERMISSION_DENIED wrong user or password; OVERLOADED too many logins from here have failed; UNAVAILABLE the
//          server cannot judge now.
// Threads: its connection's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/security/scram.h"

namespace ebla::rpc {

class LoginExchange {
 public:
  explicit LoginExchange(std::shared_ptr<const security::ScramCredentials> credentials)
      : client_(std::move(credentials)) {}
  // The message (no frame header) that begins it.
  std::string Begin() const;
  // The next message for the server; none: it is done.
  Result<std::optional<std::string>> OnReply(std::string_view message);

 private:
  security::ScramClient client_;
  bool proved_ = false;  // the final message has been sent
};

}  // namespace ebla::rpc

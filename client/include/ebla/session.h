// client/include/ebla/session.h
// What one user of an application has seen: reads at Read::InSession() that carry it see everything it wrote or read
// before, on any replica. Its token continues it in another process.
// Threads: any; calls that share a session at the same moment each see what had finished when they began; of a
//          LOST_WRITE one of them alone may be told; who continues the session from a token taken meanwhile is not.
#pragma once

#include <memory>
#include <string>

#include "common/base/status.h"

namespace ebla {

namespace client {
class SessionState;
class SessionAccess;
}  // namespace client

class Session {
 public:
  Session(const Session&) = default;  // copies are the same session
  Session(Session&&) noexcept = default;
  Session& operator=(const Session&) = default;
  Session& operator=(Session&&) noexcept = default;
  ~Session();

  // Printable (base64url) and opaque; hand it to Client::NewSession(token). Grows with what the session has touched, to
  // a few KB at most.
  std::string Token() const;

 private:
  friend class client::SessionAccess;
  explicit Session(std::shared_ptr<client::SessionState> state);

  std::shared_ptr<client::SessionState> state_;
};

}  // namespace ebla

// client/include/ebla/session.h
// The positions that one user of an application has seen. Reads at Read::InSession() see everything that the session
// wrote or read before, on any replica. Its token continues it in another process.
// Threads: any; concurrent calls of a session each see the calls that had finished when they began. Only one of them
//          may return a LOST_WRITE; a session continued from a token taken meanwhile does not.
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

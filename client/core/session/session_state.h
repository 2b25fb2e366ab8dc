// client/core/session/session_state.h
// A session's tokens behind a lock: what Session points to, and what operations read before and write after.
// Threads: any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/core/session/session_tokens.h"
#include "common/base/mutex.h"
#include "ebla/session.h"

namespace ebla::client {

class SessionState {
 public:
  SessionState() = default;
  explicit SessionState(SessionTokens tokens) : tokens_(std::move(tokens)) {}

  // The positions to send with a request for `touched`; nothing if the token is coarse there, so that the read is at
  // STRONG.
  std::optional<std::vector<TokenRange>> For(TableId table, const KeyRange& touched) const;

  template <class Change>  // void(TableToken&)
  void Update(TableId table, Change change) {
    MutexLock lock(mutex_);
    change(tokens_[table]);
  }
  std::string Export() const;

 private:
  mutable Mutex mutex_;
  SessionTokens tokens_ EBLA_GUARDED_BY(mutex_);
};

// Between the public Session and what it points to.
class SessionAccess {
 public:
  static Session Make(std::shared_ptr<SessionState> state) { return Session(std::move(state)); }
  static std::shared_ptr<SessionState> Get(const Session* session) { return session ? session->state_ : nullptr; }
};

}  // namespace ebla::client

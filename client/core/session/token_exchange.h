// client/core/session/token_exchange.h
// One operation's side of its session: the part of the token that an attempt carries, and what its answer adds.
// Place:   Operation has one; without a session it sends nothing and learns nothing. session_state.h keeps the tokens.
// Threads: compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/core/session/session_state.h"
#include "ebla/options.h"
#include "idl/tablet_types.h"

namespace ebla::client {

class TokenExchange {
 public:
  void Join(std::shared_ptr<SessionState> session) { session_ = std::move(session); }
  const std::shared_ptr<SessionState>& session() const { return session_; }

  // ---- before an attempt ---- Takes the session's positions of keys that the answer may concern.
  void Take(TableId table, const KeyRange& may_be_shown);
  // The token does not fit into a request: only the primary can answer.
  bool coarse() const { return coarse_; }
  // The level to ask for in a read at `level`: with a coarse token, STRONG in place of SESSION.
  Read::Level LevelToAsk(Read::Level level);
  void Fill(idl::RequestHeader& header) const;

  // ---- after it; `range`: of the answer ----
  void Observe(TableId table, const KeyRange& range, Version applied);
  // LOST_WRITE: returns a text for people about the session's next step.
  std::string Lost(TableId table, const KeyRange& range, Version applied);

 private:
  std::shared_ptr<SessionState> session_;
  std::vector<TokenRange> sent_;
  bool coarse_ = false;
  bool judged_ = false;  // the attempt's success means that all the token's versions were judged
};

}  // namespace ebla::client

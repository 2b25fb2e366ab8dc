#include "client/core/session/session_state.h"

#include "common/base/mutex.h"

namespace ebla::client {

std::optional<std::vector<TokenRange>> SessionState::For(TableId table, const KeyRange& touched) const {
  MutexLock lock(mutex_);
  const auto found = tokens_.find(table);
  if (found == tokens_.end()) return std::vector<TokenRange>();
  if (found->second.coarse()) return std::nullopt;
  std::vector<TokenRange> ranges = found->second.For(touched);
  if (ranges.size() > kTokenRangesMax) return std::nullopt;
  return ranges;
}

std::string SessionState::Export() const {
  MutexLock lock(mutex_);
  return EncodeTokens(tokens_);
}

}  // namespace ebla::client

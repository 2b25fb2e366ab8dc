#include "client/core/session/token_exchange.h"

#include <utility>

#include "common/rpc/idl_convert.h"

namespace ebla::client {

namespace {

idl::TokenRange ToIdl(const TokenRange& range) {
  idl::TokenRange out;
  out.range = rpc::ToIdl(range.range);
  out.applied = rpc::ToIdl(range.applied);
  if (!range.pending_primary.empty()) {
    out.__isset.pendingPrimary = true;
    for (const Version& own : range.pending_primary) out.pendingPrimary.push_back(rpc::ToIdl(own));
  }
  return out;
}

}  // namespace

void TokenExchange::Take(TableId table, const KeyRange& may_be_shown) {
  if (!session_) return;
  auto ranges = session_->For(table, may_be_shown);
  coarse_ = !ranges;
  sent_ = ranges ? *std::move(ranges) : std::vector<TokenRange>();
}

Read::Level TokenExchange::LevelToAsk(Read::Level level) {
  // The table's default may be SESSION, by now at least: a token that cannot be sent must not be passed over.
  if (coarse_ && (level == Read::Level::kSession || level == Read::Level::kDefault)) level = Read::Level::kStrong;
  judged_ = level == Read::Level::kSession;
  return level;
}

void TokenExchange::Fill(idl::RequestHeader& header) const {
  header.token.tableId = header.tableId;
  header.token.ranges.clear();
  header.__isset.token = !sent_.empty();
  for (const TokenRange& range : sent_) header.token.ranges.push_back(ToIdl(range));
}

void TokenExchange::Observe(TableId table, const KeyRange& range, Version applied) {
  if (!session_) return;
  session_->Update(table, [&](TableToken& token) {
    if (judged_) {
      token.Judged(sent_, range, applied);
    } else {
      token.Observe(range, applied);
    }
  });
}

std::string TokenExchange::Lost(TableId table, const KeyRange& range, Version applied) {
  if (!session_) return "";
  std::vector<Version> dropped;
  session_->Update(table, [&](TableToken& token) { dropped = token.Lost(sent_, range, applied); });
  std::string text = "; the session goes on from " + applied.ToString();
  for (size_t i = 0; i < dropped.size(); ++i) {
    text += (i == 0 ? " and waits no longer for " : ", ") + dropped[i].ToString();
  }
  return text;
}

}  // namespace ebla::client

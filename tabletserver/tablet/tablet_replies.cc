#include "tabletserver/tablet/tablet_replies.h"

#include <algorithm>
#include <iterator>

namespace ebla::tabletserver {

WriteReply& TabletReplies::Write(RequestToken token) {
  WriteReply& reply = writes_.emplace_back();
  reply.token = token;
  reply.tablet = common_.options.tablet;
  reply.applied = common_.applied.applied;
  reply.time = common_.Time();
  return reply;
}

WriteReply& TabletReplies::RefuseWrite(RequestToken token, Status status, int64_t retry_after_ms) {
  WriteReply& reply = Write(token);
  reply.status = std::move(status);
  reply.retry_after_ms = retry_after_ms;
  return reply;
}

ControlReply& TabletReplies::Order(RequestToken token, Status status) {
  ControlReply& reply = orders_.emplace_back();
  reply.token = token;
  reply.status = std::move(status);
  reply.promised = common_.replica.state().promised;
  reply.known = common_.replica.role() != RoleKind::kAbsent;
  return reply;
}

// The tablet's own answers precede its replica's, because they were decided before.
void TabletReplies::MoveTo(TabletOutput& output) {
  output.writes.swap(writes_);
  output.purges.swap(purges_);
  std::vector<ControlReply>& orders = output.replica.replies;
  if (!orders_.empty()) {
    std::ranges::move(orders, std::back_inserter(orders_));
    orders = std::exchange(orders_, {});
  }
  for (CopyReply& refusal : std::exchange(copies_, {})) output.replica.copy_replies.push_back(std::move(refusal));
}

}  // namespace ebla::tabletserver

#include "tabletserver/replication/order_replies.h"

#include <algorithm>
#include <utility>

#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

void OrderReplies::Reply(RequestToken token, Status status, MonotonicTime not_before) {
  const ReplicaState& state = common_.state;
  ControlReply reply;
  reply.token = token;
  reply.status = std::move(status);
  reply.promised = state.promised;
  reply.last_appended = common_.log.last();
  reply.known = state.present();
  reply.incomplete = state.incomplete && rules::IncompleteOffersNoLog();
  reply.lost = (state.lost || common_.Forgotten()) && rules::LostReplicaDoesNotVote();
  // A master of before knows no more than this.
  reply.may_have_lost_writes = (state.may_have_lost_writes && rules::LossyReplicaSaysSo()) || reply.lost;
  reply.vouched = common_.vouched;
  reply.dropped = state.tombstone;
  if (!common_.failure.ok() || !rules::PromiseIsFlushedFirst()) {
    ready_.push_back(std::move(reply));
    return;
  }
  common_.flushes.Want();
  held_.push_back({common_.flushes.next(), not_before, std::move(reply)});
}

void OrderReplies::Release() {
  const auto due = [this](const Held& held) {
    return held.after <= common_.flushes.done() && held.not_before <= common_.now &&
           (common_.rolled_back.empty() || !held.reply.dropped);
  };
  while (!held_.empty() && due(held_.front())) {
    ready_.push_back(std::move(held_.front().reply));
    held_.pop_front();
  }
}

void OrderReplies::FailAll() {
  for (Held& held : held_) {
    held.reply.status = common_.failure;
    ready_.push_back(std::move(held.reply));
  }
  held_.clear();
}

MonotonicTime OrderReplies::wake_at() const {
  MonotonicTime at = MonotonicTime::Max();
  for (const Held& held : held_) {
    if (held.not_before > common_.now) at = std::min(at, held.not_before);
  }
  return at;
}

}  // namespace ebla::tabletserver

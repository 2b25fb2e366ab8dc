#include "tabletserver/shard/client_requests.h"

#include <glog/logging.h>

namespace ebla::tabletserver {

RequestToken ClientRequests::ExpectWrite(size_t loop, size_t flow, WriteDone done) {
  const RequestToken token = NextToken();
  writes_.emplace(token, PendingWrite{loop, flow, std::move(done)});
  return token;
}

RequestToken ClientRequests::ExpectPurge(size_t loop, PurgeDone done) {
  const RequestToken token = NextToken();
  purges_.emplace(token, PendingPurge{loop, std::move(done)});
  return token;
}

void ClientRequests::Reply(std::vector<WriteReply>& replies) {
  if (replies.empty()) return;
  std::vector<std::vector<LoopMailbox::Parcel>> tasks(loops_.size());
  for (WriteReply& reply : replies) {
    auto waiting = writes_.extract(reply.token);
    CHECK(!waiting.empty()) << "a write was answered twice";
    PendingWrite& write = waiting.mapped();
    tasks[write.loop].push_back(
        {[done = std::move(write.done), reply = std::move(reply)]() mutable { done(std::move(reply)); }, write.flow});
  }
  for (size_t loop = 0; loop < loops_.size(); ++loop) loops_[loop]->PutAll(std::move(tasks[loop]));
}

void ClientRequests::Reply(std::vector<PurgeReply>& replies) {
  for (PurgeReply& reply : replies) {
    auto waiting = purges_.extract(reply.token);
    CHECK(!waiting.empty()) << "a purge was answered twice";
    Answer(waiting.mapped().loop, [done = std::move(waiting.mapped().done),
                                   status = std::move(reply.status)]() mutable { done(std::move(status)); });
  }
}

void ClientRequests::Drain(std::move_only_function<void()> idle) {
  draining_ = true;
  idle_ = std::move(idle);
  SignalIdle();
}

void ClientRequests::SignalIdle() {
  if (!draining_ || !idle_ || !writes_.empty() || !purges_.empty()) return;
  std::exchange(idle_, nullptr)();
}

}  // namespace ebla::tabletserver

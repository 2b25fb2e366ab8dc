#include "tests/sim/clients/raw_writer.h"

#include <algorithm>
#include <utility>

#include "client/core/calls/call.h"

namespace ebla::sim {
namespace {

using std::chrono::milliseconds;

constexpr Duration kAttempt = milliseconds(700);

bool IsFinal(const idl::ReplyHeader& header, bool busy_is_final) {
  switch (header.code) {
    case idl::Code::OK:
    case idl::Code::CONDITION_FAILED:
    case idl::Code::INVALID_ARGUMENT: return true;
    case idl::Code::UNKNOWN_OUTCOME: return !header.__isset.retryAfterMs;  // else a retry can still learn the outcome
    case idl::Code::COME_AGAIN: return busy_is_final && header.__isset.tabletId;
    default: return false;
  }
}

}  // namespace

RawWriter::RawWriter(std::string name, Cluster& cluster, testing::SimExecutor& executor)
    : cluster_(cluster), executor_(executor), node_(cluster.network().Join(name, {name, 1}, nullptr, executor)) {}

void RawWriter::Leave() {
  dead_ = true;
  node_->Leave();
}

void RawWriter::Send(idl::WriteRequest& request, Duration patience, bool busy_is_final, Answered answered) {
  Attempt(request, executor_.Now() + patience, busy_is_final, std::move(answered));
}

void RawWriter::Attempt(idl::WriteRequest& request, MonotonicTime end, bool busy_is_final, Answered answered) {
  if (executor_.Now() >= end) return answered(nullptr);
  const int asked = server_;
  const rpc::Endpoint to{Cluster::ServerName(asked), 7410};
  client::Call(*node_->Connect(to, executor_), request, kAttempt,
               [this, asked, &request, end, busy_is_final,
                answered = std::move(answered)](Result<idl::WriteReply> reply) mutable {
                 if (dead_) return;
                 if (reply) {
                   const idl::ReplyHeader& header = reply->header;
                   if (header.__isset.tabletTimeMs) time_ = std::max(time_, header.tabletTimeMs);
                   // An attempt without a time was not executed. So the next attempt may name any time that the writer
                   // learnt before.
                   const bool nameless = !request.header.__isset.tabletTimeMs;
                   if (nameless && header.__isset.tabletTimeMs) request.header.__set_tabletTimeMs(header.tabletTimeMs);
                   if (!nameless && IsFinal(header, busy_is_final)) return answered(&*reply);
                   if (nameless && header.code == idl::Code::COME_AGAIN) {
                     return Attempt(request, end, busy_is_final, std::move(answered));
                   }
                 }
                 const bool elsewhere = !reply || reply->header.code == idl::Code::NOT_PRIMARY ||
                                        reply->header.code == idl::Code::WRONG_TABLET;
                 if (elsewhere && server_ == asked) server_ = (server_ + 1) % cluster_.servers();
                 executor_.After(milliseconds(5 + executor_.Random() % 60),
                                 [this, &request, end, busy_is_final, answered = std::move(answered)]() mutable {
                                   Attempt(request, end, busy_is_final, std::move(answered));
                                 });
               });
}

}  // namespace ebla::sim

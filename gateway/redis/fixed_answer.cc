#include "gateway/redis/fixed_answer.h"

namespace ebla::gateway::redis {

void FixedAnswer::Run(Done done) {
  const auto why_not = command_ == nullptr ? std::nullopt : OnlyListens(*state_, command_->name);
  if (why_not) bytes_ = redis::Reply().Failure("ERR " + *why_not).Take();
  gateway::Reply answer = ToAnswer(std::move(bytes_));
  if (!ends_ && !state_->session.TakesReply()) answer.bytes.clear();
  done(std::move(answer));
}

}  // namespace ebla::gateway::redis

#include "gateway/redis/requests/fixed_answer.h"

namespace ebla::gateway::redis {

void FixedAnswer::Run() {
  const auto why_not = to_ == To::kCommand ? OnlyListens(state_, AllCommands()[kind_].name) : std::nullopt;
  if (why_not) {
    const bool exec = AllCommands()[kind_].name == "exec";
    bytes_ = redis::Reply().Failure((exec ? kExecAbort : "ERR ") + *why_not).Take();
  }
  state_.shared->errors->Count(bytes_);
  gateway::Reply answer = ToAnswer(std::move(bytes_));
  if (to_ != To::kBroken && !state_.session.TakesReply()) answer.bytes.clear();
  SendReply(std::move(answer));
}

}  // namespace ebla::gateway::redis

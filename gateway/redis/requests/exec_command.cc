#include "gateway/redis/requests/exec_command.h"

namespace ebla::gateway::redis {

void ExecCommand::Run() {
  Begin();
  run_.watched = state_.TakeWatched();
  if (!abort_.empty()) return EndWith(abort_);
  if (!run_.watched.empty() && state_.watched_database != state_.session.database())
    return EndWith("EXECABORT keys of another database are watched");
  if (const auto why_not = OnlyListens(state_, command_.name)) return EndWith(kExecAbort + *why_not);
  Open(state_.session.database(), [this](std::shared_ptr<Store> store) {
    run_.context = ContextOf(std::move(store));
    run_.transactions = state_.session.options().transactions;
    run_.commands = std::move(commands_);
    run_.answer = [this](const QueuedCommand& queued) { return AnswerHere(*queued.command, *queued.words); };
    run_.done = [this](std::string reply) { End(std::move(reply)); };
    RunQueued(std::move(run_));
  });
}

}  // namespace ebla::gateway::redis

#include "gateway/server/command_queue.h"

#include <absl/hash/hash.h>
#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace ebla::gateway {

void CommandQueue::WaitFor(Command& command, Command& blocker) {
  blocker.queued_.waiters.push_back(&command);
  ++command.queued_.blockers;
}

void CommandQueue::UseKey(Command& command, size_t key, uint64_t moment) {
  KeyUse& use = uses_[key];
  if (!use.last.empty() && use.last.back() == &command) return;  // it names the key twice
  const bool gets = command.only_gets();
  if (!gets || !use.gets || use.moment != moment) {
    use.before = std::move(use.last);
    use.last.clear();
    use.gets = gets;
    use.moment = moment;
  }
  for (Command* const earlier : use.before) WaitFor(command, *earlier);
  use.last.push_back(&command);
}

void CommandQueue::LeaveKey(Command& command, size_t key) {
  const auto found = uses_.find(key);
  if (found == uses_.end()) return;
  KeyUse& use = found->second;
  for (auto* const commands : {&use.before, &use.last})
    commands->erase(std::remove(commands->begin(), commands->end(), &command), commands->end());
  if (use.last.empty()) uses_.erase(found);
}

void CommandQueue::Add(std::unique_ptr<Command> added, SteadyTime now, uint64_t moment) {
  Command* const command = added.get();
  Command::Queued& queued = command->queued_;
  const std::span<const std::string_view> keys = command->keys();
  queued.arrived = now;
  queued.held_bytes = command->held_bytes();
  held_bytes_ += queued.held_bytes;
  queued.weight = std::max<size_t>(keys.size(), 1);
  in_flight_ += queued.weight;
  holders_ += command->holds_input() ? 1 : 0;
  if (command->alone()) {
    for (const auto& older : commands_) {
      if (!older->queued_.finished) WaitFor(*command, *older);
    }
    last_alone_ = command;
  } else {
    if (last_alone_ != nullptr) WaitFor(*command, *last_alone_);
    for (const std::string_view key : keys) {
      queued.keys.push_back(absl::HashOf(key));
      UseKey(*command, queued.keys.back(), moment);
    }
  }
  commands_.push_back(std::move(added));
  if (queued.blockers == 0) runnable_.push_back(command);
}

Command* CommandQueue::TakeRunnable(bool only_oldest) {
  const auto next =
      only_oldest && !commands_.empty() ? std::ranges::find(runnable_, commands_.front().get()) : runnable_.begin();
  if (next == runnable_.end()) return nullptr;
  Command* const command = *next;
  command->queued_.handed_out = true;
  runnable_.erase(next);
  return command;
}

// The follower may itself be alone().
const Command* CommandQueue::Follower(const Command& command) const {
  if (command.queued_.waiters.empty()) return nullptr;
  const Command& next = *command.queued_.waiters.front();
  const auto keys = command.keys();
  return next.queued_.blockers == 1 && keys.size() == 1 && std::ranges::equal(next.keys(), keys) ? &next : nullptr;
}

Command& CommandQueue::TakeFollower(Command& command) {
  std::vector<Command*>& waiters = command.queued_.waiters;
  Command& follower = *waiters.front();
  waiters.erase(waiters.begin());
  follower.queued_.blockers = 0;
  follower.queued_.handed_out = true;
  return follower;
}

void CommandQueue::Finish(Command& command, std::string reply) {
  Command::Queued& queued = command.queued_;
  queued.finished = true;
  held_bytes_ -= std::exchange(queued.held_bytes, reply.size());
  held_bytes_ += queued.held_bytes;
  reply_bytes_ += queued.held_bytes;
  queued.reply = std::move(reply);
  if (last_alone_ == &command) last_alone_ = nullptr;
  LeaveHolders(command);
  for (const size_t key : queued.keys) LeaveKey(command, key);
  for (Command* waiter : std::exchange(queued.waiters, {})) {
    if (--waiter->queued_.blockers == 0) runnable_.push_back(waiter);
  }
}

void CommandQueue::FinishLast(Command& command, std::string reply) {
  CHECK(command.alone()) << "others may run beside it";
  for (; commands_.back().get() != &command; commands_.pop_back()) {
    const Command& gone = *commands_.back();
    held_bytes_ -= gone.queued_.held_bytes;
    in_flight_ -= gone.queued_.weight;
    LeaveHolders(gone);
  }
  command.queued_.waiters.clear();
  uses_.clear();
  last_alone_ = nullptr;
  Finish(command, std::move(reply));
}

std::optional<std::string> CommandQueue::TakeReply() {
  if (commands_.empty() || !commands_.front()->queued_.finished) return std::nullopt;
  Command::Queued& queued = commands_.front()->queued_;
  held_bytes_ -= queued.held_bytes;
  reply_bytes_ -= queued.held_bytes;
  in_flight_ -= queued.weight;
  std::string reply = std::move(queued.reply);
  commands_.pop_front();
  return reply;
}

std::vector<std::unique_ptr<Command>> CommandQueue::Clear() {
  std::vector<std::unique_ptr<Command>> running;
  for (auto& command : commands_) {
    if (command->queued_.handed_out && !command->queued_.finished) running.push_back(std::move(command));
  }
  commands_.clear();
  runnable_.clear();
  uses_.clear();
  last_alone_ = nullptr;
  held_bytes_ = 0;
  reply_bytes_ = 0;
  in_flight_ = 0;
  holders_ = 0;
  return running;
}

}  // namespace ebla::gateway

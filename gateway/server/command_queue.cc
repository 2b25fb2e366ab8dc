#include "gateway/server/command_queue.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace ebla::gateway {

void CommandQueue::WaitFor(Entry& entry, Entry& blocker) {
  blocker.waiters.push_back(&entry);
  ++entry.blockers;
}

void CommandQueue::UseKey(Entry& entry, size_t key, uint64_t moment) {
  KeyUse& use = uses_[key];
  if (!use.last.empty() && use.last.back() == &entry) return;  // the command names it twice
  const bool gets = entry.command->only_gets();
  if (!gets || !use.gets || use.moment != moment) {
    use.before = std::move(use.last);
    use.last.clear();
    use.gets = gets;
    use.moment = moment;
  }
  for (Entry* const earlier : use.before) WaitFor(entry, *earlier);
  use.last.push_back(&entry);
}

void CommandQueue::LeaveKey(Entry& entry, size_t key) {
  const auto found = uses_.find(key);
  if (found == uses_.end()) return;
  KeyUse& use = found->second;
  for (auto* const entries : {&use.before, &use.last})
    entries->erase(std::remove(entries->begin(), entries->end(), &entry), entries->end());
  if (use.last.empty()) uses_.erase(found);
}

void CommandQueue::Add(std::unique_ptr<Command> command, MonotonicTime now, uint64_t moment) {
  auto entry = std::make_shared<Entry>();
  entry->arrived = now;
  entry->held_bytes = command->held_bytes();
  held_bytes_ += entry->held_bytes;
  entry->weight = std::max<size_t>(command->keys().size(), 1);
  in_flight_ += entry->weight;
  entry->command = std::move(command);
  holders_ += entry->command->holds_input() ? 1 : 0;
  if (entry->command->alone()) {
    for (const auto& older : entries_) {
      if (!older->finished) WaitFor(*entry, *older);
    }
    last_alone_ = entry.get();
  } else {
    if (last_alone_ != nullptr) WaitFor(*entry, *last_alone_);
    for (const std::string& key : entry->command->keys()) {
      entry->keys.push_back(std::hash<std::string>()(key));
      UseKey(*entry, entry->keys.back(), moment);
    }
  }
  entries_.push_back(entry);
  if (entry->blockers == 0) runnable_.push_back(std::move(entry));
}

std::shared_ptr<CommandQueue::Entry> CommandQueue::TakeRunnable(bool only_oldest) {
  const auto next =
      only_oldest && !entries_.empty() ? std::ranges::find(runnable_, entries_.front()) : runnable_.begin();
  if (next == runnable_.end()) return nullptr;
  auto entry = std::move(*next);
  runnable_.erase(next);
  return entry;
}

// One that is alone may wait behind it.
const CommandQueue::Entry* CommandQueue::Follower(const Entry& entry) const {
  if (entry.waiters.empty()) return nullptr;
  const Entry& next = *entry.waiters.front();
  const auto& keys = entry.command->keys();
  return next.blockers == 1 && keys.size() == 1 && next.command->keys() == keys ? &next : nullptr;
}

std::shared_ptr<CommandQueue::Entry> CommandQueue::TakeFollower(Entry& entry) {
  Entry& follower = *entry.waiters.front();
  entry.waiters.erase(entry.waiters.begin());
  follower.blockers = 0;
  return follower.shared_from_this();
}

void CommandQueue::Finish(Entry& entry, std::string reply) {
  entry.finished = true;
  held_bytes_ -= std::exchange(entry.held_bytes, reply.size());
  held_bytes_ += entry.held_bytes;
  reply_bytes_ += entry.held_bytes;
  entry.reply = std::move(reply);
  if (last_alone_ == &entry) last_alone_ = nullptr;
  LeaveHolders(entry);
  for (const size_t key : entry.keys) LeaveKey(entry, key);
  for (Entry* waiter : std::exchange(entry.waiters, {})) {
    if (--waiter->blockers == 0) runnable_.push_back(waiter->shared_from_this());
  }
}

void CommandQueue::FinishLast(Entry& entry, std::string reply) {
  CHECK(entry.command->alone()) << "others may run beside it";
  for (; entries_.back().get() != &entry; entries_.pop_back()) {
    const Entry& gone = *entries_.back();
    held_bytes_ -= gone.held_bytes;
    in_flight_ -= gone.weight;
    LeaveHolders(gone);
  }
  entry.waiters.clear();
  uses_.clear();
  last_alone_ = nullptr;
  Finish(entry, std::move(reply));
}

std::optional<std::string> CommandQueue::TakeReply() {
  if (entries_.empty() || !entries_.front()->finished) return std::nullopt;
  Entry& entry = *entries_.front();
  held_bytes_ -= entry.held_bytes;
  reply_bytes_ -= entry.held_bytes;
  in_flight_ -= entry.weight;
  std::string reply = std::move(entry.reply);
  entries_.pop_front();
  return reply;
}

void CommandQueue::Clear() {
  entries_.clear();
  runnable_.clear();
  uses_.clear();
  last_alone_ = nullptr;
  held_bytes_ = 0;
  reply_bytes_ = 0;
  in_flight_ = 0;
  holders_ = 0;
}

}  // namespace ebla::gateway

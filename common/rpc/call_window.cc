#include "common/rpc/call_window.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/processors.h"

namespace ebla::rpc {
namespace {

Duration TimeOfProcess() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

CallWindow::CallWindow(size_t least) : CallWindow(least, &TimeOfProcess, Processors()) {}

CallWindow::CallWindow(size_t least, std::function<Duration()> used, size_t processors)
    : least_(std::min(least, kMost)),
      used_(std::move(used)),
      processors_(static_cast<double>(processors)),
      busy_(1 - kIdle / std::sqrt(processors_)) {}

void CallWindow::Join(size_t flow) {
  MutexLock lock(mutex_);
  ++connections_[flow];
  several_ = connections_.size() > 1;
}

void CallWindow::Leave(size_t flow) {
  MutexLock lock(mutex_);
  const auto found = connections_.find(flow);
  if (--found->second == 0) connections_.erase(found);
  several_ = connections_.size() > 1;
}

CallWindow::Begun CallWindow::Begin(size_t flow, Caller& caller, Time now) {
  if (!several()) return {};
  const int64_t round = RoundOf(now);
  if (caller.round != round) {
    const bool modest = caller.most < least_;
    MutexLock lock(mutex_);
    // Another loop may be in the next one already.
    if (round > round_) {
      round_ = round;
      Adjust(now);
    }
    if (modest) NoteModest(flow, round);
    caller = {.round = round, .modest = modest};
  }
  ++caller.under_way;
  NoteWaiting(caller, 0);
  if (caller.modest) {
    modest_calls_.fetch_add(1, std::memory_order_relaxed);
    modest_begun_.store(now.time_since_epoch(), std::memory_order_relaxed);
  }
  return {round, caller.modest};
}

void CallWindow::NoteWaiting(Caller& caller, size_t calls) const {
  caller.most = std::max(caller.most, caller.under_way + calls);
  if (caller.most >= least_) caller.modest = false;
}

void CallWindow::End(Caller* caller, Begun call) {
  if (call.modest) modest_calls_.fetch_sub(1, std::memory_order_relaxed);
  if (caller != nullptr && call.round == caller->round && caller->under_way > 0) --caller->under_way;
}

void CallWindow::NoteModest(size_t flow, int64_t round) {
  auto& [last, other] = modest_;
  if (last.flow != flow) {
    other.flow = last.flow.load();
    other.round = last.round.load();
    last.flow = flow;
  }
  last.round = round;
}

void CallWindow::Adjust(Time now) {
  const Duration used = used_(), more = used - std::exchange(used_before_, used);
  const Duration passed = now - std::exchange(adjusted_, now);
  // A user's calls from before there were several users prove nothing.
  if (passed <= Duration{0} || passed > 10 * kRound) return;
  const double busy = static_cast<double>(more.count()) / static_cast<double>(passed.count()) / processors_;
  const size_t calls = calls_.load(std::memory_order_relaxed);
  calls_.store(busy < busy_ ? std::min(kMost, calls + 1 + calls / 8) : std::max(least_, calls / 2),
               std::memory_order_relaxed);
}

}  // namespace ebla::rpc

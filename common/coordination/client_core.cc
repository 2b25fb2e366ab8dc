#include "common/coordination/client_core.h"

#include <utility>

#include "common/base/mutex.h"
#include "common/coordination/znode_tree.h"

namespace ebla::coordination {
namespace {

constexpr char kSessionEnded[] = "the coordinator's session ended before this was sent";

}  // namespace

ClientCore::ClientCore(Executor& executor, Duration operation_timeout, std::function<void(const Attempt&)> send)
    : executor_(executor), operation_timeout_(operation_timeout), send_(std::move(send)) {}

void ClientCore::Submit(std::string path, std::vector<Op> ops, Done done, Coordinator::Watch watch) {
  Call call{std::move(path), std::move(ops), std::move(done), std::move(watch), executor_.Now() + operation_timeout_};
  call.session = session_;
  executor_.Post([core = weak_from_this(), call = std::move(call)]() mutable {
    if (const auto self = core.lock()) self->Admit(std::move(call));
  });
}

void ClientCore::Admit(Call call) {
  if (closed_) return;
  const uint64_t order = next_call_++;
  const Call& admitted = calls_.emplace(order, std::move(call)).first->second;
  parked_.insert(order);
  if (IsMulti(admitted)) {
    if (MultiError error = CheckMulti(admitted.ops); !error.status.ok()) {
      AttemptReply reply;
      reply.multi = std::unexpected(std::move(error));
      Finish(order, std::move(reply));
    } else if (admitted.session != 0 && admitted.session != session_) {
      FinishWith(order, Code::kUnavailable, kSessionEnded);
    }
  } else if (Status status = CheckPath(admitted.path); !status.ok()) {
    FinishWith(order, status.code(), status.message());
  }
  SendParked();
  Deliver();
  ArmTimer();
}

void ClientCore::SendParked() {
  while (state_ == SessionState::kConnected && !parked_.empty()) {
    const uint64_t order = *parked_.begin();
    parked_.erase(parked_.begin());
    Call& call = calls_.at(order);
    call.stage = Stage::kSent;
    call.attempt = next_attempt_++;
    attempts_.emplace(call.attempt, order);
    send_({call.attempt, KindOf(call), call.path, call.ops, call.watch != nullptr});
  }
}

void ClientCore::Finish(uint64_t order, AttemptReply reply) {
  Call& call = calls_.at(order);
  call.stage = Stage::kFinished;
  call.reply = std::move(reply);
  parked_.erase(order);
}

void ClientCore::FinishWith(uint64_t order, Code code, const std::string& why) {
  AttemptReply reply;
  reply.status = Status(code, why);
  if (IsMulti(calls_.at(order))) reply.multi = std::unexpected(MultiError{Status(code, why), -1, false});
  Finish(order, std::move(reply));
}

void ClientCore::Lose(uint64_t order) {
  Call& call = calls_.at(order);
  if (IsMulti(call)) {
    FinishWith(order, Code::kUnknownOutcome, "the connection to the coordinator broke with the call in flight");
  } else if (executor_.Now() >= call.deadline) {
    FinishWith(order, Code::kUnavailable, "the coordinator did not answer in time");
  } else {
    call.stage = Stage::kParked;
    parked_.insert(order);
  }
}

void ClientCore::Replied(uint64_t attempt, AttemptReply reply) {
  const auto found = attempts_.find(attempt);
  if (closed_ || found == attempts_.end()) return;
  const uint64_t order = found->second;
  attempts_.erase(found);
  if (reply.lost) {
    Lose(order);
    SendParked();
    ArmTimer();
  } else {
    Call& call = calls_.at(order);
    const bool leaves_watch = reply.status.ok() && call.watch != nullptr;
    if (leaves_watch) watches_[attempt].task = std::move(call.watch);
    Finish(order, std::move(reply));
  }
  Deliver();
}

void ClientCore::Deliver() {
  if (delivering_) return;
  delivering_ = true;
  const auto self = shared_from_this();  // a callback may destroy the coordinator
  while (!closed_ && !calls_.empty() && calls_.begin()->second.stage == Stage::kFinished) {
    DeliverCall(std::move(calls_.extract(calls_.begin()).mapped()));
  }
  delivering_ = false;
}

void ClientCore::DeliverCall(Call call) {
  AttemptReply& reply = call.reply;
  const auto read = [&](auto& done, auto value) {
    using Value = decltype(value);
    done(reply.status.ok() ? Result<Value>(std::move(value)) : Result<Value>(std::unexpected(reply.status)));
  };
  switch (KindOf(call)) {
    case Attempt::Kind::kGet: read(std::get<0>(call.done), std::move(reply.node)); break;
    case Attempt::Kind::kExists: read(std::get<1>(call.done), reply.exists); break;
    case Attempt::Kind::kChildren: read(std::get<2>(call.done), std::move(reply.children)); break;
    case Attempt::Kind::kMulti: std::get<3>(call.done)(std::move(reply.multi)); break;
  }
  const auto watch = watches_.find(call.attempt);
  if (closed_ || watch == watches_.end()) return;
  watch->second.delivered = true;
  if (watch->second.fired) Fire(call.attempt);
}

void ClientCore::WatchFired(uint64_t attempt) {
  const auto watch = watches_.find(attempt);
  if (closed_ || watch == watches_.end()) return;
  watch->second.fired = true;
  if (watch->second.delivered) Fire(attempt);
}

void ClientCore::Fire(uint64_t attempt) {
  Coordinator::Watch task = std::move(watches_.extract(attempt).mapped().task);
  task();
}

void ClientCore::Connected(int64_t session) {
  if (closed_) return;
  const auto self = shared_from_this();
  session_ = session;
  SetState(SessionState::kConnected);
  SendParked();
}

void ClientCore::Disconnected() {
  if (closed_ || state_ != SessionState::kConnected) return;
  const auto self = shared_from_this();
  SetState(SessionState::kConnecting);
}

void ClientCore::LoseInFlight() {
  const auto self = shared_from_this();
  for (const auto& [attempt, order] : std::exchange(attempts_, {})) Lose(order);
  Deliver();
  ArmTimer();
}

void ClientCore::Expired() {
  if (closed_) return;
  const auto self = shared_from_this();
  session_ = 0;
  SetState(SessionState::kExpired);
  if (closed_) return;
  for (const uint64_t order : std::set(parked_)) {
    const Call& call = calls_.at(order);
    if (IsMulti(call) && call.session != 0) FinishWith(order, Code::kUnavailable, kSessionEnded);
  }
  LoseInFlight();
  std::vector<uint64_t> fired;
  for (const auto& [attempt, watch] : watches_) fired.push_back(attempt);
  for (const uint64_t attempt : fired) WatchFired(attempt);
}

void ClientCore::Close() {
  closed_ = true;
  executor_.Cancel(timer_);
  calls_.clear();
  parked_.clear();
  attempts_.clear();
  watches_.clear();
  MutexLock lock(mutex_);
  listeners_.clear();
}

void ClientCore::ArmTimer() {
  if (closed_ || timer_ || parked_.empty()) return;
  const Duration left = calls_.at(*parked_.begin()).deadline - executor_.Now();
  timer_ = executor_.After(std::max(left, Duration(0)), [core = weak_from_this()] {
    if (const auto self = core.lock()) self->OnTimer();
  });
}

void ClientCore::OnTimer() {
  timer_ = {};
  if (closed_) return;
  const MonotonicTime now = executor_.Now();
  for (const uint64_t order : std::set(parked_)) {
    if (now < calls_.at(order).deadline) break;  // deadlines grow with the order of the calls
    FinishWith(order, Code::kUnavailable, "no connection to the coordinator");
  }
  Deliver();
  ArmTimer();
}

void ClientCore::SetState(SessionState state) {
  if (state_.exchange(state) == state) return;
  std::vector<uint64_t> ids;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, listener] : listeners_) ids.push_back(id);
  }
  for (const uint64_t id : ids) Notify(id);
}

void ClientCore::Notify(uint64_t listener) {
  std::shared_ptr<std::function<void(SessionState)>> function;
  {
    MutexLock lock(mutex_);
    if (const auto found = listeners_.find(listener); found != listeners_.end()) function = found->second;
  }
  if (function != nullptr && !closed_) (*function)(state_);
}

uint64_t ClientCore::Listen(std::function<void(SessionState)> listener) {
  uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = next_listener_++;
    listeners_.emplace(id, std::make_shared<std::function<void(SessionState)>>(std::move(listener)));
  }
  executor_.Post([core = weak_from_this(), id] {
    if (const auto self = core.lock()) self->Notify(id);
  });
  return id;
}

void ClientCore::Forget(uint64_t listener) {
  MutexLock lock(mutex_);
  listeners_.erase(listener);
}

}  // namespace ebla::coordination

#include "master/procedures/procedure.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::master {

Duration BackoffDelay(int failures, Executor& executor) {
  constexpr int64_t kMinMs = 20, kMaxMs = 2'000;
  const int64_t ms = std::min(kMaxMs, kMinMs << std::clamp(failures - 1, 0, 10));
  return std::chrono::milliseconds(ms - static_cast<int64_t>(executor.Random() % static_cast<uint64_t>(ms / 4)));
}

std::string ProcedureId(const Subject& subject) {
  std::string id = subject.kind;
  if (subject.tablet) return id + "-" + std::to_string(subject.tablet.value);
  for (const std::string* part : {&subject.server, &subject.table}) {
    if (!part->empty()) id += "-" + *part;
  }
  return id;
}

ProcedureRunner::~ProcedureRunner() {
  for (auto& [name, run] : runs_) {
    executor_.Cancel(run.timer);
    for (auto& [id, waiting] : run.waiters) {
      executor_.Cancel(waiting.timer);
      waiting.waiter(Error(Code::kUnknownOutcome, "this master is no longer the leader; the next one goes on with it"));
    }
  }
}

void ProcedureRunner::Start(const std::string& name, std::unique_ptr<Procedure> procedure) {
  auto [run, fresh] = runs_.try_emplace(name);
  if (!fresh) return;
  run->second.procedure = std::move(procedure);
  run->second.began = executor_.Now();
  Queue(name);
}

void ProcedureRunner::ForEach(const std::function<void(const Standing&)>& visit) const {
  for (const auto& [name, run] : runs_) visit({name, run.procedure->subject(), run.began, run.waits_for});
}

void ProcedureRunner::Wake(const std::string& name) {
  auto found = runs_.find(name);
  if (found == runs_.end()) return;
  if (found->second.stepping) {
    found->second.woken = true;
    found->second.procedure->OnWake();
  } else {
    Queue(name);
  }
}

void ProcedureRunner::WakeAll(const std::string& prefix) {
  for (auto run = runs_.lower_bound(prefix); run != runs_.end() && run->first.starts_with(prefix); ++run)
    Wake(run->first);
}

void ProcedureRunner::Await(const std::string& name, Duration patience, Waiter waiter) {
  auto found = runs_.find(name);
  if (found == runs_.end()) {
    executor_.Post([waiter = std::move(waiter)]() mutable { waiter({}); });
    return;
  }
  found->second.procedure->Prolong(executor_.Now() + patience);
  const uint64_t id = next_waiter_++;
  Waiting& waiting = found->second.waiters[id];
  waiting.waiter = std::move(waiter);
  waiting.timer = executor_.After(patience, if_alive_([this, name, id] { ExpireWaiter(name, id); }));
}

void ProcedureRunner::ExpireWaiter(const std::string& name, uint64_t id) {
  auto found = runs_.find(name);
  if (found == runs_.end()) return;
  auto waiting = found->second.waiters.extract(id);
  if (waiting.empty()) return;
  waiting.mapped().waiter(Error(Code::kDeadlineExceeded, found->second.waits_for.message()));
}

void ProcedureRunner::Queue(const std::string& name) {
  Run& run = runs_.at(name);
  if (run.queued || run.stepping) return;
  executor_.Cancel(run.timer);
  run.timer = {};
  run.queued = true;
  queue_.push_back(name);
  executor_.Post(if_alive_([this] { Pump(); }));
}

void ProcedureRunner::Pump() {
  while (stepping_ < kStepsMax && !queue_.empty()) {
    const std::string name = std::move(queue_.front());
    queue_.pop_front();
    Run& run = runs_.at(name);
    run.queued = false;
    run.stepping = true;
    ++stepping_;
    run.procedure->Step(if_alive_([this, name](Progress progress) {
      // A step may end inside Step(): its procedure is destroyed only once that has returned.
      executor_.Post(
          if_alive_([this, name, progress = std::move(progress)]() mutable { OnStep(name, std::move(progress)); }));
    }));
  }
}

void ProcedureRunner::OnStep(const std::string& name, Progress progress) {
  Run& run = runs_.at(name);
  run.stepping = false;
  --stepping_;
  if (progress.kind == Progress::Kind::kDone) {
    End(name, std::move(progress.status));
  } else if (progress.kind == Progress::Kind::kAgain || run.woken) {
    run.woken = false;
    run.failures = 0;
    Queue(name);
  } else {
    ++run.failures;
    run.waits_for = std::move(progress.status);
    if (run.failures % 10 == 0) LOG(WARNING) << name << " waits: " << run.waits_for;
    const Duration pause = progress.pause.value_or(BackoffDelay(run.failures, executor_));
    run.timer = executor_.After(pause, if_alive_([this, name] {
                                  auto found = runs_.find(name);
                                  if (found != runs_.end()) Queue(name);
                                }));
  }
  Pump();
}

void ProcedureRunner::End(const std::string& name, Status status) {
  auto run = runs_.extract(name);
  LOG(INFO) << name << ": " << (status.ok() ? "done" : status.ToString());
  for (auto& [id, waiting] : run.mapped().waiters) {
    executor_.Cancel(waiting.timer);
    waiting.waiter(status);
  }
}

}  // namespace ebla::master

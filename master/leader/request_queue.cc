#include "master/leader/request_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "master/cluster/options.h"
#include "master/leader/readiness.h"

namespace ebla::master {
namespace {

constexpr Duration kTryAgainDelay = std::chrono::milliseconds(50);
// A server that has just joined is known to this master by then.
constexpr Duration kJoinPatience = std::chrono::seconds(1);

}  // namespace

bool RequestQueue::Crowded(Done& done) const {
  if (entries_.size() < context_.options.waiting_requests_max) return false;
  done(Error(Code::kOverloaded, "too many requests wait for this master; try again in a second"));
  return true;
}

void RequestQueue::Submit(Request request, Duration patience) {
  if (Crowded(request.done)) return;
  const MonotonicTime now = context_.executor.Now();
  const uint64_t id = next_id_++;
  entries_[id] = {.request = std::move(request), .began = now, .deadline = now + patience};
  Try(id);
}

std::function<void(Status)> RequestQueue::Track(Done done) {
  const uint64_t id = next_id_++;
  Entry& entry = entries_[id];
  entry.request.done = std::move(done);
  entry.decided = true;
  return if_alive_([this, id](Status status) { Answer(id, std::move(status)); });
}

void RequestQueue::Try(uint64_t id) {
  auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const Request& request = entry.request;
  if (Status wait = request.replicas > 0 ? MayCreate(context_, request.replicas) : Status::Ok(); !wait.ok()) {
    // Refuses at once if possible.
    if (Result<Change> change = request.decide(context_.image()); !change) return Answer(id, std::move(change.error()));
    if (context_.executor.Now() - entry.began >= kJoinPatience) {
      if (Status refusal = CheckKnown(context_, request.replicas); !refusal.ok()) return Answer(id, std::move(refusal));
    }
    return TryLater(id, std::move(wait));
  }
  entry.decided = true;
  context_.catalog.Commit(
      [this, replicas = request.replicas, decide = request.decide](const Image& image) -> Result<Change> {
        if (replicas > 0) EBLA_TRY(MayCreate(context_, replicas));  // again: other changes may have gone first
        return decide(image);
      },
      if_alive_([this, id](Status status) { OnDecided(id, std::move(status)); }));
}

void RequestQueue::TryLater(uint64_t id, Status why) {
  Entry& entry = entries_.at(id);
  if (context_.executor.Now() >= entry.deadline) return Answer(id, std::move(why));
  entry.waits_for = std::move(why);
  context_.executor.After(kTryAgainDelay, if_alive_([this, id] { Try(id); }));
}

void RequestQueue::OnDecided(uint64_t id, Status status) {
  auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (status.code() == Code::kUnavailable || status.code() == Code::kConditionFailed) {
    entry.decided = false;
    return TryLater(id, Error(Code::kUnavailable, status.message()));
  }
  if (!status.ok()) return Answer(id, std::move(status));
  entry.request.start();
  const Duration left = std::max(Duration{0}, entry.deadline - context_.executor.Now());
  runner_.Await(entry.request.procedure, left,
                if_alive_([this, id](Status outcome) { Answer(id, std::move(outcome)); }));
}

void RequestQueue::Answer(uint64_t id, Status status) {
  auto entry = entries_.extract(id);
  if (!entry.empty()) entry.mapped().request.done(std::move(status));
}

bool RequestQueue::CancelWaiting(const Subject& subject) {
  std::vector<uint64_t> cancelled;
  for (const auto& [id, entry] : entries_) {
    if (!entry.decided && ProcedureId(entry.request.subject) == ProcedureId(subject)) cancelled.push_back(id);
  }
  for (const uint64_t id : cancelled) {
    Answer(id, Error(Code::kUnavailable, "cancelled by an operator before it was begun"));
  }
  return !cancelled.empty();
}

void RequestQueue::ForEachWaiting(
    const std::function<void(const Subject&, MonotonicTime, const Status&)>& visit) const {
  for (const auto& [id, entry] : entries_) {
    if (!entry.decided) visit(entry.request.subject, entry.began, entry.waits_for);
  }
}

void RequestQueue::Cut() {
  for (auto& [id, entry] : std::exchange(entries_, {})) {
    entry.request.done(entry.decided ? Error(Code::kUnknownOutcome,
                                             "this master is no longer the leader; the next one goes on with it")
                                     : Error(Code::kNotPrimary, "this master is no longer the leader"));
  }
}

}  // namespace ebla::master

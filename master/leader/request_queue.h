// master/leader/request_queue.h
// The requests that a leader has accepted and not answered yet. A request that changes the catalog waits until the
// change may be made, is committed, starts its procedure, and is answered when the procedure ends.
// Place:      the admin classes beside it submit; leader_term.h cuts what is left at its end.
// Invariants: each request is answered exactly once; those that the term's end cuts off are answered NOT_PRIMARY if
//             they have changed nothing, else UNKNOWN_OUTCOME (the successor finishes the catalog's intents).
// Errors:     OVERLOADED: too many wait. After its deadline a request is answered with the condition that it last
//             waited for, or, once it is in the catalog, DEADLINE_EXCEEDED with its progress, and continues.
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "master/procedures/context.h"
#include "master/procedures/procedure.h"

namespace ebla::master {

class RequestQueue {
 public:
  using Done = coordination::Callback<Status>;
  struct Request {
    Done done;
    std::function<Result<Change>(const Image&)> decide;
    size_t replicas = 0;    // draws ids, and needs so many servers; 0: draws none
    Subject subject = {};   // while it waits to be begun; no kind: it is not listed
    std::string procedure;  // to wait for once `start` was called; empty: over with the commit
    std::function<void()> start;
  };

  RequestQueue(const Context& context, ProcedureRunner& runner) : context_(context), runner_(runner) {}

  void Submit(Request request, Duration patience);
  // For a change that is made elsewhere: what it is answered by. The term's end makes that UNKNOWN_OUTCOME.
  std::function<void(Status)> Track(Done done);
  // Too many wait already, and this one is answered so.
  bool Crowded(Done& done) const;
  // Answers those of the subject that wait to be begun; whether there was one.
  bool CancelWaiting(const Subject& subject);
  // Each request that waits to be begun: what it asks for, since when, and what it waits for.
  void ForEachWaiting(const std::function<void(const Subject&, MonotonicTime, const Status&)>& visit) const;
  // The term ends: answers all.
  void Cut();

 private:
  struct Entry {
    Request request;
    MonotonicTime began;
    MonotonicTime deadline;
    bool decided = false;  // its Multi has been sent, or done
    Status waits_for = {};
  };
  void Try(uint64_t id);
  void OnDecided(uint64_t id, Status status);
  void TryLater(uint64_t id, Status why);
  void Answer(uint64_t id, Status status);

  const Context context_;
  ProcedureRunner& runner_;
  std::map<uint64_t, Entry> entries_;
  uint64_t next_id_ = 1;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master

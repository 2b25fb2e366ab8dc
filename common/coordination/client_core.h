// common/coordination/client_core.h
// The client's half of a coordinator that is reached over a link: keeps calls in order, parks them while there is no
// connection, asks reads again that a broken connection lost, holds the watches. Knows nothing of sockets.
// Place:      between Coordinator's public calls and a transport (zookeeper_coordinator.cc, sim_coordinator.cc), which
//             sends attempts and tells what became of them.
// States of a call:  parked -> sent -> finished -> delivered. A read whose attempt was lost is parked again, under a
//             new attempt number; a Multi whose attempt was lost finishes with UNKNOWN_OUTCOME.
// Invariants: 1. Results are delivered in the order of the calls; a watch runs only after its read's result.
//             2. A Multi called while a session lasted is not sent in a later one.
//             3. No call waits in the parked state beyond its deadline.
//             4. After Close nothing is called.
// Threads:    Submit, Listen, Forget, session and state from any thread; the rest on the executor.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/mutex.h"
#include "common/coordination/coordinator.h"

namespace ebla::coordination {

// One attempt at a call, as the transport sees it.
struct Attempt {
  enum class Kind { kGet, kExists, kChildren, kMulti };
  uint64_t id = 0;  // never used twice; also names the watch
  Kind kind = Kind::kGet;
  const std::string& path;
  const std::vector<Op>& ops;
  bool watch = false;
};

// The outcome of an attempt.
struct AttemptReply {
  bool lost = false;  // the connection broke: whether it was carried out is unknown
  Status status;      // reads
  Node node;
  bool exists = false;
  std::vector<std::string> children;
  std::expected<MultiResult, MultiError> multi;
};

class ClientCore : public std::enable_shared_from_this<ClientCore> {
 public:
  using GetDone = Callback<Result<Node>>;
  using ExistsDone = Callback<Result<bool>>;
  using ChildrenDone = Callback<Result<std::vector<std::string>>>;
  using MultiDone = Callback<std::expected<MultiResult, MultiError>>;
  using Done = std::variant<GetDone, ExistsDone, ChildrenDone, MultiDone>;

  // `send` is called on the executor, only while connected; the attempt's references last for the call.
  ClientCore(Executor& executor, Duration operation_timeout, std::function<void(const Attempt&)> send);

  // For the public calls.
  void Submit(std::string path, std::vector<Op> ops, Done done, Coordinator::Watch watch);
  uint64_t Listen(std::function<void(SessionState)> listener);
  void Forget(uint64_t listener);
  int64_t session() const { return session_; }
  SessionState state() const { return state_; }

  // For the transport.
  void Connected(int64_t session);
  void Disconnected();  // the session may last; attempts in flight are still to be replied to, or
  void LoseInFlight();  // are all lost
  void Expired();       // the session is gone; attempts in flight are lost
  void Replied(uint64_t attempt, AttemptReply reply);
  void WatchFired(uint64_t attempt);
  void Close();

 private:
  enum class Stage { kParked, kSent, kFinished };
  struct Call {
    std::string path;
    std::vector<Op> ops;
    Done done;
    Coordinator::Watch watch;
    MonotonicTime deadline;
    int64_t session = 0;  // in which it was called
    Stage stage = Stage::kParked;
    uint64_t attempt = 0;
    AttemptReply reply;
  };
  struct WatchEntry {
    Coordinator::Watch task;
    bool delivered = false;
    bool fired = false;
  };

  static Attempt::Kind KindOf(const Call& call) { return static_cast<Attempt::Kind>(call.done.index()); }
  bool IsMulti(const Call& call) const { return KindOf(call) == Attempt::Kind::kMulti; }
  void Admit(Call call);
  void SendParked();
  void Lose(uint64_t order);
  void Finish(uint64_t order, AttemptReply reply);
  void FinishWith(uint64_t order, Code code, const std::string& why);
  void Deliver();
  void DeliverCall(Call call);
  void Fire(uint64_t attempt);
  void SetState(SessionState state);
  void Notify(uint64_t listener);
  void ArmTimer();
  void OnTimer();

  Executor& executor_;
  const Duration operation_timeout_;
  const std::function<void(const Attempt&)> send_;
  std::atomic<int64_t> session_{0};
  std::atomic<SessionState> state_{SessionState::kConnecting};

  // On the executor.
  std::map<uint64_t, Call> calls_;          // by order of call
  std::set<uint64_t> parked_;               // those of them in that stage
  std::map<uint64_t, uint64_t> attempts_;   // in flight -> its call
  std::map<uint64_t, WatchEntry> watches_;  // by attempt
  uint64_t next_call_ = 1;
  uint64_t next_attempt_ = 1;
  bool delivering_ = false;
  bool closed_ = false;
  TimerId timer_;

  Mutex mutex_;  // never held while a listener runs
  std::map<uint64_t, std::shared_ptr<std::function<void(SessionState)>>> listeners_ EBLA_GUARDED_BY(mutex_);
  uint64_t next_listener_ EBLA_GUARDED_BY(mutex_) = 1;
};

}  // namespace ebla::coordination

// tests/sim/cluster/network.h
// The simulator's network: carries the very bytes of production between processes, in virtual time, and does to them
// what networks do. A Node is one life of one process; its Channels keep the contract of common/rpc/channel.h.
// Faults:  delay and reordering always; loss of the call or of its answer (told as UNKNOWN_OUTCOME soon, or found out
//          by the deadline); calls that arrive late, after their sender was told UNKNOWN_OUTCOME; calls that arrive
//          twice (a client's write unanswered then);
//          links cut in one direction or both, or slow; calls of one kind held back for as long as the nemesis likes; a
//          dead process refuses (UNAVAILABLE) and breaks what it was working on.
// Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/rpc/channel.h"
#include "common/rpc/dispatcher.h"
#include "common/testing/sim_executor.h"

namespace ebla::sim {

struct NetworkConditions {
  Duration delay_min = std::chrono::microseconds(50);  // one way
  Duration delay_max = std::chrono::milliseconds(1);
  double slow = 0;  // share of messages that take up to slow_max
  Duration slow_max = std::chrono::milliseconds(200);
  double lost = 0;   // share of calls that, or whose answers, are lost
  double late = 0;   // share of calls whose connection breaks, and that arrive up to late_max afterwards
  double twice = 0;  // share of calls that arrive again up to late_max later
  Duration late_max = std::chrono::seconds(4);
};

class Network {
 public:
  struct Counters {
    uint64_t calls = 0;
    uint64_t lost = 0;
    uint64_t late = 0;
    uint64_t twice = 0;
    uint64_t cut = 0;     // by a cut link
    uint64_t broken = 0;  // by the death of the process that worked on them
  };
  class Node;

  explicit Network(testing::SimScheduler& scheduler) : scheduler_(scheduler), executor_(scheduler) {}

  // A life of process `name`, which answers at `endpoint` through `dispatcher`, in tasks of `executor` (null: it only
  // calls). It ends with Leave; all of these outlive it.
  std::shared_ptr<Node> Join(std::string name, rpc::Endpoint endpoint, const rpc::Dispatcher* dispatcher,
                             testing::SimExecutor& executor);

  void SetConditions(const NetworkConditions& conditions) { conditions_ = conditions; }
  // Nothing that `from` sends reaches `to` (their names).
  void Cut(const std::string& from, const std::string& to) { cut_.insert({from, to}); }
  void Mend(const std::string& from, const std::string& to) { cut_.erase({from, to}); }
  // Calls and answers from `from` to `to` take so much longer; 0: no longer than usual.
  void SetSlow(const std::string& from, const std::string& to, Duration longer);
  // Calls of this method to `to` do not arrive before LetGo. Their callers may be told at once that the connection
  // broke. `held` runs once, when the first is held.
  void HoldBack(const std::string& method, const std::string& to, Task held = {});
  // From now on such calls are lost, until LetGo.
  void LoseFurther(const std::string& method, const std::string& to);
  // The calls that were held back for `to` arrive now, in order. Their answers are lost.
  void LetGo(const std::string& method, const std::string& to);
  void MendAll();
  const Counters& counters() const { return counters_; }
  // Whether a process has called another since then.
  bool HasCalled(const std::string& from, const std::string& to, MonotonicTime since) const;
  // `task` runs once, just when `from` has sent its `count`th call from now on; forgotten when that life ends first.
  void OnceSent(const std::string& from, int count, Task task) {
    awaited_.emplace(from, Awaited{count, std::move(task)});
  }
  // The same of its calls of one method to one process, and of its answers to one method.
  void OnceSentTo(const std::string& from, const std::string& method, const std::string& to, int count, Task task) {
    OnceSent(Called(from, method, to), count, std::move(task));
  }
  void OnceAnswered(const std::string& from, const std::string& method, Task task) {
    OnceSent(Answered(from, method), 1, std::move(task));
  }
  void OnceFenced(const std::string& from, Task task) { OnceAnswered(from, "fence", std::move(task)); }
  // One of the masters' latest orders arrives once more, at the process that has its address now. The answer is lost.
  bool RepeatOrder();
  // So do all latest orders of one kind that were sent to `to`: "configure", "drop", "fence", or "copy" for beginnings
  // of copies.
  bool RepeatTo(const std::string& to, const std::string& method);

 private:
  struct Awaited {
    int left;
    Task task;
  };
  struct Order {
    rpc::Endpoint to;
    std::string message;
  };
  struct Held {
    std::deque<std::string> messages;
    Task on_first;
    bool keeping = true;  // else they are lost
  };
  static constexpr size_t kOrdersMax = 64;
  static constexpr size_t kSentToMax = 32;  // of each kind to each process
  static std::string Called(const std::string& from, const std::string& method, const std::string& to) {
    return from + " calls " + method + " of " + to;
  }
  static std::string Answered(const std::string& from, const std::string& method) {
    return from + " answers " + method;
  }

  friend class Node;
  Duration Delay(const std::string& from, const std::string& to);
  void NoteOrder(const std::string& method, const rpc::Endpoint& to, const std::string& message);
  bool Arrives(const rpc::Endpoint& to, const std::string& message);
  Duration Within(Duration most);
  bool Chance(double share);
  void NoteSent(const std::string& from);
  bool IsCut(const std::string& from, const std::string& to);

  testing::SimScheduler& scheduler_;
  testing::SimExecutor executor_;  // what is on the wires
  NetworkConditions conditions_;
  Counters counters_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::multimap<std::string, Awaited> awaited_;
  std::map<std::pair<std::string, std::string>, MonotonicTime> called_;       // the last time
  std::deque<Order> orders_;                                                  // the latest that masters sent
  std::map<std::pair<std::string, std::string>, std::deque<Order>> sent_to_;  // by receiver and method
  std::map<std::pair<std::string, std::string>, Duration> slow_;
  std::map<std::pair<std::string, std::string>, Held> held_;  // by method and receiver
  std::map<rpc::Endpoint, std::weak_ptr<Node>> nodes_;
};

class Network::Node final : public rpc::Connector, public std::enable_shared_from_this<Node> {
 public:
  Node(Network& network, std::string name, rpc::Endpoint endpoint, const rpc::Dispatcher* dispatcher,
       testing::SimExecutor& executor)
      : network_(network),
        name_(std::move(name)),
        endpoint_(std::move(endpoint)),
        dispatcher_(dispatcher),
        executor_(executor) {}

  std::shared_ptr<rpc::Channel> Connect(const rpc::Endpoint& endpoint, Executor& executor) override;

  // The process is dead: nothing reaches it, nothing leaves it, and its own calls are forgotten. To be called before
  // the process's parts are destroyed.
  void Leave();

 private:
  friend class Network;
  class Link;
  struct Call {
    rpc::Channel::Done done;
    Executor* executor;
    TimerId timeout;
  };
  // The life that waits for an answer, and the number of its call.
  struct Caller {
    std::weak_ptr<Node> node;
    uint64_t call;
    std::string name;
    std::string method;
  };

  void Send(const rpc::Endpoint& to, rpc::EncodedCall call, Duration timeout, rpc::Channel::Done done,
            Executor& executor);
  void Finish(uint64_t call, Result<std::string> result);
  void FinishLater(uint64_t call, Duration delay, Code code, const char* why);
  void Arrive(const Caller& caller, std::string message, bool answered);
  void Answer(const Caller& caller, std::string reply);

  Network& network_;
  const std::string name_;
  const rpc::Endpoint endpoint_;
  const rpc::Dispatcher* const dispatcher_;
  testing::SimExecutor& executor_;
  bool dead_ = false;
  uint64_t next_call_ = 1;
  std::map<uint64_t, Call> calls_;  // sent, not finished
  uint64_t next_work_ = 1;
  std::map<uint64_t, Caller> work_;  // taken, not answered
};

}  // namespace ebla::sim

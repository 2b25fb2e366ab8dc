// tests/sim/network.h
// The simulator's network: carries the very bytes of production between processes, in virtual time, and does to them
// what networks do. A Node is one life of one process; its Channels keep the contract of common/rpc/channel.h.
// Faults:  delay and reordering always; loss of the call or of its answer (told as UNKNOWN_OUTCOME soon, or found out by
//          the deadline); calls that arrive late, after their sender was told UNKNOWN_OUTCOME; calls that arrive twice (a client's write
//          unanswered then);
//          links cut in one direction or both; a dead process refuses (UNAVAILABLE) and breaks what it was working on.
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

struct Weather {
  Duration delay_min = std::chrono::microseconds(50);  // one way
  Duration delay_max = std::chrono::milliseconds(1);
  double slow = 0;       // share of messages that take up to slow_max
  Duration slow_max = std::chrono::milliseconds(200);
  double lost = 0;       // share of calls that, or whose answers, are lost
  double late = 0;       // share of calls whose connection breaks, and that arrive up to late_max afterwards
  double twice = 0;      // share of calls that arrive again up to late_max later
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

  void SetWeather(const Weather& weather) { weather_ = weather; }
  // Nothing that `from` sends reaches `to` (their names).
  void Cut(const std::string& from, const std::string& to) { cut_.insert({from, to}); }
  void Mend(const std::string& from, const std::string& to) { cut_.erase({from, to}); }
  void MendAll() { cut_.clear(); }
  const Counters& counters() const { return counters_; }
  // `task` runs once, just when `from` has sent its `count`th call from now on; forgotten when that life ends first.
  void OnceSent(const std::string& from, int count, Task task) { awaited_.emplace(from, Awaited{count, std::move(task)}); }
  // The same when it has answered a fence.
  void OnceFenced(const std::string& from, Task task) { OnceSent(from + kFences, 1, std::move(task)); }
  // One of the masters' latest orders arrives once more, at whoever answers there now; what it answers is lost.
  bool RepeatOrder();

 private:
  struct Awaited {
    int left;
    Task task;
  };
  struct Order {
    rpc::Endpoint to;
    std::string message;
  };
  static constexpr char kFences[] = " answers a fence";
  static constexpr size_t kOrdersMax = 64;

  friend class Node;
  Duration Delay();
  Duration Within(Duration most);
  bool Chance(double share);
  void NoteSent(const std::string& from);
  bool IsCut(const std::string& from, const std::string& to);

  testing::SimScheduler& scheduler_;
  testing::SimExecutor executor_;  // what is on the wires
  Weather weather_;
  Counters counters_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::multimap<std::string, Awaited> awaited_;
  std::deque<Order> orders_;  // the latest that masters sent
  std::map<rpc::Endpoint, std::weak_ptr<Node>> nodes_;
};

class Network::Node final : public rpc::Connector, public std::enable_shared_from_this<Node> {
 public:
  Node(Network& network, std::string name, rpc::Endpoint endpoint, const rpc::Dispatcher* dispatcher,
       testing::SimExecutor& executor)
      : network_(network), name_(std::move(name)), endpoint_(std::move(endpoint)), dispatcher_(dispatcher),
        executor_(executor) {}

  std::shared_ptr<rpc::Channel> Connect(const rpc::Endpoint& endpoint, Executor& executor) override;

  // The process is dead: nothing reaches it, nothing leaves it, and its own calls are forgotten. To be called before the
  // process's parts are destroyed.
  void Leave();

 private:
  friend class Network;
  class Link;
  struct Call {
    rpc::Channel::Done done;
    Executor* executor;
    TimerId timeout;
  };
  // Who waits for an answer: a life and the number of its call.
  struct Caller {
    std::weak_ptr<Node> node;
    uint64_t call;
    std::string name;
    bool fences = false;
  };

  void Send(const rpc::Endpoint& to, rpc::EncodedCall call, Duration timeout, rpc::Channel::Done done, Executor& executor);
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

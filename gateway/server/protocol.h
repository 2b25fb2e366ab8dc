// gateway/server/protocol.h
// What a protocol is to a connection: it cuts commands off the bytes that come, and each command answers with bytes.
// Place:      connection.h drives it; gateway/memcached and gateway/redis implement it. Nothing here knows any protocol.
// Order:      Replies leave in the order of the commands. Commands with a key in common run one after the other, in
//             their order, but for gets of it that come at once; others run at the same time. One that is alone()
//             waits for all before it, and all after it wait for it.
// Errors:     Whatever a client sends is answered in the protocol's own words, or ends its connection.
// Threads:    A Protocol, and the making, running and end of its commands, belong to the connection's loop. A command
//             may answer from any thread.
#pragma once

#include <absl/container/inlined_vector.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ebla::rpc {
class EventLoop;
}

namespace ebla::gateway {

// What a command came to.
struct Reply {
  std::string bytes;    // may be empty: the client wants none
  uint32_t hits = 0;    // keys that were there
  uint32_t misses = 0;  // keys that were not
  bool error = false;   // of the store or of the client
  bool last = false;    // the connection ends once it is sent, and nothing behind runs: of one that is alone
};

// Of the clock that deadlines go by.
using SteadyTime = std::chrono::steady_clock::time_point;

// In order.
using KeyViews = absl::InlinedVector<std::string_view, 1>;

// Whoever runs it keeps it until its reply is there.
class Command {
 public:
  // Who waits for it. Any thread, also within Run().
  class Asker {
   public:
    // Once. The command may go at once.
    virtual void OnReply(Command& command, Reply reply) = 0;

   protected:
    ~Asker() = default;
  };

  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  // An index into the names that the protocol's statistics have.
  virtual size_t kind() const = 0;
  // Unchanged until it runs.
  virtual std::span<const std::string_view> keys() const { return {}; }
  virtual bool alone() const { return false; }
  // It gets its one key, once, and nothing else: several that begin at the same moment see the same, so they need not
  // wait for each other.
  virtual bool only_gets() const { return false; }
  // The connection ends once its reply is sent.
  virtual bool ends_connection() const { return false; }
  // What comes behind it is cut once it has answered, as that says how.
  virtual bool holds_input() const { return false; }
  // Bytes that it holds while it waits and runs.
  virtual size_t held_bytes() const { return 0; }

  // Asked before Run() about the follower, which is the next command of the same single key: may both be one change, as
  // if the follower ran right after this command? Then AddToBatch() follows. A batched command never runs. The command
  // that batches it has it reply. Redis's commands ask a Coalescer (gateway/redis/commands/coalesced_commands.h).
  virtual bool MayBatch(const Command& /*next*/) { return false; }
  virtual void AddToBatch(Command& /*next*/) {}
  // Called once, after Expect(), unless the command is batched.
  virtual void Run() = 0;

  // It begins about now. The asker is there until it has the reply.
  void Expect(Asker& asker, SteadyTime now) {
    asker_ = &asker;
    began_ = now;
  }
  SteadyTime arrived() const { return queued_.arrived; }
  SteadyTime began() const { return began_; }

 protected:
  // Once, at any time. It may be gone afterwards.
  void SendReply(Reply reply) { std::exchange(asker_, nullptr)->OnReply(*this, std::move(reply)); }

 private:
  friend class CommandQueue;
  // What its connection's queue knows of it: the queue's own.
  struct Queued {
    SteadyTime arrived;
    std::string reply;
    std::vector<Command*> waiters;        // younger ones that wait for it
    absl::InlinedVector<size_t, 1> keys;  // their hashes
    uint32_t blockers = 0;                // how many it waits for
    bool handed_out = false;
    bool finished = false;
    size_t held_bytes = 0;
    size_t weight = 1;
  };

  Queued queued_;
  SteadyTime began_;
  Asker* asker_ = nullptr;
};

// What a connection is and holds just now.
struct ConnectionVitals {
  int fd = -1;
  std::string local;        // the address that its client has connected to
  size_t read_bytes = 0;    // that came and are no whole command, or wait for room
  size_t unsent_bytes = 0;  // of replies and of what is pushed
  size_t held_bytes = 0;    // all
};

// A connection as its protocol sees it, and others: what its client gets unasked, and how it ends. Any thread.
class Sink {
 public:
  virtual ~Sink() = default;
  // Leaves whole, after the replies that there are; of one thread in their order. Thrown away where the client is gone, or
  // when it is its turn and it is not `wanted` any more (null: always). False: it was not taken, and none that comes
  // later is, as the client is gone, or goes because too much waits for it.
  using Wanted = std::shared_ptr<const std::atomic<bool>>;
  virtual bool Push(std::shared_ptr<const std::string> bytes, Wanted wanted) = 0;
  // At once.
  virtual void End() = 0;
  virtual ConnectionVitals vitals() const = 0;
};

// One connection's. Its commands do not outlive it.
class Protocol {
 public:
  struct Taken {
    size_t bytes = 0;                  // of the front, which are used up
    std::unique_ptr<Command> command;  // null: none yet
    bool end = false;                  // the connection ends once what came before is answered
    std::string_view fault = {};       // with `end`: why, where the client is at fault; it is logged and counted
  };

  virtual ~Protocol() = default;

  // Looks at the front of `bytes`: all that has come and was not taken before. With no byte taken and no command, more
  // has to come.
  virtual Taken Take(std::string_view bytes) = 0;
  // The connection is gone: what is asked for no more may end early.
  virtual void OnClosed() {}
  // Where clients have to log in before anything else: who has, empty until then. Null: they need not.
  virtual const std::string* user() const { return nullptr; }
  // Bytes that it has used up and keeps, of a command that is not whole; and all that it keeps, these among it.
  virtual size_t begun_bytes() const { return 0; }
  virtual size_t held_bytes() const { return begun_bytes(); }
};

// For a connection from this address, to whose client the sink leads as long as it is there.
using ProtocolFactory =
    std::function<std::unique_ptr<Protocol>(rpc::EventLoop&, const std::string& peer, std::weak_ptr<Sink> sink)>;

}  // namespace ebla::gateway

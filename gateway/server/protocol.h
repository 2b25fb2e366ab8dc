// gateway/server/protocol.h
// The port of a protocol to a connection. The protocol cuts commands off the input, and each command replies with
// bytes.
// Place:      connection.h drives it; gateway/memcached and gateway/redis implement it. This file knows no protocol.
// Order:      Replies leave in the order of the commands. Commands with a key in common run in turn, except for gets
//             that arrive together. Other commands run at the same time. A command that is alone() waits for all before
//             it, and all after it wait for that command.
// Errors:     A protocol answers wrong input in its own words, or ends the connection.
// Threads:    A Protocol, and the making, running and end of its commands, belong to the connection's loop. A command
//             may reply from any thread.
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

// The result of a command.
struct Reply {
  std::string bytes;    // empty if the client wants none
  uint32_t hits = 0;    // keys that were found
  uint32_t misses = 0;  // keys that were not found
  bool error = false;   // of the store or of the client
  bool last = false;    // the connection ends after this reply, and no later command runs; only if alone()
};

// The clock of deadlines.
using SteadyTime = std::chrono::steady_clock::time_point;

// In order.
using KeyViews = absl::InlinedVector<std::string_view, 1>;

// The runner of a command keeps it until the reply.
class Command {
 public:
  // Receives the reply, on any thread, also within Run().
  class Asker {
   public:
    // Called once. The command may be destroyed within the call.
    virtual void OnReply(Command& command, Reply reply) = 0;

   protected:
    ~Asker() = default;
  };

  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  // An index into the names of the protocol's statistics.
  virtual size_t kind() const = 0;
  // Unchanged until it runs.
  virtual std::span<const std::string_view> keys() const { return {}; }
  virtual bool alone() const { return false; }
  // The command does nothing but get its one key, once. Such commands that begin at the same moment see the same value,
  // so they need not wait for each other.
  virtual bool only_gets() const { return false; }
  // The connection ends once its reply is sent.
  virtual bool ends_connection() const { return false; }
  // Further input is cut once this command has replied, because the reply decides how.
  virtual bool holds_input() const { return false; }
  // Bytes that the command holds while it waits and runs.
  virtual size_t held_bytes() const { return 0; }

  // Asked before Run() about the follower, which is the next command of the same single key: may both be one change, as
  // if the follower ran right after this command? Then AddToBatch() follows. A batched command never runs. The command
  // that batches it has it reply. Redis's commands ask a Coalescer (gateway/redis/commands/coalesced_commands.h).
  virtual bool MayBatch(const Command& /*next*/) { return false; }
  virtual void AddToBatch(Command& /*next*/) {}
  // Called once, after Expect(), unless the command is batched.
  virtual void Run() = 0;

  // The command begins about now. The asker exists until it has the reply.
  void Expect(Asker& asker, SteadyTime now) {
    asker_ = &asker;
    began_ = now;
  }
  SteadyTime arrived() const { return queued_.arrived; }
  SteadyTime began() const { return began_; }

 protected:
  // Called once, at any time. The command may be destroyed within the call.
  void SendReply(Reply reply) { std::exchange(asker_, nullptr)->OnReply(*this, std::move(reply)); }

 private:
  friend class CommandQueue;
  // The state that the connection's queue keeps for the command.
  struct Queued {
    SteadyTime arrived;
    std::string reply;
    std::vector<Command*> waiters;        // later commands that wait for this one
    absl::InlinedVector<size_t, 1> keys;  // hashes of its keys
    uint32_t blockers = 0;                // commands for which it waits
    bool handed_out = false;
    bool finished = false;
    size_t held_bytes = 0;
    size_t weight = 1;
  };

  Queued queued_;
  SteadyTime began_;
  Asker* asker_ = nullptr;
};

// The state of a connection, for CLIENT LIST and its like.
struct ConnectionVitals {
  int fd = -1;
  std::string local;        // the address to which the client has connected
  size_t read_bytes = 0;    // bytes of an incomplete command, and of commands that wait for room
  size_t unsent_bytes = 0;  // of replies and of pushed output
  size_t held_bytes = 0;    // all
};

// A connection as its protocol and other connections see it: pushes output to its client, and ends it. Any thread.
class Sink {
 public:
  virtual ~Sink() = default;
  // Sends the bytes whole, after the replies that are ready; the pushes of one thread keep their order. Discards them
  // if the client has left, or if they are no longer `wanted` at their turn (null: always wanted). False:
  // neither these bytes nor later ones will be sent, because the client has left, or is being closed for too many
  // unsent bytes.
  using Wanted = std::shared_ptr<const std::atomic<bool>>;
  virtual bool Push(std::shared_ptr<const std::string> bytes, Wanted wanted) = 0;
  // At once.
  virtual void End() = 0;
  virtual ConnectionVitals vitals() const = 0;
};

// The protocol's side of one connection. Its commands do not outlive it.
class Protocol {
 public:
  struct Taken {
    size_t bytes = 0;                  // taken off the front
    std::unique_ptr<Command> command;  // null: none is complete
    bool end = false;                  // the connection ends once earlier commands are answered
    std::string_view fault = {};       // with `end`: the client's fault, if it has one; logged and counted
  };

  virtual ~Protocol() = default;

  // Looks at the front of `bytes`, which is all input that was not taken before. If it takes no byte and returns no
  // command, it needs more input.
  virtual Taken Take(std::string_view bytes) = 0;
  // The connection is gone, so commands without an effect may end early.
  virtual void OnClosed() {}
  // The user who has logged in, empty until then. Null if no login is required.
  virtual const std::string* user() const { return nullptr; }
  // Bytes that were taken and are kept: of an incomplete command; and of all.
  virtual size_t begun_bytes() const { return 0; }
  virtual size_t held_bytes() const { return begun_bytes(); }
};

// Makes the protocol of a connection from that address. The sink leads to its client while the connection exists.
using ProtocolFactory =
    std::function<std::unique_ptr<Protocol>(rpc::EventLoop&, const std::string& peer, std::weak_ptr<Sink> sink)>;

}  // namespace ebla::gateway

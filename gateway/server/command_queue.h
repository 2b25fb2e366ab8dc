// gateway/server/command_queue.h
// Orders the commands of one connection: decides which may run, and returns the replies in order. Pure.
// Place:      connection.h has one.
// Invariants: 1. A command may run once (a) all earlier commands that share a key with it have finished, and (b) the
//                last earlier command that is alone() has finished. A command that is alone() waits for all earlier
//                ones. Keys are compared by their hashes; a collision only causes a wait.
//             2. Two exceptions to (a): gets of one key that were added at one moment begin together, and a batched
//                command does not wait for the command that batches it (protocol.h).
//             3. Replies are returned in the order of Add().
// Threads:    its connection's.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/server/protocol.h"

namespace ebla::gateway {

class CommandQueue {
 public:
  // `moment`: commands that are added before anything else happens have the same number.
  void Add(std::unique_ptr<Command> command, SteadyTime now, uint64_t moment);
  // A command that may run and was not handed out yet; null if there is none. With `only_oldest`, the oldest one or
  // null.
  Command* TakeRunnable(bool only_oldest = false);
  // The next command after a handed-out one, if both have the same single key and the next one waits for nothing else;
  // else null.
  const Command* Follower(const Command& command) const;
  // Hands out the follower of an unfinished command, which takes it into its batch.
  Command& TakeFollower(Command& command);
  // Notes the reply of a command that was handed out.
  void Finish(Command& command, std::string reply);
  // Notes the reply of a command that is alone(), and drops the commands behind it.
  void FinishLast(Command& command, std::string reply);
  // Removes the oldest command, and returns its reply, if it has one.
  std::optional<std::string> TakeReply();

  size_t size() const { return commands_.size(); }
  // A command that names many keys counts once for each.
  size_t in_flight() const { return in_flight_; }
  // The bytes of commands, and of replies that wait for older ones.
  size_t held_bytes() const { return held_bytes_; }
  size_t reply_bytes() const { return reply_bytes_; }  // of these, the replies'
  bool holds_input() const { return holders_ > 0; }    // an unfinished command does
  // Returns the commands that were handed out and have no reply yet. The caller keeps them until then.
  std::vector<std::unique_ptr<Command>> Clear();

 private:
  // The unfinished commands of a key: the last one, or the last gets of one moment; and those for which these wait.
  struct KeyUse {
    absl::InlinedVector<Command*, 2> before;
    absl::InlinedVector<Command*, 2> last;
    bool gets = false;  // the last
    uint64_t moment = 0;
  };

  static void WaitFor(Command& command, Command& blocker);
  void UseKey(Command& command, size_t key, uint64_t moment);
  void LeaveKey(Command& command, size_t key);
  void LeaveHolders(const Command& command) { holders_ -= command.holds_input() ? 1 : 0; }

  std::deque<std::unique_ptr<Command>> commands_;
  std::deque<Command*> runnable_;             // of these
  absl::flat_hash_map<size_t, KeyUse> uses_;  // by the key's hash
  Command* last_alone_ = nullptr;             // unfinished
  size_t held_bytes_ = 0;
  size_t reply_bytes_ = 0;
  size_t in_flight_ = 0;
  size_t holders_ = 0;  // unfinished commands that hold the input
};

}  // namespace ebla::gateway

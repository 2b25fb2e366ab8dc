// gateway/memcached/environment.h
// The state that the commands of all connections share, and the base of each command: a request on its way to its
// reply.
// Place:   protocol.h makes the commands; text_commands.cc and meta_commands.cc define them.
// Threads: Environment: any. A CacheCommand moves between threads, and never runs on two at once.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "gateway/memcached/operations.h"
#include "gateway/memcached/request.h"
#include "gateway/server/protocol.h"
#include "gateway/server/statistics.h"
#include "gateway/store/store.h"
#include "gateway/store/table_flusher.h"

namespace ebla::gateway::memcached {

struct Environment {
  // These outlive it, and all commands.
  Store& store;
  const Statistics& statistics;
  std::chrono::milliseconds deadline{10'000};  // of a command; of a flush, of each of its calls
  // For "stats settings".
  size_t connections_max = 0;
  uint16_t port = 0;
  size_t threads = 1;

  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  TableFlusher flusher{store, deadline};
  CountsSinceReset counts;  // of "stats", since "stats reset"
};

// One line, for a client.
std::string ServerError(const Status& status);

class CacheCommand : public Command {
 public:
  CacheCommand(Environment& environment, Executor& executor, Request request)
      : environment_(environment),
        executor_(executor),
        request_(std::move(request)),
        until_(std::chrono::steady_clock::now() + environment.deadline),
        keys_(request_.keys.begin(), request_.keys.end()),
        held_bytes_(request_.value.size() + BytesOf(request_.keys)) {}

  size_t kind() const override { return static_cast<size_t>(request_.verb); }
  std::span<const std::string_view> keys() const override { return keys_; }
  bool ends_connection() const override { return request_.quit; }
  size_t held_bytes() const override { return held_bytes_; }
  void Run() override {
    if (!request_.keys.empty() && began() > until_)
      return Fail({Code::kDeadlineExceeded, "those before it took until its deadline"});
    Begin();
  }

 protected:
  virtual void Begin() = 0;
  bool Late() const { return std::chrono::steady_clock::now() > until_; }

  // Each is the last thing that the command does: it may be gone afterwards. `line` lacks its end.
  void AnswerLine(std::string_view line, Reply reply = {}) {
    reply.bytes.append(line).append("\r\n");
    AnswerBytes(std::move(reply));
  }
  void AnswerBytes(Reply reply) {
    if (request_.noreply) reply.bytes.clear();
    SendReply(std::move(reply));
  }
  void AnswerError(std::string_view line) { AnswerLine(line, {.error = true}); }
  virtual void Fail(const Status& status) { AnswerError(ServerError(status)); }
  // Carries out the order on the first key. Answers with the finding, or fails.
  void Change(ItemOrder order, std::move_only_function<void(Finding found)> answer) {
    RunOrder({environment_.store, executor_, until_}, request_.keys[0], std::move(order),
             [this, answer = std::move(answer)](Result<Finding> found) mutable {
               found ? answer(*std::move(found)) : Fail(found.error());
             });
  }

  Environment& environment_;
  Executor& executor_;
  Request request_;
  const Until until_;  // counts from the arrival, so that the queue of a client that has left is finished in time

 private:
  // With what each of them takes here and in a queue.
  static size_t BytesOf(const std::vector<std::string>& keys) {
    constexpr size_t kBytesPerKey = 128;
    size_t bytes = 0;
    for (const std::string& key : keys) bytes += key.size() + kBytesPerKey;
    return bytes;
  }

  const KeyViews keys_;  // of request_
  const size_t held_bytes_;
};

}  // namespace ebla::gateway::memcached

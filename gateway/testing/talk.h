// gateway/testing/talk.h
// A client of a Protocol without a socket: sends bytes, and gets the bytes that a connection would send.
// Threads: one; commands may answer on others.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/mutex.h"
#include "gateway/server/protocol.h"
#include "gateway/server/statistics.h"
#include "gateway/testing/ask.h"

namespace ebla::gateway {

class Talk {
 public:
  Talk(Protocol& protocol, LoopStatistics& statistics) : protocol_(protocol), statistics_(statistics) {}

  // Sends bytes, and returns the replies to all commands that are whole by now.
  std::string Say(std::string_view bytes) {
    in_.append(bytes);
    std::string out;
    while (!ended_ && !in_.empty()) {
      Protocol::Taken taken = protocol_.Take(in_);
      in_.erase(0, taken.bytes);
      ended_ = taken.end;
      if (taken.command == nullptr) {
        if (taken.bytes == 0) break;
        continue;
      }
      ended_ = ended_ || taken.command->ends_connection();
      out += Run(*taken.command);
    }
    return out;
  }
  // A command without its value, in one line.
  std::string Line(const std::string& line) { return Say(line + "\r\n"); }
  bool ended() const { return ended_; }

 private:
  struct Answered {
    Mutex mutex;
    CondVar changed;
    bool done EBLA_GUARDED_BY(mutex) = false;
    Reply reply EBLA_GUARDED_BY(mutex);
  };

  std::string Run(Command& command) {
    auto answered = std::make_shared<Answered>();
    AskAndRun(command, [answered](Reply reply) {
      MutexLock lock(answered->mutex);
      EXPECT_FALSE(answered->done) << "answered twice";
      answered->done = true;
      answered->reply = std::move(reply);
      answered->changed.NotifyAll();
    });
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    MutexLock lock(answered->mutex);
    while (!answered->done && answered->changed.WaitUntil(answered->mutex, limit)) {
    }
    EXPECT_TRUE(answered->done) << "no answer";
    statistics_.Count(command.kind(), answered->reply, Duration{0});
    return std::move(answered->reply.bytes);
  }

  Protocol& protocol_;
  LoopStatistics& statistics_;
  std::string in_;
  bool ended_ = false;
};

}  // namespace ebla::gateway

// master/balancer/scale_command.h
// Runs the operator's commands that start and end servers, without keeping the master's loop waiting.
// How:        `/bin/sh -c COMMAND sh SERVER` in a process group of its own, with SERVER also in EBLA_SERVER, no other
//             open files, and its output in the master's log. Processes that it leaves in the background stay.
// Errors:     UNAVAILABLE with its exit code and its last line; DEADLINE_EXCEEDED: it was killed, with its whole group.
// Threads:    Run on the executor; a thread for the one command that runs at a time. Destruction kills that, and waits
//             for it.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::master {

// Runs a command, for the named server if any, and reports its outcome.
using CommandRunner =
    std::function<void(const std::string& command, const ServerName& server, std::function<void(Status)> done)>;

class ScaleCommands {
 public:
  // The executor outlives this; `done` is called on it.
  ScaleCommands(Executor& executor, Duration limit) : executor_(executor), limit_(limit) {}

  void Run(const std::string& command, const ServerName& server, std::function<void(Status)> done);
  CommandRunner Runner() {
    return [this](const std::string& command, const ServerName& server, std::function<void(Status)> done) {
      Run(command, server, std::move(done));
    };
  }

 private:
  Executor& executor_;
  const Duration limit_;
  std::atomic<bool> running_ = false;
  std::jthread thread_;
};

// Runs it in this thread.
Status RunScaleCommand(const std::string& command, const ServerName& server, Duration limit, std::stop_token stop);

}  // namespace ebla::master

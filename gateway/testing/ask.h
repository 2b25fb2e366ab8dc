// gateway/testing/ask.h
// A command's reply, for a test's function.
// Threads: the function is called on whichever thread the command replies on.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "gateway/server/protocol.h"

namespace ebla::gateway {

// Before the command runs or is batched. The command lives until it has replied.
template <class Then>
void Ask(Command& command, Then then) {
  class Asker final : public Command::Asker {
   public:
    explicit Asker(Then then) : then_(std::move(then)) {}
    void OnReply(Command&, Reply reply) override {
      const std::unique_ptr<Asker> self(this);
      then_(std::move(reply));
    }

   private:
    Then then_;
  };
  command.Expect(*std::make_unique<Asker>(std::move(then)).release(), std::chrono::steady_clock::now());
}

template <class Then>
void AskAndRun(Command& command, Then then) {
  Ask(command, std::move(then));
  command.Run();
}

}  // namespace ebla::gateway

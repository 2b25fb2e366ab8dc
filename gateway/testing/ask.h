// gateway/testing/ask.h
// A command's reply, for a test's function.
// Threads: the function is called on whichever thread the command replies on.
#pragma once

#include <memory>
#include <utility>

#include "gateway/server/protocol.h"

namespace ebla::gateway {

// Before it runs, or is carried.
template <class Then>
void Ask(Command& command, Then then) {
  class Asker final : public Command::Asker {
   public:
    explicit Asker(Then then) : then_(std::move(then)) {}
    void OnReply(std::shared_ptr<Command::Asker>, std::shared_ptr<Command>, Reply reply) override {
      then_(std::move(reply));
    }

   private:
    Then then_;
  };
  command.Expect(std::make_shared<Asker>(std::move(then)));
}

template <class Then>
void AskAndRun(Command& command, Then then) {
  Ask(command, std::move(then));
  command.Run();
}

}  // namespace ebla::gateway

// gateway/redis/requests/single_command.h
// A command that runs when it arrives: by the login, the session, or the store of the selected database.
// Threads: as in connection_command.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "gateway/redis/commands/coalesced_commands.h"
#include "gateway/redis/requests/connection_command.h"

namespace ebla::gateway::redis {

class SingleCommand final : public ConnectionCommand {
 public:
  SingleCommand(ConnectionState& state, const CommandInfo& command, Words words);

  bool alone() const override {
    return command_.Is(kAlone) || (keys_.empty() && command_.name != "ping" && command_.name != "echo");
  }
  bool only_gets() const override { return command_.runner.update != nullptr && command_.Is(kReadOnly); }
  bool ends_connection() const override { return command_.name == "quit"; }
  bool MayBatch(const Command& next) override;
  void AddToBatch(Command& next) override;
  // A login or RESET changes the user. Before a login, requests are small, and no other command is served.
  bool holds_input() const override;
  void Run() override;

 private:
  void EndWith(std::string_view failure) override;
  void AnswerOrRun();
  void AnswerAtOnce();
  void AskToListen(size_t at, Until until);
  void LogIn(const std::string& user, const std::string& password);
  void OnLogin(const std::string& user, const Result<std::shared_ptr<Databases>>& databases);
  void Select();
  void RunOn(std::shared_ptr<Store> store);
  void RunAlone(std::shared_ptr<Store> store, std::shared_ptr<Store> target);
  StoreCall CallOf(std::shared_ptr<Store> store);
  void RunBatch(const std::shared_ptr<Store>& store);
  void RunAsOne(std::shared_ptr<Store> store);
  void RunBetween(std::shared_ptr<Store> store, const std::string& database);
  void Watch(std::shared_ptr<Store> store);
  void NoteWatched(const TransactionView& view);

  std::optional<Coalescer> coalescer_;   // from the first MayBatch() on
  std::vector<SingleCommand*> batched_;  // until they are answered; their connection owns them
};

}  // namespace ebla::gateway::redis

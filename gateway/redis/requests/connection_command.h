// gateway/redis/requests/connection_command.h
// The base of commands of a connection, which its session or its store answers: of single_command.h and exec_command.h.
// Threads: made, run and ended on the connection's loop; may answer from any.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/redis/commands/store_commands.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::redis {

// An index into CommandNames().
size_t KindOf(const CommandInfo& command);
// The kind for any name that a client sends; commands that Redis has and Ebla does not have kinds, too; others are
// "unknown".
size_t KindOfName(std::string_view name);
inline const std::string kExecAbort = "EXECABORT Transaction discarded because of: ";
// The name, with the subcommand that the words name, such as "client|list".
std::string FullName(const CommandInfo& command, const Words& words);
// None: the command may run. Else the reason why a subscriber that speaks RESP2 may not run it.
std::optional<std::string> OnlyListens(const ConnectionState& state, std::string_view command);
gateway::Reply ToAnswer(std::string bytes);

class ConnectionCommand : public Command {
 public:
  ConnectionCommand(ConnectionState& state, const CommandInfo& command, Words words)
      : state_(state), command_(command), words_(std::move(words)), keys_(KeysOf(command_, words_)) {}

  size_t kind() const override { return KindOf(command_); }
  std::span<const std::string_view> keys() const override { return keys_; }
  bool alone() const override { return keys_.empty(); }
  size_t held_bytes() const override { return bytes_; }

 protected:
  void Begin() { sends_ = state_.session.Begin(command_, words_, began()); }
  // Each ends the command.
  void End(std::string bytes);
  virtual void EndWith(std::string_view failure);

  // Answers a command that needs no store.
  std::string AnswerHere(const CommandInfo& command, const Words& words);

  // A failure is the command's answer.
  using Opened = std::move_only_function<void(std::shared_ptr<Store>)>;
  void Open(const std::string& database, Opened then);
  StoreContext ContextOf(std::shared_ptr<Store> store) const;

  ConnectionState& state_;  // its protocol's, which exists until the reply
  const CommandInfo& command_;
  Words words_;          // until it ends
  const KeyViews keys_;  // of words_
  size_t bytes_ = 0;
  bool sends_ = true;  // its reply
  bool timed_ = true;  // for the slow log

 private:
  void NoteIfSlow();
  std::string ResetConnection(const CommandInfo& reset, const Words& words);
};

}  // namespace ebla::gateway::redis

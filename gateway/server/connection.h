// gateway/server/connection.h
// One accepted connection: bytes in, commands cut by its Protocol and run, replies out in the order of the commands.
// Place:      server.cc accepts; server_loop.h holds it. Socket, buffers and ending are accepted_connection.h's.
// Invariants: 1. Used on its loop's thread alone. Other threads pass their replies to ServerLoop::Answer.
//             2. Reads nothing and cuts no command while in_flight_max commands are in flight, while commands and
//                replies hold held_bytes_max bytes, or while a command holds the input. While the replies alone hold as
//                many bytes, only the oldest command may start. While the unsent output does, none may.
//             3. Holds no buffer while it waits for the client's next command.
//             4. Runs every command that has arrived, also when the client has closed. The replies are then discarded.
// Errors:     Closes the connection, with a log line, if the client does not take its replies, does not finish a large
//             command, does not log in where that is required, or takes pushed messages too slowly.
// Threads:    its loop's.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/rpc/accepted_connection.h"
#include "gateway/server/command_queue.h"
#include "gateway/server/server_loop.h"

namespace ebla::gateway {

class Connection final : public rpc::AcceptedConnection, public Sink, public Command::Asker {
 public:
  Connection(ServerLoop& server, int fd, std::string peer);

  void Start() override;
  void Complete(Command& command, Reply reply);
  // Any thread.
  void OnReply(Command& command, Reply reply) override;
  bool Push(std::shared_ptr<const std::string> bytes, Wanted wanted) override;
  void End() override;
  ConnectionVitals vitals() const override;
  bool OnPush(std::string_view bytes);
  // Closes the connection, because `waiting` bytes wait for its client.
  void BreakAsSlow(size_t waiting);
  void OnTurnEnd() override;

  // Bytes that other threads have sent to this connection, and that its loop has not taken yet. Any thread.
  struct InTransit {
    std::atomic<size_t> replies{0}, pushed{0};  // bytes
    std::atomic<bool> given_up{false};          // no more is pushed
  };
  InTransit in_transit;

 private:
  std::shared_ptr<Connection> Self() { return std::static_pointer_cast<Connection>(shared_from_this()); }
  void OnReadable() override;
  bool HasRoom() const override;
  bool Busy() const override { return commands_.size() > 0; }
  std::optional<std::string> Overdue() const override;
  void LogBroken(const std::string& why) const override;
  void OnUnsendable() override;
  void OnClosed() override;
  void Consume(std::string_view bytes);
  size_t CutCommands(std::string_view bytes);
  void RunCommands();
  void BatchFollowers(Command& leader);
  void Await(Command& command);
  void CollectReplies();
  void EndInput(bool lost);
  void UpdateWatch();
  // Counts the connection for its user, or among those without a login.
  void UpdateUser();
  size_t begun() const { return received().size() + protocol_->begun_bytes(); }  // of an incomplete command

  ServerLoop& server_;  // home() keeps it
  const std::string local_;
  const int fd_shown_;
  std::unique_ptr<Protocol> protocol_;           // once it has started
  std::shared_ptr<rpc::LoopShares::User> user_;  // who has logged in, if a login is required

  CommandQueue commands_;
  size_t awaited_ = 0;                               // commands that have begun and have no reply yet
  std::shared_ptr<Connection> self_;                 // while there are any, because it is their asker
  std::vector<std::unique_ptr<Command>> abandoned_;  // of these, once it is closed
  std::atomic<size_t> shown_read_{0}, shown_unsent_{0}, shown_held_{0};
  uint64_t moment_ = 0;                         // of the commands that are cut at present
  std::optional<MonotonicTime> crowded_since_;  // more than pushed_bytes_soft wait unsent
  bool running_ = false;                        // RunCommands() is on the stack
  bool lost_ = false;                           // the client takes nothing any more, so replies are discarded
};

}  // namespace ebla::gateway

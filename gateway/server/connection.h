// gateway/server/connection.h
// One accepted connection: bytes in, commands cut by its Protocol and run, replies out in the order of the commands.
// Place:      server.cc accepts; server_loop.h holds it.
// Invariants: 1. Touched on its loop's thread alone. A command that answers elsewhere goes through ServerLoop::Answer.
//             2. While in_flight_max commands are in flight, or held_bytes_max bytes of commands and replies are held, or
//                one of them holds the input, nothing is read and no command is cut. While the replies alone are as many, none begins but the oldest;
//                while those that the client has to take are, not even that.
//             3. One that waits for its client's next command holds no buffer.
//             4. What has come runs, also when the client has closed or is gone: then the replies are thrown away.
// Errors:     A client that stands still with replies unread, or with a large command half sent, is closed with a log
//             line. So is one that takes what is pushed to it more slowly than it comes.
// Threads:    its loop's.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/rpc/event_loop.h"
#include "common/rpc/stream.h"
#include "gateway/server/command_queue.h"
#include "gateway/server/server_loop.h"

namespace ebla::gateway {

class Connection final : public Outlet,
                         public rpc::EventLoop::TurnEndHook,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerLoop> server, int fd, std::string peer);
  ~Connection();

  void Start();
  void Drain();
  void Close();
  // Closes it for its client's fault, with a log line.
  void Break(const std::string& why);
  void Complete(CommandQueue::Entry& entry, Reply reply);
  // Any thread.
  void Push(std::shared_ptr<const std::string> bytes, Wanted wanted) override;
  void End() override;
  ConnectionVitals vitals() const override;
  void OnPush(std::string_view bytes);
  void OnSweep();
  void OnTurnEnd() override;
  size_t held_bytes() const { return accounted_; }

  size_t index = 0;  // in the loop's list

 private:
  void OnReadable();
  void Consume(std::string_view bytes);
  size_t CutCommands(std::string_view bytes);
  void RunCommands();
  void CarryFollowers(CommandQueue::Entry& carrier);
  Command::Done DoneOf(std::shared_ptr<CommandQueue::Entry> entry);
  void CollectReplies();
  void TakeForSending(std::string_view bytes);
  void Flush();
  void EndInput(bool lost);
  void Lose();
  void NoteBroken(const std::string& why);
  void FinishDrain();
  bool Full() const;
  void UpdateReading();
  void UpdateWatch();
  size_t begun() const { return in_.size() + protocol_->begun_bytes(); }  // of a command that is not whole
  size_t unsent() const { return lost_ ? 0 : out_.size() - out_sent_ + stream_.pending(); }

  const std::shared_ptr<ServerLoop> server_;
  const std::string peer_;
  const std::string local_;
  const int fd_shown_;
  int fd_;
  rpc::Stream stream_;
  std::unique_ptr<Protocol> protocol_;  // once it has started
  event read_event_;
  event write_event_;

  CommandQueue commands_;
  std::string in_;   // bytes read and not yet cut: part of a command, or commands that wait for room
  std::string out_;  // replies from out_sent_ on are not yet sent
  size_t out_sent_ = 0;
  size_t accounted_ = 0;  // bytes of all that it holds, as the loop counts them
  std::atomic<size_t> shown_read_{0}, shown_unsent_{0}, shown_held_{0};
  uint32_t came_tick_ = 0;                      // when bytes last came, or were last let come
  uint32_t sent_tick_ = 0;                      // when the client last took bytes
  uint64_t moment_ = 0;                         // of the commands that are cut at present
  std::optional<MonotonicTime> crowded_since_;  // more than pushed_bytes_soft wait unsent
  bool running_ = false;                        // RunCommands() is on the stack
  bool reading_ = false;
  bool watched_ = false;
  bool ending_ = false;  // cuts no more commands: ends once those in flight are answered and sent
  bool ended_ = false;   // the client sends no more
  bool lost_ = false;    // nor takes anything: its replies are thrown away
  bool shut_ = false;    // nothing more will be sent: what the client still sends is thrown away until it closes
};

}  // namespace ebla::gateway

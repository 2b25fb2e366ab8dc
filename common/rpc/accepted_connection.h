// common/rpc/accepted_connection.h
// One accepted connection of any protocol: its socket, its unused input, its unsent output, when it is read, how it
// ends, and its loop's knowledge of it.
// Place:      connection_loop.h holds it. server_connection.h and gateway/server/connection.h derive from it: they cut
//             the input into requests, and answer them.
// Invariants: 1. A connection is touched on its loop's thread alone.
//             2. It is read while there is room for input. Once it is ending, no more requests are cut; when everything
//                is answered and sent, it is read again for a little, to discard further input.
//             3. Sent output returns its memory to the loop.
//             4. It is closed before it is destroyed.
// Threads:    its loop's.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/rpc/buffer.h"
#include "common/rpc/connection_loop.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/stream.h"
#include "common/security/tls.h"

namespace ebla::rpc {

class AcceptedConnection : public EventLoop::TurnEndHook, public std::enable_shared_from_this<AcceptedConnection> {
 public:
  virtual ~AcceptedConnection();

  // ---- for its loop ----

  virtual void Start() = 0;
  // Ends once what is in flight is answered and sent.
  void Drain();
  void Close();
  // Closes it for its client's fault, with a log line.
  void Break(const std::string& why);
  void OnSweep();
  size_t held_bytes() const { return held_; }
  // The bytes that it holds, by which the loop chooses a connection to close when all together hold too much.
  virtual size_t expendable_bytes() const { return held_bytes(); }

  size_t index = 0;       // in the loop's list
  bool admitted = false;  // it is in the loop's list of strangers

 protected:
  AcceptedConnection(std::shared_ptr<ConnectionLoop> home, int fd, std::string peer,
                     std::unique_ptr<security::TlsSession> tls);

  // ---- defined by each kind of connection ----

  virtual void OnReadable() = 0;
  virtual bool HasRoom() const = 0;  // for input
  virtual bool Busy() const = 0;     // something is not answered yet
  // The reason to close it if its client does not finish something begun.
  virtual std::optional<std::string> Overdue() const = 0;
  virtual void LogBroken(const std::string& why) const = 0;
  virtual void OnUnsendable() = 0;  // the client takes nothing any more: closes it, or gives up sending
  virtual void OnClosed() = 0;      // its loop forgets it next

  // ---- reading ----

  // The new input, as of Stream::Receive(); notes its end.
  Result<std::optional<std::string_view>> Receive();
  // Part of a request, or requests that wait for room.
  ReceivedBytes& received() { return received_; }
  const ReceivedBytes& received() const { return received_; }
  void UpdateReading();
  bool reading() const { return reading_; }
  bool ended() const { return ended_; }  // the client sends no more
  // The client has continued something begun.
  void NoteProgress() { progress_tick_ = home_->tick(); }
  uint32_t progress_tick() const { return progress_tick_; }  // when it did last, or was last let

  // ---- sending ----

  // The unsent output, to append to.
  std::string& Outgoing();
  // For many bytes, which become the output if it is empty.
  void AppendLarge(std::string bytes);
  // Sends as much as the socket takes now, and the rest when it can be written again. False: until then, nothing is
  // tried.
  bool Flush();
  size_t unsent() const { return out_.size() - out_sent_ + stream_.pending(); }
  // Discards the unsent output, because the client does not take it. With TLS nothing more can be read then, either.
  void GiveUpSending();

  // ---- ending ----

  // Nothing more is cut: FinishDrain() ends it once all is answered and sent.
  void BeginEnding() { ending_ = true; }
  bool ending() const { return ending_; }
  void FinishDrain();
  bool shut() const { return shut_; }  // what the client still sends is thrown away until it closes
  void NoteBroken(const std::string& why);

  // ---- its loop's knowledge ----

  // It holds so many bytes, and may wait for its client: then the sweep looks at it, as it does while replies are
  // unsent.
  void Report(size_t held, bool waits);

  // Its client has yet to authenticate, or has done so. Until then the connection may be closed for newer ones, and is
  // closed after the time limit for half-sent requests.
  void SetStranger(bool stranger);

  bool open() const { return fd_ >= 0; }
  const std::string& peer() const { return peer_; }
  const Stream& stream() const { return stream_; }
  const std::shared_ptr<ConnectionLoop>& home() const { return home_; }

 private:
  friend class ConnectionLoop;

  const std::shared_ptr<ConnectionLoop> home_;
  const std::string peer_;
  int fd_;
  Stream stream_;
  event read_event_;
  event write_event_;

  ReceivedBytes received_;
  std::string out_;  // from out_sent_ on it is not yet sent
  size_t out_sent_ = 0;
  size_t held_ = 0;             // bytes, as the loop counts them
  uint32_t progress_tick_ = 0;  // see progress_tick()
  uint32_t sent_tick_ = 0;      // when the client last took bytes
  uint32_t stranger_tick_ = 0;  // since when it is one
  bool stranger_ = false;
  bool reading_ = false;
  bool watched_ = false;
  bool ended_ = false;
  bool ending_ = false;
  bool shut_ = false;
};

}  // namespace ebla::rpc

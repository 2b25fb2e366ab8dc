// common/rpc/connection.h
// The connection behind a pipelined channel: its calls in flight, its socket, and its reconnecting. Internal to
// common/rpc.
// Place:      pipelined_channel.cc makes one for each (endpoint, executor).
// States:     idle (no socket; the next call connects) -> resolving -> connecting -> shaking hands, with TLS -> logging
//             in, with a password -> up. From each state, a failure leads back to idle, with `retry_at_` in the future
//             unless the connection had served a reply.
// Invariants: 1. A call's sequence id is its slot, marked with the slot's use. The slot is free again only once its
//                reply has arrived or the socket is closed, even when the call has timed out.
//             2. A call whose last byte the kernel has not taken was surely not executed, so its code is UNAVAILABLE. A
//                call whose last byte it has taken may have been executed, so its code is UNKNOWN_OUTCOME. Bytes that
//                TLS has encrypted count as taken.
// Threads:    Submit and Release from any thread; all else on the loop's.
#pragma once

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/buffer.h"
#include "common/rpc/login_exchange.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/socket.h"
#include "common/rpc/stream.h"
#include "common/rpc/timer_heap.h"

namespace ebla::rpc {

// The common state of the connections of one connector. Connections own it together, as they may outlive the connector.
struct ConnectionShared {
  ConnectionShared(EventLoop& event_loop, const ChannelOptions& channel_options)
      : loop(event_loop), options(channel_options), buffers{.socket = std::vector<char>(256 * 1024), .plain = {}} {}
  ~ConnectionShared();

  EventLoop& loop;
  const ChannelOptions options;
  ReadBuffers buffers;             // loop only
  evdns_base* resolver = nullptr;  // loop only; made by the first name
};

class Connection final : public EventLoop::TurnEndHook, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ConnectionShared> shared, Endpoint endpoint, Executor& executor);
  ~Connection();

  void Submit(EncodedCall call, Duration timeout, Channel::Done done);
  // The owner has let go: closes once nothing is in flight.
  void Release();
  // The same when the loop has stopped; waiting calls are released unanswered.
  void Abandon();
  void OnTurnEnd() override;

 private:
  enum class State { kIdle, kResolving, kConnecting, kShaking, kLoggingIn, kUp };
  struct Submission {
    EncodedCall call;
    MonotonicTime deadline;
    Channel::Done done;
  };
  struct Slot {
    Channel::Done done;  // null: free, or its call has timed out
    TimerHeap<uint32_t>::Handle deadline = 0;
    uint64_t end = 0;  // position in the stream of bytes after its frame
    uint16_t use = 0;
    bool taken = false;
  };
  struct Completion {
    Channel::Done done;
    Result<std::string> result;
  };

  void DrainSubmissions();
  void Add(Submission submission);
  void Connect();
  void Resolve();
  void OnResolved(int error, evutil_addrinfo* addresses);
  void OpenSocket(const SocketAddress& address);
  void OnWritable();
  // Whether the attempt has succeeded.
  bool FinishConnecting();
  // The server has authenticated itself, if it must.
  void Established();
  void OnConnected();
  void SendLogin(std::string_view message);
  // Whether the reply was one to a login.
  bool OnLoginReply(std::string_view message);
  void OnReadable();
  size_t CutReplies(std::string_view bytes);
  bool OnReply(std::string_view message);
  void Flush();
  void ArmDeadline();
  void OnDeadline();
  // Closes the socket; every call in flight ends.
  void Break(const std::string& why, Code code = Code::kUnavailable);
  void CloseSocket();
  void FreeSlot(uint32_t slot);
  void Complete(Slot& slot, Result<std::string> result);
  void Refuse(Channel::Done done, Code code, std::string why);
  void Deliver();
  void CloseIfReleased();
  size_t unsent() const { return out_.size() - out_sent_; }

  const std::shared_ptr<ConnectionShared> shared_;
  EventLoop& loop_;
  const Endpoint endpoint_;
  Executor& executor_;
  const bool inline_;  // the executor is the loop: completions need not be posted

  Mutex mutex_;
  std::vector<Submission> submissions_ EBLA_GUARDED_BY(mutex_);
  bool drain_posted_ EBLA_GUARDED_BY(mutex_) = false;

  State state_ = State::kIdle;
  bool released_ = false;
  std::shared_ptr<Connection> self_;  // held while a caller waits: the channel may be let go of before
  TimerId end_timer_;                 // of a released one that waits: unrun, it tells that the loop has stopped
  int fd_ = -1;
  std::optional<Stream> stream_;  // while there is a socket
  event read_event_;
  event write_event_;
  evdns_getaddrinfo_request* resolving_ = nullptr;
  uint64_t attempt_ = 0;  // tells an answer to this attempt to resolve from one to an earlier
  TimerId connect_timer_;
  MonotonicTime retry_at_;
  Duration backoff_;
  Status last_failure_;
  bool served_ = false;  // this connection has brought a reply
  MonotonicTime last_heard_;

  std::optional<LoginExchange> login_;
  std::string login_out_;  // of the login, and not yet taken; precedes out_
  ReceivedBytes in_;
  std::string out_;
  size_t out_sent_ = 0;
  uint64_t stream_base_ = 0;  // position in the stream of out_'s first byte
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  size_t in_flight_ = 0;  // slots taken
  size_t waiting_ = 0;    // of these, whose caller still waits
  TimerHeap<uint32_t> deadlines_;
  TimerId deadline_timer_;
  MonotonicTime deadline_armed_ = MonotonicTime::Max();
  std::vector<Completion> completions_;
};

}  // namespace ebla::rpc

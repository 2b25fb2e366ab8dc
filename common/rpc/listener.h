// common/rpc/listener.h
// A listening socket on an event loop: accepts connections, and passes each socket to its owner, which decides on their
// protocol and number. If file descriptors have run out it pauses briefly.
// Place:   acceptor.h has it, for servers of any protocol.
// Threads: Listen, Start and Stop from one thread, which no loop is or which is the loop's own; Take runs on the loop.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/rpc/channel.h"
#include "common/rpc/event_loop.h"

namespace ebla::rpc {

// Runs `work` on the loop and waits for it. A loop that has stopped has no thread left to disturb: then it runs here.
void RunOn(EventLoop& loop, std::function<void()> work);

class Listener {
 public:
  // Owns the socket from then on; `peer` is host:port.
  using Take = std::function<void(int fd, std::string peer)>;

  Listener(EventLoop& loop, Take take) : loop_(loop), take_(std::move(take)) {}
  ~Listener() { Stop(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Binds the address, but accepts no connection yet. UNAVAILABLE, naming it, when it cannot listen there.
  Status Listen(const Endpoint& endpoint);
  void Start();
  void Stop();

  bool listening() const { return fd_ >= 0; }
  // With the port that the system picked.
  const Endpoint& address() const { return address_; }

 private:
  void AcceptAll();
  void Pause();

  EventLoop& loop_;
  const Take take_;
  Endpoint address_;
  int fd_ = -1;
  event* event_ = nullptr;
  TimerId pause_;
};

}  // namespace ebla::rpc

#include "common/rpc/listener.h"

#include <event2/event.h>
#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>
#include <memory>

#include "common/rpc/socket.h"

namespace ebla::rpc {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);  // when file descriptors have run out

}  // namespace

void RunOn(EventLoop& loop, std::function<void()> work) {
  struct Step {
    std::function<void()> work;
    std::latch& done;
    bool ran = false;
    ~Step() {
      if (!ran) work();
      done.count_down();
    }
  };
  if (loop.InThread()) return work();
  std::latch done(1);
  auto step = std::unique_ptr<Step>(new Step{std::move(work), done});
  loop.Post([step = std::move(step)]() mutable {
    step->ran = true;
    step->work();
    step.reset();
  });
  done.wait();
}

Status Listener::Listen(const Endpoint& endpoint) {
  EBLA_ASSIGN(fd_, rpc::Listen(endpoint));
  EBLA_ASSIGN(address_, LocalAddress(fd_));
  return Status::Ok();
}

void Listener::Start() {
  RunOn(loop_, [this] {
    event_ = event_new(
        loop_.base(), fd_, EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* self) { static_cast<Listener*>(self)->AcceptAll(); }, this);
    event_add(event_, nullptr);
  });
}

void Listener::Stop() {
  if (fd_ < 0) return;
  RunOn(loop_, [this] {
    loop_.Cancel(pause_);
    if (event_ != nullptr) event_free(std::exchange(event_, nullptr));
  });
  close(std::exchange(fd_, -1));
}

void Listener::AcceptAll() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    SocketAddress peer;
    peer.size = sizeof(peer.storage);
    const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take_(fd, peer.ToEndpoint().ToString());
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) Pause();
    return;
  }
}

void Listener::Pause() {
  PLOG_EVERY_N(WARNING, 100) << "cannot accept connections; raise the limit of open files (ulimit -n)";
  event_del(event_);
  pause_ = loop_.After(kAcceptPause, [this] { event_add(event_, nullptr); });
}

}  // namespace ebla::rpc

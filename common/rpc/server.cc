#include "common/rpc/server.h"

#include <event2/event.h>
#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>

#include "common/base/mutex.h"
#include "common/rpc/server_loop.h"
#include "common/rpc/socket.h"

namespace ebla::rpc {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);  // when file descriptors have run out

// Runs `work` on the loop and waits for it. A loop that has stopped has no thread left to disturb: then it runs here.
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

}  // namespace

class RpcServer::Impl {
 public:
  Impl(ServerOptions options, const Dispatcher& dispatcher, std::vector<EventLoop*> loops)
      : options_(std::move(options)), dispatcher_(dispatcher), acceptor_(*loops.at(0)) {
    for (EventLoop* loop : loops)
      loops_.push_back(std::make_shared<ServerLoop>(*loop, options_, dispatcher, loops.size()));
  }

  ~Impl() { Stop(Duration{0}); }

  Status Start() {
    EBLA_ASSIGN(listen_fd_, Listen(options_.listen));
    EBLA_ASSIGN(address_, LocalAddress(listen_fd_));
    if (options_.listen.host == "localhost") address_.host = "localhost";
    RunOn(acceptor_, [this] {
      accept_event_ = event_new(
          acceptor_.base(), listen_fd_, EV_READ | EV_PERSIST,
          [](evutil_socket_t, short, void* self) { static_cast<Impl*>(self)->AcceptAll(); }, this);
      event_add(accept_event_, nullptr);
    });
    return Status::Ok();
  }

  void Stop(Duration patience) {
    if (listen_fd_ < 0) return;
    RunOn(acceptor_, [this] {
      acceptor_.Cancel(pause_);
      event_free(accept_event_);
    });
    close(std::exchange(listen_fd_, -1));

    if (patience > Duration{0}) DrainAll(patience);
    for (const auto& loop : loops_) RunOn(loop->loop, [&loop] { loop->CloseAll(); });
  }

  const Endpoint& address() const { return address_; }

  ServerStats Stats() const {
    ServerStats stats;
    stats.connections_accepted = accepted_.value();
    stats.connections_refused = refused_.value();
    stats.denied = dispatcher_.refusals();
    stats.limited = dispatcher_.limited();
    for (const auto& loop : loops_) {
      stats.requests += loop->counters.requests.value();
      stats.in_flight += loop->counters.in_flight.value();
      stats.connections += loop->counters.connections.value();
      stats.connections_broken += loop->counters.connections_broken.value();
      stats.bytes_in += loop->counters.bytes_in.value();
      stats.bytes_out += loop->counters.bytes_out.value();
    }
    return stats;
  }

 private:
  // Asks every loop to finish what it has, and waits until all have or patience is spent.
  void DrainAll(Duration patience) {
    struct Waiting {
      Mutex mutex;
      CondVar changed;
      size_t busy EBLA_GUARDED_BY(mutex) = 0;
    };
    auto waiting = std::make_shared<Waiting>();  // a loop may report after the patience is spent
    {
      MutexLock lock(waiting->mutex);
      waiting->busy = loops_.size();
    }
    for (const auto& loop : loops_) {
      RunOn(loop->loop, [&loop, waiting] {
        loop->on_empty = [waiting, reported = false]() mutable {
          if (std::exchange(reported, true)) return;
          MutexLock lock(waiting->mutex);
          --waiting->busy;
          waiting->changed.NotifyAll();
        };
        loop->Drain();
      });
    }
    MutexLock lock(waiting->mutex);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (waiting->busy > 0 && waiting->changed.WaitUntil(waiting->mutex, until)) {
    }
  }

  void AcceptAll() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      SocketAddress peer;
      peer.size = sizeof(peer.storage);
      const int fd =
          accept4(listen_fd_, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        Take(fd, peer.ToEndpoint().ToString());
        continue;
      }
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) PauseAccepting();
      return;
    }
  }

  void Take(int fd, std::string peer) {
    accepted_.Add(1);
    if (Stats().connections >= options_.connections_max) {
      refused_.Add(1);
      LOG_EVERY_N(WARNING, 1000) << "refused a connection: " << options_.connections_max << " are open already";
      close(fd);
      return;
    }
    SetNoDelay(fd);
    const std::shared_ptr<ServerLoop> loop = loops_[next_++ % loops_.size()];
    if (&loop->loop == &acceptor_) return loop->Accept(fd, std::move(peer));
    // The loop may stop before it takes the socket over.
    struct AcceptedSocket {
      int fd;
      std::shared_ptr<ServerLoop> loop;
      ~AcceptedSocket() {
        if (fd >= 0) close(fd);
      }
    };
    loop->loop.Post([accepted = std::make_unique<AcceptedSocket>(fd, loop), peer = std::move(peer)]() mutable {
      accepted->loop->Accept(std::exchange(accepted->fd, -1), std::move(peer));
    });
  }

  void PauseAccepting() {
    PLOG_EVERY_N(WARNING, 100) << "cannot accept connections; raise the limit of open files (ulimit -n)";
    event_del(accept_event_);
    pause_ = acceptor_.After(kAcceptPause, [this] { event_add(accept_event_, nullptr); });
  }

  const ServerOptions options_;
  const Dispatcher& dispatcher_;
  EventLoop& acceptor_;
  std::vector<std::shared_ptr<ServerLoop>> loops_;  // shared with connections: see ServerLoop
  Endpoint address_;
  int listen_fd_ = -1;
  event* accept_event_ = nullptr;
  TimerId pause_;
  size_t next_ = 0;
  LoopCounter accepted_, refused_;  // the acceptor's
};

RpcServer::RpcServer(ServerOptions options, const Dispatcher& dispatcher, std::vector<EventLoop*> loops)
    : impl_(std::make_unique<Impl>(std::move(options), dispatcher, std::move(loops))) {}
RpcServer::~RpcServer() = default;

Status RpcServer::Start() { return impl_->Start(); }
const Endpoint& RpcServer::address() const { return impl_->address(); }
void RpcServer::Stop(Duration patience) { impl_->Stop(patience); }
ServerStats RpcServer::Stats() const { return impl_->Stats(); }

}  // namespace ebla::rpc

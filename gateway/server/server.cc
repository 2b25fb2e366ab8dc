#include "gateway/server/server.h"

#include <event2/event.h>
#include <glog/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <latch>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/socket.h"
#include "gateway/server/connection.h"
#include "gateway/server/server_loop.h"

namespace ebla::gateway {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);  // when file descriptors have run out

// Runs `work` on the loop and waits for it. A loop that has stopped has no thread left to disturb: then it runs here.
void RunOn(rpc::EventLoop& loop, std::function<void()> work) {
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

class Server::Impl {
 public:
  Impl(ServerOptions options, const ProtocolFactory& factory, const std::vector<rpc::EventLoop*>& loops,
       Statistics& statistics)
      : options_(std::move(options)), acceptor_(*loops.at(0)), statistics_(statistics) {
    ServerOptions of_loop = options_;
    of_loop.buffered_bytes_max /= loops.size();
    for (size_t i = 0; i < loops.size(); ++i)
      loops_.push_back(std::make_shared<ServerLoop>(*loops[i], of_loop, factory, statistics.loop(i)));
  }
  ~Impl() { Stop(Duration{0}); }

  Status Listen() {
    EBLA_ASSIGN(listen_fd_, rpc::Listen(options_.listen));
    EBLA_ASSIGN(address_, rpc::LocalAddress(listen_fd_));
    return Status::Ok();
  }

  Status Start() {
    if (listen_fd_ < 0) EBLA_TRY(Listen());
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
      if (accept_event_ != nullptr) event_free(std::exchange(accept_event_, nullptr));
    });
    close(std::exchange(listen_fd_, -1));
    if (patience > Duration{0}) DrainAll(patience);
    for (const auto& loop : loops_) RunOn(loop->loop, [&loop] { loop->CloseAll(); });
  }

  const rpc::Endpoint& address() const { return address_; }

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
      rpc::SocketAddress peer;
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

  // Sockets on their way to a loop are counted by the next look.
  void Take(int fd, std::string peer) {
    LoopStatistics& own = statistics_.loop(0);
    own.accepted.Add(1);
    uint64_t open = 0;
    for (size_t i = 0; i < loops_.size(); ++i) open += statistics_.loop(i).connections.value();
    if (open >= options_.connections_max) {
      own.refused.Add(1);
      LOG_EVERY_T(WARNING, 10) << "refused a connection: " << options_.connections_max << " are open already";
      close(fd);
      return;
    }
    rpc::SetNoDelay(fd);
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
  rpc::EventLoop& acceptor_;
  Statistics& statistics_;
  std::vector<std::shared_ptr<ServerLoop>> loops_;  // shared with connections
  rpc::Endpoint address_;
  int listen_fd_ = -1;
  event* accept_event_ = nullptr;
  TimerId pause_;
  size_t next_ = 0;
};

Server::Server(ServerOptions options, ProtocolFactory factory, std::vector<rpc::EventLoop*> loops,
               Statistics& statistics)
    : impl_(std::make_unique<Impl>(std::move(options), factory, loops, statistics)) {}
Server::~Server() = default;

Status Server::Listen() { return impl_->Listen(); }
Status Server::Start() { return impl_->Start(); }
const rpc::Endpoint& Server::address() const { return impl_->address(); }
void Server::Stop(Duration patience) { impl_->Stop(patience); }

}  // namespace ebla::gateway

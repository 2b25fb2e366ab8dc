#include "common/rpc/acceptor.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "common/base/mutex.h"
#include "common/rpc/socket.h"

namespace ebla::rpc {
namespace {

// Asks every loop to finish what it has, and waits until all have or patience is spent.
void DrainAll(const Acceptor::Loops& loops, Duration patience) {
  struct Waiting {
    Mutex mutex;
    CondVar changed;
    size_t busy EBLA_GUARDED_BY(mutex) = 0;
  };
  auto waiting = std::make_shared<Waiting>();  // a loop may report after the patience is spent
  {
    MutexLock lock(waiting->mutex);
    waiting->busy = loops.size();
  }
  for (const auto& loop : loops) {
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

// Gives an accepted socket to a loop, which may stop before it takes it over.
void HandOver(const std::shared_ptr<ConnectionLoop>& loop, int fd, std::string peer) {
  if (loop->loop.InThread()) return loop->Accept(fd, std::move(peer));
  struct AcceptedSocket {
    int fd;
    std::shared_ptr<ConnectionLoop> loop;
    ~AcceptedSocket() {
      if (fd >= 0) close(fd);
    }
  };
  loop->loop.Post([accepted = std::make_unique<AcceptedSocket>(fd, loop), peer = std::move(peer)]() mutable {
    accepted->loop->Accept(std::exchange(accepted->fd, -1), std::move(peer));
  });
}

}  // namespace

Acceptor::Acceptor(Loops loops, size_t connections_max, Refuse refuse)
    : loops_(std::move(loops)),
      connections_max_(connections_max),
      refuse_(std::move(refuse)),
      listener_(loops_.at(0)->loop, [this](int fd, std::string peer) { Take(fd, std::move(peer)); }) {}

void Acceptor::Stop(Duration patience) {
  if (!listener_.listening()) return;
  listener_.Stop();
  if (patience > Duration{0}) DrainAll(loops_, patience);
  for (const auto& loop : loops_) RunOn(loop->loop, [&loop] { loop->CloseAll(); });
}

// Sockets on their way to a loop are counted by the next look.
void Acceptor::Take(int fd, std::string peer) {
  ConnectionCounters& own = loops_[0]->counters;
  own.accepted.Add(1);
  uint64_t open = 0;
  for (const auto& loop : loops_) open += loop->counters.connections.value();
  if (open >= connections_max_) {
    own.refused.Add(1);
    refuse_(fd);
    close(fd);
    return;
  }
  SetNoDelay(fd);
  HandOver(loops_[next_++ % loops_.size()], fd, std::move(peer));
}

}  // namespace ebla::rpc

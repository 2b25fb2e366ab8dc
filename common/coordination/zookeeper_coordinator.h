// common/coordination/zookeeper_coordinator.h
// The Coordinator over ZooKeeper's multi-threaded C client.
// Place:      main makes one for each process, on the executor of the host that uses it.
// Sessions:   Made in the background and for ever: an absent ZooKeeper means kConnecting and a log line every few
//             seconds. When the session ends, kExpired is reported, every watch fires, and a new session is made. Only
//             a server can report a session's end. A server restored from an older snapshot instead refuses for ever,
//             without a reason, any client that has seen newer states. So after session_give_up without a connection a
//             second session is tried; if it lasts for session_timeout while the first is still refused, the first is
//             given up. While no server can be reached, a session is kept for any time, because servers that return
//             unchanged give it its whole time again.
// Calls:      Reads in flight when the connection breaks are asked again. A Multi in flight answers UNKNOWN_OUTCOME. A
//             call without a connection waits for one, at most operation_timeout, then answers UNAVAILABLE; a Multi
//             called in one session is never carried out in another.
// Secret:     With `auth`, each session shows its secrets (scheme "digest") before it calls anything, and each new
//             node, the chroot too, admits only sessions with one of them. If ZooKeeper's nodes do not admit this
//             process, calls answer PERMISSION_DENIED, the log says so, and Refusal() has the remedy. It keeps asking.
// Order:      Calls are pipelined; results arrive in the order of the calls, also if a read is asked again.
// Threads:    as coordinator.h. Everything is handled on the executor; ZooKeeper's threads only post to it. Destroyed
//             on the executor, or after that has stopped; nothing is called after.
#pragma once

#include <memory>
#include <string>

#include "common/coordination/coordinator.h"
#include "common/coordination/zookeeper_auth.h"

namespace ebla::coordination {

struct ZooKeeperOptions {
  std::string servers;  // "host:port[,host:port...][/chroot]"; the chroot is made where it is missing
  Duration session_timeout = std::chrono::seconds(6);
  Duration operation_timeout = std::chrono::seconds(5);
  Duration session_give_up = std::chrono::seconds(6);
  ZooKeeperAuth auth = {};
};

class ZooKeeperCoordinator final : public Coordinator {
 public:
  // INVALID_ARGUMENT when `servers` is malformed. Never waits for ZooKeeper.
  static Result<std::unique_ptr<ZooKeeperCoordinator>> Open(ZooKeeperOptions options, Executor& executor);
  ~ZooKeeperCoordinator() override;  // ends the session: its ephemeral nodes go at once, where ZooKeeper is reached

  void Get(std::string path, Callback<Result<Node>> done, Watch watch) override;
  void Exists(std::string path, Callback<Result<bool>> done, Watch watch) override;
  void Children(std::string path, Callback<Result<std::vector<std::string>>> done, Watch watch) override;
  void Multi(std::vector<Op> ops, Callback<std::expected<MultiResult, MultiError>> done) override;
  int64_t session() const override;
  SessionState state() const override;
  uint64_t Listen(std::function<void(SessionState)> listener) override;
  void Forget(uint64_t listener) override;
  void Guard(Callback<Result<size_t>> done) override;
  std::string Refusal() const override;

 private:
  class Core;
  explicit ZooKeeperCoordinator(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace ebla::coordination

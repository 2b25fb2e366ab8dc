#include "common/coordination/conformance.h"

#include <glog/logging.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "common/coordination/embedded_coordinator.h"
#include "common/coordination/sim_coordinator.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/testing/tcp_proxy.h"
#include "common/testing/waiting_executor.h"
#include "common/testing/zookeeper_process.h"

namespace ebla::coordination {
namespace {

// One server for the whole run, each test in a chroot of its own, each client over a wire of its own.
class ZooKeeperHarness final : public Harness {
 public:
  ZooKeeperHarness() {
    static int tests = 0;
    root_ = "/tests/number" + std::to_string(++tests);
  }

  std::unique_ptr<Coordinator> NewClient() override {
    auto proxy = std::make_unique<testing::TcpProxy>(Server().port());
    ZooKeeperOptions options;
    options.servers = proxy->address() + root_;
    options.session_timeout = std::chrono::milliseconds(1500);
    options.operation_timeout = std::chrono::milliseconds(2500);
    auto client = ZooKeeperCoordinator::Open(options, executor_);
    CHECK(client.has_value()) << client.error();
    proxies_[client->get()] = std::move(proxy);
    return *std::move(client);
  }
  Executor& executor() override { return executor_; }
  bool RunUntil(const std::function<bool()>& done, Duration limit) override { return executor_.RunUntil(done, limit); }
  void Cut(Coordinator& client) override { proxies_.at(&client)->Cut(); }
  void Mend(Coordinator& client) override { proxies_.at(&client)->Mend(); }

 private:
  static testing::ZooKeeperProcess& Server() {
    static testing::ZooKeeperProcess server;
    if (!server.running()) {
      const Status started = server.Start();
      CHECK(started.ok()) << started;
    }
    return server;
  }

  std::string root_;
  testing::WaitingExecutor executor_;
  std::map<Coordinator*, std::unique_ptr<testing::TcpProxy>> proxies_;
};

class EmbeddedHarness final : public Harness {
 public:
  EmbeddedHarness() {
    directory_ = (std::filesystem::temp_directory_path() / "ebla_embedded_XXXXXX").string();
    CHECK(mkdtemp(directory_.data()) != nullptr);
    auto opened = EmbeddedCoordination::Open(directory_);
    CHECK(opened.has_value()) << opened.error();
    coordination_ = *std::move(opened);
  }
  ~EmbeddedHarness() override {
    coordination_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::unique_ptr<Coordinator> NewClient() override { return coordination_->NewClient(executor_); }
  Executor& executor() override { return executor_; }
  bool RunUntil(const std::function<bool()>& done, Duration limit) override { return executor_.RunUntil(done, limit); }
  bool has_faults() const override { return false; }

 private:
  std::string directory_;
  testing::WaitingExecutor executor_;
  std::unique_ptr<EmbeddedCoordination> coordination_;
};

class SimHarness final : public Harness {
 public:
  SimHarness() : scheduler_(7), coordination_(scheduler_), executor_(scheduler_) {}
  std::unique_ptr<Coordinator> NewClient() override { return coordination_.NewClient(executor_); }
  Executor& executor() override { return executor_; }
  bool RunUntil(const std::function<bool()>& done, Duration limit) override { return scheduler_.RunUntil(done, limit); }
  void Cut(Coordinator& client) override { static_cast<SimCoordinator&>(client).HoldOff(true); }
  void Mend(Coordinator& client) override { static_cast<SimCoordinator&>(client).HoldOff(false); }

 private:
  testing::SimScheduler scheduler_;
  SimCoordination coordination_;
  testing::SimExecutor executor_;
};

}  // namespace

std::unique_ptr<Harness> MakeHarness(const std::string& name) {
  if (name == "ZooKeeper") return std::make_unique<ZooKeeperHarness>();
  if (name == "Embedded") return std::make_unique<EmbeddedHarness>();
  CHECK(name == "Simulated");
  return std::make_unique<SimHarness>();
}

Result<Node> Conformance::Get(Coordinator& client, const std::string& path, Coordinator::Watch watch) {
  return Wait<Result<Node>>([&](auto done) { client.Get(path, done, std::move(watch)); });
}

Result<bool> Conformance::Exists(Coordinator& client, const std::string& path, Coordinator::Watch watch) {
  return Wait<Result<bool>>([&](auto done) { client.Exists(path, done, std::move(watch)); });
}

Result<std::vector<std::string>> Conformance::Children(Coordinator& client, const std::string& path,
                                                       Coordinator::Watch watch) {
  return Wait<Result<std::vector<std::string>>>([&](auto done) { client.Children(path, done, std::move(watch)); });
}

std::expected<MultiResult, MultiError> Conformance::Multi(Coordinator& client, std::vector<Op> ops) {
  return Wait<std::expected<MultiResult, MultiError>>([&](auto done) { client.Multi(std::move(ops), done); });
}

void Conformance::Do(Coordinator& client, Op op) {
  const std::string path = op.path;
  const auto result = Multi(client, {std::move(op)});
  EXPECT_TRUE(result.has_value()) << path << ": " << result.error().status;
}

void Conformance::AwaitConnected(Coordinator& client) {
  EXPECT_TRUE(RunUntil([&] { return client.state() == SessionState::kConnected; }));
}

void Conformance::ExpireSession(Coordinator& client, Coordinator& observer) {
  AwaitConnected(client);
  const int64_t session = client.session();
  bool expired = false;
  const uint64_t listener = client.Listen([&](SessionState state) { expired |= state == SessionState::kExpired; });
  // A node that the session's end deletes shows this end to other clients; the client itself learns of it when it
  // connects again.
  const auto probe = Multi(client, {Op::Create("/session_", "", CreateMode::kEphemeralSequential)});
  ASSERT_TRUE(probe.has_value()) << probe.error().status;
  harness_->Cut(client);
  bool gone = false;
  EXPECT_EQ(Exists(observer, probe->items[0].path, [&] { gone = true; }), true);
  EXPECT_TRUE(RunUntil([&] { return gone; }));
  harness_->Mend(client);
  EXPECT_TRUE(RunUntil([&] { return expired && client.state() == SessionState::kConnected; }));
  EXPECT_NE(client.session(), session);
  client.Forget(listener);
}

}  // namespace ebla::coordination

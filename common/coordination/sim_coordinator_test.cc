// Properties of the simulated coordinator alone: faults on demand, and the same run again from the same seed.
#include "common/coordination/sim_coordinator.h"

#include <gtest/gtest.h>

#include <optional>

#include "common/coordination/election.h"

namespace ebla::coordination {
namespace {

using std::chrono::seconds;

std::optional<Status> Do(testing::SimScheduler& scheduler, Coordinator& client, Op op) {
  auto outcome = std::make_shared<std::optional<Status>>();
  client.Multi({std::move(op)}, [outcome](const std::expected<MultiResult, MultiError>& done) {
    *outcome = done.has_value() ? Status::Ok() : done.error().status;
  });
  scheduler.RunUntil([&] { return outcome->has_value(); }, seconds(30));
  return *outcome;
}

TEST(SimCoordinator, ADisconnectionMakesAMultiInFlightUnknownWhichItWasOrWasNot) {
  int happened = 0;
  int unknown = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    testing::SimScheduler scheduler(seed);
    SimCoordination coordination(scheduler);
    testing::SimExecutor executor(scheduler);
    const auto client = coordination.NewClient(executor);
    scheduler.RunUntil([&] { return client->state() == SessionState::kConnected; }, seconds(5));
    std::optional<Code> code;
    client->Multi({Op::Create("/x", "")}, [&](const std::expected<MultiResult, MultiError>& done) {
      code = done.has_value() ? Code::kOk : done.error().status.code();
    });
    executor.Post([&] { client->Disconnect(); });
    ASSERT_TRUE(scheduler.RunUntil([&] { return code.has_value(); }, seconds(5)));
    unknown += *code == Code::kUnknownOutcome;
    scheduler.RunFor(seconds(1));
    happened += coordination.tree().nodes().contains("/x");
    EXPECT_EQ(client->state(), SessionState::kConnected) << "it connects again by itself";
  }
  EXPECT_EQ(unknown, 40);
  EXPECT_GT(happened, 5);
  EXPECT_LT(happened, 35);
}

TEST(SimCoordinator, AnExpiredClientLearnsItAndGetsANewSession) {
  testing::SimScheduler scheduler(3);
  SimCoordination coordination(scheduler);
  testing::SimExecutor executor(scheduler);
  const auto client = coordination.NewClient(executor);
  EXPECT_EQ(Do(scheduler, *client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  const int64_t session = client->session();
  bool expired = false;
  client->Listen([&](SessionState state) { expired |= state == SessionState::kExpired; });
  client->Expire();
  EXPECT_FALSE(coordination.tree().nodes().contains("/live"));
  ASSERT_TRUE(scheduler.RunUntil([&] { return expired && client->state() == SessionState::kConnected; }, seconds(5)));
  EXPECT_GT(client->session(), session);
}

TEST(SimCoordinator, ACrashedClientsSessionEndsAfterTheTimeout) {
  testing::SimScheduler scheduler(4);
  SimCoordination coordination(scheduler);
  testing::SimExecutor executor(scheduler);
  auto client = coordination.NewClient(executor);
  EXPECT_EQ(Do(scheduler, *client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  scheduler.RunFor(seconds(30));
  EXPECT_TRUE(coordination.tree().nodes().contains("/live")) << "a quiet client lives";
  client.reset();
  scheduler.RunFor(seconds(3));
  EXPECT_TRUE(coordination.tree().nodes().contains("/live"));
  scheduler.RunFor(seconds(5));
  EXPECT_FALSE(coordination.tree().nodes().contains("/live"));
}

TEST(SimCoordinator, APausedProcessLosesItsSession) {
  testing::SimScheduler scheduler(5);
  SimCoordination coordination(scheduler);
  testing::SimExecutor executor(scheduler);
  const auto client = coordination.NewClient(executor);
  EXPECT_EQ(Do(scheduler, *client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  bool expired = false;
  client->Listen([&](SessionState state) { expired |= state == SessionState::kExpired; });
  executor.Pause();
  scheduler.RunFor(seconds(10));
  EXPECT_FALSE(coordination.tree().nodes().contains("/live"));
  executor.Resume();
  EXPECT_TRUE(scheduler.RunUntil([&] { return expired && client->state() == SessionState::kConnected; }, seconds(5)));
}

TEST(SimCoordinator, NoSessionEndsWhileTheServiceIsAway) {
  testing::SimScheduler scheduler(6);
  SimCoordination coordination(scheduler);
  testing::SimExecutor executor(scheduler);
  const auto client = coordination.NewClient(executor);
  EXPECT_EQ(Do(scheduler, *client, Op::Create("/live", "", CreateMode::kEphemeral)), Status::Ok());
  const int64_t session = client->session();
  coordination.SetAvailable(false);
  EXPECT_EQ(Do(scheduler, *client, Op::Create("/x", ""))->code(), Code::kUnavailable);
  scheduler.RunFor(seconds(60));
  EXPECT_EQ(client->state(), SessionState::kConnecting);
  coordination.SetAvailable(true);
  ASSERT_TRUE(scheduler.RunUntil([&] { return client->state() == SessionState::kConnected; }, seconds(5)));
  EXPECT_EQ(client->session(), session);
  EXPECT_TRUE(coordination.tree().nodes().contains("/live"));
}

TEST(SimCoordinator, ARestoredSnapshotIsThePastAndEndsEverySession) {
  testing::SimScheduler scheduler(8);
  SimCoordination coordination(scheduler);
  testing::SimExecutor executor(scheduler);
  const auto client = coordination.NewClient(executor);
  EXPECT_EQ(Do(scheduler, *client, Op::Create("/a", "old")), Status::Ok());
  auto snapshot = coordination.TakeSnapshot();
  EXPECT_EQ(Do(scheduler, *client, Op::Set("/a", "new", 0)), Status::Ok());
  const int64_t session = client->session();
  coordination.Restore(std::move(snapshot));
  ASSERT_TRUE(scheduler.RunUntil(
      [&] { return client->session() != session && client->state() == SessionState::kConnected; }, seconds(5)));
  EXPECT_EQ(Do(scheduler, *client, Op::Check("/a", 0)), Status::Ok());
}

std::string ElectionLog(uint64_t seed) {
  testing::SimScheduler scheduler(seed);
  SimCoordination coordination(scheduler);
  std::string log;
  testing::SimExecutor executor(scheduler);
  std::vector<std::unique_ptr<SimCoordinator>> clients;
  std::vector<std::unique_ptr<LeaderElection>> elections;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(coordination.NewClient(executor));
    elections.push_back(std::make_unique<LeaderElection>(
        *clients.back(), executor, Candidate{"m" + std::to_string(i), {}}, [&, i](const Role& role) {
          const auto* leading = std::get_if<Leading>(&role);
          log += std::to_string(scheduler.Now().since_boot.count()) + " " + std::to_string(i) + " " +
                 (leading ? std::to_string(leading->term) : "f") + "\n";
        }));
  }
  for (int i = 0; i < 12; ++i) {
    scheduler.RunFor(seconds(1));
    SimCoordinator& victim = *clients[scheduler.Random(3)];
    scheduler.Random(2) == 0 ? victim.Expire() : victim.Disconnect();
  }
  scheduler.RunFor(seconds(10));
  int leaders = 0;
  for (const auto& election : elections) leaders += election->leading() != nullptr;
  EXPECT_EQ(leaders, 1) << "seed " << seed;
  elections.clear();
  return log;
}

TEST(SimCoordinator, TheSameSeedGivesTheSameRunAndEveryRunEndsWithOneLeader) {
  for (uint64_t seed = 1; seed <= 30; ++seed) EXPECT_EQ(ElectionLog(seed), ElectionLog(seed));
  EXPECT_NE(ElectionLog(1), ElectionLog(2));
}

}  // namespace
}  // namespace ebla::coordination

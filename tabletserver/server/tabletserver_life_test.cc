// A tablet server from its registration to its end: restarts, checkpoints, masters that change; in virtual time.
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

TEST(TabletServerAlone, ServesNothingBeforeItIsRegistered) {
  class Fixture : public HostFixture {
   public:
    void TestBody() override {}
    using HostFixture::coordination_;
    void Run() {
      coordination_.SetAvailable(false);
      executor_ = std::make_unique<testing::SimExecutor>(scheduler_);
      stored_ = std::make_unique<SimulatedStore>(disk_, *executor_);
      store_ = &**stored_;
      coordinator_ = coordination_.NewClient(*executor_);
      options_.identity = {.uuid = "u-1", .name = "ts-1", .cluster_id = "", .incarnation = Incarnation{1}};
      server_ = std::make_unique<TabletServer>(
          TabletServerPorts{
              {executor_.get()}, {executor_.get()}, {}, *executor_, *executor_, *store_, *coordinator_, connector_},
          options_);
      server_->Start({"127.0.0.1", 7410}, {"127.0.0.1", 7411});
      scheduler_.RunFor(3s);
      EXPECT_FALSE(server_->Ready().ok());
      EXPECT_EQ(Get("k").header.code, idl::Code::COME_AGAIN);
      coordination_.SetAvailable(true);
      EXPECT_TRUE(Until([&] { return server_->Ready().ok(); }));
    }
  };
  Fixture().Run();
}

TEST_F(TabletServerTest, RegistersAndReportsItsTablets) {
  ASSERT_TRUE(Until([&] { return !master_->last.tablets.empty() && master_->last.tablets[0].barrierApplied; }));
  const idl::HeartbeatRequest& beat = master_->last;
  EXPECT_EQ(beat.server, "ts-1");
  EXPECT_EQ(beat.incarnation, 1);
  EXPECT_EQ(beat.clusterId, kCluster);
  EXPECT_EQ(beat.tablets[0].tabletId, 100);
  EXPECT_TRUE(beat.tablets[0].leading);
  EXPECT_GT(beat.tablets[0].tabletTimeMs, 1'700'000'000'000 - 1000);
  EXPECT_TRUE(server_->Ready().ok());
}

TEST_F(TabletServerTest, ReportsAFullAndASlowDiskAndAFailedStoreApart) {
  ASSERT_TRUE(Until([&] { return master_->heartbeats > 0; }));
  const auto next = [&] {
    const int64_t before = master_->heartbeats;
    EXPECT_TRUE(Until([&] { return master_->heartbeats > before + 1; }));
    return master_->last;
  };
  EXPECT_FALSE(next().writesRefused);
  disk_.SetFull(true);
  EXPECT_TRUE(next().writesRefused);
  EXPECT_EQ(master_->last.disk.failure, "");
  disk_.SetFull(false);
  EXPECT_FALSE(next().writesRefused);
  disk_.log_disk().FailNext(SimulatedLogDisk::Failure::kWrite);
  Put("k", "v");
  EXPECT_NE(next().disk.failure, "");
  EXPECT_TRUE(master_->last.writesRefused) << "as masters of earlier builds know it";
}

TEST_F(TabletServerTest, FollowsTheMastersFromTermToTermAndThroughAnOutage) {
  ASSERT_TRUE(Until([&] { return master_->heartbeats > 0; }));
  const int64_t reported = master_->heartbeats;
  coordination_.SetAvailable(false);
  scheduler_.RunFor(20s);
  EXPECT_GE(master_->heartbeats, reported + 18) << "the known master is reported to all the while";
  EXPECT_EQ(Put("k", "v").header.code, idl::Code::OK) << "and clients are served";
  coordination_.SetAvailable(true);
  idl::TermNode term;
  term.term = 8;
  term.leader = "master-2";
  term.endpoint.host = "127.0.0.1";
  term.endpoint.port = 7500;
  master_->term = 8;
  bool set = false;
  admin_->Multi(
      {coordination::Op::Set(coordination::layout::kTerm, coordination::EncodeNode(term), coordination::kAnyVersion)},
      [&](auto result) { set = result.has_value(); });
  ASSERT_TRUE(Until([&] { return set; }));
  const int64_t before = master_->heartbeats;
  ASSERT_TRUE(Until([&] { return master_->heartbeats > before + 1; }));
  EXPECT_EQ(Configure({}).status.code, idl::Code::STALE_EPOCH) << "orders of term 1 are over";
}

TEST_F(TabletServerTest, ARestartKeepsWhatWasAcknowledged) {
  ASSERT_EQ(Put("k", "v").header.code, idl::Code::OK);
  ASSERT_EQ(WriteAs(5, 1, {IncrementOf("n", 3)}).header.code, idl::Code::OK);
  CrashServer(SimulatedDisk::CrashKind::kMachine);
  StartServer();
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_PRIMARY) << "no server is primary of an epoch in two lives";
  EXPECT_EQ(Configure({NewTablet(100)}).results[0].status.code, idl::Code::STALE_EPOCH);
  ASSERT_EQ(Fence(100, 2).results[0].status.code, idl::Code::OK);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(Get("k").record.value, "v");
  EXPECT_EQ(Get("n").record.value, "3");
  EXPECT_EQ(WriteAs(5, 1, {IncrementOf("n", 3)}).counters, std::vector<int64_t>{3}) << "the dedup window survived";
  EXPECT_EQ(Get("n").record.value, "3");
}

TEST_F(TabletServerTest, CheckpointsCutTheLogAndStopTakesOne) {
  for (int i = 0; i < 20; ++i) Put("k" + std::to_string(i), "v");
  ASSERT_TRUE(Until([&] { return server_->checkpointer().finished() >= 1; }, 200s));
  scheduler_.RunFor(1s);
  EXPECT_TRUE(store_->ReadLog(TabletId{100}, Lsn{1}, Lsn{5}, 1 << 20)->empty());
  const int64_t before = disk_.checkpoints();
  bool stopped = false;
  server_->Stop([&] { stopped = true; });
  EXPECT_TRUE(Until([&] { return stopped; }));
  EXPECT_GT(disk_.checkpoints(), before);
  EXPECT_EQ(Put("late", "v").header.code, idl::Code::COME_AGAIN);
}

}  // namespace
}  // namespace ebla::tabletserver

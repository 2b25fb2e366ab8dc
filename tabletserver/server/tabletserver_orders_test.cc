// A tablet server's reactions to a master's orders: fences, drops, altered tables.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/planted_bug.h"
#include "tabletserver/testing/fixture_parts.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

TEST_F(TabletServerTest, BelievesOnlyOrdersMeantForIt) {
  idl::ConfigureRequest request;
  const auto code = [&] {
    return Await<idl::ConfigureReply>([&](auto cob) { server_->control_service()->configure(std::move(cob), request); })
        .status.code;
  };
  request.header = ControlTo();
  request.header.toServer = "ts-2";
  EXPECT_EQ(code(), idl::Code::COME_AGAIN);
  request.header = ControlTo();
  request.header.toIncarnation = 9;
  EXPECT_EQ(code(), idl::Code::COME_AGAIN);
  request.header = ControlTo();
  request.header.clusterId = "c-2";
  EXPECT_EQ(code(), idl::Code::INVALID_ARGUMENT);
  request.header = ControlTo();
  request.header.masterTerm = 5;
  EXPECT_EQ(code(), idl::Code::OK);
  request.header.masterTerm = 4;
  EXPECT_EQ(code(), idl::Code::STALE_EPOCH);
}

TEST_F(TabletServerTest, AFenceEndsServiceUntilTheNextEpoch) {
  Put("k", "v");
  const idl::FenceReply fence = Fence(100, 2);
  ASSERT_EQ(fence.results.at(0).status.code, idl::Code::OK) << fence.results[0].status.message;
  EXPECT_TRUE(fence.results[0].known);
  EXPECT_EQ(fence.results[0].promisedEpoch, 2);
  EXPECT_GT(fence.results[0].tabletTimeMs, 0);
  EXPECT_EQ(fence.results[0].lastAppended.lsn, 2);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_PRIMARY);
  EXPECT_EQ(Put("k", "w").header.code, idl::Code::NOT_PRIMARY);
  EXPECT_EQ(Get("k", idl::ReadLevel::EVENTUAL).record.value, "v");
  EXPECT_EQ(Configure({NewTablet(100, "", "", 1)}).results[0].status.code, idl::Code::STALE_EPOCH);
  MakeTablet(100, "", "", 2);
  EXPECT_EQ(Get("k").record.value, "v");
}

// The write is admitted, and waits for the end of the turn to be stored, when the fence arrives.
TEST_F(TabletServerTest, AFenceReportsTheWriteJustBeforeIt) {
  Put("k", "v");
  idl::WriteRequest request;
  request.header = Header();
  request.header.__set_tabletTimeMs(learnt_ms_);
  request.clientId = 78;
  request.sequence = request.firstIncomplete = 1;
  request.writes = {PutOf("k", "w")};
  server_->tablet_service()->write([](const idl::WriteReply&) {}, request);
  const idl::FenceReply fence = Fence(100, 2);
  ASSERT_EQ(fence.results.at(0).status.code, idl::Code::OK) << fence.results[0].status.message;
  EXPECT_EQ(fence.results[0].lastAppended.lsn, 3);
}

// One round stores both, and one fsync makes them durable.
TEST_F(HostFixture, AFenceWaitsForNoOtherTabletsWrite) {
  StartServer();
  MakeTablet(100, "", "m");
  MakeTablet(101, "m", "");
  idl::WriteRequest request;
  request.header = Header();
  request.header.__set_tabletTimeMs(learnt_ms_);
  request.clientId = 78;
  request.sequence = request.firstIncomplete = 1;
  request.writes = {PutOf("k", "w")};
  std::optional<idl::WriteReply> written;
  const int64_t before = store_->health().flushes;
  server_->tablet_service()->write([&](const idl::WriteReply& reply) { written = reply; }, request);
  ASSERT_EQ(Fence(101, 2).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return written.has_value(); }));
  EXPECT_EQ(written->header.code, idl::Code::OK) << written->header.message;
  EXPECT_EQ(store_->health().flushes, before + 1);
}

TEST_F(TabletServerTest, AStepOfAChangeOfMembersIsReportedAtOnce) {
  const auto leads = [&](int64_t epoch) {
    const auto& tablets = master_->last.tablets;
    return !tablets.empty() && tablets[0].epoch == epoch && tablets[0].barrierCommitted;
  };
  ASSERT_TRUE(Until([&] { return leads(1); }));
  ASSERT_EQ(Fence(100, 2).results.at(0).status.code, idl::Code::OK);
  const int64_t before = master_->heartbeats;
  ASSERT_TRUE(Until([&] { return master_->heartbeats > before; }));  // the next is a second away
  ASSERT_EQ(Configure({NewTablet(100, "", "", 2)}).results.at(0).status.code, idl::Code::OK);
  EXPECT_TRUE(Until([&] { return leads(2); }, 300ms));
  const int64_t told = master_->heartbeats;
  scheduler_.RunFor(5s);
  EXPECT_LE(master_->heartbeats, told + 6) << "and then it beats as ever";
}

TEST_F(TabletServerTest, ANewTabletThatServesIsReportedAtOnce) {
  const int64_t before = master_->heartbeats;
  ASSERT_TRUE(Until([&] { return master_->heartbeats > before; }));  // the next is a second away
  idl::ConfigureTablet other = NewTablet(200, "", "", 1);
  other.schema.tableId = kTable + 1;
  other.schema.name = "other";
  ASSERT_EQ(Configure({other}).results.at(0).status.code, idl::Code::OK);
  const auto serves = [&] {
    return std::ranges::any_of(master_->last.tablets,
                               [](const auto& load) { return load.tabletId == 200 && load.barrierCommitted; });
  };
  EXPECT_TRUE(Until(serves, 300ms));
}

TEST_F(TabletServerTest, ADropWaitsForReadersAndLeavesNothing) {
  Put("k", "v");
  auto guard = server_->directory().snapshot()->All().at(0)->view();
  const idl::DropReply drop = Drop(100, 1);
  ASSERT_EQ(drop.results.at(0).status.code, idl::Code::OK) << drop.results[0].status.message;
  EXPECT_EQ(Get("k").header.code, idl::Code::WRONG_TABLET);
  scheduler_.RunFor(5s);
  EXPECT_TRUE(*store_->Get(TableId{kTable}, "k")) << "a reader still holds the old view";
  EXPECT_EQ(Configure({NewTablet(101)}).results[0].status.code, idl::Code::COME_AGAIN) << "its range is still taken";
  guard.reset();
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  EXPECT_FALSE(*store_->Get(TableId{kTable}, "k"));
  EXPECT_EQ(Configure({NewTablet(100)}).results[0].status.code, idl::Code::STALE_EPOCH) << "the tombstone remembers";
  MakeTablet(101);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
}

TEST_F(TabletServerTest, WithoutTheRuleADropDiscardsUnderItsReaders) {
  Put("k", "v");
  const auto guard = server_->directory().snapshot()->All().at(0)->view();
  Plant(PlantedBug::discard_under_readers);
  EXPECT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  EXPECT_TRUE(Until([&] { return !store_->Get(TableId{kTable}, "k")->has_value(); })) << "while the view is still held";
  Plant(PlantedBug::none);
}

TEST_F(TabletServerTest, ADropCutShortByACrashIsFinishedAfterIt) {
  Put("k", "v");
  auto guard = server_->directory().snapshot()->All().at(0)->view();
  ASSERT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  CrashServer();
  guard.reset();
  StartServer();
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  MakeTablet(101);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
  idl::DropTableRequest request;
  request.header = ControlTo();
  request.tableId = kTable;
  const auto drop = [&] {
    return Await<idl::DropTableReply>(
               [&](auto cob) { server_->control_service()->dropTableData(std::move(cob), request); })
        .status.code;
  };
  EXPECT_EQ(drop(), idl::Code::COME_AGAIN);
  Drop(101, 1);
  EXPECT_TRUE(Until([&] { return drop() == idl::Code::OK; }));
}

// The answer to a repeated drop waits for its flush. By then the tablet is here again, in a later epoch.
TEST_F(TabletServerTest, ADropThatComesTwiceLeavesWhatIsMadeMeanwhile) {
  ASSERT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  disk_.SetLatency(20ms, 20ms);
  const auto again = OrderOf<idl::DropRequest>(ControlTo(), 100, 2);
  std::optional<idl::DropReply> dropped;
  server_->control_service()->drop([&](const idl::DropReply& reply) { dropped = reply; }, again);
  scheduler_.RunFor(5ms);
  ASSERT_FALSE(dropped);
  MakeTablet(100, "", "", 3);
  ASSERT_TRUE(Until([&] { return dropped.has_value(); }));
  disk_.SetLatency(0ms, 0ms);
  scheduler_.RunFor(5s);
  EXPECT_EQ(Put("k", "v").header.code, idl::Code::OK);
}

TEST_F(TabletServerTest, ADroppedTabletsPendingWritesAreNoBurdenAfterIt) {
  disk_.SetStalled(true);
  auto write = std::make_shared<std::optional<idl::WriteReply>>();
  idl::WriteRequest request;
  request.header = Header();
  request.header.__set_tabletTimeMs(learnt_ms_);
  request.clientId = request.sequence = request.firstIncomplete = 1;
  request.writes = {PutOf("k", "never applied")};
  server_->tablet_service()->write([write](const idl::WriteReply& reply) { *write = reply; }, request);
  ASSERT_TRUE(Until([&] { return server_->shard_counters().unapplied_bytes.load() > 0; }));
  server_->control_service()->drop([](const idl::DropReply&) {}, OrderOf<idl::DropRequest>(ControlTo(), 100, 1));
  scheduler_.RunFor(1s);
  disk_.SetStalled(false);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  EXPECT_EQ((*write)->header.code, idl::Code::UNKNOWN_OUTCOME) << (*write)->header.message;
  EXPECT_EQ(server_->shard_counters().unapplied_bytes.load(), 0);
}

TEST_F(TabletServerTest, AnAlteredTableBehavesByItsNewSchema) {
  idl::TableSchema schema = Schema(2);
  schema.options.__set_defaultTtlMs(1000);
  const idl::AlterReply reply = Alter(schema);
  EXPECT_EQ(reply.status.code, idl::Code::OK) << reply.status.message;
  Put("k", "v");
  EXPECT_TRUE(Get("k").record.__isset.expiresAtMs);
  EXPECT_TRUE(Until([&] { return master_->last.tablets.size() == 1 && master_->last.tablets[0].schemaVersion == 2; }));
}

// ---- the place of a tablet that is dropped, or that is refused ------------------------------------------------------

// A drop of the tablet whose answer waits for its flush, because the disk stalls.
class DropUnderWayTest : public TabletServerTest {
 protected:
  using Answer = std::shared_ptr<std::optional<idl::Code::type>>;

  void SetUp() override {
    TabletServerTest::SetUp();
    ASSERT_EQ(Put("k", "v").header.code, idl::Code::OK);
    disk_.SetStalled(true);
  }
  // Does not wait until it is answered.
  template <class Reply, class Request>
  Answer Give(void (ControlService::*order)(std::function<void(const Reply&)>, const Request&),
              const Request& request) {
    auto answer = std::make_shared<std::optional<idl::Code::type>>();
    const auto told = [answer](const Reply& reply) { *answer = reply.results.at(0).status.code; };
    (server_->control_service().get()->*order)(told, request);
    scheduler_.RunFor(5ms);
    return answer;
  }
  void BeginDrop(int64_t tablet = 100) {
    drop_ = Give(&ControlService::drop, OrderOf<idl::DropRequest>(ControlTo(), tablet, 2));
    ASSERT_FALSE(drop_->has_value());
  }
  Answer GiveConfigure(int64_t tablet) {
    idl::ConfigureRequest configure;
    configure.header = ControlTo();
    configure.tablets = {NewTablet(tablet, "", "", 1)};
    return Give(&ControlService::configure, configure);
  }
  Answer GiveSplit(int64_t tablet) {
    auto split = OrderOf<idl::SplitRequest>(ControlTo(), tablet, 1);
    split.tablets[0].key = "m";
    split.tablets[0].childId = 164;
    return Give(&ControlService::split, split);
  }
  Answer GiveFreeze() {
    auto request = OrderOf<idl::FreezeRequest>(ControlTo(), 100, 1);
    request.tablets[0].intoId = 200;
    return Give(&ControlService::freeze, request);
  }
  void ExpectThatItHasItsPlace() {
    ASSERT_EQ(server_->directory().snapshot()->All().size(), 1u);
    EXPECT_EQ(Configure({NewTablet(199)}).results.at(0).status.code, idl::Code::COME_AGAIN) << "its range is taken";
  }
  void ExpectThatItGoes() {
    disk_.SetStalled(false);
    ASSERT_TRUE(Until([&] { return drop_->has_value(); }));
    EXPECT_EQ(**drop_, idl::Code::OK);
    ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
    ASSERT_FALSE(*store_->Get(TableId{kTable}, "k")) << "its removal has not begun";
    MakeTablet(199);
    EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
  }

  Answer drop_;
};

// The tablet answers SPLIT and FREEZE at once. Its replica's answers leave in order, thus after the drop's.
TEST_F(DropUnderWayTest, KeepsItsPlaceWhenOtherOrdersAreRefused) {
  BeginDrop();
  const Answer configured = GiveConfigure(100);
  ExpectThatItHasItsPlace();
  EXPECT_EQ(*GiveSplit(100), idl::Code::STALE_EPOCH);
  ExpectThatItHasItsPlace();
  EXPECT_EQ(*GiveFreeze(), idl::Code::STALE_EPOCH);
  ExpectThatItHasItsPlace();
  ExpectThatItGoes();
  EXPECT_EQ(*configured, idl::Code::STALE_EPOCH);
}

TEST_F(DropUnderWayTest, KeepsItsPlaceWhenItEndsAFreeze) {
  const Answer freeze = GiveFreeze();
  ASSERT_FALSE(freeze->has_value()) << "it waits for its flush, too";
  BeginDrop();
  EXPECT_EQ(*freeze, idl::Code::STALE_EPOCH);
  ExpectThatItHasItsPlace();
  ExpectThatItGoes();
}

TEST_F(DropUnderWayTest, KeepsItsPlaceWhenItsFirstConfigurationIsUnansweredToo) {
  disk_.SetStalled(false);
  ASSERT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  disk_.SetStalled(true);
  const Answer configured = GiveConfigure(101);
  ASSERT_FALSE(configured->has_value());
  BeginDrop(101);
  EXPECT_EQ(*GiveSplit(101), idl::Code::STALE_EPOCH);
  ExpectThatItHasItsPlace();
  ExpectThatItGoes();
}

// The store has failed with its flush, so that only the next start of the server can remove the replica.
TEST_F(TabletServerTest, ADropWhoseFlushFailsKeepsThePlaceUntilItIsRepeated) {
  ASSERT_EQ(Put("k", "v").header.code, idl::Code::OK);
  const auto places = [&] { return server_->directory().snapshot()->All().size(); };
  disk_.log_disk().FailNext(SimulatedLogDisk::Failure::kSync);
  EXPECT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::INTERNAL);
  EXPECT_EQ(places(), 1u);
  EXPECT_EQ(Fence(100, 2).results.at(0).status.code, idl::Code::INTERNAL);
  EXPECT_EQ(places(), 1u);
  EXPECT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::INTERNAL);
  EXPECT_EQ(places(), 1u);
  CrashServer(SimulatedDisk::CrashKind::kMachine);
  StartServer();
  EXPECT_EQ(Drop(100, 1).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return places() == 0; }));
  ASSERT_FALSE(*store_->Get(TableId{kTable}, "k"));
  MakeTablet(101);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
}

TEST_F(HostFixture, ARefusedConfigurationFreesThePlaceThatItTook) {
  StartServer();
  idl::ConfigureTablet lost = NewTablet(100);
  lost.born = false;  // some other server has its records
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Configure({lost}).results.at(0).status.code, idl::Code::UNAVAILABLE);
    EXPECT_TRUE(server_->directory().snapshot()->All().empty());
  }
  MakeTablet(101);
  EXPECT_EQ(Put("k", "v").header.code, idl::Code::OK);
}

}  // namespace
}  // namespace ebla::tabletserver

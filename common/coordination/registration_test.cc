// A server's registration and its refusals, over all three coordinators.
#include "common/coordination/registration.h"

#include "common/coordination/conformance.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/master_types.h"

namespace ebla::coordination {
namespace {

using Kind = RegistrationState::Kind;

class RegistrationTest : public Conformance {
 protected:
  void FoundCluster(const std::string& id = "cluster-1") {
    idl::ClusterNode node;
    node.clusterId = id;
    Do(*b_, Op::Create(layout::kCluster, EncodeNode(node)));
  }
  static ServerIdentity Identity(uint64_t start, const std::string& uuid = "uuid-3") {
    ServerIdentity identity;
    identity.name = "ts-3";
    identity.uuid = uuid;
    identity.incarnation = Incarnation{start};
    identity.endpoint = {"127.0.0.1", 7410};
    identity.http = {"127.0.0.1", 7411};
    identity.rack = "r1";
    return identity;
  }
  std::unique_ptr<ServerRegistration> Register(Coordinator& client, ServerIdentity identity,
                                               Duration takeover_limit = std::chrono::milliseconds(1200)) {
    ServerRegistration::Options options;
    options.takeover_limit = takeover_limit;
    return std::make_unique<ServerRegistration>(client, harness_->executor(), std::move(identity), options,
                                                [this](const RegistrationState& state) { states_.push_back(state); });
  }
  bool Becomes(const ServerRegistration& registration, Kind kind) {
    return RunUntil([&] { return registration.state().kind == kind; });
  }
  idl::ServerNode ServerNode() { return *DecodeNode<idl::ServerNode>(Get(*b_, layout::ServerPath("ts-3"))->data); }
  idl::LiveNode LiveNode() { return *DecodeNode<idl::LiveNode>(Get(*b_, layout::LivePath("ts-3"))->data); }

  std::vector<RegistrationState> states_;
};

TEST_P(RegistrationTest, AFirstStartWaitsForTheClusterThenStands) {
  const auto server = Register(*a_, Identity(1));
  EXPECT_TRUE(states_.empty());
  ASSERT_TRUE(
      RunUntil([&] { return !states_.empty() && states_.back().status.message().contains("create the cluster"); }));
  FoundCluster();
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  EXPECT_EQ(server->state().cluster_id, "cluster-1");
  EXPECT_EQ(ServerNode().uuid, "uuid-3");
  EXPECT_EQ(ServerNode().startCounter, 1);
  EXPECT_EQ(LiveNode().incarnation, 1);
  EXPECT_EQ(LiveNode().endpoint.port, 7410);
  EXPECT_EQ(LiveNode().http.port, 7411);
  EXPECT_EQ(LiveNode().rack, "r1");
  EXPECT_EQ(Get(*b_, layout::LivePath("ts-3"))->session, a_->session());
}

TEST_P(RegistrationTest, AServerThatLostSomethingLearnsWhichIdsAreNewBeforeItStands) {
  FoundCluster();
  ServerIdentity identity = Identity(1);
  const auto server = Register(*a_, identity);
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  EXPECT_FALSE(server->state().next_id) << "it asks only if it needs to know";
  server->Withdraw([] {});
  idl::NextIdNode node;
  node.nextId = 41;
  Do(*b_, Op::Create(layout::kNextId, EncodeNode(node)));
  identity.incarnation = Incarnation{2};
  identity.wants_next_id = true;
  states_.clear();
  const auto again = Register(*a_, identity);
  ASSERT_TRUE(Becomes(*again, Kind::kRegistered));
  for (const RegistrationState& state : states_) {
    if (state.kind == Kind::kRegistered) {
      EXPECT_EQ(state.next_id, TabletId{41});
    }
  }
}

TEST_P(RegistrationTest, ARestartRaisesTheCounterOnceItsFormerSessionHasEnded) {
  FoundCluster();
  auto server = Register(*a_, Identity(1));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  const auto again = Register(*b_, Identity(2), std::chrono::seconds(60));
  ASSERT_TRUE(RunUntil([&] { return states_.back().status.message().contains("former process"); }));
  EXPECT_EQ(ServerNode().startCounter, 1) << "the living one is not disturbed";
  server.reset();
  a_.reset();
  ASSERT_TRUE(Becomes(*again, Kind::kRegistered));
  EXPECT_EQ(ServerNode().startCounter, 2);
  EXPECT_EQ(LiveNode().incarnation, 2);
}

TEST_P(RegistrationTest, ARestartOnTheSameLockWaitsForNobody) {
  FoundCluster();
  const auto on_lock = [](uint64_t start, const std::string& mark) {
    ServerIdentity identity = Identity(start);
    identity.lock_mark = mark;
    return identity;
  };
  const auto dead = Register(*a_, on_lock(1, "boot/8/77"));  // its session has not ended yet
  ASSERT_TRUE(Becomes(*dead, Kind::kRegistered));
  const auto again = Register(*b_, on_lock(2, "boot/8/77"), std::chrono::seconds(60));
  ASSERT_TRUE(Becomes(*again, Kind::kRegistered));
  EXPECT_EQ(ServerNode().startCounter, 2);
  EXPECT_EQ(LiveNode().incarnation, 2);
  EXPECT_EQ(Get(*b_, layout::LivePath("ts-3"))->session, b_->session());
}

TEST_P(RegistrationTest, ACopyOnAnotherLockWaitsAndIsRefused) {
  FoundCluster();
  ServerIdentity first = Identity(1);
  first.lock_mark = "boot/8/77";
  const auto server = Register(*a_, std::move(first));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  ServerIdentity copied = Identity(2);
  copied.lock_mark = "boot/8/78";
  const auto copy = Register(*b_, std::move(copied));
  ASSERT_TRUE(Becomes(*copy, Kind::kRefused));
  EXPECT_EQ(LiveNode().incarnation, 1);
}

TEST_P(RegistrationTest, WithdrawingFreesTheNameAtOnce) {
  FoundCluster();
  const auto server = Register(*a_, Identity(1));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  bool withdrawn = false;
  server->Withdraw([&] { withdrawn = true; });
  ASSERT_TRUE(RunUntil([&] { return withdrawn; }));
  EXPECT_EQ(Exists(*b_, layout::LivePath("ts-3")), false);
  const auto again = Register(*b_, Identity(2));
  EXPECT_TRUE(Becomes(*again, Kind::kRegistered));
}

TEST_P(RegistrationTest, SaysItsFeatureLevelAndIsRefusedBelowTheClusters) {
  idl::ClusterNode cluster;
  cluster.clusterId = "cluster-1";
  cluster.__set_featureLevel(7);
  Do(*b_, Op::Create(layout::kCluster, EncodeNode(cluster)));
  ServerIdentity newer = Identity(1);
  newer.feature_level = 8;
  auto server = Register(*a_, std::move(newer));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  EXPECT_EQ(server->state().cluster_level, 7);
  EXPECT_EQ(ServerNode().featureLevel, 8);
  server.reset();
  ServerIdentity older = Identity(2);
  older.feature_level = 6;
  const auto refused = Register(*a_, std::move(older));
  ASSERT_TRUE(Becomes(*refused, Kind::kRefused));
  EXPECT_TRUE(refused->state().status.message().contains("level 6, and the cluster is at level 7"));
  EXPECT_EQ(ServerNode().featureLevel, 8) << "nothing was changed";
}

TEST_P(RegistrationTest, RefusesWhatCouldLoseData) {
  FoundCluster();
  {
    const auto server = Register(*a_, Identity(5));
    ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
    bool withdrawn = false;
    server->Withdraw([&] { withdrawn = true; });
    ASSERT_TRUE(RunUntil([&] { return withdrawn; }));
  }
  const auto refused = [&](ServerIdentity identity, const std::string& why) {
    const auto server = Register(*a_, std::move(identity));
    ASSERT_TRUE(Becomes(*server, Kind::kRefused));
    EXPECT_EQ(server->state().status.code(), Code::kInvalidArgument);
    EXPECT_TRUE(server->state().status.message().contains(why)) << server->state().status;
  };
  refused(Identity(4), "restored or cloned");
  refused(Identity(5), "restored or cloned");
  refused(Identity(6, "uuid-of-another"), "belongs to another server");
  ServerIdentity stranger = Identity(6);
  stranger.cluster_id = "cluster-2";
  refused(stranger, "belongs to cluster cluster-2");
  EXPECT_EQ(ServerNode().startCounter, 5) << "a refusal changes nothing";
  const auto good = Register(*a_, Identity(6));
  EXPECT_TRUE(Becomes(*good, Kind::kRegistered));
}

TEST_P(RegistrationTest, ABackupOfTheLastStartIsRefused) {
  FoundCluster();
  const auto marked = [](uint64_t start, uint64_t mark) {
    ServerIdentity identity = Identity(start);
    identity.life_mark = mark;
    return identity;
  };
  const auto ends = [&](std::unique_ptr<ServerRegistration> server) {
    bool withdrawn = false;
    server->Withdraw([&] { withdrawn = true; });
    return RunUntil([&] { return withdrawn; });
  };
  auto server = Register(*a_, marked(1, 0));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  server->RaiseLifeMark(1);
  server->RaiseLifeMark(2);
  ASSERT_TRUE(RunUntil([&] { return ServerNode().lifeMark == 2; }));
  EXPECT_EQ(ServerNode().startCounter, 1);
  EXPECT_EQ(LiveNode().incarnation, 1) << "it is the same start";
  ASSERT_TRUE(ends(std::move(server)));
  // Its counter is the next start's, as the newest copy's is.
  auto backup = Register(*a_, marked(2, 1));
  ASSERT_TRUE(Becomes(*backup, Kind::kRefused));
  EXPECT_TRUE(backup->state().status.message().contains("restored or cloned")) << backup->state().status;
  backup.reset();
  // The newest directory, whose last raise had not reached the coordinator.
  auto newest = Register(*a_, marked(2, 3));
  ASSERT_TRUE(Becomes(*newest, Kind::kRegistered));
  EXPECT_EQ(ServerNode().lifeMark, 3);
}

TEST_P(RegistrationTest, ALifeMarkRaisedWhileTheCoordinatorIsAwayIsToldLater) {
  if (!harness_->has_faults()) GTEST_SKIP() << "it is never away";
  FoundCluster();
  const auto server = Register(*a_, Identity(1));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  harness_->Cut(*a_);
  server->RaiseLifeMark(7);
  harness_->Mend(*a_);
  EXPECT_TRUE(RunUntil([&] { return ServerNode().lifeMark == 7; }));
}

TEST_P(RegistrationTest, ACloneOfALivingServerIsRefusedAndTheLivingOneGoesOn) {
  FoundCluster();
  const auto living = Register(*a_, Identity(1));
  ASSERT_TRUE(Becomes(*living, Kind::kRegistered));
  const auto clone = Register(*b_, Identity(2));
  ASSERT_TRUE(Becomes(*clone, Kind::kRefused));
  EXPECT_TRUE(clone->state().status.message().contains("another process runs as ts-3 at 127.0.0.1:7410"));
  EXPECT_EQ(living->state().kind, Kind::kRegistered);
  EXPECT_EQ(LiveNode().incarnation, 1);
  EXPECT_EQ(ServerNode().startCounter, 1);
}

TEST_P(RegistrationTest, TwoCopiesThatStartAtTheSameMomentDoNotBothLive) {
  FoundCluster();
  const auto one = Register(*a_, Identity(7));
  const auto two = Register(*b_, Identity(7));
  const auto settled = [](const ServerRegistration& server) { return server.state().kind != Kind::kWaiting; };
  ASSERT_TRUE(RunUntil([&] { return settled(*one) && settled(*two); }));
  EXPECT_NE(one->state().kind, two->state().kind);
}

TEST_P(RegistrationTest, ANodeOfANewerFormatIsRefusedWithAWordToUpgrade) {
  Do(*b_, Op::Create(layout::kCluster, "\x03xyz"));
  const auto server = Register(*a_, Identity(1));
  ASSERT_TRUE(Becomes(*server, Kind::kRefused));
  EXPECT_TRUE(server->state().status.message().contains("upgrade this program")) << server->state().status;
}

TEST_P(RegistrationTest, ARemovedLivenessNodeIsMadeAgain) {
  FoundCluster();
  const auto server = Register(*a_, Identity(1));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  Do(*b_, Op::Delete(layout::LivePath("ts-3"), kAnyVersion));
  EXPECT_TRUE(RunUntil([&] { return *Exists(*b_, layout::LivePath("ts-3")); }));
}

TEST_P(RegistrationTest, AfterTheEndOfItsSessionItLivesAgainWithTheSameIncarnation) {
  if (!harness_->has_faults()) GTEST_SKIP() << "its sessions end with the process only";
  FoundCluster();
  const auto server = Register(*a_, Identity(3));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  ExpireSession(*a_, *b_);
  ASSERT_TRUE(
      RunUntil([&] { return server->state().kind == Kind::kRegistered && *Exists(*b_, layout::LivePath("ts-3")); }));
  EXPECT_EQ(LiveNode().incarnation, 3);
  EXPECT_EQ(ServerNode().startCounter, 3);
  EXPECT_EQ(Get(*b_, layout::LivePath("ts-3"))->session, a_->session());
}

TEST_P(RegistrationTest, WhoseNameALaterStartTookMeanwhileIsRefused) {
  if (!harness_->has_faults()) GTEST_SKIP() << "its sessions end with the process only";
  FoundCluster();
  const auto server = Register(*a_, Identity(3));
  ASSERT_TRUE(Becomes(*server, Kind::kRegistered));
  harness_->Cut(*a_);
  const auto later = Register(*b_, Identity(4), std::chrono::seconds(60));
  ASSERT_TRUE(Becomes(*later, Kind::kRegistered));
  harness_->Mend(*a_);
  ASSERT_TRUE(Becomes(*server, Kind::kRefused));
  EXPECT_TRUE(server->state().status.message().contains("restored or cloned"));
}

EBLA_OVER_ALL_COORDINATORS(RegistrationTest);

}  // namespace
}  // namespace ebla::coordination

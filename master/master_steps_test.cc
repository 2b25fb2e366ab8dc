// At every single step of every procedure the leading master dies, once before the step is carried out and once after
// it was but before the master knew; or it lives on, and the step is lost, or its outcome is. Whoever leads must finish,
// and nothing may be half made, led twice or named twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/test_cluster.h"

namespace ebla::master::testing {
namespace {

using Fault = TestCluster::Fault;

class MasterStepsTest : public ::testing::TestWithParam<Fault> {
 protected:
  // `prepare`, then `act` with the fault at step 1, 2, 3, ... until the procedure has no more; `check` says what is
  // wrong in the end. Both masters' servers and the coordinator live on.
  void EachStep(size_t steps_least, const std::function<void(TestCluster&)>& prepare,
                const std::function<void(TestCluster&)>& act, const std::function<std::string(TestCluster&)>& check) {
    size_t step = 1;
    for (bool struck = true; struck; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      TestCluster cluster({.masters = 2, .servers = 3, .balance = false, .seed = step});
      ASSERT_TRUE(cluster.WaitForLeader() && cluster.WaitForServers());
      prepare(cluster);
      cluster.StrikeAt(GetParam(), step);
      act(cluster);
      cluster.RunUntil([&] { return cluster.struck(); }, 3s);
      struck = cluster.struck();
      cluster.Spare();
      ASSERT_TRUE(cluster.RunUntil([&] { return check(cluster).empty(); }, 120s)) << check(cluster);
      cluster.scheduler().RunFor(20s);  // and it stays so
      ASSERT_EQ(check(cluster), "");
      ASSERT_THAT(cluster.ledger().violations(), ::testing::IsEmpty());
      ASSERT_EQ(cluster.Create("after").header.code, idl::Code::OK);
      ASSERT_LT(step, 200u) << "the procedure does not end";
    }
    EXPECT_GT(step, steps_least) << "fewer steps than the procedure has: nothing was proved";
  }

  static bool Dies() { return GetParam() == Fault::kDieBefore || GetParam() == Fault::kDieAfter; }

  // Asks without waiting for the answer: the one who was asked may die.
  template <class Reply, class Request>
  static void Ask(TestCluster& cluster,
                  void (idl::MasterServiceCobSvIf::*method)(std::function<void(const Reply&)>, const Request&),
                  const Request& request) {
    TestMaster& leader = cluster.master(cluster.Leader().value());
    leader.executor->Post([service = leader.master->service(), method, request] {
      (service.get()->*method)([](const Reply&) {}, request);
    });
  }
};

TEST_P(MasterStepsTest, CreateTable) {
  const auto act = [](TestCluster& cluster) {
    idl::CreateTableRequest request;
    request.name = "carts";
    request.splitPoints = {"b", "d", "f", "h"};
    request.options.__set_replicas(3);
    Ask(cluster, &idl::MasterServiceCobSvIf::createTable, request);
  };
  const auto check = [](TestCluster& cluster) -> std::string {
    // Not begun: then there is nothing at all.
    if (!cluster.TableNode("carts") && cluster.Tablets().empty()) {
      for (const auto& server : cluster.servers()) {
        if (!server->replicas().empty()) return "a replica of nothing";
      }
      return cluster.struck() && Dies() ? "" : "the table is missing";
    }
    return cluster.WhyNotServing("carts");
  };
  EachStep(6, [](TestCluster&) {}, act, check);
}

TEST_P(MasterStepsTest, DropTable) {
  const auto prepare = [](TestCluster& cluster) {
    ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}).header.code, idl::Code::OK);
  };
  const auto act = [](TestCluster& cluster) {
    idl::DropTableByNameRequest request;
    request.name = "carts";
    Ask(cluster, &idl::MasterServiceCobSvIf::dropTable, request);
  };
  const auto check = [](TestCluster& cluster) -> std::string {
    // Dying before the mark stands leaves the table whole.
    if (cluster.struck() && Dies() && cluster.WhyNotServing("carts").empty()) return "";
    return cluster.Remains(1);
  };
  EachStep(5, prepare, act, check);
}

TEST_P(MasterStepsTest, AlterTable) {
  const auto prepare = [](TestCluster& cluster) {
    ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}).header.code, idl::Code::OK);
  };
  const auto act = [](TestCluster& cluster) {
    idl::AlterTableRequest request;
    request.name = "carts";
    request.options.__set_defaultTtlMs(60'000);
    Ask(cluster, &idl::MasterServiceCobSvIf::alterTable, request);
  };
  EachStep(4, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

TEST_P(MasterStepsTest, SplitTablet) {
  const auto prepare = [](TestCluster& cluster) {
    idl::TableOptions options;
    options.__set_replicas(3);
    ASSERT_EQ(cluster.Create("carts", {"h"}, options).header.code, idl::Code::OK);
    ASSERT_TRUE(cluster.RunUntil([&] { return cluster.WhyNotServing("carts").empty(); }));
    cluster.scheduler().RunFor(2s);  // everybody has reported
  };
  const auto act = [](TestCluster& cluster) {
    idl::SplitTabletRequest request;
    request.table = "carts";
    request.key = "d";
    Ask(cluster, &idl::MasterServiceCobSvIf::splitTablet, request);
  };
  const auto check = [](TestCluster& cluster) -> std::string {
    for (const auto& [id, info] : cluster.Tablets()) {
      const auto node = cluster.coordination().tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(id)}));
      if (coordination::DecodeNode<idl::TabletNode>(node->data)->__isset.split) return "an intent is open";
    }
    if (cluster.Tablets().size() != 3 && !(cluster.struck() && Dies())) return "it is not split";
    return cluster.WhyNotServing("carts");
  };
  EachStep(3, prepare, act, check);
}

// With and without a freeze that comes to nothing.
TEST_P(MasterStepsTest, MergeOfTablets) {
  for (const bool held : {false, true}) {
    const auto prepare = [&](TestCluster& cluster) {
      idl::TableOptions options;
      options.__set_replicas(3);
      ASSERT_EQ(cluster.Create("carts", {"h", "p"}, options).header.code, idl::Code::OK);
      ASSERT_TRUE(cluster.RunUntil([&] { return cluster.WhyNotServing("carts").empty(); }));
      cluster.scheduler().RunFor(2s);  // everybody has reported
      for (auto& server : cluster.servers()) server->hold_freezes = held;
    };
    const auto act = [&](TestCluster& cluster) {
      idl::MergeTabletsRequest request;
      request.table = "carts";
      request.key = "h";
      Ask(cluster, &idl::MasterServiceCobSvIf::mergeTablets, request);
      cluster.RunUntil([&] { return cluster.struck(); }, 6s);
    };
    const auto check = [&](TestCluster& cluster) -> std::string {
      for (const auto& [id, info] : cluster.Tablets()) {
        const auto node = cluster.coordination().tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(id)}));
        const auto tablet = coordination::DecodeNode<idl::TabletNode>(node->data);
        if (tablet->__isset.merge) return "an intent is open";
        if (tablet->__isset.merged) return "a voter has not united them yet";
      }
      const bool merged = cluster.Tablets().size() == 2;
      if (held && merged) return "it was merged without having been frozen";
      // Dying before the intents stand leaves them as they are; a freeze that was not heard of in time is given up.
      if (!held && !merged && !cluster.struck()) return "it is not merged";
      return cluster.WhyNotServing("carts");
    };
    EachStep(held ? 10 : 7, prepare, act, check);
  }
}

TEST_P(MasterStepsTest, RestartOfAServer) {
  const auto prepare = [](TestCluster& cluster) {
    ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}).header.code, idl::Code::OK);
  };
  const auto act = [](TestCluster& cluster) {
    cluster.server(0).Stop();
    cluster.server(0).Start();
    cluster.RunUntil([&] { return cluster.struck(); }, 15s);
  };
  EachStep(3, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

TEST_P(MasterStepsTest, FailoverOfTablets) {
  const auto prepare = [](TestCluster& cluster) {
    idl::TableOptions options;
    options.__set_replicas(3);
    ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}, options).header.code, idl::Code::OK);
  };
  const auto act = [](TestCluster& cluster) {
    cluster.server(0).Stop();
    cluster.RunUntil([&] { return cluster.struck(); }, 15s);
    cluster.server(0).Start();
  };
  EachStep(5, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

TEST_P(MasterStepsTest, RaisingAndLoweringReplicas) {
  for (const int replicas : {1, 3}) {
    const auto with = [](int count) {
      idl::TableOptions options;
      options.__set_replicas(count);
      return options;
    };
    const auto prepare = [&](TestCluster& cluster) {
      ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}, with(replicas)).header.code, idl::Code::OK);
    };
    const auto act = [&](TestCluster& cluster) {
      idl::AlterTableRequest request;
      request.name = "carts";
      request.options = with(4 - replicas);
      Ask(cluster, &idl::MasterServiceCobSvIf::alterTable, request);
      cluster.RunUntil([&] { return cluster.struck(); }, 20s);
    };
    EachStep(15, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
  }
}

TEST_P(MasterStepsTest, TransferOfATablet) {
  const auto prepare = [](TestCluster& cluster) {
    idl::TableOptions options;
    options.__set_replicas(3);
    ASSERT_EQ(cluster.Create("carts", {"b", "d"}, options).header.code, idl::Code::OK);
    cluster.scheduler().RunFor(3s);
  };
  const auto act = [](TestCluster& cluster) {
    idl::TransferTabletRequest request;
    request.table = "carts";
    request.toServer = cluster.Tablets().begin()->second.voters.at(1);
    Ask(cluster, &idl::MasterServiceCobSvIf::transferTablet, request);
    cluster.RunUntil([&] { return cluster.struck(); }, 5s);
  };
  EachStep(4, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

TEST_P(MasterStepsTest, MoveOfAReplica) {
  const auto prepare = [](TestCluster& cluster) {
    idl::TableOptions options;
    options.__set_replicas(2);
    ASSERT_EQ(cluster.Create("carts", {"b", "d"}, options).header.code, idl::Code::OK);
    cluster.scheduler().RunFor(3s);
  };
  const auto place = [](TestCluster& cluster) {
    const idl::TabletInfo tablet = cluster.Tablets().begin()->second;
    for (const auto& server : cluster.servers()) {
      if (std::ranges::count(tablet.voters, server->name()) == 0) return std::pair(tablet.primary, server->name());
    }
    return std::pair(tablet.primary, std::string());
  };
  const auto act = [&](TestCluster& cluster) {
    idl::MoveTabletRequest request;
    request.table = "carts";
    std::tie(request.fromServer, request.toServer) = place(cluster);
    Ask(cluster, &idl::MasterServiceCobSvIf::moveTablet, request);
    cluster.RunUntil([&] { return cluster.struck(); }, 20s);
  };
  EachStep(8, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

// Of a move that hangs. Where the master dies before that stands in the catalog the move goes on, else nothing of it is left.
TEST_P(MasterStepsTest, CancelOfAMove) {
  const auto prepare = [](TestCluster& cluster) {
    idl::TableOptions options;
    options.__set_replicas(2);
    ASSERT_EQ(cluster.Create("carts", {}, options).header.code, idl::Code::OK);
    cluster.scheduler().RunFor(3s);
    const idl::TabletInfo tablet = cluster.Tablets().begin()->second;
    idl::MoveTabletRequest request;
    request.table = "carts";
    request.fromServer = tablet.primary;
    for (const auto& server : cluster.servers()) {
      if (std::ranges::count(tablet.voters, server->name()) > 0) continue;
      request.toServer = server->name();
      server->mute = true;
    }
    request.deadlineMs = 1'000;
    cluster.Call(&idl::MasterServiceCobSvIf::moveTablet, request);
    ASSERT_TRUE(cluster.RunUntil([&] { return !cluster.Tablets().begin()->second.learners.empty(); }));
    cluster.scheduler().RunFor(2s);
  };
  const auto act = [&](TestCluster& cluster) {
    idl::CancelProcedureRequest request;
    request.id = "move-" + std::to_string(cluster.Tablets().begin()->first);
    Ask(cluster, &idl::MasterServiceCobSvIf::cancelProcedure, request);
    cluster.RunUntil([&] { return cluster.struck(); }, 20s);
    for (auto& server : cluster.servers()) server->mute = false;
  };
  EachStep(2, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

// The moves that it has begun hang. Where the master dies first the drain goes on, else the server keeps what it has.
TEST_P(MasterStepsTest, CancelOfADrain) {
  std::string drained;
  const auto prepare = [&](TestCluster& cluster) {
    idl::TableOptions options;
    options.__set_replicas(2);
    ASSERT_EQ(cluster.Create("carts", {}, options).header.code, idl::Code::OK);
    cluster.scheduler().RunFor(3s);
    const idl::TabletInfo tablet = cluster.Tablets().begin()->second;
    for (auto& server : cluster.servers()) server->mute = std::ranges::count(tablet.voters, server->name()) == 0;
    drained = tablet.primary;
    idl::SetServerRequest drain;
    drain.name = drained;
    drain.__set_draining(true);
    ASSERT_EQ(cluster.Call(&idl::MasterServiceCobSvIf::setServer, drain)->header.code, idl::Code::OK);
    ASSERT_TRUE(cluster.RunUntil([&] { return !cluster.Tablets().begin()->second.learners.empty(); }));
    cluster.scheduler().RunFor(2s);
  };
  const auto act = [&](TestCluster& cluster) {
    idl::CancelProcedureRequest request;
    request.id = "drain-" + drained;
    Ask(cluster, &idl::MasterServiceCobSvIf::cancelProcedure, request);
    cluster.RunUntil([&] { return cluster.struck(); }, 20s);
    for (auto& server : cluster.servers()) server->mute = false;
  };
  EachStep(3, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

TEST_P(MasterStepsTest, RecoveryByHand) {
  const auto prepare = [](TestCluster& cluster) {
    ASSERT_EQ(cluster.Create("carts", {"d", "h"}).header.code, idl::Code::OK);
    cluster.scheduler().RunFor(3s);
    // What the last voter lacks is lost with the others.
    cluster.server(2).mute = true;
    cluster.scheduler().RunFor(300ms);
    cluster.server(0).Stop();
    cluster.server(1).Stop();
    cluster.server(2).mute = false;
    cluster.scheduler().RunFor(10s);
    for (const auto& [id, info] : cluster.Tablets()) cluster.ledger().LossAccepted(id);
  };
  const auto act = [](TestCluster& cluster) {
    idl::RecoverTabletRequest request;
    request.server = "ts-3";
    request.acceptDataLoss = true;
    const auto tablets = cluster.Tablets();
    for (const auto& [id, info] : tablets) {
      request.tabletId = id;
      Ask(cluster, &idl::MasterServiceCobSvIf::recoverTablet, request);
    }
    cluster.RunUntil([&] { return cluster.struck(); }, 10s);
    // Whoever leads now is asked again, as an operator would who has got no answer.
    for (const auto& [id, info] : tablets) {
      request.tabletId = id;
      std::optional<idl::RecoverTabletReply> reply;
      for (int attempt = 0; attempt < 3 && !(reply && reply->header.code == idl::Code::OK); ++attempt) {
        reply = cluster.Call(&idl::MasterServiceCobSvIf::recoverTablet, request);
      }
      ASSERT_TRUE(reply.has_value());
      EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
      EXPECT_EQ(reply->chosen, "ts-3");
    }
    cluster.server(0).Start();
    cluster.server(1).Start();
  };
  EachStep(5, prepare, act, [](TestCluster& cluster) { return cluster.WhyNotServing("carts"); });
}

TEST_P(MasterStepsTest, AdoptionAfterARestore) {
  const auto prepare = [](TestCluster& cluster) {
    ASSERT_EQ(cluster.Create("old", {"k"}).header.code, idl::Code::OK);
    auto older = cluster.coordination().TakeSnapshot();
    ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}).header.code, idl::Code::OK);
    cluster.coordination().Restore(std::move(older));
    cluster.scheduler().RunFor(15s);
    ASSERT_TRUE(cluster.WaitForLeader());
  };
  const auto act = [](TestCluster& cluster) {
    idl::AdoptRequest request;
    request.confirm = true;
    Ask(cluster, &idl::MasterServiceCobSvIf::adopt, request);
    cluster.RunUntil([&] { return cluster.struck(); }, 5s);
    // Whoever leads now is asked again, as an operator would who has got no answer.
    std::optional<idl::AdoptReply> reply;
    for (int attempt = 0; attempt < 4 && !(reply && reply->header.code == idl::Code::OK); ++attempt) {
      cluster.scheduler().RunFor(3s);  // a new master hears of the servers first
      reply = cluster.Call(&idl::MasterServiceCobSvIf::adopt, request);
    }
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
  };
  EachStep(4, prepare, act, [](TestCluster& cluster) {
    const std::string carts = cluster.WhyNotServing("carts");
    return carts.empty() ? cluster.WhyNotServing("old") : carts;
  });
}

TEST_P(MasterStepsTest, ReturnOfAServerWithStrays) {
  const auto prepare = [](TestCluster& cluster) {
    ASSERT_EQ(cluster.Create("carts", {"b", "d", "f", "h"}).header.code, idl::Code::OK);
    cluster.server(0).Stop();
    cluster.scheduler().RunFor(8s);
    ASSERT_EQ(cluster.Drop("carts").header.code, idl::Code::OK);
  };
  const auto act = [](TestCluster& cluster) {
    cluster.server(0).Start();
    cluster.RunUntil([&] { return cluster.struck(); }, 15s);
  };
  EachStep(4, prepare, act, [](TestCluster& cluster) { return cluster.Remains(1); });
}

std::string FaultName(const ::testing::TestParamInfo<Fault>& info) {
  static constexpr const char* kNames[] = {"None", "DieBefore", "DieAfter", "LoseRequest", "LoseOutcome"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Each, MasterStepsTest,
                         ::testing::Values(Fault::kDieBefore, Fault::kDieAfter, Fault::kLoseRequest, Fault::kLoseOutcome),
                         FaultName);

}  // namespace
}  // namespace ebla::master::testing

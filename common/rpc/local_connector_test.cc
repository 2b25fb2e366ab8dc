#include "common/rpc/local_connector.h"

#include "common/rpc/rpc_test_util.h"
#include "common/rpc/stubs.h"

namespace ebla::rpc {
namespace {

using std::chrono::milliseconds;

// Answers at once, from another thread, or never.
class LocalMaster : public idl::MasterServiceCobSvNull {
 public:
  void clusterInfo(std::function<void(const idl::ClusterInfoReply&)> done, const idl::ClusterInfoRequest&) override {
    idl::ClusterInfoReply reply;
    reply.__set_clusterId("here");
    if (how == How::kAtOnce) return done(reply);
    if (how == How::kElsewhere) std::thread([done, reply] { done(reply); }).join();
    if (how == How::kNever) kept = done;
  }

  enum class How { kAtOnce, kElsewhere, kNever, kDrops } how = How::kAtOnce;
  std::function<void(const idl::ClusterInfoReply&)> kept;
};

class NowhereConnector final : public Connector {
 public:
  std::shared_ptr<Channel> Connect(const Endpoint& endpoint, Executor&) override {
    asked.push_back(endpoint);
    return nullptr;
  }
  std::vector<Endpoint> asked;
};

class LocalConnectorTest : public ::testing::Test {
 protected:
  LocalConnectorTest() {
    dispatcher_.Register(master_);
    loop_.Start();
  }
  using Answer = std::pair<Code, std::string>;  // the code and the cluster's name
  enum class As { kBytes, kStruct };

  Answer Ask(As as, milliseconds timeout) { return as == As::kBytes ? AskInBytes(timeout) : AskWithStruct(timeout); }
  Answer AskInBytes(milliseconds timeout) {
    std::promise<Answer> answer;
    loop_.Post([&] {
      auto called = std::make_shared<bool>(false);
      idl::ClusterInfoRequest request;
      MakeMasterStub(channel_, timeout)
          ->clusterInfo(
              [&answer, called, this](const idl::ClusterInfoReply& reply) {
                EXPECT_TRUE(*called) << "within Call()";
                EXPECT_TRUE(loop_.InThread());
                answer.set_value({static_cast<Code>(reply.header.code), reply.clusterId});
              },
              request);
      *called = true;
    });
    return answer.get_future().get();
  }
  Answer AskWithStruct(milliseconds timeout, std::string_view method = "clusterInfo") {
    std::promise<Answer> answer;
    loop_.Post([&] {
      auto called = std::make_shared<bool>(false);
      const idl::ClusterInfoRequest request;
      LocalCalls* const here = channel_->SameThreadCalls();
      ASSERT_NE(here, nullptr);
      here->Call(method, &request, timeout, [&answer, called, this](Result<std::shared_ptr<void>> reply) {
        EXPECT_TRUE(*called) << "within Call()";
        EXPECT_TRUE(loop_.InThread());
        if (!reply) return answer.set_value({reply.error().code(), ""});
        const auto& info = *std::static_pointer_cast<idl::ClusterInfoReply>(*reply);
        answer.set_value({static_cast<Code>(info.header.code), info.clusterId});
      });
      *called = true;
    });
    return answer.get_future().get();
  }

  std::shared_ptr<LocalMaster> master_ = std::make_shared<LocalMaster>();
  Dispatcher dispatcher_;
  EventLoop loop_{"local"};
  NowhereConnector* const nowhere_ = new NowhereConnector;
  LocalConnector connector_{dispatcher_, {"10.0.0.1", 7400}, std::unique_ptr<Connector>(nowhere_)};
  std::shared_ptr<Channel> channel_ = connector_.Connect({"10.0.0.1", 7400}, loop_);
};

TEST_F(LocalConnectorTest, RepliesRunOnTheLoopAfterTheCall) {
  using How = LocalMaster::How;
  for (const How how : {How::kAtOnce, How::kElsewhere}) {
    master_->how = how;
    for (const As as : {As::kBytes, As::kStruct})
      EXPECT_EQ(Ask(as, std::chrono::seconds(20)), Answer(Code::kOk, "here"));
  }
}

TEST_F(LocalConnectorTest, WhatIsNotAnsweredInTimeHasEndedThen) {
  for (const As as : {As::kBytes, As::kStruct}) {
    master_->how = LocalMaster::How::kNever;
    EXPECT_EQ(Ask(as, milliseconds(20)).first, Code::kDeadlineExceeded);
    master_->kept({});
    master_->how = LocalMaster::How::kAtOnce;
    EXPECT_EQ(Ask(as, std::chrono::seconds(20)).second, "here") << "a late reply is thrown away";
    master_->kept = nullptr;
  }
}

TEST_F(LocalConnectorTest, StructsAreTakenOnTheLoopAlone) {
  EXPECT_EQ(channel_->SameThreadCalls(), nullptr);
  EXPECT_EQ(AskWithStruct(std::chrono::seconds(20), "noSuchMethod").first, Code::kInternal);
}

TEST_F(LocalConnectorTest, AHandlerThatLetsGoOfAStructIsAnErrorToo) {
  master_->how = LocalMaster::How::kDrops;
  for (const As as : {As::kBytes, As::kStruct}) EXPECT_EQ(Ask(as, std::chrono::seconds(20)).first, Code::kInternal);
}

TEST_F(LocalConnectorTest, OtherServersAreReachedByTheOtherWay) {
  connector_.Connect({"10.0.0.2", 7400}, loop_);
  EXPECT_EQ(nowhere_->asked, std::vector{(Endpoint{"10.0.0.2", 7400})});
}

}  // namespace
}  // namespace ebla::rpc

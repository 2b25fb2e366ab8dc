// The dispatcher without a socket, as the simulated network uses it; all four services over a channel made of it; and
// the IDL conversions.
#include "common/rpc/dispatcher.h"

#include "common/rpc/idl_convert.h"
#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

// A channel that hands its message to a dispatcher and posts the reply, as the simulator's does.
class LocalChannel final : public Channel {
 public:
  LocalChannel(const Dispatcher& dispatcher, Executor& executor) : dispatcher_(dispatcher), executor_(executor) {}
  void Call(EncodedCall call, Duration timeout, Done done) override {
    last_timeout = timeout;
    // Writes the sequence id in place, as the pipelined channel does.
    std::string_view("\0\0\0\x2a", 4).copy(call.message.data() + call.sequence_offset, 4);
    executor_.Post([this, call = std::move(call), done = std::move(done)]() mutable {
      dispatcher_.Dispatch(call.message, [this, done = std::move(done)](Result<std::string_view> reply) mutable {
        ASSERT_TRUE(reply.has_value()) << reply.error();
        EXPECT_EQ(ParseMessageHead(*reply)->sequence, 42);
        executor_.Post([done = std::move(done), reply = std::string(*reply)]() mutable { done(std::move(reply)); });
      });
    });
  }

  Duration last_timeout{0};

 private:
  const Dispatcher& dispatcher_;
  Executor& executor_;
};

class FailingChannel final : public Channel {
 public:
  void Call(EncodedCall, Duration, Done done) override { done(Error(Code::kUnknownOutcome, "the line went dead")); }
};

class FakeMaster : public idl::MasterServiceCobSvNull {
 public:
  void createTable(std::function<void(const idl::CreateTableReply&)> done,
                   const idl::CreateTableRequest& request) override {
    idl::CreateTableReply reply;
    reply.__set_tablets(static_cast<int32_t>(request.splitPoints.size()) + 1);
    done(reply);
  }
  void clusterInfo(std::function<void(const idl::ClusterInfoReply&)> done, const idl::ClusterInfoRequest&) override {
    idl::ClusterInfoReply reply;
    reply.header.__set_code(idl::Code::NOT_PRIMARY);
    reply.__set_clusterId("c");
    done(reply);
  }
};
class FakeControl : public idl::ControlServiceCobSvNull {
 public:
  void fence(std::function<void(const idl::FenceReply&)> done, const idl::FenceRequest& request) override {
    idl::FenceReply reply;
    for (const auto& tablet : request.tablets) {
      idl::FenceResult result;
      result.__set_tabletId(tablet.tabletId);
      result.__set_promisedEpoch(tablet.epoch);
      reply.results.push_back(result);
    }
    done(reply);
  }
};
class FakeReplication : public idl::ReplicationServiceCobSvNull {
 public:
  void append(std::function<void(const idl::AppendReply&)> done, const idl::AppendRequest& request) override {
    idl::AppendReply reply;
    reply.__set_incarnation(static_cast<int64_t>(request.appends.at(0).entries.size()));
    done(reply);
  }
};

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() : channel_(std::make_shared<LocalChannel>(dispatcher_, loop_)) {
    dispatcher_.Register(std::make_shared<FakeTablet>());
    dispatcher_.Register(std::shared_ptr<idl::MasterServiceCobSvIf>(std::make_shared<FakeMaster>()));
    dispatcher_.Register(std::shared_ptr<idl::ControlServiceCobSvIf>(std::make_shared<FakeControl>()));
    dispatcher_.Register(std::shared_ptr<idl::ReplicationServiceCobSvIf>(std::make_shared<FakeReplication>()));
    loop_.Start();
  }
  ~DispatcherTest() override { loop_.Stop(); }

  template <class Reply, class Stub, class Request>
  Reply Call(Stub& stub, void (Stub::*method)(std::function<void(const Reply&)>, const Request&),
             const Request& request) {
    std::promise<Reply> promise;
    (stub.*method)([&](const Reply& reply) { promise.set_value(reply); }, request);
    return promise.get_future().get();
  }

  Dispatcher dispatcher_;
  EventLoop loop_{"local"};
  std::shared_ptr<LocalChannel> channel_;
};

TEST_F(DispatcherTest, ChangesMayBeRefused) {
  dispatcher_.RefuseChanges({Code::kInvalidArgument, "only reads are served"});
  auto master = MakeMasterStub(channel_, 1s);
  auto tablet = MakeTabletStub(channel_, 1s);
  const auto created = Call(*master, &idl::MasterServiceCobSvIf::createTable, {});
  EXPECT_EQ(created.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(created.header.message, "only reads are served");
  EXPECT_EQ(Call(*tablet, &idl::TabletServiceCobSvIf::write, {}).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Call(*master, &idl::MasterServiceCobSvIf::clusterInfo, {}).clusterId, "c");
  EXPECT_EQ(Call(*tablet, &idl::TabletServiceCobSvIf::get, {}).record.value, "value of ");
  auto control = MakeControlStub(channel_, 1s);
  idl::FenceRequest fence;
  fence.tablets.resize(1);
  EXPECT_EQ(Call(*control, &idl::ControlServiceCobSvIf::fence, fence).results.size(), 1u) << "processes go on";
}

TEST_F(DispatcherTest, AllFourServicesAnswerThroughTheirStubs) {
  auto master = MakeMasterStub(channel_, 1s);
  idl::CreateTableRequest create;
  create.splitPoints = {"g", "q"};
  EXPECT_EQ(Call(*master, &idl::MasterServiceCobSvIf::createTable, create).tablets, 3);
  EXPECT_EQ(Call(*master, &idl::MasterServiceCobSvIf::clusterInfo, {}).header.code, idl::Code::NOT_PRIMARY);

  auto control = MakeControlStub(channel_, 1s);
  idl::FenceRequest fence;
  fence.tablets.resize(2);
  fence.tablets[1].__set_tabletId(5);
  fence.tablets[1].__set_epoch(9);
  const idl::FenceReply fenced = Call(*control, &idl::ControlServiceCobSvIf::fence, fence);
  ASSERT_EQ(fenced.results.size(), 2u);
  EXPECT_EQ(fenced.results[1].tabletId, 5);
  EXPECT_EQ(fenced.results[1].promisedEpoch, 9);

  auto replication = MakeReplicationStub(channel_, 1s);
  idl::AppendRequest append;
  append.appends.resize(1);
  append.appends[0].entries = {"a", std::string("\0b", 2)};
  EXPECT_EQ(Call(*replication, &idl::ReplicationServiceCobSvIf::append, append).incarnation, 2);

  auto tablet = MakeTabletStub(channel_, 1s);
  idl::GetRequest get;
  get.__set_key("k");
  EXPECT_EQ(Call(*tablet, &idl::TabletServiceCobSvIf::get, get).record.value, "value of k");
}

TEST_F(DispatcherTest, StubsTakeTheirTimeoutFromTheRequest) {
  auto tablet = MakeTabletStub(channel_, 7s);
  Call(*tablet, &idl::TabletServiceCobSvIf::get, {});
  EXPECT_EQ(channel_->last_timeout, 7s);
  idl::GetRequest get;
  get.header.__set_deadlineMs(300);
  Call(*tablet, &idl::TabletServiceCobSvIf::get, get);
  EXPECT_EQ(channel_->last_timeout, 300ms + kDeadlineGrace);
  auto master = MakeMasterStub(channel_, 7s);
  idl::CreateTableRequest create;
  create.__set_deadlineMs(900);
  Call(*master, &idl::MasterServiceCobSvIf::createTable, create);
  EXPECT_EQ(channel_->last_timeout, 900ms + kDeadlineGrace);
}

TEST_F(DispatcherTest, AFailedCallBecomesAReplyThatSaysSo) {
  const auto failing = std::make_shared<FailingChannel>();
  const auto header = Call(*MakeTabletStub(failing, 1s), &idl::TabletServiceCobSvIf::get, {}).header;
  EXPECT_EQ(header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_EQ(header.message, "the line went dead");
  const auto located = Call(*MakeMasterStub(failing, 1s), &idl::MasterServiceCobSvIf::locate, {});
  EXPECT_EQ(located.header.code, idl::Code::UNKNOWN_OUTCOME);
  const auto dropped = Call(*MakeControlStub(failing, 1s), &idl::ControlServiceCobSvIf::drop, {});
  EXPECT_EQ(FromIdl(dropped.status), Status(Code::kUnknownOutcome, "the line went dead"));
  const auto beat = Call(*MakeReplicationStub(failing, 1s), &idl::ReplicationServiceCobSvIf::peerHeartbeat, {});
  EXPECT_EQ(FromIdl(beat.status).code(), Code::kUnknownOutcome);
}

TEST_F(DispatcherTest, AMethodThatTheServerLacksIsInternal) {
  Dispatcher bare;
  bare.Register(std::make_shared<FakeTablet>());
  auto channel = std::make_shared<LocalChannel>(bare, loop_);
  const auto reply = Call(*MakeControlStub(channel, 1s), &idl::ControlServiceCobSvIf::fence, {});
  EXPECT_EQ(FromIdl(reply.status).code(), Code::kInternal);
  EXPECT_NE(reply.status.message.find("fence"), std::string::npos) << reply.status.message;
}

TEST_F(DispatcherTest, TwoServicesWithOneMethodNameAreABug) {
  EXPECT_DEATH(dispatcher_.Register(std::make_shared<FakeTablet>()), "two services have a method");
}

TEST(IdlConvertTest, RoundTrips) {
  const Version version{.epoch = {3}, .lsn = {118}};
  EXPECT_EQ(FromIdl(ToIdl(version)), version);
  const KeyRange range{.start = std::string("a\0b", 3), .end = "z"};
  EXPECT_EQ(FromIdl(ToIdl(range)), range);
  const Status status(Code::kStaleEpoch, "older than 4");
  EXPECT_EQ(FromIdl(ToIdl(status)), status);
  EXPECT_EQ(FromIdl(static_cast<idl::Code::type>(77)), Code::kInternal);
  const Endpoint endpoint{"ts-1", 7410};
  EXPECT_EQ(*FromIdl(ToIdl(endpoint)), endpoint);
  idl::Endpoint bad = ToIdl(endpoint);
  bad.__set_port(70'000);
  EXPECT_EQ(FromIdl(bad).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::rpc

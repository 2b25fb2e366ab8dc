// When messages to a peer go, and that each is answered once. Time is virtual, the peer answers when it is told to.
#include "tabletserver/transport/peer_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/dispatcher.h"
#include "common/testing/sim_executor.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;

constexpr char kPeer[] = "ts-2";
constexpr int64_t kIncarnation = 5;
constexpr TabletId kPeerTablet{64};

class SilentPeer : public idl::ReplicationServiceCobSvNull {
 public:
  using Cob = std::function<void(const idl::AppendReply&)>;
  void append(Cob cob, const idl::AppendRequest& request) override { asked.push_back({std::move(cob), request}); }
  void peerHeartbeat(std::function<void(const idl::PeerHeartbeatReply&)> cob,
                     const idl::PeerHeartbeatRequest& request) override {
    idl::PeerHeartbeatReply reply;
    reply.incarnation = kIncarnation;
    reply.tablets.resize(request.tablets.size());
    ++heartbeats;
    cob(reply);
  }

  struct Asked {
    Cob cob;
    idl::AppendRequest request;
  };
  std::vector<Asked> asked;
  int heartbeats = 0;
};

class PeerClientTest : public ::testing::Test {
 protected:
  PeerClientTest() {
    dispatcher_.Register(peer_);
    book_.Learn(kPeer, {{"127.0.0.1", 7410}, Incarnation{kIncarnation}});
    PeerClient::Ports ports{executor_, connector_, book_, [] { return std::string("c-1"); }, {}, {}, {}, refusals_};
    ports.on_reply = [this](TabletId, const PeerReply& reply) { answered_.push_back(reply.number); };
    ports.on_restart = [](const ServerName&) {};
    ports.flush_soon = [this] { client_->Flush(); };
    client_.emplace(PeerClient::Options{"ts-1", Incarnation{1}}, std::move(ports));
  }

  Refusals refusals_;
  void Put(std::variant<AppendMessage, HeartbeatMessage> body) {
    client_->Put(kPeerTablet, {kPeer, ++number_, executor_.Now(), std::move(body)});
  }
  // An append of a round of its own.
  void Append(size_t bytes = 100) {
    LogEntry entry;
    entry.version = {Epoch{1}, Lsn{++lsn_}};
    entry.effects.emplace_back().value = std::string(bytes, 'v');
    AppendMessage append;
    append.entries.push_back(std::make_shared<const LogEntry>(std::move(entry)));
    Put(std::move(append));
    client_->Flush();
    scheduler_.RunFor(0ns);
  }
  void Answer(size_t message) {
    idl::AppendReply reply;
    reply.incarnation = kIncarnation;
    reply.replies.resize(peer_->asked[message].request.appends.size());
    std::exchange(peer_->asked[message].cob, nullptr)(reply);
    scheduler_.RunFor(0ns);
  }
  // How many appends each message has brought.
  std::vector<size_t> Sent() const {
    std::vector<size_t> sent;
    for (const auto& asked : peer_->asked) sent.push_back(asked.request.appends.size());
    return sent;
  }

  testing::SimScheduler scheduler_{1};
  testing::SimExecutor executor_{scheduler_};
  std::shared_ptr<SilentPeer> peer_ = std::make_shared<SilentPeer>();
  rpc::Dispatcher dispatcher_;
  LocalConnector connector_{dispatcher_};
  PeerBook book_;
  std::optional<PeerClient> client_;
  uint64_t number_ = 0;
  uint64_t lsn_ = 0;
  std::vector<uint64_t> answered_;
};

TEST_F(PeerClientTest, WhatComesBeforeTheAnswerSharesAMessage) {
  Append();
  EXPECT_THAT(Sent(), ElementsAre(1)) << "nothing to wait for";
  Append();
  Append();
  EXPECT_THAT(Sent(), ElementsAre(1));
  Answer(0);
  EXPECT_THAT(Sent(), ElementsAre(1, 2));
  Answer(1);
  Append();
  EXPECT_THAT(Sent(), ElementsAre(1, 2, 1));
  Answer(2);
  EXPECT_THAT(answered_, ElementsAre(1, 2, 3, 4));
}

TEST_F(PeerClientTest, NoneWaitsForLongerThanItIsGathered) {
  Append();
  scheduler_.RunFor(PeerClient::kGather / 2);
  Append();
  scheduler_.RunFor(PeerClient::kGather / 2 - 1ns);
  EXPECT_THAT(Sent(), ElementsAre(1));
  scheduler_.RunFor(1ns);
  EXPECT_THAT(Sent(), ElementsAre(1, 1));
  // Counted from the message before, whatever was waited for earlier.
  Answer(1);
  Append();
  EXPECT_THAT(Sent(), ElementsAre(1, 1, 1)) << "that the first is unanswered is no reason";
  scheduler_.RunFor(PeerClient::kGather / 4);
  Append();
  scheduler_.RunFor(PeerClient::kGather);
  EXPECT_THAT(Sent(), ElementsAre(1, 1, 1, 1));
  scheduler_.RunFor(PeerClient::kGather);
  Append();
  EXPECT_THAT(Sent(), ElementsAre(1, 1, 1, 1, 1));
}

TEST_F(PeerClientTest, HeartbeatsDoNotWaitAndTakeAlongWhatDoes) {
  Append();
  Append();
  Put(HeartbeatMessage{});
  client_->Flush();
  scheduler_.RunFor(0ns);
  EXPECT_EQ(peer_->heartbeats, 1);
  EXPECT_THAT(Sent(), ElementsAre(1, 1));
}

// An echo of the clock of its former life would make it believe that it knows of the future.
TEST_F(PeerClientTest, WhatWasMeantForAFormerStartIsLost) {
  Append();
  Answer(0);
  Put(HeartbeatMessage{});
  book_.Learn(kPeer, {{"127.0.0.1", 7410}, Incarnation{kIncarnation + 1}});
  client_->Flush();
  scheduler_.RunFor(0ns);
  EXPECT_EQ(peer_->heartbeats, 0);
  EXPECT_THAT(answered_, ElementsAre(1, 2));
  Put(HeartbeatMessage{});
  client_->Flush();
  scheduler_.RunFor(0ns);
  EXPECT_EQ(peer_->heartbeats, 1);
}

TEST_F(PeerClientTest, MuchWaitsForNothingAndNothingForIt) {
  Append();
  Append();
  Append(PeerClient::kMuch);
  EXPECT_THAT(Sent(), ElementsAre(1, 1, 1));
  Append(PeerClient::kMuch);
  EXPECT_THAT(Sent(), ElementsAre(1, 1, 1, 1));
}

TEST_F(PeerClientTest, WhatALostMessageHeldUpGoes) {
  Append();
  Append();
  std::exchange(peer_->asked[0].cob, nullptr)({});  // does not name its start
  scheduler_.RunFor(0ns);
  EXPECT_THAT(answered_, ElementsAre(1)) << "as lost";
  EXPECT_THAT(Sent(), ElementsAre(1, 1));
}

TEST_F(PeerClientTest, WhatIsGatheredWhenItGoesIsForgotten) {
  Append();
  Append();
  client_.reset();
  scheduler_.RunFor(PeerClient::kGather * 2);
  EXPECT_THAT(Sent(), ElementsAre(1));
}

}  // namespace
}  // namespace ebla::tabletserver

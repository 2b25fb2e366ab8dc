// Tables are looked up over real sockets, against a pretended cluster.
#include "gateway/redis/databases/open_tables.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "client/testing/fake_servers.h"
#include "common/testing/eventually.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::chrono_literals;
using client::testing::FakeServers;
using ::ebla::testing::Eventually;

class OpenTablesTest : public ::testing::Test {
 protected:
  std::shared_ptr<OpenTables> Connect(ClientOptions options = {}) {
    options.masters = servers_.masters();
    Result<Client> client = Client::Connect(std::move(options));
    EXPECT_TRUE(client) << client.error();
    return std::make_shared<OpenTables>(*std::move(client), "redis", TableStoreOptions{},
                                        std::vector<rpc::EventLoop*>{});
  }
  void MakeTable(const std::string& name) {
    const auto client = Client::Connect({.masters = servers_.masters()});
    EXPECT_TRUE(client->CreateTable(name));
  }
  static Result<std::shared_ptr<Store>> Open(OpenTables& databases, const std::string& name) {
    std::promise<Result<std::shared_ptr<Store>>> opened;
    databases.Open(name, Read(), Ack::kDefault, [&](auto store) { opened.set_value(std::move(store)); });
    return opened.get_future().get();
  }
  static Until Soon() { return std::chrono::steady_clock::now() + 10s; }
  int describes() { return servers_.cluster().counts().describes; }

  FakeServers servers_;
};

TEST_F(OpenTablesTest, ADatabaseIsATableThatIsLookedUpOnce) {
  const auto databases = Connect();
  EXPECT_NE(Open(*databases, "7").error().message().find("`ebla table create redis-7 --key-group '\\x00'`"),
            std::string::npos);
  EXPECT_EQ(Open(*databases, "7").error().code(), Code::kNoSuchTable);
  MakeTable("redis-7");
  MakeTable("carts");
  const auto seven = Open(*databases, "7");
  ASSERT_TRUE(seven) << seven.error();
  ASSERT_TRUE(Open(*databases, "carts"));
  const int asked = describes();
  EXPECT_EQ(*Open(*databases, "7"), *seven);
  EXPECT_EQ(describes(), asked);
}

// The user has left meanwhile, and only the waiting call holds his client. The client ends on the thread of the answer.
TEST_F(OpenTablesTest, TheLastToLetGoMayBeWhoWaits) {
  for (const bool there : {false, true}) {
    if (there) MakeTable("redis");
    auto databases = Connect();
    databases->GuardChannels();
    const std::weak_ptr<OpenTables> gone = databases;
    std::promise<Code> answer;
    // No key is so long, so that the table answers at once.
    const std::string channel(there ? 5'000 : 1, 'c');
    databases->MayUse({ChannelUse::Kind::kListen, channel}, Soon(),
                      [&answer, keep = databases](const Status& may) { answer.set_value(may.code()); });
    databases.reset();
    EXPECT_EQ(answer.get_future().get(), there ? Code::kInvalidArgument : Code::kNoSuchTable);
    EXPECT_TRUE(Eventually([&] { return gone.expired(); }));
  }
}

TEST_F(OpenTablesTest, WhoWaitsIsToldOfTheEndAndNothingIsLookedUpAnyMore) {
  servers_.cluster().masters()->leader = -1;
  servers_.cluster().masters()->standbys_know_leader = false;
  const auto databases = Connect({.connect_timeout = 0ms});
  std::promise<Code> answer;
  databases->Open("0", Read(), Ack::kDefault,
                  [&](const auto& store) { answer.set_value(store ? Code::kOk : store.error().code()); });
  databases->Stop();
  EXPECT_EQ(answer.get_future().get(), Code::kUnavailable);
  EXPECT_EQ(Open(*databases, "0").error().code(), Code::kOverloaded);
}

TEST_F(OpenTablesTest, SoManyAreLookedUpAtATime) {
  servers_.cluster().masters()->leader = -1;
  servers_.cluster().masters()->standbys_know_leader = false;
  const auto databases = Connect({.connect_timeout = 0ms});
  size_t refused = 0;
  for (int i = 0; i < 36; ++i) {
    databases->Open("table" + std::to_string(i), Read(), Ack::kDefault,
                    [&](const auto& store) { refused += !store && store.error().code() == Code::kOverloaded ? 1 : 0; });
  }
  EXPECT_EQ(refused, 4u);
  databases->Stop();
}

}  // namespace
}  // namespace ebla::gateway::redis

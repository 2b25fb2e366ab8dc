// The public SDK over real sockets, against a pretended cluster.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "client/testing/fake_servers.h"
#include "ebla/ebla.h"

namespace ebla {
namespace {

using namespace std::chrono_literals;
using client::testing::FakeServers;

class SdkTest : public ::testing::Test {
 protected:
  Client Connect(ClientOptions options = {}) {
    options.masters = servers_.masters();
    auto client = Client::Connect(std::move(options));
    EXPECT_TRUE(client) << client.error();
    return *std::move(client);
  }
  FakeServers servers_;
};

TEST_F(SdkTest, ALoginInTheClearIsRefusedBeforeAnythingIsSent) {
  const auto client = Client::Connect({.masters = servers_.masters(), .user = "ada", .password = "sesame"});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), Code::kInvalidArgument);
  EXPECT_NE(client.error().message().find("tls_dir"), std::string::npos) << client.error();
}

TEST_F(SdkTest, TheFirstStepsOfTheReadme) {
  const Client client = Connect();
  const auto made = client.CreateTable("carts", {.split_points = {"f", "m", "t"}});
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->tablets, 4);
  const auto carts = client.OpenTable("carts");
  ASSERT_TRUE(carts) << carts.error();
  const Result<Version> put = carts->Put("user42", "cart", {.ack = Ack::kMajority, .ttl = 30min});
  ASSERT_TRUE(put) << put.error();
  const Result<Record> got = carts->Get("user42", {.read = Read::Bounded(2s)});
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got->value, "cart");
  EXPECT_EQ(got->version, *put);
  EXPECT_TRUE(got->expires);
  EXPECT_TRUE(carts->Put("user42", "cart2", {.if_version = got->version}));
  EXPECT_EQ(carts->Put("user42", "cart3", {.if_version = got->version}).error().code(), Code::kConditionFailed);

  Session session = client.NewSession();
  EXPECT_TRUE(carts->Put("theme", "dark", {.session = &session}));
  EXPECT_TRUE(carts->Get("theme", {.read = Read::InSession(), .session = &session}));
  const auto elsewhere = Connect().NewSession(session.Token());
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(elsewhere->Token(), session.Token());
  EXPECT_EQ(client.NewSession("nonsense").error().code(), Code::kInvalidArgument);

  EXPECT_EQ(carts->Increment("visits", 3).value_or(0), 3);
  EXPECT_EQ(carts->Increment("visits", -5).value_or(0), -2);
  EXPECT_TRUE(carts->Delete("visits").ok());
  EXPECT_EQ(carts->Delete("visits", {.if_exists = true}).code(), Code::kConditionFailed);
  EXPECT_TRUE(carts->Write(std::move(Batch().Put("a", "1").Put("b", "2"))));
  const auto many = carts->MultiGet({"b", "zzz", "a"});
  EXPECT_EQ(many[0]->value + many[2]->value, "21");
  EXPECT_EQ(many[1].error().code(), Code::kNotFound);
  EXPECT_TRUE(client.DropTable("carts").ok());
  EXPECT_EQ(client.OpenTable("carts").error().code(), Code::kNoSuchTable);
}

TEST_F(SdkTest, WhatTheMasterKnowsOfTabletsAndTheCluster) {
  const Client client = Connect();
  ASSERT_TRUE(client.CreateTable("carts", {.split_points = {"f", "m"}}));
  const auto tablets = client.ListTablets("carts");
  ASSERT_TRUE(tablets) << tablets.error();
  ASSERT_EQ(tablets->size(), 3u) << "over its pages";
  EXPECT_EQ((*tablets)[1].range, (KeyRange{"f", "m"}));
  const auto place = client.Locate("carts", "g");
  ASSERT_TRUE(place) << place.error();
  EXPECT_EQ(place->range, (KeyRange{"f", "m"}));
  EXPECT_FALSE(place->primary_address.empty());
  const auto cluster = client.DescribeCluster();
  ASSERT_TRUE(cluster) << cluster.error();
  EXPECT_EQ(cluster->term, 7u);
  EXPECT_TRUE(cluster->from_leader) << "a standby that is asked first names who counts";
  EXPECT_GT(cluster->live_servers, 0);
  EXPECT_EQ(client.DescribeTablet(TabletId{99'999}).error().code(), Code::kNotFound);
}

TEST_F(SdkTest, ScansRunAheadOfTheirReaderAcrossTablets) {
  servers_.cluster().tables()->Add("t", {"k02", "k05"});
  servers_.cluster().faults()->page_rows = 3;
  for (int i = 0; i < 10; ++i)
    servers_.cluster().tables()->Put("t", "k0" + std::to_string(i), std::string(1, static_cast<char>('0' + i)));
  const Table table = *Connect().OpenTable("t");  // the client itself may go: the table keeps what it needs
  std::string all;
  auto scan = table.Scan();
  while (scan.Next()) all += scan.record().value;
  EXPECT_TRUE(scan.status().ok()) << scan.status();
  EXPECT_EQ(all, "0123456789");
  EXPECT_FALSE(scan.Next()) << "and stays at the end";
  std::string back;
  for (auto down = table.Scan({.range = KeyRange::Prefix("k0"), .reverse = true, .limit = 7}); down.Next();) {
    back += down.record().value;
  }
  EXPECT_EQ(back, "9876543");
  auto dropped = table.Scan({.keys_only = true});
  EXPECT_TRUE(dropped.Next());
  EXPECT_EQ(dropped.record().value, "");  // and drops a page under way
}

TEST_F(SdkTest, AScanSaysHowItEnded) {
  servers_.cluster().tables()->Add("t", {});
  const Table table = *Connect().OpenTable("t");
  auto inverted = table.Scan({.range = {"z", "a"}});
  EXPECT_FALSE(inverted.Next());
  EXPECT_EQ(inverted.status().code(), Code::kInvalidArgument);
}

TEST_F(SdkTest, AsynchronousCallsArePipelined) {
  servers_.cluster().tables()->Add("t", {"m"});
  const Client client = Connect({.io_threads = 2, .connections_per_server = 3});
  const Table table = *client.OpenTable("t");
  constexpr int kMany = 2000;
  std::latch written(kMany);
  std::atomic<int> failures = 0;
  for (int i = 0; i < kMany; ++i) {
    table.AsyncPut((i % 2 ? "a" : "z") + std::to_string(i), "v", {}, [&](Result<Version> put) {
      failures += put ? 0 : 1;
      written.count_down();
    });
  }
  written.wait();
  std::latch read(kMany);
  for (int i = 0; i < kMany; ++i) {
    table.AsyncGet((i % 2 ? "a" : "z") + std::to_string(i), {}, [&](Result<Record> got) {
      failures += got ? 0 : 1;
      read.count_down();
    });
  }
  read.wait();
  EXPECT_EQ(failures, 0);
}

TEST_F(SdkTest, ATableIsOpenedWithoutWaiting) {
  servers_.cluster().tables()->Add("t", {});
  const Client client = Connect();
  std::promise<Result<Version>> put;
  AsyncOpenTable(client, "t", [&](const Result<Table>& table) {
    ASSERT_TRUE(table) << table.error();
    EXPECT_EQ(client.OpenTable("t").error().code(), Code::kInvalidArgument) << "where nothing may wait";
    table->AsyncPut("a", "1", {}, [&](Result<Version> version) { put.set_value(version); });
  });
  EXPECT_TRUE(put.get_future().get());
  std::promise<Code> none;
  AsyncOpenTable(client, "none", [&](const Result<Table>& table) { none.set_value(table.error().code()); });
  EXPECT_EQ(none.get_future().get(), Code::kNoSuchTable);
}

// An operation under way holds no handle.
TEST_F(SdkTest, ATableThatIsBeingOpenedDoesNotKeepItsClient) {
  servers_.cluster().masters()->leader = -1;
  std::promise<Code> opened;
  AsyncOpenTable(Connect({.connect_timeout = 0ms}), "t",
                 [&](const Result<Table>& table) { opened.set_value(table ? Code::kOk : table.error().code()); });
  EXPECT_EQ(opened.get_future().get(), Code::kUnavailable);
}

TEST_F(SdkTest, ManyThreadsShareOneClient) {
  servers_.cluster().tables()->Add("t", {"3", "6"});
  const Client client = Connect();
  const Table table = *client.OpenTable("t");
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(table.Increment(std::to_string(t), 1));
    });
  }
  threads.clear();
  for (int t = 0; t < 8; ++t) EXPECT_EQ(table.Get(std::to_string(t))->value, "100");
}

TEST_F(SdkTest, ABlockingCallWithinACallbackIsRefused) {
  servers_.cluster().tables()->Add("t", {});
  const Table table = *Connect().OpenTable("t");
  std::promise<Code> inner;
  table.AsyncGet("a", {}, [&](Result<Record>) { inner.set_value(table.Get("a").error().code()); });
  EXPECT_EQ(inner.get_future().get(), Code::kInvalidArgument);
}

TEST_F(SdkTest, TheLastHandleMayGoWithinACallback) {
  servers_.cluster().tables()->Add("t", {});
  std::promise<void> ran;
  auto table = std::make_unique<Table>(*Connect().OpenTable("t"));
  Table& in_use = *table;
  in_use.AsyncGet("a", {}, [table = std::move(table), &ran](Result<Record>) mutable {
    table.reset();
    ran.set_value();
  });
  ran.get_future().wait();
}

TEST_F(SdkTest, ClosingAnswersWhatIsUnderWay) {
  servers_.cluster().tables()->Add("t", {});
  servers_.cluster().faults()->AnswerNext("ts-1", idl::Code::COME_AGAIN, 1'000'000, 1000);
  std::vector<Code> codes;
  {
    const Table table = *Connect().OpenTable("t");
    table.AsyncGet("a", {}, [&](Result<Record> got) { codes.push_back(got.error().code()); });
    table.AsyncPut("a", "1", {}, [&](Result<Version> put) { codes.push_back(put.error().code()); });
  }
  ASSERT_EQ(codes.size(), 2u) << "before the last handle has gone";
  EXPECT_TRUE(std::ranges::find(codes, Code::kUnavailable) != codes.end());
}

TEST_F(SdkTest, ConnectFailsWhereNoMasterAnswersAndNamesThemAll) {
  const auto begin = std::chrono::steady_clock::now();
  const auto client = Client::Connect({.masters = {"127.0.0.1:1", "127.0.0.1:2"}, .connect_timeout = 300ms});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), Code::kUnavailable);
  EXPECT_NE(client.error().message().find("no master answers: 127.0.0.1:1: "), std::string::npos) << client.error();
  EXPECT_NE(client.error().message().find("; 127.0.0.1:2: "), std::string::npos) << client.error();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "not the ten seconds of a call";
}

TEST_F(SdkTest, OneMasterThatAnswersIsEnoughToConnect) {
  const auto client = Client::Connect({.masters = {"127.0.0.1:1", servers_.masters()[0]}});
  EXPECT_TRUE(client) << client.error();
}

TEST_F(SdkTest, WhoDoesNotWaitForAMasterLearnsFromTheFirstCall) {
  const auto client = Client::Connect({.masters = {"127.0.0.1:1"}, .deadline = 300ms, .connect_timeout = 0ms});
  ASSERT_TRUE(client);
  const auto table = client->OpenTable("t");
  EXPECT_EQ(table.error().code(), Code::kUnavailable) << table.error();
  EXPECT_NE(table.error().message().find("127.0.0.1:1"), std::string::npos) << table.error();
}

TEST_F(SdkTest, AMissingRecordIsNamed) {
  servers_.cluster().tables()->Add("t", {"m"});
  const auto table = Connect().OpenTable("t");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->Get("none").error(), Status(Code::kNotFound, "no record under \"none\""));
  EXPECT_EQ(table->MultiGet({"a", "z"})[1].error(), Status(Code::kNotFound, "no record under \"z\""));
}

TEST_F(SdkTest, WrongOptionsAreRefused) {
  for (const ClientOptions& wrong :
       {ClientOptions{}, ClientOptions{.masters = {"nonsense"}}, ClientOptions{.masters = {"h:99999"}},
        ClientOptions{.masters = {"h:1"}, .deadline = 0ms}, ClientOptions{.masters = {"h:1"}, .io_threads = 0},
        ClientOptions{.masters = {"h:1"}, .connections_per_server = 1000}}) {
    EXPECT_EQ(Client::Connect(wrong).error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace ebla

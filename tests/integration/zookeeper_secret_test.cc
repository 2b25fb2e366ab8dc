// A real cluster with a secret for its nodes in ZooKeeper: the clients that it excludes, and how an open cluster gets a
// secret.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/testing/eventually.h"
#include "common/testing/zookeeper_stranger.h"
#include "test_paths.h"
#include "tests/integration/secure_fixture.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ZooKeeperSecretClusterTest : public SecureClusterTest {
 protected:
  // A process that the cluster does not expect.
  struct Unexpected {
    cluster::ProcessId process;
    std::string output;
  };
  Unexpected Launch(const std::string& program, const std::string& dir, const std::vector<std::string>& flags) {
    std::filesystem::create_directories(dir);
    const bool master = program == "ebla-master";
    std::vector<std::string> command = {std::string(kBinaryDir) + "/bin/" + program,
                                        master ? "--name=m-9" : "--name=ts-9",
                                        "--data_dir=" + dir,
                                        "--tls_dir=" + Path(master ? "master" : "server"),
                                        "--zookeeper=" + cluster_->launcher().ZooKeeper() + "/ebla",
                                        "--listen=127.0.0.1:0",
                                        "--http_listen=127.0.0.1:0"};
    if (!master) command.emplace_back("--disk_reserve_mb=0");
    command.insert(command.end(), flags.begin(), flags.end());
    const auto process = cluster::Spawn(
        {.command = std::move(command), .working_dir = dir, .output_file = dir + ".output", .die_with_parent = true});
    EXPECT_TRUE(process.has_value()) << process.error();
    return {process.value_or(cluster::ProcessId()), dir + ".output"};
  }
  // Waits until the process reports that it is not ready, and ends it.
  static std::string WhatItSays(const Unexpected& launched) {
    std::string said;
    EXPECT_TRUE(
        Eventually([&] { return (said = cluster::LastLines(launched.output, 100)).contains("not ready yet"); }, 20s))
        << said;
    EXPECT_TRUE(cluster::Signal(launched.process, SIGKILL).ok());
    EXPECT_TRUE(cluster::WaitForExit(launched.process, 10s));
    return said;
  }
};

TEST_F(ZooKeeperSecretClusterTest, NoNodeAdmitsAnybodyElse) {
  const Table table = MakeTable();
  ASSERT_TRUE(table.Put("a", "1").has_value());
  ZooKeeperStranger friendly(cluster_->launcher().ZooKeeper(), ClusterCertificates::kSecret);
  EXPECT_GT(friendly.Tree("/ebla").size(), 20u);
  for (const char* secret : {"", "ebla:battery-staple"}) {
    ZooKeeperStranger stranger(cluster_->launcher().ZooKeeper(), secret);
    ExpectClosed(friendly, stranger, "/ebla");
  }
  EXPECT_EQ(table.Get("a")->value, "1");
}

TEST_F(ZooKeeperSecretClusterTest, AProcessWithoutItOrWithAnotherSaysSo) {
  std::ofstream(Path("other")) << "ebla:battery-staple\n";
  ASSERT_EQ(chmod(Path("other").c_str(), 0600), 0);
  // All of them side by side, because each waits a while before its report.
  std::vector<Unexpected> without, with_another;
  for (const char* program : {"ebla-tabletserver", "ebla-master"}) {
    without.push_back(Launch(program, Path(program), {}));
    with_another.push_back(
        Launch(program, Path(program) + std::string("-other"), {"--zookeeper_auth_file=" + Path("other")}));
  }
  for (const Unexpected& launched : without)
    EXPECT_THAT(WhatItSays(launched), AllOf(HasSubstr("NOAUTH"), HasSubstr("--zookeeper_auth_file")));
  for (const Unexpected& launched : with_another)
    EXPECT_THAT(WhatItSays(launched), AllOf(HasSubstr("NOAUTH"), HasSubstr("no secret in " + Path("other"))));
}

// The steps of docs/guide/security.md.
TEST_F(ZooKeeperSecretClusterTest, ItIsReplacedWhileTheClusterWorks) {
  const Table table = MakeTable();
  load::Workers workers;
  std::atomic<int> next = 0;
  workers.Add([&] {
    const auto written = table.Put("k" + std::to_string(next++ % 1000), "v", {.deadline = 30s});
    if (!written) workers.Failed(written.error().ToString());
    return true;
  });
  const auto restart_all = [&] {
    for (const char* name : {"ts-1", "ts-2", "ts-3", "m-1", "m-2"}) {
      const Status restarted = cluster_->launcher().Restart(name);
      ASSERT_TRUE(restarted.ok()) << restarted;
    }
  };
  ZooKeeperStranger before(cluster_->launcher().ZooKeeper(), ClusterCertificates::kSecret);
  std::ofstream(Path("secret")) << ClusterCertificates::kSecret << "\nebla:battery-staple\n";
  restart_all();
  ZooKeeperStranger friendly(cluster_->launcher().ZooKeeper(), "ebla:battery-staple");
  const std::vector<std::string> nodes = before.Tree("/ebla");
  const auto admitted = [&](ZooKeeperStranger& who, int rc) {
    return Eventually(
        [&] {
          return std::ranges::all_of(nodes, [&](const std::string& path) {
            const int got = who.Get(path);
            return got == rc || got == ZNONODE;
          });
        },
        20s);
  };
  EXPECT_TRUE(admitted(friendly, ZOK));
  EXPECT_TRUE(admitted(before, ZOK));
  std::ofstream(Path("secret")) << "ebla:battery-staple\n";
  restart_all();
  EXPECT_TRUE(admitted(before, ZNOAUTH));
  ExpectClosed(friendly, before, "/ebla");
  ASSERT_TRUE(load::AwaitProgress([&] { return workers.operations(); }, 100).ok());
  workers.Stop();
  workers.Join();
  EXPECT_THAT(workers.failures(), IsEmpty());
}

// The steps of docs/guide/security.md.
TEST(ZooKeeperSecretStartTest, AClusterWithoutOneIsClosedWhileItWorks) {
  TemporaryDirectory directory;
  auto started = TestCluster::Start({});
  ASSERT_TRUE(started.has_value()) << started.error();
  TestCluster& cluster = **started;
  const auto client = cluster.Connect();
  ASSERT_TRUE(client.has_value()) << client.error();
  ASSERT_TRUE(client->CreateTable("carts").has_value());
  const Table table = *client->OpenTable("carts");
  ASSERT_TRUE(table.Put("a", "1").has_value());
  ZooKeeperStranger stranger(cluster.launcher().ZooKeeper(), "");
  EXPECT_EQ(stranger.Get("/ebla/cluster"), ZOK);

  const std::string file = directory.path() + "/secret", flag = "--zookeeper_auth_file=" + file;
  for (const char* text : {"ebla:secret\nworld:anyone\n", "ebla:secret\n"}) {
    std::ofstream(file) << text;
    ASSERT_EQ(chmod(file.c_str(), 0600), 0);
    ASSERT_TRUE(cluster.launcher().Start({.master_flags = {flag}, .server_flags = {flag}}).ok());
    for (const char* name : {"ts-1", "ts-2", "ts-3", "m-1", "m-2"}) {
      const Status restarted = cluster.launcher().Restart(name);
      ASSERT_TRUE(restarted.ok()) << restarted;
      const auto read = table.Get("a", {.deadline = 30s});
      ASSERT_TRUE(read.has_value()) << read.error();
    }
  }
  ZooKeeperStranger friendly(cluster.launcher().ZooKeeper(), "ebla:secret");
  const auto closed = [&](const std::string& path) { return stranger.Get(path) != ZOK; };
  EXPECT_TRUE(Eventually([&] { return std::ranges::all_of(friendly.Tree("/ebla"), closed); }, 20s));
  ExpectClosed(friendly, stranger, "/ebla");
  ASSERT_TRUE(table.Put("a", "2", {.deadline = 30s}).has_value());
}

}  // namespace
}  // namespace ebla::testing

// The real program: one process, one directory, one port. Killed and started again, it has everything.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "ebla/client.h"
#include "test_paths.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/probe.h"

namespace ebla {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class StandaloneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "ebla-standalone-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    if (process_) {
      (void)cluster::Signal(process_, SIGKILL);
      cluster::WaitForExit(process_, 10s);
    }
    std::filesystem::remove_all(dir_);
  }

  cluster::ProcessId Spawn() {
    auto spawned = cluster::Spawn(
        {.command = {std::string(kBinaryDir) + "/bin/ebla-standalone", "--data_dir=" + dir_ + "/data",
                     "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0", "--disk_reserve_mb=0", "--cache_mb=64"},
         .working_dir = dir_,
         .output_file = dir_ + "/output",
         .die_with_parent = true});
    EXPECT_TRUE(spawned) << spawned.error();
    return spawned.value_or(cluster::ProcessId());
  }

  // The port after `what` in the address file; 0 until it is there.
  uint16_t PortOf(const std::string& what) {
    std::ifstream file(dir_ + "/data/ADDRESS");
    std::string key, address;
    while (file >> key >> address) {
      if (key == what) return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    }
    return 0;
  }

  // Starts it, and returns the time until it reports that it is ready.
  std::chrono::milliseconds StartAndWait() {
    const auto start = steady_clock::now();
    process_ = Spawn();
    const auto ready = [&] {
      return cluster::HasAddress(dir_ + "/data", process_.pid) &&
             cluster::AskReady("127.0.0.1", PortOf("http"), 1s).ok();
    };
    while (!ready()) {
      if (steady_clock::now() - start > 30s || !cluster::IsAlive(process_)) {
        ADD_FAILURE() << "it does not become ready; it said: " << Output();
        break;
      }
      std::this_thread::sleep_for(2ms);  // polls, within a bound
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - start);
  }

  std::string Output() {
    std::ifstream file(dir_ + "/output");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Client Connect() {
    return Client::Connect(
               {.masters = {"127.0.0.1:" + std::to_string(PortOf("thrift"))}, .deadline = 20s, .connect_timeout = 20s})
        .value();
  }

  std::string dir_;
  cluster::ProcessId process_;
};

TEST_F(StandaloneTest, KeepsEverythingOverAKill) {
  const auto first = StartAndWait();
  {
    Client client = Connect();
    const auto created = client.CreateTable("carts", {.split_points = {"f", "m", "t"}});
    ASSERT_TRUE(created) << created.error();
    EXPECT_EQ(created->name, "carts");
    Table carts = client.OpenTable("carts").value();
    for (const char* key : {"anna", "fred", "mia", "zoe"}) {
      const auto put = carts.Put(key, std::string("cart of ") + key);
      ASSERT_TRUE(put) << put.error();
    }
    ASSERT_EQ(carts.Get("fred").value().value, "cart of fred");
  }
  ASSERT_TRUE(cluster::Signal(process_, SIGKILL).ok());
  ASSERT_TRUE(cluster::WaitForExit(process_, 10s));

  const auto second = StartAndWait();
  Client client = Connect();
  Table carts = client.OpenTable("carts").value();
  for (const char* key : {"anna", "fred", "mia", "zoe"}) {
    const auto got = carts.Get(key);
    ASSERT_TRUE(got) << key << ": " << got.error();
    EXPECT_EQ(got->value, std::string("cart of ") + key);
  }
  ASSERT_TRUE(carts.Put("anna", "another").has_value());
  RecordProperty("ready_ms", static_cast<int>(first.count()));
  RecordProperty("ready_after_kill_ms", static_cast<int>(second.count()));
  std::cout << "ready after " << first.count() << " ms, after a kill " << second.count() << " ms\n";
}

// One client writes and reads, in a session and without, over every border to come; it sees no error, and after a kill
// at once all of it is there, in as many tablets.
TEST_F(StandaloneTest, TabletsSplitWhileAClientGoesOn) {
  StartAndWait();
  std::map<std::string, int> written;
  {
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts"));
    Table carts = client.OpenTable("carts").value();
    std::atomic<bool> stop{false};
    std::atomic<int> rounds{0};
    std::string fault;
    std::thread load([&] {
      Session session = client.NewSession();
      for (int i = 0; !stop || i % 26 != 0; ++i) {
        const std::string key = std::string(1, static_cast<char>('a' + i % 26)) + "x";
        const auto put = carts.Put(key, std::to_string(i), {.session = &session});
        const auto got =
            put ? carts.Get(key, {.read = i % 2 == 0 ? Read::InSession() : Read::Strong(), .session = &session})
                : Result<Record>(Error(put.error()));
        if (!got || got->value != std::to_string(i)) {
          fault = key + ": " + (got ? "found " + got->value : got.error().ToString());
          return;
        }
        written[key] = i;
        rounds = i;
      }
    });
    for (const char* key : {"m", "f", "t", "c", "p"}) {
      const int before = rounds;
      const auto split = client.SplitTablet("carts", key);
      EXPECT_TRUE(split) << split.error();
      if (split) {
        EXPECT_EQ(split->child_range.start, key);
      }
      // polls; the load ends or continues
      while (rounds < before + 30 && fault.empty()) std::this_thread::sleep_for(1ms);
    }
    const auto again = client.SplitTablet("carts", "m");
    EXPECT_TRUE(again && again->child_range.start == "m") << "told what was done";
    stop = true;
    load.join();
    ASSERT_EQ(fault, "");
    EXPECT_EQ(client.ListTablets("carts")->size(), 6u);
  }
  ASSERT_TRUE(cluster::Signal(process_, SIGKILL).ok());
  ASSERT_TRUE(cluster::WaitForExit(process_, 10s));
  StartAndWait();
  Client client = Connect();
  Table carts = client.OpenTable("carts").value();
  for (const auto& [key, value] : written) {
    const auto got = carts.Get(key);
    ASSERT_TRUE(got) << key << ": " << got.error();
    EXPECT_EQ(got->value, std::to_string(value)) << key;
  }
  EXPECT_EQ(client.ListTablets("carts")->size(), 6u);
}

TEST_F(StandaloneTest, StopsCleanlyAndDropsTables) {
  StartAndWait();
  Client client = Connect();
  ASSERT_TRUE(client.CreateTable("carts"));
  ASSERT_TRUE(client.OpenTable("carts")->Put("a", "1"));
  ASSERT_TRUE(client.DropTable("carts").ok());
  EXPECT_EQ(client.OpenTable("carts").error().code(), Code::kNoSuchTable);
  ASSERT_TRUE(client.CreateTable("carts"));
  EXPECT_EQ(client.OpenTable("carts")->Get("a").error().code(), Code::kNotFound);
  ASSERT_TRUE(cluster::Signal(process_, SIGTERM).ok());
  EXPECT_EQ(cluster::ExitCode(process_, 10s), 0) << "SIGTERM must end it within ten seconds";
}

TEST_F(StandaloneTest, ASecondProcessOnItsDataIsRefused) {
  StartAndWait();
  const cluster::ProcessId second = Spawn();
  EXPECT_EQ(cluster::ExitCode(second, 20s), 1);
  EXPECT_NE(Output().find("in use"), std::string::npos) << Output();
  EXPECT_TRUE(cluster::IsAlive(process_));
}

}  // namespace
}  // namespace ebla

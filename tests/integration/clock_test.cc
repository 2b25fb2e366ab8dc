// PROTOCOL 21 with real processes whose machine's clock jumps: records live as long as they should, health tells, and
// an operator or a master elsewhere ends the doubt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "test_paths.h"
#include "tests/integration/cluster_fixture.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/probe.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kDay = 86'400;
constexpr int64_t kYear = 365 * kDay;
const PutOptions kForADay{.ttl = std::chrono::hours(24)};

// The clock of one machine: the processes that begin by its command have it.
class ShiftedClock {
 public:
  explicit ShiftedClock(std::string file) : file_(std::move(file)) {
    if (!std::filesystem::exists(file_)) Set(0);
  }

  // `by_ntp`: the kernel reports that NTP has synchronized it.
  void Set(int64_t seconds, bool by_ntp = false) const {
    const int64_t clock[] = {seconds, by_ntp ? 1 : 0};
    // In place: processes have it mapped.
    std::fstream out(file_, std::ios::in | std::ios::out | std::ios::binary);
    if (!out) out.open(file_, std::ios::out | std::ios::binary);
    out.write(reinterpret_cast<const char*>(clock), sizeof clock);
  }
  // `boot_id`: a file that holds that of another machine; empty: of this one.
  std::vector<std::string> Command(const std::string& boot_id = "") const {
    std::vector<std::string> command = {"/usr/bin/env",
                                        "LD_PRELOAD=" + std::string(kBinaryDir) + "/test/libshifted_clock.so",
                                        "EBLA_CLOCK_SHIFT=" + file_};
    if (!boot_id.empty()) command.push_back("EBLA_BOOT_ID=" + boot_id);
    return command;
  }

 private:
  const std::string file_;
};

class ClockTest : public ClusterFixture {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "ebla-clock-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    clock_ = dir_ + "/clock";
    std::ofstream(BootId()) << "00000000-0000-0000-0000-000000000001\n";
  }
  void TearDown() override {
    if (process_) {
      (void)cluster::Signal(process_, SIGKILL);
      cluster::WaitForExit(process_, 10s);
    }
    client_.reset();
    cluster_.reset();
    std::filesystem::remove_all(dir_);
  }
  std::string BootId() const { return dir_ + "/boot_id"; }

  // ---- a standalone ----
  void StartStandalone() {
    std::vector<std::string> command = ShiftedClock(clock_).Command();
    command.insert(command.end(),
                   {std::string(kBinaryDir) + "/bin/ebla-standalone", "--data_dir=" + dir_ + "/data",
                    "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0", "--disk_reserve_mb=0", "--cache_mb=64"});
    auto spawned = cluster::Spawn(
        {.command = command, .working_dir = dir_, .output_file = dir_ + "/output", .die_with_parent = true});
    ASSERT_TRUE(spawned.has_value()) << spawned.error();
    process_ = *spawned;
    const auto ready = [&] { return cluster::AskReadyIn(dir_ + "/data", process_.pid, 1s).ok(); };
    ASSERT_TRUE(Eventually(ready)) << FileBytes(dir_ + "/output");
    auto client = Client::Connect(
        {.masters = {cluster::AddressIn(dir_ + "/data", "thrift")}, .deadline = 30s, .connect_timeout = 30s});
    ASSERT_TRUE(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
  }
  std::string Output() const { return FileBytes(dir_ + "/output"); }
  void KillStandalone() {
    client_.reset();
    ASSERT_TRUE(cluster::Signal(process_, SIGKILL).ok());
    ASSERT_TRUE(cluster::WaitForExit(process_, 10s));
    process_ = {};
  }

  // ---- either ----
  // "OK", "NOT_FOUND": a STRONG read of the key.
  std::string Read(const std::string& key) {
    const auto table = client_->OpenTable("carts");
    if (!table) return table.error().ToString();
    const auto read = table->Get(key);
    return read ? "OK" : std::string(CodeName(read.error().code()));
  }
  std::optional<ClockInfo> ClockOf(const std::string& server) {
    const auto servers = client_->ListServers();
    if (!servers) return std::nullopt;
    for (const ServerSummary& one : *servers) {
      if (one.name == server && one.live) return one.clock;
    }
    return std::nullopt;
  }
  bool Doubted(const std::string& server, int64_t seconds) {
    return Eventually([&] {
      const auto clock = ClockOf(server);
      return clock && std::chrono::abs(clock->doubt - std::chrono::seconds(seconds)) < 30s;
    });
  }

  std::string dir_;
  std::string clock_;  // the file of the machine's shift
  cluster::ProcessId process_;
};

TEST_F(ClockTest, AStandaloneWhoseClockIsAYearAheadAfterARestartKeepsItsRecords) {
  const ShiftedClock clock(clock_);
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  ASSERT_TRUE(client_->CreateTable("carts").has_value());
  ASSERT_TRUE(client_->OpenTable("carts")->Put("k", "v", kForADay).has_value());
  EXPECT_EQ(ClockOf("standalone")->doubt.count(), 0);
  KillStandalone();
  clock.Set(kYear);
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  EXPECT_EQ(Read("k"), "OK");
  EXPECT_TRUE(Doubted("standalone", kYear)) << "its own master's clock is no other one";
  EXPECT_TRUE(Eventually([&] { return ClockOf("standalone")->waiting == 1; }));
  // Killed once more: what it has left on the disk is the doubted clock's last sure time.
  KillStandalone();
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  EXPECT_EQ(Read("k"), "OK");
  EXPECT_TRUE(Doubted("standalone", kYear));
  ASSERT_TRUE(client_->SetServer("standalone", {.accept_clock = true}).has_value());
  EXPECT_TRUE(Eventually([&] { return Read("k") == "NOT_FOUND"; }));
  EXPECT_TRUE(Doubted("standalone", 0));
  KillStandalone();
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  EXPECT_TRUE(Doubted("standalone", 0)) << "accepted once, it is sure for every later start";
}

TEST_F(ClockTest, AStandaloneWhoseClockIsSetRightAgainDoubtsItNoMore) {
  const ShiftedClock clock(clock_);
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  ASSERT_TRUE(client_->CreateTable("carts").has_value());
  ASSERT_TRUE(client_->OpenTable("carts")->Put("k", "v", kForADay).has_value());
  clock.Set(kYear);  // under the running server
  EXPECT_TRUE(Doubted("standalone", kYear));
  EXPECT_EQ(Read("k"), "OK");
  KillStandalone();
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  EXPECT_EQ(Read("k"), "OK") << "the leap was not the last sure time";
  clock.Set(0);
  EXPECT_TRUE(Doubted("standalone", 0));
  EXPECT_EQ(Read("k"), "OK");
}

// A machine without a hardware clock shows an old time until NTP sets it, after the start.
TEST_F(ClockTest, AStandaloneBelievesAClockThatNtpHasSet) {
  const ShiftedClock clock(clock_);
  clock.Set(0, /*by_ntp=*/true);
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  ASSERT_TRUE(client_->CreateTable("carts").has_value());
  ASSERT_TRUE(client_->OpenTable("carts")->Put("k", "v", kForADay).has_value());
  KillStandalone();
  clock.Set(30 * kDay);
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  EXPECT_TRUE(Doubted("standalone", 30 * kDay));
  EXPECT_EQ(Read("k"), "OK");
  clock.Set(30 * kDay, /*by_ntp=*/true);
  EXPECT_TRUE(Doubted("standalone", 0));
  EXPECT_EQ(Read("k"), "OK") << "a doubt that ends by itself expires nothing until the next start";
  KillStandalone();
  ASSERT_NO_FATAL_FAILURE(StartStandalone());
  EXPECT_EQ(Read("k"), "NOT_FOUND");
  EXPECT_EQ(ClockOf("standalone")->doubt.count(), 0);
}

class ClusterClockTest : public ClockTest {
 protected:
  // Tablet servers have the shifted clock; masters have it too, or the right one, and are on another machine if the
  // servers read another boot id.
  void StartCluster(bool masters_too, bool elsewhere) {
    const ShiftedClock clock(clock_);
    TestClusterOptions options;
    options.launch_context = [=, this](const std::string& name) {
      cluster::LaunchContext context;
      const bool server = name.starts_with("ts-");
      if (server || (masters_too && name.starts_with("m-")))
        context.command_prefix = clock.Command(server && elsewhere ? BootId() : "");
      return context;
    };
    ASSERT_NO_FATAL_FAILURE(Start(std::move(options)));
    ASSERT_TRUE(client_->CreateTable("carts", {.table = {.replicas = 3}}).has_value());
    ASSERT_TRUE(client_->OpenTable("carts")->Put("k", "v", kForADay).has_value());
  }
  // All servers die, and find the clock so many seconds later.
  void RestartAll(int64_t shift) {
    for (const char* server : {"ts-1", "ts-2", "ts-3"}) ASSERT_TRUE(launcher().Kill(server, SIGKILL).ok());
    ShiftedClock(clock_).Set(shift);
    for (const char* server : {"ts-1", "ts-2", "ts-3"}) {
      const Status started = launcher().Restart(server);
      ASSERT_TRUE(started.ok()) << started;
    }
  }
  bool Reads(const std::string& outcome) {
    return Eventually([&] { return Read("k") == outcome; });
  }
};

TEST_F(ClusterClockTest, ThreeReplicasWhoseClocksAreAYearAheadKeepTheirRecords) {
  ASSERT_NO_FATAL_FAILURE(StartCluster(false, true));
  ASSERT_NO_FATAL_FAILURE(RestartAll(kYear));
  EXPECT_TRUE(Reads("OK"));
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) {
    EXPECT_TRUE(Doubted(server, kYear)) << server;
    EXPECT_EQ(std::chrono::round<std::chrono::days>(ClockOf(server)->ahead_of_master).count(), 365) << server;
  }
  EXPECT_THAT(
      cluster_->Ebla("health").text,
      AllOf(HasSubstr("degraded"), HasSubstr("server ts-1: its clock is 365 days ahead of the last time that was sure"),
            HasSubstr("ebla server clock ts-1 --accept")));
  EXPECT_EQ(Read("k"), "OK");
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) {
    const Shown accepted = cluster_->Ebla(std::string("server clock ") + server + " --accept");
    EXPECT_EQ(accepted.code, 0) << accepted;
  }
  EXPECT_TRUE(Reads("NOT_FOUND"));
}

// Three days have passed, on all machines.
TEST_F(ClusterClockTest, AMasterOnAnotherMachineConfirmsTheTimeThatHasPassed) {
  ASSERT_NO_FATAL_FAILURE(StartCluster(true, true));
  ASSERT_NO_FATAL_FAILURE(RestartAll(3 * kDay));
  EXPECT_TRUE(Reads("NOT_FOUND"));
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) EXPECT_TRUE(Doubted(server, 0)) << server;
}

// One machine, with one clock: nothing confirms it.
TEST_F(ClusterClockTest, AMasterOnTheSameMachineConfirmsNothing) {
  ASSERT_NO_FATAL_FAILURE(StartCluster(true, false));
  ASSERT_NO_FATAL_FAILURE(RestartAll(kYear));
  EXPECT_TRUE(Reads("OK"));
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) EXPECT_TRUE(Doubted(server, kYear)) << server;
}

}  // namespace
}  // namespace ebla::testing

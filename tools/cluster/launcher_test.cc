// The launcher with a real ZooKeeper and, for masters and tablet servers, a small script that behaves as they do:
// writes ADDRESS, answers /readyz, ends on SIGTERM.
#include "tools/cluster/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/probe.h"

namespace ebla::cluster {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr char kFakeServer[] = R"PY(#!/usr/bin/env python3
import http.server, os, signal, sys
flags = dict(a[2:].split("=", 1) for a in sys.argv[1:] if "=" in a)
print("flags", sys.argv[1:], flush=True)
if "--die" in sys.argv:
    sys.exit("no good reason")
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.path == "/readyz" and "--lazy" not in sys.argv
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"ready" if ready else b"still loading")
    def log_message(self, *args): pass
host, port = flags["http_listen"].rsplit(":", 1)
server = http.server.HTTPServer((host, int(port)), Handler)
path = flags["data_dir"] + "/ADDRESS"
with open(path + ".new", "w") as out:
    out.write("thrift %s\nhttp %s\npid %d\n" % (flags["listen"], flags["http_listen"], os.getpid()))
os.rename(path + ".new", path)
server.serve_forever()
)PY";

// A port that another process uses.
class Listener {
 public:
  explicit Listener(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0) << port;
    EXPECT_EQ(::listen(fd_, 1), 0);
  }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;

 private:
  const int fd_;
};

uint16_t FirstOfFreePorts(int count) {
  for (;;) {
    const uint16_t first = zookeeper::PickPort().value();
    int free = 0;
    while (free < count && first + free <= UINT16_MAX && PortIsFree(static_cast<uint16_t>(first + free))) ++free;
    if (free == count) return first;
  }
}

class LauncherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "ebla-cluster.XXXXXX";
    root_ = ::mkdtemp(name.data());
    fs::create_directories(root_ + "/bin");
    for (const char* program : {"ebla-master", "ebla-tabletserver"}) {
      const std::string file = root_ + "/bin/" + program;
      std::ofstream(file) << kFakeServer;
      ::chmod(file.c_str(), 0755);
    }
  }
  void TearDown() override { fs::remove_all(root_); }

  LauncherOptions Options() {
    return {.dir = root_ + "/cluster",
            .bin_dir = root_ + "/bin",
            .die_with_parent = true,
            .stop_at_end = true,
            .start_timeout = 30s,
            .stop_timeout = 15s,
            .say = [this](const std::string& text) { said_.push_back(text); }};
  }
  static std::map<std::string, pid_t> Pids(const Launcher& cluster) {
    std::map<std::string, pid_t> pids;
    for (const ProcessView& view : cluster.Describe()) pids[view.name] = view.pid;
    return pids;
  }

  std::string root_;
  std::vector<std::string> said_;
};

TEST_F(LauncherTest, StartsEverythingOnceAndStopsIt) {
  auto opened = Launcher::Open(Options());
  ASSERT_TRUE(opened.has_value()) << opened.error();
  Launcher& cluster = *opened;
  EXPECT_TRUE(cluster.empty());
  Status started = cluster.Start({});
  ASSERT_TRUE(started.ok()) << started;
  const auto pids = Pids(cluster);
  EXPECT_EQ(pids.size(), 6u) << "ZooKeeper, two masters, three servers";
  for (const ProcessView& view : cluster.Describe()) EXPECT_EQ(view.state, ProcessState::kReady) << view.name;
  EXPECT_EQ(cluster.Masters().size(), 2u);

  ASSERT_TRUE(cluster.Start({}).ok());
  EXPECT_EQ(Pids(cluster), pids) << "starting a running cluster changes nothing";
  ASSERT_TRUE(cluster.Start({.servers = 4}).ok());
  EXPECT_EQ(Pids(cluster).size(), 7u) << "one more was asked for";

  const Status stopped = cluster.Stop();
  ASSERT_TRUE(stopped.ok()) << stopped;
  for (const auto& [name, pid] : Pids(cluster)) EXPECT_EQ(pid, 0) << name;
  EXPECT_TRUE(cluster.Stop().ok()) << "stopping again is harmless";
}

TEST_F(LauncherTest, KillAndRestartByNameKeepTheAddress) {
  auto cluster = Launcher::Open(Options());
  ASSERT_TRUE(cluster->Start({.masters = 1, .servers = 2}).ok());
  const auto before = cluster->Describe();
  for (const char* name : {"ts-2", "zookeeper"}) {
    ASSERT_TRUE(cluster->Kill(name, SIGKILL).ok());
    EXPECT_EQ(Pids(*cluster).at(name), 0);
    EXPECT_EQ(cluster->Kill(name, SIGKILL).message(), std::string(name) + " is not running");
    const Status restarted = cluster->Restart(name);
    ASSERT_TRUE(restarted.ok()) << restarted;
  }
  const auto after = cluster->Describe();
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].address, before[i].address);
    const bool restarted = after[i].name == "ts-2" || after[i].name == "zookeeper";
    EXPECT_EQ(after[i].pid != before[i].pid, restarted) << after[i].name;
  }
  EXPECT_THAT(cluster->Kill("ts-9", SIGKILL).message(), HasSubstr("there are zookeeper, m-1, ts-1, ts-2"));
}

TEST_F(LauncherTest, AnotherLauncherWorksWhileOneOnlyWaits) {
  LauncherOptions options = Options();
  std::promise<void> begun;
  options.say = [&](const std::string& text) {
    if (text.starts_with("started ts-1 ")) begun.set_value();
  };
  auto cluster = Launcher::Open(options);
  auto other = std::async(std::launch::async, [&] {
    begun.get_future().wait();
    LauncherOptions theirs = Options();
    theirs.stop_at_end = false;
    theirs.say = nullptr;
    auto second = Launcher::Open(theirs);
    if (!second) return second.error();
    for (const int signal : {SIGSTOP, SIGCONT, SIGKILL})
      if (Status sent = second->Kill("ts-1", signal); !sent.ok()) return sent;
    return Status();
  });
  // ts-1 never is ready: this would last the whole timeout, did the other launcher not end it.
  const auto begin = std::chrono::steady_clock::now();
  const Status started = cluster->Start({.masters = 1, .servers = 1, .server_flags = {"--lazy"}});
  EXPECT_EQ(other.get(), Status());
  EXPECT_THAT(started.message(), HasSubstr("ts-1 ended while starting"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, options.start_timeout);
  EXPECT_EQ(Pids(*cluster).at("ts-1"), 0);
}

TEST_F(LauncherTest, AServerIsAddedToARunningClusterAndRemovedForGood) {
  auto cluster = Launcher::Open(Options());
  EXPECT_THAT(cluster->AddServer().error().message(), HasSubstr("no cluster was started in"));
  ASSERT_TRUE(cluster->Start({.masters = 1, .servers = 2, .server_flags = {"--kept=1"}}).ok());
  const auto before = Pids(*cluster);
  const auto added = cluster->AddServer();
  ASSERT_TRUE(added.has_value()) << added.error();
  EXPECT_EQ(*added, "ts-3");
  EXPECT_THAT(LastLines(cluster->LogFile("ts-3"), 1), HasSubstr("--kept=1"));
  auto pids = Pids(*cluster);
  EXPECT_GT(pids.at("ts-3"), 0);
  pids.erase("ts-3");
  EXPECT_EQ(pids, before) << "the others go on";

  EXPECT_THAT(cluster->CheckRemoval("m-1").message(), HasSubstr("m-1 is not a tablet server"));
  EXPECT_THAT(cluster->CheckRemoval("ts-9").message(), HasSubstr("there are zookeeper, m-1, ts-1, ts-2, ts-3"));
  EXPECT_EQ(cluster->Remove("ts-2").code(), Code::kConditionFailed) << "it runs";
  ASSERT_TRUE(cluster->End("ts-2").ok());
  EXPECT_TRUE(cluster->End("ts-2").ok()) << "again";
  ASSERT_TRUE(cluster->Remove("ts-2").ok());
  EXPECT_FALSE(Pids(*cluster).contains("ts-2"));
  ASSERT_TRUE(cluster->End("ts-3").ok());
  ASSERT_TRUE(cluster->Remove("ts-3").ok());
  EXPECT_THAT(cluster->CheckRemoval("ts-1").message(), HasSubstr("the only tablet server"));
  EXPECT_EQ(cluster->AddServer().value_or("none"), "ts-4") << "no name is used twice";
  ASSERT_TRUE(cluster->Start({.servers = 3}).ok());
  EXPECT_TRUE(Pids(*cluster).contains("ts-5"));

  ASSERT_TRUE(cluster->Stop().ok());
  EXPECT_THAT(cluster->AddServer().error().message(), HasSubstr("is not running (zookeeper is dead)"));
  EXPECT_FALSE(Pids(*cluster).contains("ts-6"));
}

TEST_F(LauncherTest, AServerThatIsAddedPassesOverPortsOfOthers) {
  const uint16_t base = FirstOfFreePorts(14);
  auto cluster = Launcher::Open(Options());
  const Status started = cluster->Start({.masters = 1, .servers = 2, .base_port = base});
  ASSERT_TRUE(started.ok()) << started;
  const Listener somebody(static_cast<uint16_t>(base + 9));
  ASSERT_EQ(cluster->AddServer().value_or("none"), "ts-3");
  const auto views = cluster->Describe();
  EXPECT_EQ(views[1].address, "127.0.0.1:" + std::to_string(base + 2));
  EXPECT_EQ(views.back().address, "127.0.0.1:" + std::to_string(base + 10)) << "the pair at 8 and 9 is not whole";
  ASSERT_TRUE(cluster->End("ts-1").ok());
  ASSERT_TRUE(cluster->Remove("ts-1").ok());
  ASSERT_EQ(cluster->AddServer().value_or("none"), "ts-4");
  EXPECT_EQ(cluster->Describe().back().address, "127.0.0.1:" + std::to_string(base + 4)) << "as ts-1 had";
}

TEST_F(LauncherTest, TheNextLauncherGoesOnFromTheState) {
  LauncherOptions leaving = Options();
  leaving.stop_at_end = false;
  std::map<std::string, pid_t> pids;
  {
    auto cluster = Launcher::Open(leaving);
    ASSERT_TRUE(cluster->Start({.masters = 1, .servers = 1, .server_flags = {"--kept=1"}}).ok());
    pids = Pids(*cluster);
  }
  auto cluster = Launcher::Open(Options());
  ASSERT_TRUE(cluster.has_value()) << cluster.error();
  EXPECT_EQ(Pids(*cluster), pids);
  ASSERT_TRUE(cluster->Restart("ts-1").ok());
  EXPECT_THAT(LastLines(cluster->LogFile("ts-1"), 1), HasSubstr("--kept=1")) << "flags are kept for later starts";
}

TEST_F(LauncherTest, WhatDoesNotStartIsNamedWithTheEndOfItsLog) {
  auto cluster = Launcher::Open(Options());
  const Status failed = cluster->Start({.masters = 1, .servers = 1, .server_flags = {"--die"}});
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.message(), HasSubstr("ts-1 ended while starting"));
  EXPECT_THAT(failed.message(), HasSubstr(root_ + "/cluster/ts-1/output.log"));
  EXPECT_THAT(failed.message(), HasSubstr("no good reason"));
  EXPECT_THAT(failed.message(), HasSubstr("\nstill running: zookeeper, m-1; ebla-cluster stop --dir " + root_));
}

TEST_F(LauncherTest, APortThatIsTakenIsNamedBeforeAnythingIsStarted) {
  const uint16_t base = FirstOfFreePorts(6);
  const Listener somebody(static_cast<uint16_t>(base + 5));
  auto cluster = Launcher::Open(Options());
  const Status failed = cluster->Start({.masters = 1, .servers = 1, .base_port = base});
  EXPECT_EQ(failed.code(), Code::kInvalidArgument);
  EXPECT_THAT(failed.message(), HasSubstr("port " + std::to_string(base + 5) + ", which ts-1 needs, is in use"));
  EXPECT_TRUE(said_.empty());
}

TEST_F(LauncherTest, WhatIsNeverReadySaysWhy) {
  LauncherOptions options = Options();
  options.start_timeout = 3s;
  auto cluster = Launcher::Open(options);
  const Status failed = cluster->Start({.masters = 1, .servers = 1, .server_flags = {"--lazy"}});
  EXPECT_THAT(failed.message(), HasSubstr("ts-1 is not ready (still loading)"));
  EXPECT_TRUE(cluster->Start({.wait = false}).ok()) << "it has started, though";
}

TEST_F(LauncherTest, WhoIgnoresSigtermIsKilledAndNamed) {
  LauncherOptions options = Options();
  options.stop_timeout = 300ms;
  auto cluster = Launcher::Open(options);
  ASSERT_TRUE(cluster->Start({.masters = 1, .servers = 1, .server_flags = {"--deaf"}}).ok());
  const Status stopped = cluster->Stop();
  EXPECT_THAT(stopped.message(), HasSubstr("ts-1 did not end"));
  EXPECT_EQ(Pids(*cluster).at("ts-1"), 0);
}

TEST_F(LauncherTest, ProgramsMayBeNamedFromHere) {
  LauncherOptions options = Options();
  options.bin_dir = fs::relative(root_ + "/bin").string();
  options.dir = fs::relative(root_ + "/cluster").string();
  auto cluster = Launcher::Open(options);
  ASSERT_TRUE(cluster.has_value()) << cluster.error();
  const Status started = cluster->Start({.masters = 1, .servers = 1});
  EXPECT_TRUE(started.ok()) << started;
}

TEST_F(LauncherTest, MistakesAreNamed) {
  LauncherOptions options = Options();
  options.bin_dir = root_ + "/nowhere";
  auto cluster = Launcher::Open(options);
  EXPECT_THAT(cluster->Start({.masters = 1}).message(), HasSubstr("nowhere/ebla-master does not exist"));
  std::ofstream(root_ + "/broken") << "in the way";
  options.dir = root_ + "/broken/dir";
  EXPECT_THAT(Launcher::Open(options).error().message(), HasSubstr("broken"));
}

TEST_F(LauncherTest, ADamagedStateIsRefused) {
  fs::create_directories(root_ + "/cluster");
  std::ofstream(root_ + "/cluster/cluster.json") << "{\"format\": 1}";
  EXPECT_THAT(Launcher::Open(Options()).error().message(), HasSubstr("cluster.json cannot be read"));
  std::ofstream(root_ + "/cluster/cluster.json") << "{\"format\": 2}";
  EXPECT_THAT(Launcher::Open(Options()).error().message(), HasSubstr("format 2"));
}

TEST(ChildProcess, ARecycledPidIsSomebodyElse) {
  const std::string output = ::testing::TempDir() + "/ebla_child_output";
  auto started =
      Spawn({.command = {"/bin/sleep", "600"}, .working_dir = "/", .output_file = output, .die_with_parent = true});
  ASSERT_TRUE(started.has_value()) << started.error();
  ProcessId other = *started;
  other.start_ticks += 1;
  EXPECT_FALSE(IsAlive(other));
  EXPECT_EQ(Signal(other, SIGKILL).code(), Code::kNotFound);
  EXPECT_TRUE(WaitForExit(other, 0ms));
  other = *started;
  other.boot_id = "before the reboot";
  EXPECT_EQ(Signal(other, SIGKILL).code(), Code::kNotFound);
  EXPECT_TRUE(IsAlive(*started));
  EXPECT_FALSE(WaitForExit(*started, 1ms));
  ASSERT_TRUE(Signal(*started, SIGKILL).ok());
  EXPECT_TRUE(WaitForExit(*started, 10s));
  EXPECT_FALSE(IsAlive(*started));
  EXPECT_EQ(Signal({}, SIGKILL).code(), Code::kNotFound) << "no process: not a process group, not everybody";
  fs::remove(output);
}

TEST(ChildProcess, SaysHowItsChildrenEnded) {
  const std::string output = ::testing::TempDir() + "/ebla_child_output";
  const auto start = [&output](std::vector<std::string> command) {
    return Spawn({.command = std::move(command), .working_dir = "/", .output_file = output, .die_with_parent = true});
  };
  const auto three = start({"/bin/sh", "-c", "exit 3"});
  ASSERT_TRUE(three.has_value()) << three.error();
  EXPECT_EQ(ExitCode(*three, 10s), 3);
  EXPECT_EQ(ExitCode(*three, 10s).error().code(), Code::kNotFound) << "told once";
  const auto killed = start({"/bin/sleep", "600"});
  ASSERT_TRUE(killed.has_value()) << killed.error();
  EXPECT_EQ(ExitCode(*killed, 1ms).error().code(), Code::kDeadlineExceeded);
  ASSERT_TRUE(Signal(*killed, SIGKILL).ok());
  EXPECT_EQ(ExitCode(*killed, 10s), 128 + SIGKILL);
  fs::remove(output);
}

TEST(ChildProcess, WhatCannotBeExecutedIsAnErrorAtOnce) {
  const std::string output = ::testing::TempDir() + "/ebla_child_output";
  EXPECT_THAT(Spawn({.command = {"/no/such/program"}, .working_dir = "/", .output_file = output}).error().message(),
              HasSubstr("/no/such/program"));
  EXPECT_FALSE(Spawn({.command = {"/bin/true"}, .working_dir = "/no/such/dir", .output_file = output}).has_value());
  fs::remove(output);
}

}  // namespace
}  // namespace ebla::cluster

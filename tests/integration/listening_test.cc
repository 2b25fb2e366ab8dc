// Listening addresses with default flags: the kernel's list of sockets has no address that other machines reach.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/testing/eventually.h"
#include "common/testing/temporary_directory.h"
#include "test_paths.h"
#include "tools/cluster/launcher.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace fs = std::filesystem;

// An address as in proc(5), such as 0100007F:1CE8, in the machine's byte order.
bool IsLoopback(const std::string& local) {
  const std::string address = local.substr(0, local.find(':'));
  if (address.size() == 8) return address.ends_with("7F");
  return address == "00000000000000000000000001000000" ||
         (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"));
}

// The addresses where a process takes connections or datagrams, as "tcp 0100007F:1CE8".
std::set<std::string> Listening(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::set<std::string> own, listening;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(proc + "/fd", error)) {
    const std::string target = fs::read_symlink(file.path(), error).string();
    if (target.starts_with("socket:[")) own.insert(target.substr(8, target.size() - 9));
  }
  for (const std::string kind : {"tcp", "tcp6", "udp", "udp6"}) {
    std::ifstream table(proc + "/net/" + kind);
    std::string line, number, local, remote, state, inode;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::istringstream words(line);
      words >> number >> local >> remote >> state;
      for (int i = 0; i < 6; ++i) words >> inode;
      const bool takes = kind.starts_with("tcp") ? state == "0A" : true;
      if (takes && own.contains(inode)) listening.insert(kind + " " + local);
    }
  }
  return listening;
}

std::set<std::string> ReachedFromElsewhere(pid_t pid) {
  std::set<std::string> open = Listening(pid);
  std::erase_if(open, [](const std::string& socket) { return IsLoopback(socket.substr(socket.find(' ') + 1)); });
  return open;
}

class ListeningTest : public ::testing::Test {
 protected:
  ~ListeningTest() override {
    for (const cluster::ProcessId& process : started_) {
      (void)cluster::Signal(process, SIGKILL);
      cluster::WaitForExit(process, 15s);
    }
  }
  // In a network of its own where the system allows that, as the usual ports may be in use. Waits until it listens with
  // `sockets`.
  pid_t Start(const std::string& program, const std::vector<std::string>& flags, size_t sockets) {
    std::vector<std::string> command;
    const std::string unshare = geteuid() == 0 ? "-n" : "-rn";
    if (std::system(("unshare " + unshare + " ip link set lo up 2>/dev/null").c_str()) == 0)
      command = {"/usr/bin/unshare", unshare, "/bin/sh", "-c", "ip link set lo up && exec \"$@\"", "sh"};
    const std::string dir = directory_.path() + "/" + program + std::to_string(started_.size());
    command.insert(command.end(), {std::string(kBinaryDir) + "/bin/" + program, "--data_dir=" + dir});
    command.insert(command.end(), flags.begin(), flags.end());
    const auto process = cluster::Spawn({.command = command,
                                         .working_dir = directory_.path(),
                                         .output_file = directory_.path() + "/printed",
                                         .die_with_parent = true});
    EXPECT_TRUE(process.has_value()) << process.error();
    started_.push_back(*process);
    EXPECT_TRUE(Eventually([&] { return Listening(process->pid).size() >= sockets; }, 30s))
        << cluster::LastLines(directory_.path() + "/printed", 20);
    return process->pid;
  }

  const TemporaryDirectory directory_;
  std::vector<cluster::ProcessId> started_;
};

TEST_F(ListeningTest, EveryProcessListensOnThisMachineAloneByDefault) {
  EXPECT_THAT(ReachedFromElsewhere(Start("ebla-standalone", {}, 2)), IsEmpty());
  EXPECT_THAT(ReachedFromElsewhere(Start("ebla-tabletserver", {"--name=ts-1"}, 2)), IsEmpty());
  EXPECT_THAT(ReachedFromElsewhere(Start("ebla-master", {"--name=m-1"}, 2)), IsEmpty());
}

TEST_F(ListeningTest, ThisTestSeesWhatIsOpen) {
  const pid_t pid = Start("ebla-standalone", {"--insecure", "--listen=0.0.0.0:0", "--advertise=127.0.0.1:1"}, 2);
  EXPECT_EQ(ReachedFromElsewhere(pid).size(), 1u);
  EXPECT_FALSE(IsLoopback("00000000000000000000000000000000:1CE8"));
  EXPECT_FALSE(IsLoopback("0000000000000000FFFF00000100000A:1CE8"));
  EXPECT_TRUE(IsLoopback("0000000000000000FFFF00000100007F:1CE8"));
}

TEST_F(ListeningTest, WhatOthersWouldReachUnaskedIsRefused) {
  for (const std::string program : {"ebla-standalone", "ebla-tabletserver", "ebla-master"}) {
    for (const std::string flag : {"--listen", "--http_listen"}) {
      const std::string other = flag == "--listen" ? "--http_listen" : "--listen";
      const auto process =
          cluster::Spawn({.command = {std::string(kBinaryDir) + "/bin/" + program, "--name=one", flag + "=0.0.0.0:0",
                                      other + "=127.0.0.1:0", "--data_dir=" + directory_.path() + "/refused"},
                          .working_dir = directory_.path(),
                          .output_file = directory_.path() + "/" + program + flag,
                          .die_with_parent = true});
      ASSERT_TRUE(process.has_value()) << process.error();
      started_.push_back(*process);
      EXPECT_NE(cluster::ExitCode(*process, 30s).value_or(0), 0) << program << " " << flag;
      EXPECT_THAT(cluster::LastLines(directory_.path() + "/" + program + flag, 20),
                  HasSubstr(flag + "=0.0.0.0:0 can be reached from other machines"));
    }
  }
}

TEST_F(ListeningTest, SoDoAllProcessesOfEblaCluster) {
  auto cluster = cluster::Launcher::Open({.dir = directory_.path() + "/cluster",
                                          .bin_dir = std::string(kBinaryDir) + "/bin",
                                          .die_with_parent = true,
                                          .stop_at_end = true});
  ASSERT_TRUE(cluster.has_value()) << cluster.error();
  const Status started = cluster->Start({});
  ASSERT_TRUE(started.ok()) << started;
  const auto processes = cluster->Describe();
  EXPECT_EQ(processes.size(), 6u);
  for (const cluster::ProcessView& process : processes) {
    EXPECT_THAT(Listening(process.pid), Not(IsEmpty())) << process.name;
    EXPECT_THAT(ReachedFromElsewhere(process.pid), IsEmpty()) << process.name;
  }
}

}  // namespace
}  // namespace ebla::testing

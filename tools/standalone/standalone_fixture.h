// tools/standalone/standalone_fixture.h
// The real program with a directory of its own, for tests.
// Threads: one.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/testing/test_files.h"
#include "ebla/client.h"
#include "test_paths.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/probe.h"

namespace ebla {

using namespace std::chrono_literals;

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

  cluster::ProcessId Spawn(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {std::string(kBinaryDir) + "/bin/ebla-standalone",
                                        "--data_dir=" + dir_ + "/data",
                                        "--listen=127.0.0.1:0",
                                        "--http_listen=127.0.0.1:0",
                                        "--disk_reserve_mb=0",
                                        "--cache_mb=64"};
    command.insert(command.end(), more.begin(), more.end());
    auto spawned = cluster::Spawn(
        {.command = std::move(command), .working_dir = dir_, .output_file = dir_ + "/output", .die_with_parent = true});
    EXPECT_TRUE(spawned) << spawned.error();
    return spawned.value_or(cluster::ProcessId());
  }

  // Starts it, and returns the time until it reports that it is ready.
  std::chrono::milliseconds StartAndWait(const std::vector<std::string>& more = {}) {
    const auto start = std::chrono::steady_clock::now();
    process_ = Spawn(more);
    while (!cluster::AskReadyIn(dir_ + "/data", process_.pid, 1s).ok()) {
      if (std::chrono::steady_clock::now() - start > 30s || !cluster::IsAlive(process_)) {
        ADD_FAILURE() << "it does not become ready; it said: " << Output();
        break;
      }
      std::this_thread::sleep_for(2ms);  // polls, within a bound
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  }

  std::string Output() { return testing::FileBytes(dir_ + "/output"); }

  Client Connect() {
    return Client::Connect(
               {.masters = {cluster::AddressIn(dir_ + "/data", "thrift")}, .deadline = 20s, .connect_timeout = 20s})
        .value();
  }

  // One table with one record; then it stops.
  void WriteAndStop() {
    StartAndWait();
    Client client = Connect();
    ASSERT_TRUE(client.CreateTable("carts"));
    ASSERT_TRUE(client.OpenTable("carts")->Put("anna", "cart of anna"));
    ASSERT_TRUE(cluster::Signal(process_, SIGTERM).ok());
    ASSERT_EQ(cluster::ExitCode(process_, 10s), 0);
  }
  void ExpectRefused(const std::string& finding, const std::vector<std::string>& flags = {}, int code = 1) {
    EXPECT_EQ(cluster::ExitCode(Spawn(flags), 20s), code);
    EXPECT_NE(Output().find(finding), std::string::npos) << Output();
  }
  std::vector<std::filesystem::path> Segments() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/data/store/log")) {
      if (entry.path().extension() == ".log") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }

  std::string dir_;
  cluster::ProcessId process_;
};

}  // namespace ebla

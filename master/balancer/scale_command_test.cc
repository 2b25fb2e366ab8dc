#include "master/balancer/scale_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Status RunShell(const std::string& command, Duration limit = 60s, std::stop_token stop = {}) {
  return RunScaleCommand(command, "ts-7", limit, std::move(stop));
}

TEST(ScaleCommandTest, TheServersNameIsItsArgumentAndStandsInItsEnvironment) {
  const std::string file = ::testing::TempDir() + "scale_command_test." + std::to_string(getpid());
  const Status status = RunShell("printf '%s %s' \"$1\" \"$EBLA_SERVER\" > " + file);
  EXPECT_TRUE(status.ok()) << status;
  std::ifstream in(file);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "ts-7 ts-7");
  std::remove(file.c_str());
}

TEST(ScaleCommandTest, AFailureIsToldWithItsLastLine) {
  const Status status = RunShell("echo begun; echo 'no machine is free' >&2; exit 3");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(), "it ended with exit code 3: no machine is free");
  EXPECT_THAT(RunShell("kill -TERM $$").message(), HasSubstr("signal 15"));
  EXPECT_FALSE(RunShell("/nowhere/at/all").ok());
}

TEST(ScaleCommandTest, OneThatDoesNotEndIsKilledWithAllThatItStarted) {
  const Status status = RunShell("sleep 600 & sleep 600", 200ms);
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(RunShell("sleep 600", 60s, stop.get_token()).code(), Code::kDeadlineExceeded) << "the master ends";
}

// A server that the command has started keeps running, and may hold its output open.
TEST(ScaleCommandTest, WhatRunsOnInTheBackgroundIsNotWaitedFor) {
  const std::string file = ::testing::TempDir() + "scale_command_pid." + std::to_string(getpid());
  const auto begin = std::chrono::steady_clock::now();
  const Status status = RunShell("sleep 600 & echo $! > " + file);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 300s);
  pid_t pid = 0;
  std::ifstream(file) >> pid;
  ASSERT_GT(pid, 0);
  EXPECT_EQ(kill(pid, 0), 0) << "it lives";
  kill(pid, SIGKILL);
  std::remove(file.c_str());
}

TEST(ScaleCommandTest, MuchOutputDoesNotStopIt) {
  const Status status =
      RunShell("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done");
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace ebla::master

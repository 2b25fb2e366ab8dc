#include "tools/ycsb/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "common/base/mutex.h"
#include "tools/ycsb/memory_database.h"

namespace ebla::ycsb {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

struct Rig {
  explicit Rig(std::string_view text, bool load = false) {
    Properties properties;
    EXPECT_TRUE(properties.AddText("recordcount=1000\noperationcount=2000\nfieldlength=10\n", "base").ok());
    EXPECT_TRUE(properties.AddText(text, "test").ok());
    options = *RunnerOptions::Parse(properties, load);
    workload = *Workload::Make(*WorkloadOptions::Parse(properties, load), load);
    runner = std::make_unique<Runner>(options, *workload, driver, err);
    if (load) return;
    for (uint64_t i = 0; i < 1000; ++i) driver.store.records[KeyName({}, i)] = {{"field0", "x"}};
  }

  MemoryDriver driver;
  std::ostringstream err;
  RunnerOptions options;
  std::unique_ptr<Workload> workload;
  std::unique_ptr<Runner> runner;
};

TEST(Runner, LoadSharesTheRecordsAmongTheThreads) {
  Rig rig("threadcount=7\n", true);
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value()) << result.error();
  EXPECT_EQ(rig.driver.store.records.size(), 1000u);
  EXPECT_EQ(result->succeeded, 1000u);
  EXPECT_EQ(result->failed, 0u);
  EXPECT_EQ(result->samples.metrics[static_cast<size_t>(Metric::kCleanup)].succeeded.Count(), 7u);
}

TEST(Runner, RunDoesAsManyOperationsAsAskedForAndPrintsThem) {
  Rig rig("threadcount=3\nreadproportion=1\nupdateproportion=0\n");
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value()) << result.error();
  std::ostringstream out;
  PrintResult(rig.options.measurements, *result, out);
  EXPECT_THAT(out.str(), ContainsRegex("^\\[OVERALL\\], RunTime\\(ms\\), [0-9]+\n"
                                       "\\[OVERALL\\], Throughput\\(ops/sec\\), [0-9]+\\.[0-9]\n"
                                       "\\[READ\\], Operations, 2000\n"));
  EXPECT_THAT(out.str(), HasSubstr("[READ], Return=OK, 2000\n"));
  EXPECT_THAT(out.str(), HasSubstr("[CLEANUP], Operations, 3\n"));
}

TEST(Runner, MoreThreadsThanOperationsDoNoMore) {
  Rig rig("threadcount=10\noperationcount=4\n");
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->succeeded, 4u);
}

TEST(Runner, APipelineKeepsSoManyOperationsUnderWay) {
  Rig rig("threadcount=2\nebla.pipeline=8\noperationcount=100\nreadmodifywriteproportion=1\n");
  rig.driver.store.delay = 5ms;
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->succeeded, 100u);
  EXPECT_GT(rig.driver.store.under_way_most, 8);
  EXPECT_LE(rig.driver.store.under_way_most, 16);
  EXPECT_EQ(rig.driver.store.under_way, 0);
}

TEST(Runner, APipelineDeeperThanTheOperationsLoadsEveryRecordOnce) {
  Rig rig("threadcount=3\nebla.pipeline=1000\n", true);
  rig.driver.store.delay = 1ms;
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->succeeded, 1000u);
  EXPECT_EQ(rig.driver.store.records.size(), 1000u);
  EXPECT_EQ(rig.driver.store.calls, 1000u);
}

TEST(Runner, APipelineKeepsTheTargetOfAll) {
  Rig rig("threadcount=2\nebla.pipeline=10\noperationcount=100\ntarget=200\n");
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->succeeded, 100u);
  EXPECT_GE(result->runtime, 400ms) << "of half a second the last lane's first spacing is missing";
}

TEST(Runner, APipelineIsOneToTenThousand) {
  for (const char* wrong : {"ebla.pipeline=0\n", "ebla.pipeline=10001\n"}) {
    Properties properties;
    ASSERT_TRUE(properties.AddText(wrong, "test").ok());
    EXPECT_THAT(RunnerOptions::Parse(properties, false).error().message(), HasSubstr("ebla.pipeline"));
  }
}

TEST(Runner, FailuresAreLeftOutOfTheThroughput) {
  Rig rig("readproportion=1\nupdateproportion=0\noperationcount=100\n");
  int call = 0;
  rig.driver.store.fault = [&call] { return ++call % 4 == 0 ? Status(Code::kUnavailable, "away") : Status::Ok(); };
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->succeeded, 75u);
  EXPECT_EQ(result->failed, 25u);
  EXPECT_EQ(result->samples.Failures(), 25u);
  EXPECT_EQ(result->last_failure.message(), "away");
  RunResult shown;
  shown.runtime = 500ms;
  shown.succeeded = 75;
  shown.failed = 25;
  std::ostringstream out;
  PrintResult({}, shown, out);
  EXPECT_EQ(out.str(), "[OVERALL], RunTime(ms), 500\n[OVERALL], Throughput(ops/sec), 150.0\n");
}

TEST(Runner, AFailedLoadEndsItsThread) {
  Rig rig("threadcount=2\n", true);
  rig.driver.store.fault = [] { return Status(Code::kUnavailable, "away"); };
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->failed, 2u);
  EXPECT_EQ(rig.driver.store.calls, 2u);
}

TEST(Runner, WhatTheDriverRefusesIsHandedOn) {
  Rig rig("");
  rig.driver.prepare = Status(Code::kNoSuchTable, "no table");
  EXPECT_EQ(rig.runner->Execute().error().message(), "no table");
}

TEST(Runner, StopEndsAnEndlessRunAndKeepsWhatWasMeasured) {
  Rig rig("threadcount=2\noperationcount=0\nmaxexecutiontime=3600\n");
  Mutex mutex;
  CondVar reached;
  uint64_t calls = 0;
  rig.driver.store.fault = [&] {
    MutexLock lock(mutex);
    if (++calls == 500) reached.NotifyAll();
    return Status::Ok();
  };
  std::thread stopper([&] {
    MutexLock lock(mutex);
    while (calls < 500) reached.Wait(mutex);
    rig.runner->Stop();
  });
  const auto result = rig.runner->Execute();
  stopper.join();
  ASSERT_TRUE(result.has_value());
  EXPECT_GE(result->succeeded, 500u);
  EXPECT_EQ(result->succeeded, calls);
}

TEST(Runner, MaxExecutionTimeEndsTheRun) {
  Rig rig("operationcount=0\nmaxexecutiontime=1\ntarget=50\nstatus=true\nstatus.interval=0.4\nlabel=nightly\n");
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_GE(result->runtime, 1s);
  EXPECT_LT(result->runtime, 5s);
  EXPECT_THAT(rig.err.str(), HasSubstr("maxexecutiontime"));
  EXPECT_THAT(
      rig.err.str(),
      ContainsRegex("20[0-9-]+ [0-9:]+:[0-9][0-9][0-9] nightly [0-9]+ sec: [0-9]+ operations; [0-9.]+ current ops/sec; "
                    "\\[READ: Count=[0-9]+, Max="));
}

TEST(Runner, TheTargetSpacesOperationsAndLateOnesShowAsWaiting) {
  // 200 operations/s over two threads: 100 operations take half a second. The first of them stalls for 200 ms, which
  // the intended measurement charges to the ones behind it as well.
  Rig rig(
      "threadcount=2\noperationcount=100\ntarget=200\nreadproportion=1\nupdateproportion=0\nmeasurement.interval="
      "both\n");
  std::once_flag once;
  rig.driver.store.fault = [&once] {
    std::call_once(once, [] {
      const auto end = std::chrono::steady_clock::now() + 200ms;
      while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
    });
    return Status::Ok();
  };
  const auto result = rig.runner->Execute();
  ASSERT_TRUE(result.has_value());
  EXPECT_GE(result->runtime, 480ms);
  const Samples::OfMetric& reads = result->samples.metrics[static_cast<size_t>(Metric::kRead)];
  EXPECT_EQ(reads.succeeded.Count(), 100u);
  EXPECT_GE(reads.intended_succeeded.Percentile(90), 50'000u) << "the last of those that queued waited long";
  EXPECT_GE(reads.intended_succeeded.Max(), 200'000u);
  EXPECT_LE(reads.succeeded.Average(), reads.intended_succeeded.Average());
}

TEST(Runner, StatusLinesTellWhatRemains) {
  Rig rig("operationcount=30\ntarget=20\nstatus=true\nstatus.interval=0.5\n");
  ASSERT_TRUE(rig.runner->Execute().has_value());
  EXPECT_THAT(rig.err.str(), ContainsRegex(" [0-9]+ sec: [0-9]+ operations; [0-9.]+ current ops/sec; "
                                           "est completion in [0-9] second \\[READ: Count="));
  EXPECT_EQ(RemainingText(5), "5 second");
  EXPECT_EQ(RemainingText(59), "59 seconds");
  EXPECT_EQ(RemainingText(60), "1 minute");
  EXPECT_EQ(RemainingText(2 * 3600 + 600), "2 hours 10 minutes");
  EXPECT_EQ(RemainingText(86'400 + 3600), "1 day 1 hour");
}

TEST(Runner, AFixedSeedRepeatsTheRun) {
  const auto records = [] {
    Rig rig("ebla.seed=7\nreadproportion=0\nupdateproportion=1\noperationcount=200\n");
    EXPECT_TRUE(rig.runner->Execute().has_value());
    return rig.driver.store.records;
  };
  EXPECT_EQ(records(), records());
}

}  // namespace
}  // namespace ebla::ycsb

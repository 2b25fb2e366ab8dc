// tests/integration/load_fixture.h
// For tests of a cluster under load: its client, and threads that use table "carts" until they are told to end. What
// goes wrong for one of them is a failure, which ends that thread and not the test.
// Threads: the test's own starts the cluster and the load; Load(), Fail() and failures() may be called by any.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "tests/integration/test_cluster.h"

namespace ebla::testing {

class LoadFixture : public ::testing::Test {
 protected:
  void Start(TestClusterOptions options) {
    auto started = TestCluster::Start(std::move(options));
    ASSERT_TRUE(started) << started.error();
    cluster_ = std::move(*started);
    auto client = cluster_->Connect(std::chrono::seconds(30));
    ASSERT_TRUE(client) << client.error();
    client_ = std::make_unique<Client>(std::move(*client));
  }
  void TearDown() override { EndLoad(); }

  void BeginLoad(int threads) {
    for (int t = 0; t < threads; ++t) {
      threads_.emplace_back([this, t, threads](const std::stop_token& stop) { Load(stop, t, threads); });
    }
  }
  void EndLoad() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
  }
  // One thread's share: its keys are `first` and each `step`th from there. It counts its operations.
  virtual void Load(const std::stop_token& stop, int first, int step) = 0;
  void Fail(const std::string& what) {
    MutexLock lock(mutex_);
    failures_.push_back(what);
  }
  std::vector<std::string> failures() {
    MutexLock lock(mutex_);
    return failures_;
  }
  // Waits until the load has done so many operations more, or failed.
  bool GoesOn(int64_t more) {
    const int64_t before = operations_;
    return Eventually([&] { return operations_ > before + more || !failures().empty(); });
  }

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Client> client_;
  std::atomic<int64_t> operations_ = 0;
  Mutex mutex_;

 private:
  std::vector<std::string> failures_ EBLA_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace ebla::testing

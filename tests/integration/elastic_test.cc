// A cluster of real processes follows its load by itself: one table of one tablet is split and spread over five servers
// while clients read and write it, and none of them sees an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "tests/integration/test_cluster.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kKeys = 2'000;

std::string Key(int i) {
  const std::string digits = std::to_string(i);
  return "user" + std::string(6 - digits.size(), '0') + digits;
}

class ElasticTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = TestCluster::Start({.servers = 5,
                                       .master_flags = {"--splits", "--plan_every_ms=500", "--split_sustained_ms=2000",
                                                        "--split_again_ms=3000", "--balance_sustained_ms=2000",
                                                        "--balance_cool_down_ms=5000"}});
    ASSERT_TRUE(started) << started.error();
    cluster_ = std::move(*started);
    auto client = cluster_->Connect(30s);
    ASSERT_TRUE(client) << client.error();
    client_ = std::make_unique<Client>(std::move(*client));
  }
  void TearDown() override { EndLoad(); }

  // Every thread writes keys of its own, and reads back what it wrote last.
  void BeginLoad(int threads) {
    for (int t = 0; t < threads; ++t) {
      threads_.emplace_back([this, t, threads](const std::stop_token& stop) { Load(stop, t, threads); });
    }
  }
  void EndLoad() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
  }
  void Load(const std::stop_token& stop, int first, int step) {
    const auto table = client_->OpenTable("carts");
    if (!table) return Fail("cannot open the table: " + table.error().ToString());
    std::minstd_rand random(static_cast<unsigned>(first + 1));
    std::map<std::string, std::string> written;
    for (int n = 0; !stop.stop_requested(); ++n) {
      const std::string key = Key(first + step * static_cast<int>(random() % (kKeys / static_cast<unsigned>(step))));
      if (n % 2 == 0) {
        const std::string value = std::to_string(n);
        if (const auto put = table->Put(key, value); !put) return Fail("put " + key + ": " + put.error().ToString());
        written[key] = value;
      } else {
        const auto got = table->Get(key);
        const auto last = written.find(key);
        if (!got && (got.error().code() != Code::kNotFound || last != written.end())) {
          return Fail("get " + key + ": " + got.error().ToString());
        }
        if (got && last != written.end() && got->value != last->second) return Fail("get " + key + " shows another value");
      }
      ++operations_;
    }
  }
  void Fail(const std::string& what) {
    const std::lock_guard lock(mutex_);
    failures_.push_back(what);
  }
  std::vector<std::string> failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Client> client_;
  std::vector<std::jthread> threads_;
  std::atomic<int64_t> operations_ = 0;
  std::mutex mutex_;
  std::vector<std::string> failures_;
};

TEST_F(ElasticTest, OneTabletUnderLoadIsSplitAndSpreadWithNoFailedOperation) {
  CreateTableOptions options;
  options.table.replicas = 3;
  options.table.split_ops_per_second = 200;
  ASSERT_TRUE(client_->CreateTable("carts", options));
  BeginLoad(6);
  std::set<ServerName> leading, holding;
  size_t tablets = 0;
  const bool spread = Eventually(
      [&] {
        const auto list = client_->ListTablets("carts");
        if (!list) return false;
        leading.clear();
        holding.clear();
        tablets = list->size();
        for (const TabletSummary& tablet : *list) {
          leading.insert(tablet.primary);
          holding.insert(tablet.voters.begin(), tablet.voters.end());
        }
        return !failures().empty() || (tablets >= 4 && leading.size() >= 3 && holding.size() >= 4);
      },
      150s);
  const int64_t operations = operations_;
  EXPECT_THAT(failures(), ::testing::IsEmpty());
  const auto state = client_->Planner();
  ASSERT_TRUE(state) << state.error();
  for (const PlannedAction& action : state->done) {
    std::cout << action.rule << ": " << action.what << ": " << action.outcome << "\n  " << action.reason << "\n";
  }
  for (const RefusedAction& refused : state->refused) {
    std::cout << "not done: " << refused.rule << ", " << refused.cause << ": " << refused.detail << "\n";
  }
  EXPECT_TRUE(spread) << tablets << " tablets, led by " << leading.size() << " servers, held by " << holding.size();
  EXPECT_TRUE(Eventually([&] { return operations_ > operations + 1'000 || !failures().empty(); })) << "and goes on";
  EndLoad();
  EXPECT_THAT(failures(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace ebla::testing

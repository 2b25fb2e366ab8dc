// PROTOCOL 24 with real processes. ZooKeeper is restored to an older state under a cluster that continued since, and
// the leading master dies. Its successor finds a catalog that is older than the servers' reports. It changes nothing,
// and reports that; an operator adopts what the servers hold; connected clients notice nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/integration/cluster_fixture.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kKeys = 60;

std::string Key(int number) { return std::string(1, static_cast<char>('a' + number % 26)) + std::to_string(number); }

// A few clients that read and write one table, until told to end; each read must show the last write.
class LightLoad {
 public:
  explicit LightLoad(const Table& table) {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this, table, i] { Run(table, i); });
  }
  ~LightLoad() { Stop(); }

  // The number of operations that succeeded, and the errors of the rest.
  int64_t done() const { return done_; }
  std::vector<std::string> Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    std::vector<std::string> all;
    for (auto& errors : errors_) all.insert(all.end(), errors.begin(), errors.end());
    return all;
  }

 private:
  static constexpr int kThreads = 3;

  void Run(const Table& table, int thread) {
    for (int number = 0; !stop_; ++number) {
      const std::string key = Key(number) + "-" + std::to_string(thread), value = std::to_string(number);
      const auto put = table.Put(key, value);
      if (!put) errors_[static_cast<size_t>(thread)].push_back("put: " + put.error().ToString());
      const auto got = table.Get(key);
      if (!got) errors_[static_cast<size_t>(thread)].push_back("get: " + got.error().ToString());
      if (got && put && got->value != value)
        errors_[static_cast<size_t>(thread)].push_back(key + " shows " + got->value);
      ++done_;
      std::this_thread::sleep_for(5ms);  // light
    }
  }

  std::array<std::vector<std::string>, kThreads> errors_;
  std::atomic<int64_t> done_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// Tables and their keys, and ZooKeeper's data.
class RestoredTest : public ClusterFixture {
 protected:
  void SetUp() override { Start({}, 20s); }

  // A table of three tablets with three replicas each, with records.
  Table Make(const std::string& name) {
    const auto made = client_->CreateTable(name, {.split_points = {"i", "r"}, .deadline = 30s});
    EXPECT_TRUE(made.has_value()) << made.error();
    auto table = client_->OpenTable(name);
    EXPECT_TRUE(table.has_value()) << table.error();
    for (int number = 0; number < kKeys; ++number) {
      const auto put = table->Put(Key(number), name + Key(number));
      EXPECT_TRUE(put.has_value()) << put.error();
    }
    return *std::move(table);
  }
  // Every key of `Make`, read and, if asked, written.
  void ExpectWhole(const Table& table, const std::string& name, bool write) {
    for (int number = 0; number < kKeys; ++number) {
      const auto got = table.Get(Key(number));
      ASSERT_TRUE(got.has_value()) << name << " " << Key(number) << ": " << got.error();
      EXPECT_EQ(got->value, name + Key(number));
      if (!write) continue;
      const auto put = table.Put(Key(number), got->value);
      ASSERT_TRUE(put.has_value()) << name << " " << Key(number) << ": " << put.error();
    }
  }
  // Hands the tablet to a voter that does not lead it: its epoch is then beyond an older catalog's.
  void Transfer(const std::string& table, const std::string& key) {
    const auto place = client_->Locate(table, key);
    ASSERT_TRUE(place.has_value()) << place.error();
    const std::string to = place->primary == "ts-1" ? "ts-2" : "ts-1";
    const Status handed = client_->TransferTablet(table, key, to);
    ASSERT_TRUE(handed.ok()) << handed;
  }
  void CopyZooKeepersData() {
    // Stopped, so that the copy is of one moment.
    ASSERT_TRUE(launcher().Kill("zookeeper", SIGSTOP).ok());
    std::filesystem::copy(launcher().DataDir("zookeeper"), Older(), std::filesystem::copy_options::recursive);
    ASSERT_TRUE(launcher().Kill("zookeeper", SIGCONT).ok());
  }
  void PutItBack() {
    ASSERT_TRUE(launcher().Kill("zookeeper", SIGKILL).ok());
    std::filesystem::remove_all(launcher().DataDir("zookeeper"));
    std::filesystem::rename(Older(), launcher().DataDir("zookeeper"));
    const Status started = launcher().Restart("zookeeper");
    ASSERT_TRUE(started.ok()) << started;
  }
  std::string SafeMode() {
    const auto info = client_->DescribeCluster();
    return info ? info->safe_mode : "";
  }

 private:
  std::string Older() { return cluster_->dir() + "/older-zookeeper"; }
};

// The older catalog knows table "old" alone, and its tablet "a" at an earlier epoch.
class AdoptionStory : public RestoredTest {
 protected:
  void Begin() {
    old_.emplace(Make("old"));
    CopyZooKeepersData();
    since_.emplace(Make("since"));
    Transfer("old", "a");
    ExpectWhole(*old_, "old", false);  // so that this client knows the way
    loads_.emplace_back(std::make_unique<LightLoad>(*old_));
    loads_.emplace_back(std::make_unique<LightLoad>(*since_));
  }
  // Another master takes over, so that every running process has read something newer than the copy. Their sessions
  // then cannot continue with the copy.
  void HaveEverybodySeeMore() {
    const auto leader = cluster_->LeadingMaster();
    ASSERT_TRUE(leader.has_value()) << leader.error();
    const Status restarted = launcher().Restart(*leader);
    ASSERT_TRUE(restarted.ok()) << restarted;
    ASSERT_TRUE(Eventually(
        [&] {
          const auto info = client_->DescribeCluster();
          return info && info->from_leader && info->live_servers == 3 && info->term > 1;
        },
        20s));
  }
  void ExpectSafeMode() {
    ASSERT_TRUE(Eventually([&] { return SafeMode().contains("ebla cluster adopt"); }, 45s)) << SafeMode();
    EXPECT_THAT(SafeMode(), HasSubstr("was the coordinator (ZooKeeper) restored from an older state?"));
    EXPECT_THAT(SafeMode(),
                ::testing::ContainsRegex("server ts-[1-3] reports (id [0-9]+, which the catalog never assigned"
                                         "|an epoch of tablet [0-9]+ that the catalog never reached)"));
  }
  // The table that was forgotten, and the tablet that was transferred; nothing is changed, and both are served.
  void ExpectShown() {
    ASSERT_TRUE(Eventually(
        [&] {
          const auto shown = client_->Adopt();
          return shown && shown->problems.empty() && shown->tables.size() == 1 && shown->tablets.size() == 4;
        },
        20s))
        << cluster_->Ebla("cluster adopt");
    const auto [ended, shown] = cluster_->Ebla("cluster adopt");
    EXPECT_EQ(ended, 0);
    EXPECT_THAT(shown, HasSubstr("since"));
    EXPECT_THAT(shown, HasSubstr("made again, goes on"));
    EXPECT_THAT(shown, HasSubstr("raised, goes on"));
    EXPECT_THAT(shown, HasSubstr("nothing has been changed: add --yes to do it"));
    EXPECT_THAT(SafeMode(), HasSubstr("ebla cluster adopt"));
    ExpectWhole(*since_, "since", true);
    ExpectWhole(*old_, "old", true);
  }
  void Adopt() {
    const auto [ended, adopted] = cluster_->Ebla("cluster adopt --confirm");
    EXPECT_EQ(ended, 0) << adopted;
    EXPECT_THAT(adopted, HasSubstr("OK  1 table, 4 tablets"));
    EXPECT_TRUE(Eventually(
        [&] {
          const auto info = client_->DescribeCluster();
          return info && info->from_leader && info->safe_mode.empty();
        },
        10s))
        << SafeMode();
  }
  // A new client finds everything, the catalog draws new ids, and an old client has noticed nothing.
  void ExpectAllWell() {
    const auto fresh = cluster_->Connect(20s);
    ASSERT_TRUE(fresh.has_value()) << fresh.error();
    const auto made = fresh->CreateTable("later", {.deadline = 30s});
    ASSERT_TRUE(made.has_value()) << made.error();
    for (const char* name : {"old", "since"}) {
      const auto table = fresh->OpenTable(name);
      ASSERT_TRUE(table.has_value()) << table.error();
      ExpectWhole(*table, name, true);
    }
    for (const auto& load : loads_) {
      const int64_t so_far = load->done();
      EXPECT_TRUE(Eventually([&] { return load->done() > so_far + 20; }, 20s));
      EXPECT_THAT(load->Stop(), IsEmpty());
    }
  }
  std::string ZooKeepersLog() { return cluster::LastLines(launcher().LogFile("zookeeper"), 100'000); }

  std::optional<Table> old_, since_;
  std::vector<std::unique_ptr<LightLoad>> loads_;
};

TEST_F(AdoptionStory, WhoseSessionsAreRefusedComeWithNewOnesAndTheSuccessorTouchesNothing) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(HaveEverybodySeeMore());
  const auto leader = cluster_->LeadingMaster();
  ASSERT_TRUE(leader.has_value()) << leader.error();
  ASSERT_NO_FATAL_FAILURE(PutItBack());
  ASSERT_TRUE(launcher().Kill(*leader, SIGKILL).ok());
  ASSERT_NO_FATAL_FAILURE(ExpectSafeMode());
  EXPECT_THAT(ZooKeepersLog(), HasSubstr("our last zxid is")) << "nobody was refused: what does this test prove?";
  ASSERT_NO_FATAL_FAILURE(ExpectShown());
  ASSERT_NO_FATAL_FAILURE(Adopt());
  ExpectAllWell();
}

TEST_F(AdoptionStory, ALeaderWhoLivesOnForgetsWhatItKnewAndSaysSo) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(PutItBack());
  ASSERT_NO_FATAL_FAILURE(ExpectSafeMode());
  ASSERT_NO_FATAL_FAILURE(ExpectShown());
  ASSERT_NO_FATAL_FAILURE(Adopt());
  ExpectAllWell();
}

}  // namespace
}  // namespace ebla::testing

// Tables in memory alone, in a cluster of real processes: what a restart of one server, of two and of all costs, and
// what keeps them within their bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <set>
#include <thread>

#include "functions/redis/record_function.h"
#include "tests/integration/cluster_fixture.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr int kMemoryRecords = 2'000;

class MemoryTableTest : public ClusterFixture {
 protected:
  void SetUp() override { Start({.server_flags = {"--memory_tables_mb=256"}}); }
  void TearDown() override {
    for (const std::string& name : stopped_) EXPECT_TRUE(cluster_->launcher().Kill(name, SIGCONT).ok());
  }

  Table Make(const std::string& name, TableOptions options, std::vector<std::string> split_points = {}) {
    if (!options.replicas) options.replicas = 3;
    const auto made = client_->CreateTable(name, {.table = options, .split_points = std::move(split_points)});
    EXPECT_TRUE(made) << made.error();
    auto table = client_->OpenTable(name);
    EXPECT_TRUE(table) << table.error();
    return *std::move(table);
  }
  static TableOptions InMemory() {
    TableOptions options;
    options.memory = true;
    return options;
  }
  static std::string Key(int i) { return "key-" + std::to_string(10'000 + i); }
  static void Fill(const Table& table, int records = kMemoryRecords, size_t value_bytes = 100) {
    for (int i = 0; i < records; ++i) {
      const auto put = table.Put(Key(i), std::to_string(i) + std::string(value_bytes, '.'));
      ASSERT_TRUE(put) << put.error();
    }
  }
  static int CountRight(const Table& table) {
    int right = 0;
    for (int i = 0; i < kMemoryRecords; ++i) {
      const auto record = table.Get(Key(i));
      EXPECT_TRUE(record) << Key(i) << ": " << record.error();
      if (record && record->value.starts_with(std::to_string(i) + ".")) ++right;
    }
    return right;
  }
  // Every replica of the table has what its primary has, and is sure of it.
  bool Whole(const std::string& name) {
    const auto tablets = client_->ListReplicas(name);
    if (!tablets || tablets->empty()) return false;
    return std::ranges::all_of(*tablets, [](const TabletSummary& tablet) {
      return !tablet.primary.empty() && tablet.incomplete.empty() && tablet.replicas.size() == 3 &&
             std::ranges::all_of(tablet.replicas, [&](const ReplicaReport& replica) {
               return replica.reported && replica.known && !replica.incomplete && !replica.may_have_lost_writes &&
                      replica.epoch == tablet.epoch;
             });
    });
  }
  // Returns once the master knows the new process: until then its lists tell what the old one held.
  void Restart(const std::string& name) {
    const Incarnation before = IncarnationOf(name);
    const Status restarted = cluster_->launcher().Restart(name);
    ASSERT_TRUE(restarted.ok()) << restarted;
    ASSERT_TRUE(Eventually([&] { return IncarnationOf(name) > before; }, 30s)) << name << " is not live again";
  }
  Incarnation IncarnationOf(const std::string& name) {
    const auto servers = client_->ListServers();
    if (!servers) return {};
    const auto found = std::ranges::find(*servers, name, &ServerSummary::name);
    return found == servers->end() ? Incarnation{} : found->incarnation;
  }
  void Kill(const std::string& name) { ASSERT_TRUE(cluster_->launcher().Kill(name, SIGKILL).ok()); }
  int64_t TimesEmptied(const std::string& name) {
    const auto table = client_->DescribeTable(name);
    return table ? table->times_emptied : -1;
  }

  const std::vector<std::string> servers_ = {"ts-1", "ts-2", "ts-3"};
  std::set<std::string> stopped_;
};

TEST_F(MemoryTableTest, OneServerAfterTheOtherRestartsAndNothingIsLost) {
  const Table table = Make("kept", InMemory(), {Key(500)});
  Fill(table);
  // A split's child is in one place with its parent when the server is killed.
  const auto split = client_->SplitTablet("kept", Key(1'200));
  ASSERT_TRUE(split) << split.error();
  for (const std::string& name : servers_) {
    Kill(name);
    const auto meanwhile = table.Put(Key(7), "7.");
    EXPECT_TRUE(meanwhile) << meanwhile.error() << "\n" << cluster_->Ebla("table describe kept").text;
    Restart(name);
    ASSERT_TRUE(Eventually([&] { return Whole("kept"); }, 60s)) << name << " is not filled again";
  }
  EXPECT_EQ(CountRight(table), kMemoryRecords);
  EXPECT_EQ(TimesEmptied("kept"), 0);
}

TEST_F(MemoryTableTest, AllRestartAtOnceAndItBeginsEmptyAndSaysSo) {
  const Table table = Make("lost", InMemory(), {Key(1'000)});
  const Table durable = Make("durable", {});
  Fill(table, 50);
  Fill(durable, 50);
  const auto before = table.Put(Key(3), "before");
  ASSERT_TRUE(before) << before.error();
  for (const std::string& name : servers_) Kill(name);
  for (const std::string& name : servers_) Restart(name);
  ASSERT_TRUE(Eventually([&] { return TimesEmptied("lost") >= 2; }, 60s)) << "both tablets begin anew";
  EXPECT_EQ(table.Get(Key(3)).error().code(), Code::kNotFound);
  const auto after = table.Put(Key(3), "after");
  ASSERT_TRUE(after) << after.error();
  EXPECT_GT(*after, *before) << "versions never go back";
  EXPECT_TRUE(Eventually([&] { return Whole("lost"); }, 60s));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(durable.Get(Key(i))) << "a table on disk has lost nothing";
  EXPECT_THAT(cluster_->Ebla("table describe lost").text, HasSubstr("started empty"));
  EXPECT_THAT(cluster_->Ebla("health").text, HasSubstr("started empty"));
}

// The one that is silent is the one that has it.
TEST_F(MemoryTableTest, WhoIsSilentIsWaitedForAsItMayHaveTheData) {
  const Table table = Make("waits", InMemory());
  Fill(table);
  // Writes that two of three have acknowledged without the third would be lost with these two.
  const auto everywhere = table.Put(Key(0), "0.", {.ack = Ack::kAll});
  ASSERT_TRUE(everywhere) << everywhere.error();
  ASSERT_TRUE(Eventually([&] { return Whole("waits"); }, 30s));
  ASSERT_TRUE(cluster_->launcher().Kill("ts-3", SIGSTOP).ok());
  stopped_.insert("ts-3");
  for (const char* name : {"ts-1", "ts-2"}) Kill(name);
  for (const char* name : {"ts-1", "ts-2"}) Restart(name);
  const auto early = table.Get(Key(1), {.deadline = 5s});
  EXPECT_FALSE(early);
  EXPECT_NE(early.error().code(), Code::kNotFound) << "nobody says that there is nothing";
  EXPECT_EQ(TimesEmptied("waits"), 0);
  ASSERT_TRUE(cluster_->launcher().Kill("ts-3", SIGCONT).ok());
  stopped_.clear();
  ASSERT_TRUE(Eventually([&] { return Whole("waits"); }, 60s));
  EXPECT_EQ(CountRight(table), kMemoryRecords);
  EXPECT_EQ(TimesEmptied("waits"), 0);
}

TEST_F(MemoryTableTest, AFullTableRefusesOrForgetsAndStaysWithinItsBound) {
  TableOptions options = InMemory();
  options.memory_limit = 4 << 20;
  const Table full = Make("full", options);
  ASSERT_TRUE(full.Put("few", "1"));
  Status refused;
  for (int i = 0; i < 20 && refused.ok(); ++i) {
    const auto put = full.Put(Key(i), std::string(500'000, 'v'), {.deadline = 2s});
    if (!put) refused = put.error();
  }
  ASSERT_FALSE(refused.ok()) << "ten megabytes do not fit into four";
  EXPECT_THAT(refused.message(), HasSubstr("the table has reached its limit of 4 MiB"));
  const auto run = [&full](const redis::Words& words) {
    const std::string arguments = redis::EncodeCommand(2, words);
    const auto done = full.Write(std::move(Batch().Apply("few", redis::kFunctionName, arguments)), {.deadline = 1s});
    return done ? done->answers.front() : done.error().ToString();
  };
  EXPECT_THAT(run({"APPEND", "few", "2"}), HasSubstr("reached its limit"));
  EXPECT_EQ(run({"PERSIST", "few"}), ":0\r\n") << "nor does what changes nothing";
  EXPECT_EQ(run({"GETDEL", "few"}), "$1\r\n1\r\n");
  EXPECT_EQ(full.Delete(Key(0)), Status()) << "a delete takes no memory";

  options.memory_limit = 24 << 20;
  options.eviction = TableEviction::kLru;
  const Table cache = Make("cache", options);
  for (int i = 0; i < 20'000; ++i) {
    const auto put = cache.Put(Key(i), std::string(2'000, 'v'));
    ASSERT_TRUE(put) << put.error();
    if (i % 50 != 0) continue;
    ASSERT_TRUE(cache.Get(Key(0))) << "what is in use stays, after " << i;
  }
  const auto within = [&] {
    const auto described = client_->DescribeTable("cache");
    return described && described->memory.size() == 3 &&
           std::ranges::all_of(described->memory, [](const TableMemory& memory) {
             return memory.records > 5'000 && static_cast<double>(memory.bytes) <= (24 << 20) * 1.05;
           });
  };
  ASSERT_TRUE(Eventually(within, 30s)) << cluster_->Ebla("table describe cache").text;
  EXPECT_THAT(cluster_->Ebla("table describe cache").text, HasSubstr("evicted"));
}

}  // namespace
}  // namespace ebla::testing

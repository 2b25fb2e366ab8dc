// Any moment of a cluster's history is restored while the cluster is written, split, merged and moved and its servers
// are killed. The result is what a client might have read at that moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <thread>

#include "common/base/clocks.h"
#include "common/base/iso_time.h"
#include "common/testing/temporary_directory.h"
#include "tests/integration/cluster_fixture.h"
#include "tools/backup/archive/archiver.h"
#include "tools/backup/archive/replay.h"
#include "tools/backup/create.h"
#include "tools/backup/directory_store.h"
#include "tools/backup/restore.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWriters = 6, kKeys = 40;  // of each writer
constexpr int64_t kEarly = 2;            // moments are whole milliseconds, and so are the two that they come of
constexpr int64_t kLate = 2;             // where a primary fell before it gave a mark: its successor's time is behind

std::string KeyOf(int writer, int key) {
  return std::string(1, static_cast<char>('b' + 4 * writer)) + std::to_string(key);
}

// Which a writer changes together.
std::vector<std::string> PairOf(int writer, int key) {
  return {KeyOf(writer, 1'000 + key), KeyOf(writer, 2'000 + key)};
}

// The changes of one writer to one key, one after the other: value n, or nothing if it was deleted or expires at once.
struct Change {
  std::optional<int> value;
  int64_t begun_ms = 0, ended_ms = 0;
};
using History = std::map<std::string, std::vector<Change>>;

class ArchiveTest : public ClusterFixture {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start({}, 10s));
    ASSERT_TRUE(client_->CreateTable("carts", {.split_points = {"m"}}).has_value());
  }
  void TearDown() override { StopArchive(); }

  void StartArchive() {
    stop_ = false;
    archiver_ = std::thread([this] {
      const backup::ArchiverOptions options{.every = 300ms,
                                            .say = [this](const std::string& line) { said_ += line + "\n"; },
                                            .interrupted = [this] { return stop_.load(); }};
      archived_ = backup::RunArchiver(*client_, archive_store_, options);
    });
  }
  void StopArchive() {
    stop_ = true;
    if (archiver_.joinable()) archiver_.join();
    EXPECT_TRUE(archived_.ok()) << archived_;
  }
  // From when to when the archive knows all of the table.
  std::vector<backup::Span> Known(const std::string& name = "carts") {
    const auto index = backup::ReadArchiveIndex(store_, client_->DescribeCluster()->cluster_id, {});
    if (!index) return {};
    for (const backup::ArchivedTable& table : index->tables) {
      if (table.name == name) return table.spans;
    }
    return {};
  }
  bool AwaitKnown(int64_t at_ms, const std::string& name = "carts") {
    return Eventually([&] { return !Known(name).empty() && Known(name).back().through_ms >= at_ms; }, 60s);
  }

  void StartWriters(const std::string& name) {
    for (int writer = 0; writer < kWriters; ++writer) {
      workers_.Add([this, writer, table = *client_->OpenTable(name), number = 0]() mutable {
        WriteOne(table, writer, number);
        ++number;
        return true;
      });
    }
  }
  // Each kind of write one after the other, so each key gets all of them.
  void WriteOne(const Table& table, int writer, int number) {
    const std::string key = KeyOf(writer, number % kKeys), text = std::to_string(number);
    std::vector<std::string> keys = {key};
    Change change{.value = number, .begun_ms = TimeOfDayMs()};
    Status done;
    switch (number % 7) {
      case 0:
        change.value = std::nullopt;
        done = table.Delete(key, {.deadline = 30s});
        break;
      case 1:
        done = StatusOf(table.Put(key, text, {.if_exists = true, .deadline = 30s}));
        if (done.code() == Code::kConditionFailed) return;  // and nothing of it may ever be seen
        break;
      case 2:  // when a moment is restored, this has expired, and must not leave what was there before it
        change.value = std::nullopt;
        done = StatusOf(table.Put(key, text, {.ttl = 50ms, .deadline = 30s}));
        break;
      case 3: {
        const auto sum = table.Increment(key, 1'000'000, {.ttl = 0ms, .deadline = 30s});
        done = StatusOf(sum);
        if (sum) change.value = static_cast<int>(*sum);
        break;
      }
      case 4:  // splits come between writers' keys: one tablet has both
        keys = PairOf(writer, number % kKeys);
        done = StatusOf(table.Write(Batch().Put(keys[0], text).Put(keys[1], text), {.deadline = 30s}));
        break;
      default: done = StatusOf(table.Put(key, text, {.deadline = 30s}));
    }
    if (!done.ok()) workers_.Failed(done.ToString());
    change.ended_ms = TimeOfDayMs();
    for (const std::string& changed : keys) histories_[writer][changed].push_back(change);
  }
  template <class Value>
  static Status StatusOf(const Result<Value>& result) {
    return result ? Status() : Status(result.error());
  }
  // The possible values of the key at the moment: of any change that had begun, unless a later one had ended before.
  static bool Allows(const std::vector<Change>& changes, int64_t at_ms, const std::optional<int>& value) {
    bool allowed = false;
    if (!value) allowed = true;  // before the first
    for (const Change& change : changes) {
      if (change.ended_ms + kLate < at_ms) allowed = false;
      if (change.begun_ms <= at_ms + kEarly && change.value == value) allowed = true;
    }
    return allowed;
  }
  void ExpectAllowed(const std::string& name, int64_t at_ms, const std::string& as) {
    const auto restored = backup::Restore(*client_, store_, {.name = "base", .table = name, .as = as, .at_ms = at_ms});
    ASSERT_TRUE(restored.has_value()) << restored.error();
    std::map<std::string, std::string> held;
    Scanner scan = client_->OpenTable(as)->Scan();
    while (scan.Next()) held[scan.key()] = scan.record().value;
    ASSERT_TRUE(scan.status().ok()) << scan.status();
    const auto value_of = [&](const std::string& key) {
      const auto found = held.find(key);
      return found == held.end() ? std::string() : found->second;
    };
    for (int number = 0; number < kWriters * kKeys; ++number) {
      const std::vector<std::string> pair = PairOf(number / kKeys, number % kKeys);
      EXPECT_EQ(value_of(pair[0]), value_of(pair[1])) << pair[0] << " at " << at_ms << ": a batch is there in part";
    }
    for (const History& history : histories_) {
      for (const auto& [key, changes] : history) {
        const auto found = held.find(key);
        const std::optional<int> value = found == held.end() ? std::nullopt : std::optional(std::stoi(found->second));
        EXPECT_TRUE(Allows(changes, at_ms, value)) << key << " at " << at_ms << " is " << value.value_or(-1);
        if (found != held.end()) held.erase(found);
      }
    }
    EXPECT_THAT(held, IsEmpty()) << "which nobody wrote";
  }
  void Harm(const std::string& at) {
    const auto server_of = [&](const std::string& key) {
      const std::vector<TabletSummary> tablets = *client_->ListTablets("carts");
      for (const TabletSummary& tablet : tablets) {
        if (tablet.range.Contains(key)) return tablet.primary;
      }
      return std::string();
    };
    EXPECT_TRUE(client_->SplitTablet("carts", at).has_value());
    const std::string killed = server_of(at);
    EXPECT_TRUE(cluster_->launcher().Kill(killed, SIGKILL).ok());
    EXPECT_TRUE(Eventually([&] { return server_of(at) != killed && !server_of(at).empty(); }, 30s));
    EXPECT_TRUE(cluster_->launcher().Restart(killed).ok());
    EXPECT_TRUE(Eventually([&] { return client_->MergeTablets("carts", at).has_value(); }, 60s));
  }

  TemporaryDirectory directory_;
  backup::DirectoryStore store_{directory_.path()}, archive_store_{directory_.path()};
  load::Workers workers_;
  std::array<History, kWriters> histories_;  // each its writer's
  std::atomic<bool> stop_{true};
  std::thread archiver_;
  Status archived_;
  std::string said_;
};

TEST_F(ArchiveTest, AnyMomentOfAHistoryIsOneThatItAllows) {
  StartArchive();
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs()));
  StartWriters("carts");
  // Clocks may differ by a second.
  ASSERT_TRUE(Eventually([&] { return TimeOfDayMs() > Known().front().from_ms + 1'500; }));
  ASSERT_TRUE(backup::Create(*client_, store_, {.name = "base", .bytes_per_second = uint64_t{1} << 40}).has_value());
  std::vector<int64_t> moments = {TimeOfDayMs()};
  const auto note = [&] { moments.push_back(TimeOfDayMs()); };
  for (const char* at : {"f", "t"}) {
    Harm(at);
    note();
  }
  // A restart of the archiver is no gap.
  StopArchive();
  note();
  StartArchive();
  Harm("d");
  note();
  ASSERT_TRUE(load::AwaitProgress([&] { return workers_.operations(); }, 500).ok());
  note();
  workers_.Stop();
  workers_.Join();
  EXPECT_THAT(workers_.failures(), IsEmpty());
  note();
  ASSERT_TRUE(AwaitKnown(moments.back()));
  EXPECT_EQ(Known().size(), 1u) << "without a gap: " << said_;
  // In between, too.
  for (size_t i = 1; i < 6; ++i) moments.push_back((moments[i - 1] + moments[i]) / 2);
  int number = 0;
  for (const int64_t moment : moments) ExpectAllowed("carts", moment, "at-" + std::to_string(++number));

  EXPECT_THAT(backup::Restore(*client_, store_, {.name = "base", .at_ms = TimeOfDayMs() + 60'000}).error().message(),
              HasSubstr("does not have every moment"));
  EXPECT_THAT(backup::Restore(*client_, store_, {.name = "base", .at_ms = moments[0] - 60'000}).error().message(),
              HasSubstr("after the wanted moment"));
}

TEST_F(ArchiveTest, OneRunWritesAnArchive) {
  StartArchive();
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs()));
  backup::ArchiverOptions options;
  options.interrupted = [] { return false; };
  EXPECT_THAT(backup::RunArchiver(*client_, store_, options).message(), HasSubstr("another run writes the archive"));
  const int64_t later = TimeOfDayMs();
  EXPECT_TRUE(AwaitKnown(later)) << "the first one goes on";
  StopArchive();
  // Without its index the archive's files cannot be judged.
  const std::string cluster = client_->DescribeCluster()->cluster_id;
  StartArchive();
  ASSERT_TRUE(client_->OpenTable("carts")->Put("key", "value").has_value());
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs()));
  StopArchive();
  std::filesystem::remove(directory_.path() + "/.archive/" + cluster + "/index");
  EXPECT_THAT(backup::RunArchiver(*client_, store_, options).message(), HasSubstr("but no index"));
}

// The replica's committed entries are in the log of a server that no longer has the replica.
TEST_F(ArchiveTest, TheOnlyReplicaMovesWithoutAGap) {
  ASSERT_TRUE(client_->CreateTable("single", {.table = {.replicas = 1}}).has_value());
  StartArchive();
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs(), "single"));
  ASSERT_TRUE(Eventually([&] { return TimeOfDayMs() > Known("single").front().from_ms + 1'500; }));
  ASSERT_TRUE(backup::Create(*client_, store_, {.name = "base", .bytes_per_second = uint64_t{1} << 40}).has_value());
  StartWriters("single");
  std::vector<int64_t> moments;
  for (int move = 0; move < 4; ++move) {
    const std::vector<TabletSummary> tablets = *client_->ListTablets("single");
    const std::string from = tablets.front().voters.front(), to = from == "ts-1" ? "ts-2" : "ts-1";
    const Status moved = client_->MoveTablet("single", "k", {.from = from, .to = to});
    EXPECT_TRUE(moved.ok()) << moved << " from " << from;
    moments.push_back(TimeOfDayMs());
  }
  workers_.Stop();
  workers_.Join();
  EXPECT_THAT(workers_.failures(), IsEmpty());
  moments.push_back(TimeOfDayMs());
  ASSERT_TRUE(AwaitKnown(moments.back(), "single"));
  EXPECT_EQ(Known("single").size(), 1u) << "without a gap: " << said_;
  for (size_t i = 0; i < moments.size(); ++i) ExpectAllowed("single", moments[i], "at-" + std::to_string(i));
}

TEST_F(ArchiveTest, WhatIsAcknowledgedByAMomentIsInIt) {
  ASSERT_TRUE(client_->CreateTable("single", {.table = {.replicas = 1}}).has_value());
  StartArchive();
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs(), "single"));
  std::vector<Change> changes;
  const auto put = [&](const Table& table) {
    const int number = static_cast<int>(changes.size());
    Change& change = changes.emplace_back(number, TimeOfDayMs());
    ASSERT_TRUE(table.Put("key", std::to_string(number)).has_value());
    change.ended_ms = TimeOfDayMs();
  };
  const Table single = *client_->OpenTable("single");
  for (int i = 0; i < 2'000; ++i) put(single);
  for (int i = 0; i < 20; ++i) {  // of a table that is just being made
    ASSERT_TRUE(client_->CreateTable("fresh-" + std::to_string(i), {.table = {.replicas = 1}}).has_value());
    put(*client_->OpenTable("fresh-" + std::to_string(i)));
  }
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs(), "single"));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(AwaitKnown(changes.back().ended_ms, "fresh-" + std::to_string(i)));
  StopArchive();
  const auto index = backup::ReadArchiveIndex(store_, client_->DescribeCluster()->cluster_id, {});
  ASSERT_TRUE(index.has_value()) << index.error();
  size_t seen = 0;
  const auto files = backup::ListArchiveFiles(store_, *index, {});
  ASSERT_TRUE(files.has_value()) << files.error();
  for (const backup::ArchiveFile& file : *files) {
    const Status read = backup::ReadArchiveFile(store_, index->cluster, file, {}, [&](const auto& entry) -> Status {
      for (const UnresolvedEffect& effect : entry.effects) {
        const Change& change = changes.at(static_cast<size_t>(std::stoi(effect.value)));
        EXPECT_LE(entry.at_ms, change.ended_ms) << effect.value;
        EXPECT_GE(entry.at_ms, change.begun_ms - kEarly) << effect.value;
        ++seen;
      }
      return {};
    });
    EXPECT_TRUE(read.ok()) << read;
  }
  EXPECT_EQ(seen, changes.size());
}

TEST_F(ArchiveTest, AsAnOperatorDoesIt) {
  const std::string at = " --dir " + directory_.path();
  StartArchive();
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs()));
  Table carts = *client_->OpenTable("carts");
  ASSERT_TRUE(carts.Put("a", "1").has_value());
  ASSERT_TRUE(client_->CreateTable("old").has_value());
  ASSERT_TRUE(Eventually([&] { return TimeOfDayMs() > Known().front().from_ms + 1'500; }));
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs(), "old"));
  EXPECT_EQ(cluster_->Ebla("backup create base" + at).code, 0);
  ASSERT_TRUE(carts.Put("b", "2").has_value());
  ASSERT_TRUE(client_->CreateTable("new").has_value());
  ASSERT_TRUE(client_->OpenTable("new")->Put("n", "3").has_value());
  ASSERT_TRUE(client_->DropTable("old").ok());
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs(), "new"));
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs()));  // a moment at which it is known that "old" has gone
  const int64_t then = Known().back().through_ms;
  ASSERT_TRUE(AwaitKnown(then, "new"));
  ASSERT_TRUE(Eventually([&] { return TimeOfDayMs() > then + 10; }));
  ASSERT_TRUE(carts.Delete("a").ok());  // the mistake
  ASSERT_TRUE(AwaitKnown(TimeOfDayMs()));

  const Shown moments = cluster_->Ebla("backup moments" + at);
  EXPECT_EQ(moments.code, 0) << moments;
  EXPECT_THAT(moments.text, HasSubstr("carts"));
  EXPECT_THAT(moments.text, HasSubstr("old (dropped)"));
  const Shown one = cluster_->Ebla("backup restore --table carts --as then --at " + IsoTime(then) + at);
  EXPECT_EQ(one.code, 0) << one;
  EXPECT_THAT(one.text, HasSubstr("of base"));
  EXPECT_TRUE(client_->OpenTable("then")->Get("a").has_value());
  EXPECT_TRUE(client_->OpenTable("then")->Get("b").has_value());

  auto other = TestCluster::Start({.masters = 1, .servers = 1});
  ASSERT_TRUE(other.has_value()) << other.error();
  const Shown all = (*other)->Ebla("backup restore --replicas 1 --at " + std::to_string(then) + at);
  EXPECT_EQ(all.code, 0) << all;
  const auto tables = (*other)->Connect()->ListTables();
  std::vector<std::string> names;
  for (const TableInfo& table : *tables) names.push_back(table.name);
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("carts", "new")) << "dropped by then, and made by then";
  EXPECT_EQ((*other)->Connect()->OpenTable("new")->Get("n")->value, "3");
}

}  // namespace
}  // namespace ebla::testing

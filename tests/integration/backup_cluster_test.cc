// Backups of a real cluster that is used meanwhile, and what is made of them in this cluster and in another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "common/base/count.h"
#include "common/testing/temporary_directory.h"
#include "tests/integration/shared_cluster_fixture.h"
#include "tools/backup/create.h"
#include "tools/backup/directory_store.h"
#include "tools/backup/restore.h"
#include "tools/backup/testing/s3_process.h"
#include "tools/cluster/child_process.h"
#include "tools/load/workers.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Held = std::map<std::string, std::string>;

constexpr int kRecords = 6'000;
constexpr uint64_t kUnhurried = uint64_t{1} << 40;

std::string Numbered(const char* prefix, int number) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%08d", prefix, number);
  return text;
}

// Each finds table "carts" there and nothing else, and leaves every server running.
class BackupClusterTest : public SharedClusterFixture {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(SharedClusterFixture::SetUp());
    const auto made = client_->CreateTable("carts", {.table = {.default_ttl = 24h}, .split_points = {"m"}});
    ASSERT_TRUE(made.has_value()) << made.error();
    for (int i = 0; i < kRecords; ++i) {
      written_[Numbered(i % 2 == 0 ? "a" : "z", i)] =
          std::string(500, static_cast<char>('a' + i % 26)) + std::to_string(i);
    }
    PutAll(written_);
  }
  void TearDown() override {
    if (!client_) return;
    const Status running = cluster_->launcher().Start({});
    EXPECT_TRUE(running.ok()) << running;
    DropAll();
  }

  Table Open(const std::string& name) { return *client_->OpenTable(name); }
  void PutAll(const Held& held) {
    const Table table = Open("carts");
    Batch batch;
    std::string first;
    for (const auto& [key, value] : held) {
      if (!batch.empty() && (batch.size() == 200 || (first < "m") != (key < "m"))) {
        ASSERT_TRUE(table.Write(std::exchange(batch, {})).has_value());
      }
      if (batch.empty()) first = key;
      batch.Put(key, value);
    }
    ASSERT_TRUE(table.Write(std::move(batch)).has_value());
  }
  static Held All(const Table& table) {
    Held held;
    Scanner scan = table.Scan();
    while (scan.Next()) held[scan.key()] = scan.record().value;
    EXPECT_TRUE(scan.status().ok()) << scan.status();
    return held;
  }
  backup::CreateOptions To(const std::string& name, const std::string& since = "") {
    return {.name = name, .since = since, .bytes_per_second = kUnhurried};
  }
  Result<backup::Restored> Restore(const std::string& name, const std::string& as, const Client& to) {
    return backup::Restore(to, store_, {.name = name, .table = "carts", .as = as});
  }

  TemporaryDirectory directory_;
  backup::DirectoryStore store_{directory_.path()};
  Held written_;
};

TEST_F(BackupClusterTest, WhileItIsWrittenSplitAndMoved) {
  // Keys are put in order on either side, so a moment of a tablet has all of them up to some key, and none after it.
  std::atomic<int> acknowledged[2] = {0, 0};
  load::Workers workers;
  for (int side = 0; side < 2; ++side) {
    workers.Add([&, side, table = Open("carts")] {
      const int number = acknowledged[side];
      const auto put = table.Put(Numbered(side == 0 ? "b" : "y", number), "v", {.deadline = 30s});
      if (!put) workers.Failed(put.error().ToString());
      ++acknowledged[side];
      return true;
    });
  }
  ASSERT_TRUE(load::AwaitProgress([&] { return workers.operations(); }, 200).ok());
  backup::CreateOptions options = To("monday");
  options.bytes_per_second = 2 << 20;  // some two seconds
  int pages = 0;
  options.progress = [&](const backup::Progress&) {
    if (++pages == 1) {
      EXPECT_TRUE(client_->SplitTablet("carts", Numbered("z", 3'001)).has_value());
    } else if (pages == 2) {
      const std::string primary = client_->ListTablets("carts")->back().primary;
      EXPECT_TRUE(cluster_->launcher().Kill(primary, SIGKILL).ok());
    }
  };
  const int before[2] = {acknowledged[0], acknowledged[1]};
  const auto made = backup::Create(*client_, store_, options);
  ASSERT_TRUE(made.has_value()) << made.error();
  workers.Stop();
  workers.Join();
  EXPECT_THAT(workers.failures(), IsEmpty());
  EXPECT_GE(pages, 3);

  ASSERT_TRUE(backup::Verify(store_, "monday", {}).has_value());
  const auto restored = Restore("monday", "carts-monday", *client_);
  ASSERT_TRUE(restored.has_value()) << restored.error();
  Held held = All(Open("carts-monday"));
  EXPECT_EQ(held.size(), restored->records);
  for (int side = 0; side < 2; ++side) {
    int there = 0;
    while (held.erase(Numbered(side == 0 ? "b" : "y", there)) > 0) ++there;
    EXPECT_GE(there, before[side]) << "what was acknowledged before is in it";
    EXPECT_LE(there, acknowledged[side] + 1);
  }
  EXPECT_EQ(held, written_) << "what is left of it, without gaps in between";
  const auto info = client_->DescribeTable("carts-monday");
  EXPECT_EQ(info->options.default_ttl, 24h);
  EXPECT_GE(info->tablets, 2) << "its splits come first";
}

TEST_F(BackupClusterTest, SinceAnotherOnlyWhatHasChanged) {
  const auto monday = backup::Create(*client_, store_, To("monday"));
  ASSERT_TRUE(monday.has_value()) << monday.error();
  const Table table = Open("carts");
  for (int i = 0; i < kRecords; i += 200) {
    const std::string key = Numbered(i % 2 == 0 ? "a" : "z", i);
    if (i % 400 == 0) {
      ASSERT_TRUE(table.Delete(key).ok());
      written_.erase(key);
    } else {
      ASSERT_TRUE(table.Put(key, "changed").has_value());
      written_[key] = "changed";
    }
  }
  ASSERT_TRUE(table.Put("new", "1").has_value());
  written_["new"] = "1";
  ASSERT_TRUE(client_->SplitTablet("carts", Numbered("a", 2'000)).has_value());
  const auto tuesday = backup::Create(*client_, store_, To("tuesday", "monday"));
  ASSERT_TRUE(tuesday.has_value()) << tuesday.error();
  EXPECT_LT(tuesday->file_bytes() * 50, monday->file_bytes()) << "a hundredth of the records has changed";
  EXPECT_EQ(tuesday->records(), 16u);

  ASSERT_TRUE(Restore("tuesday", "carts-tuesday", *client_).has_value());
  EXPECT_EQ(All(Open("carts-tuesday")), written_);
  EXPECT_EQ(Restore("tuesday", "carts-tuesday", *client_).error().code(), Code::kTableExists);
}

// The goal, with incompressible records of a usual size, in several tablets.
TEST_F(BackupClusterTest, OfAHundredthThatHasChangedItWritesAHundredth) {
  constexpr int kMeasured = 6'000;
  ASSERT_TRUE(
      client_
          ->CreateTable("measured", {.split_points = {Numbered("", 1'500), Numbered("", 3'000), Numbered("", 4'500)}})
          .has_value());
  const Table table = Open("measured");
  std::mt19937_64 random(7);
  Held held;
  const auto put_each = [&](int apart) {
    for (int i = 0; i < kMeasured;) {
      Batch batch;  // of one tablet
      for (const int end = i + 300; i < end; i += apart) {
        std::string value(1'000, '\0');
        for (char& byte : value) byte = static_cast<char>(random());
        batch.Put(Numbered("", i), value);
        held[Numbered("", i)] = std::move(value);
      }
      ASSERT_TRUE(table.Write(std::move(batch)).has_value());
    }
  };
  const auto bytes_of = [&](const std::string& name) {
    uintmax_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory_.path() + "/" + name)) {
      bytes += file.file_size();
    }
    return bytes;
  };
  ASSERT_NO_FATAL_FAILURE(put_each(1));
  backup::CreateOptions options = To("monday");
  options.tables = {"measured"};
  ASSERT_TRUE(backup::Create(*client_, store_, options).has_value());
  ASSERT_NO_FATAL_FAILURE(put_each(100));
  options.name = "tuesday";
  options.since = "monday";
  const auto tuesday = backup::Create(*client_, store_, options);
  ASSERT_TRUE(tuesday.has_value()) << tuesday.error();
  EXPECT_EQ(tuesday->records(), kMeasured / 100u);
  EXPECT_GE(tuesday->tables[0].parts.size(), 4u);
  EXPECT_LE(bytes_of("tuesday") * 100, bytes_of("monday") * 3) << "of all files";

  ASSERT_TRUE(backup::Restore(*client_, store_, {.name = "tuesday", .table = "measured", .as = "again"}).has_value());
  EXPECT_EQ(All(Open("again")), held);
}

TEST_F(BackupClusterTest, InterruptedItGoesOn) {
  backup::CreateOptions options = To("monday");
  int pages = 0;
  options.progress = [&](const backup::Progress&) { ++pages; };
  options.interrupted = [&] { return pages == 3; };
  EXPECT_THAT(backup::Create(*client_, store_, options).error().message(), HasSubstr("interrupted"));
  const auto interrupted_at = std::chrono::steady_clock::now();
  EXPECT_FALSE(backup::Verify(store_, "monday", {}).has_value()) << "unfinished";
  options.interrupted = [] { return false; };
  const auto made = backup::Create(*client_, store_, options);
  ASSERT_TRUE(made.has_value()) << made.error();
  EXPECT_EQ(made->records(), written_.size());
  EXPECT_LT(std::chrono::steady_clock::now() - interrupted_at, 5s) << "the server does not wait for what nobody wants";
  EXPECT_THAT(backup::Create(*client_, store_, options).error().message(), HasSubstr("there is a backup monday"));
}

TEST_F(BackupClusterTest, ALargeTabletIsSeveralFilesAndOneTabletAgain) {
  backup::CreateOptions options = To("monday");
  options.part_bytes = 1'000;
  const auto monday = backup::Create(*client_, store_, options);
  ASSERT_TRUE(monday.has_value()) << monday.error();
  EXPECT_GE(monday->tables[0].parts.size(), 8u);
  std::map<uint64_t, std::set<uint64_t>> moments;
  for (const backup::Part& part : monday->tables[0].parts) moments[part.range.start < "m" ? 0 : 1].insert(part.applied);
  for (const auto& [tablet, applied] : moments) EXPECT_EQ(applied.size(), 1u) << "one moment of each tablet";
  written_[Numbered("a", 1'000)] = "changed";
  written_.erase(Numbered("z", 3'001));
  ASSERT_TRUE(Open("carts").Put(Numbered("a", 1'000), "changed").has_value());
  ASSERT_TRUE(Open("carts").Delete(Numbered("z", 3'001)).ok());
  options.name = "tuesday";
  options.since = "monday";
  ASSERT_TRUE(backup::Create(*client_, store_, options).has_value());
  const auto restored = Restore("tuesday", "carts-tuesday", *client_);
  ASSERT_TRUE(restored.has_value()) << restored.error();
  EXPECT_EQ(All(Open("carts-tuesday")), written_);
  EXPECT_EQ(client_->DescribeTable("carts-tuesday")->tablets, 2);
  ASSERT_TRUE(Restore("monday", "carts-monday", *client_).has_value());
  EXPECT_EQ(client_->DescribeTable("carts-monday")->tablets, 2);
}

TEST_F(BackupClusterTest, ATableThatIsDroppedMeanwhileIsLeftOutUnlessItWasNamed) {
  ASSERT_TRUE(client_->CreateTable("zebras").has_value());
  backup::CreateOptions options = To("monday");
  options.progress = [&](const backup::Progress&) { std::ignore = client_->DropTable("zebras"); };
  const auto made = backup::Create(*client_, store_, options);
  ASSERT_TRUE(made.has_value()) << made.error();
  EXPECT_EQ(made->tables.size(), 1u);
  EXPECT_TRUE(backup::Verify(store_, "monday", {}).has_value());

  ASSERT_TRUE(client_->CreateTable("zebras").has_value());
  options.name = "tuesday";
  options.tables = {"carts", "zebras"};
  EXPECT_EQ(backup::Create(*client_, store_, options).error().code(), Code::kNoSuchTable);
}

TEST_F(BackupClusterTest, InAnS3StoreThatFailsWhileItsMakerIsKilled) {
  auto s3 = S3Process::Start();
  ASSERT_TRUE(s3.has_value()) << s3.error();
  const std::string at = " --dir " + (*s3)->Place(), ebla = (*s3)->Environment() +
                                                            "EBLA_MASTERS=" + cluster_->Masters() + " exec " +
                                                            cluster_->Program() + " ";
  const auto maker = cluster::Spawn({.command = {"/bin/sh", "-c", ebla + "backup create monday --rate 1" + at},
                                     .working_dir = directory_.path(),
                                     .output_file = directory_.path() + "/output",
                                     .die_with_parent = true});
  ASSERT_TRUE(maker.has_value()) << maker.error();
  // Once it is there, and noted: else the next run makes it again.
  EXPECT_TRUE(Eventually([&] {
    const std::string part = (*s3)->FileOf("monday/00001.part"), progress = (*s3)->FileOf("monday/progress");
    return std::filesystem::exists(part) &&
           std::filesystem::last_write_time(progress) > std::filesystem::last_write_time(part);
  }));
  EXPECT_TRUE(cluster::Signal(*maker, SIGKILL).ok());
  EXPECT_TRUE(cluster::WaitForExit(*maker, 10s));
  EXPECT_FALSE(std::filesystem::exists((*s3)->FileOf("monday/manifest")));
  const auto by_it = std::filesystem::last_write_time((*s3)->FileOf("monday/00001.part"));

  (*s3)->Fail({"ok", "503", "drop", "ok", "lose", "503", "500", "lose"});
  const auto run = [&](const std::string& verb) { return cluster_->Ebla(verb + at, (*s3)->Environment()); };
  const Shown made = run("backup create monday");
  EXPECT_EQ(made.code, 0) << made;
  EXPECT_THAT(made.text, HasSubstr("1 table, 6000 records"));
  EXPECT_EQ(std::filesystem::last_write_time((*s3)->FileOf("monday/00001.part")), by_it) << "it is not read again";
  EXPECT_THAT(run("backup list").text, HasSubstr("whole"));
  EXPECT_EQ(run("backup create tuesday --since monday").code, 0);
  EXPECT_EQ(run("backup verify tuesday").code, 0);
  EXPECT_EQ(run("backup restore tuesday --table carts --as carts-tuesday").code, 0);
  EXPECT_EQ(All(Open("carts-tuesday")), written_);
  EXPECT_NE(run("backup delete monday --yes").code, 0);
  EXPECT_EQ(run("backup delete tuesday --yes").code, 0);
  EXPECT_EQ(run("backup delete monday --yes").code, 0);
  EXPECT_THAT(run("backup list").text, HasSubstr("no backups are in s3://backups/nightly"));

  for (const bool due : {true, false}) {
    const Shown scheduled = run("backup schedule --once --every 1h --prefix hourly");
    EXPECT_EQ(scheduled.code, 0) << scheduled;
    EXPECT_EQ(scheduled.text.find("made hourly-2") != std::string::npos, due) << scheduled;
  }
  EXPECT_THAT(run("backup list").text, HasSubstr("whole"));
}

TEST_F(BackupClusterTest, AsAnOperatorDoesItWithAKeyInAnotherCluster) {
  const std::string key = directory_.path() + "/key";
  std::ofstream(key) << std::string(64, '5');
  std::filesystem::permissions(key, std::filesystem::perms{0600});
  const std::string at = " --dir " + directory_.path() + "/backups --key-file " + key;
  ASSERT_TRUE(client_->Planner({.enabled = false}).has_value());
  using Kind = AccessChange::Kind;
  ASSERT_TRUE(client_
                  ->ChangeAccess({{.kind = Kind::kCreateUser, .name = "ada", .password = "sesame"},
                                  {.kind = Kind::kGrant, .name = "ada", .grant = {Permission::kRead, "carts", "eu/"}},
                                  {.kind = Kind::kSetLimits, .name = "ada", .limits = {.in_flight = 3}}})
                  .ok());
  const Shown made = cluster_->Ebla("backup create monday" + at);
  EXPECT_EQ(made.code, 0) << made;
  EXPECT_THAT(made.text, HasSubstr("1 table, 6000 records"));
  EXPECT_THAT(cluster_->Ebla("backup list" + at).text, HasSubstr("whole"));
  EXPECT_EQ(cluster_->Ebla("backup verify monday" + at).code, 0);

  auto other = TestCluster::Start({.masters = 1, .servers = 1});
  ASSERT_TRUE(other.has_value()) << other.error();
  const Shown restored = (*other)->Ebla("backup restore monday --replicas 1 --settings" + at);
  EXPECT_EQ(restored.code, 0) << restored;
  EXPECT_THAT(restored.text, HasSubstr("2 settings"));
  const auto client = (*other)->Connect();
  const auto was = client_->ListAccess(true), is = client->ListAccess(true);
  ASSERT_TRUE(was.has_value() && is.has_value());
  ASSERT_EQ(is->users.size(), 1u);
  EXPECT_FALSE(is->users[0].secret.empty());
  EXPECT_EQ(is->users[0].secret, was->users[0].secret);
  ASSERT_EQ(is->users[0].grants.size(), 1u);
  EXPECT_EQ(is->users[0].grants[0].prefix, "eu/");
  EXPECT_EQ(is->users[0].limits.in_flight, 3);
  EXPECT_FALSE(client->Planner()->enabled) << "as it was";
  EXPECT_EQ(All(*client->OpenTable("carts")), written_);

  const std::string part = directory_.path() + "/backups/monday/00001.part";
  std::fstream file(part, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(part) / 2);
  file.seekg(middle);
  const int was_there = file.get();  // any byte, as all of it is encrypted
  file.seekp(middle);
  file.put(static_cast<char>(was_there ^ 1));
  file.close();
  const Shown damaged = cluster_->Ebla("backup verify monday" + at);
  EXPECT_NE(damaged.code, 0);
  EXPECT_THAT(damaged.text, HasSubstr("00001.part is damaged"));
  EXPECT_EQ(cluster_->Ebla("backup delete monday --yes" + at).code, 0);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/backups/monday"));
}

}  // namespace
}  // namespace ebla::testing

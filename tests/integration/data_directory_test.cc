// A data directory has one life (PROTOCOL 23), shown with whole processes. A server whose directory was restored from a
// backup, was cloned, or has lost files, ends with a message. Other servers serve the data that it would have put at
// risk, and so does it once its own directory is back. A server whose log has lost its end joins, and its replicas are
// made anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "common/testing/eventually.h"
#include "common/testing/test_files.h"
#include "test_paths.h"
#include "tests/integration/cluster_fixture.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr char kVictim[] = "ts-1";
constexpr char kTable[] = "carts";

class DataDirectoryTest : public ClusterFixture {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Start());
    CreateTableOptions options{.split_points = {"2", "4", "6"}, .deadline = 30s};
    options.table.replicas = 3;
    const auto made = client_->CreateTable(kTable, options);
    ASSERT_TRUE(made.has_value()) << made.error();
    auto table = client_->OpenTable(kTable);
    ASSERT_TRUE(table.has_value()) << table.error();
    table_ = std::make_unique<Table>(*table);
    WriteAll("first", Ack::kAll);
  }

  void WriteAll(const std::string& value, Ack ack) const {
    for (const char digit : std::string("01234567")) {
      const auto put = table_->Put(std::string(1, digit), value, {.ack = ack, .deadline = 30s});
      ASSERT_TRUE(put.has_value()) << put.error();
    }
  }
  void ExpectAll(const std::string& value) const {
    for (const char digit : std::string("01234567")) {
      const auto read = table_->Get(std::string(1, digit), {.read = Read::Strong(), .deadline = 30s});
      ASSERT_TRUE(read.has_value()) << read.error();
      EXPECT_EQ(read->value, value) << digit;
    }
  }

  std::string Dir() { return launcher().DataDir(kVictim); }
  void Stop(const std::string& server = kVictim) {
    const auto process = launcher().Process(server);
    ASSERT_TRUE(launcher().Kill(server, SIGTERM).ok());
    const Result<int> code = cluster::ExitCode(*process, 15s);
    ASSERT_TRUE(code.has_value()) << code.error();
    ASSERT_EQ(*code, 0);
  }
  // The victim ends as it starts, having named the finding. All other servers serve on. `mend` makes its files whole.
  void ExpectRefused(const std::string& finding, const std::function<void()>& mend) {
    (void)launcher().Restart(kVictim, false);  // it may have ended before it is looked at
    const Result<int> code = cluster::ExitCode(*launcher().Process(kVictim), 30s);
    EXPECT_TRUE(!code || *code == 1) << *code;
    EXPECT_THAT(FileBytes(launcher().LogFile(kVictim)), HasSubstr(finding));
    WriteAll("second", Ack::kMajority);
    mend();
    const Status back = launcher().Restart(kVictim);
    ASSERT_TRUE(back.ok()) << back;
    ExpectAll("second");
    WriteAll("third", Ack::kAll);
  }
  std::vector<fs::path> Segments() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(Dir() + "/store/log")) {
      if (entry.path().extension() == ".log") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }
  // The disk loses the latest quarter of the log. The rest knows each tablet.
  std::string LoseEndOfLog() {
    const fs::path last = Segments().back();
    const size_t used = FileBytes(last).find_last_not_of('\0');
    fs::resize_file(last, used / 4 * 3);
    return last.string();
  }
  // Each tablet has three whole replicas, and a primary.
  bool MadeAnew() {
    const auto tablets = client_->ListReplicas();
    return tablets.has_value() && std::ranges::all_of(*tablets, [](const TabletSummary& tablet) {
             const auto leads = [](const ReplicaReport& one) { return one.load.leading; };
             const auto whole = [](const ReplicaReport& one) {
               return one.known && !one.lost && !one.incomplete && !one.may_have_lost_writes;
             };
             return tablet.voters.size() == 3 && tablet.learners.empty() && tablet.replicas.size() == 3 &&
                    std::ranges::any_of(tablet.replicas, leads) && std::ranges::all_of(tablet.replicas, whole);
           });
  }
  // A server on the victim's directory.
  cluster::ProcessId SpawnThere(const std::string& name, const std::string& output, bool begins_empty) {
    std::vector<std::string> command = {std::string(kBinaryDir) + "/bin/ebla-tabletserver",
                                        "--name=" + name,
                                        "--zookeeper=" + launcher().ZooKeeper() + "/ebla",
                                        "--data_dir=" + Dir(),
                                        "--listen=127.0.0.1:0",
                                        "--http_listen=127.0.0.1:0"};
    if (begins_empty) command.emplace_back("--begin_empty");
    const auto process = cluster::Spawn({.command = std::move(command),
                                         .working_dir = cluster_->dir(),
                                         .output_file = output,
                                         .die_with_parent = true});
    EXPECT_TRUE(process.has_value()) << process.error();
    return process.value_or(cluster::ProcessId());
  }
  static void Copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }

  std::unique_ptr<Table> table_;
};

TEST_F(DataDirectoryTest, ARestoredOneIsRefused) {
  const std::string backup = cluster_->dir() + "/backup", newest = cluster_->dir() + "/newest";
  Stop();
  Copy(Dir(), backup);
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  WriteAll("second", Ack::kAll);  // the backup lacks it
  Stop();
  Copy(Dir(), newest);

  Copy(backup, Dir());
  (void)launcher().Restart(kVictim, false);  // it may have ended before it is looked at
  const Result<int> code = cluster::ExitCode(*launcher().Process(kVictim), 30s);
  EXPECT_TRUE(!code || *code == 1) << *code;
  EXPECT_THAT(FileBytes(launcher().LogFile(kVictim)), HasSubstr("restored or cloned"));
  ExpectAll("second");
  WriteAll("third", Ack::kMajority);

  Copy(newest, Dir());
  const Status back = launcher().Restart(kVictim);
  ASSERT_TRUE(back.ok()) << back;
  ExpectAll("third");
  WriteAll("fourth", Ack::kAll);  // it follows again
}

// A disk that is not mounted: a new store there would vote, and STRONG reads would give what was overwritten.
TEST_F(DataDirectoryTest, OneWhoseStoreIsGoneIsRefused) {
  const std::string elsewhere = cluster_->dir() + "/elsewhere";
  Stop();
  fs::rename(Dir() + "/store", elsewhere);
  ExpectRefused("/store is gone, and this directory had a store", [&] {
    EXPECT_FALSE(fs::exists(Dir() + "/store")) << "nothing is made";
    fs::rename(elsewhere, Dir() + "/store");
  });
}

// The other servers have all that was lost.
TEST_F(DataDirectoryTest, OneWhoseLogLacksItsEndJoinsAndIsMadeAnew) {
  Stop();
  const std::string last = LoseEndOfLog();
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  const std::string finding = "server ts-1 has lost part of its log: " + last + " ends at byte ";
  EXPECT_TRUE(Eventually([&] { return cluster_->Ebla("health").text.contains(finding); }, 30s))
      << cluster_->Ebla("health").text;
  WriteAll("second", Ack::kMajority);
  ExpectAll("second");
  EXPECT_TRUE(Eventually([&] { return MadeAnew(); }, 90s)) << cluster_->Ebla("health").text;
  WriteAll("third", Ack::kAll);
  Stop();
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  WriteAll("fourth", Ack::kAll);
  EXPECT_FALSE(cluster_->Ebla("health").text.contains("lost part of its log")) << "the loss is dealt with";
}

// Two of three live, and of these the one that had acknowledged the last writes has lost them. A read waits for the
// third one.
TEST_F(DataDirectoryTest, WhereALostLogHadTheLastWritesTheThirdServerIsWaitedFor) {
  Stop("ts-3");
  WriteAll("second", Ack::kMajority);
  Stop("ts-2");
  Stop();
  LoseEndOfLog();
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  ASSERT_TRUE(launcher().Restart("ts-3").ok());
  const auto both_report = [&] {
    const auto tablets = client_->ListReplicas();
    return tablets.has_value() && std::ranges::all_of(*tablets, [](const TabletSummary& tablet) {
             const auto reports = [](const ReplicaReport& one) {
               return one.server == "ts-2" || (one.reported && (one.known || one.server == kVictim));
             };
             return tablet.replicas.size() == 3 && std::ranges::all_of(tablet.replicas, reports);
           });
  };
  EXPECT_TRUE(Eventually(both_report, 60s)) << cluster_->Ebla("procedure list").text;
  EXPECT_FALSE(table_->Get("0", {.read = Read::Strong(), .deadline = 5s}).has_value());
  const Status back = launcher().Restart("ts-2");
  ASSERT_TRUE(back.ok()) << back;
  ExpectAll("second");
  EXPECT_TRUE(Eventually([&] { return MadeAnew(); }, 90s)) << cluster_->Ebla("health").text;
  WriteAll("third", Ack::kAll);
}

TEST_F(DataDirectoryTest, OneWhoseFirstSegmentIsGoneIsRefused) {
  Stop();
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  Stop();
  ASSERT_GE(Segments().size(), 2u) << "each start begins one";
  const fs::path first = Segments().front();
  const std::string kept = cluster_->dir() + "/kept";
  fs::rename(first, kept);
  ExpectRefused(first.string() + " is missing, and the log needs it", [&] { fs::rename(kept, first); });
}

TEST_F(DataDirectoryTest, BeginEmptySetsALossAsideAndIsAnotherServer) {
  const std::string output = cluster_->dir() + "/begun.log";
  const auto refused = [&](const std::string& name, const std::string& why) {
    const Result<int> code = cluster::ExitCode(SpawnThere(name, output, true), 30s);
    ASSERT_TRUE(code.has_value()) << code.error();
    EXPECT_EQ(*code, 2);
    EXPECT_THAT(FileBytes(output), HasSubstr(why));
    EXPECT_TRUE(fs::exists(Dir() + "/IDENTITY")) << "nothing is moved";
  };
  Stop();
  refused("ts-9", "nothing is lost in " + Dir() + ", and nothing was moved");
  fs::remove_all(Dir() + "/store/log");
  refused(kVictim, "with --begin_empty give another --name");
  const cluster::ProcessId begun = SpawnThere("ts-9", output, true);
  EXPECT_TRUE(Eventually([&] { return cluster_->Ebla("server list").text.contains("ts-9"); })) << FileBytes(output);
  EXPECT_TRUE(cluster::IsAlive(begun)) << FileBytes(output);
  EXPECT_TRUE(fs::exists(Dir() + "/lost-1/IDENTITY"));
  EXPECT_TRUE(fs::exists(Dir() + "/lost-1/store/FORMAT"));
  EXPECT_TRUE(fs::exists(Dir() + "/store/FORMAT"));
  ExpectAll("first");
}

TEST_F(DataDirectoryTest, ACloneIsRefusedWhileTheOriginalServes) {
  const std::string clone = cluster_->dir() + "/clone";
  Stop();
  Copy(Dir(), clone);
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  const auto process =
      cluster::Spawn({.command = {std::string(kBinaryDir) + "/bin/ebla-tabletserver", std::string("--name=") + kVictim,
                                  "--zookeeper=" + launcher().ZooKeeper() + "/ebla", "--data_dir=" + clone,
                                  "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0"},
                      .working_dir = clone,
                      .output_file = clone + "/clone.log",
                      .die_with_parent = true});
  ASSERT_TRUE(process.has_value()) << process.error();
  // Refused outright, or once the server that holds the name has not given it up for three sessions.
  const Result<int> code = cluster::ExitCode(*process, 60s);
  ASSERT_TRUE(code.has_value()) << code.error() << FileBytes(clone + "/clone.log");
  EXPECT_EQ(*code, 1);
  EXPECT_THAT(FileBytes(clone + "/clone.log"), HasSubstr("restored or cloned"));
  ExpectAll("first");
  WriteAll("second", Ack::kAll);
  const auto original = launcher().Process(kVictim);
  EXPECT_TRUE(original.has_value() && cluster::IsAlive(*original));
}

}  // namespace
}  // namespace ebla::testing

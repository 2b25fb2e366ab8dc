// Bytes of servers' files are damaged, of one that runs and of one that is stopped: it is found and never served, what it
// hit is made anew from the others, and all replicas are equal afterwards.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/integration/test_cluster.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr char kTable[] = "carts";
constexpr int kRows = 1200;

std::string KeyOf(int row) { return std::to_string(10'000 + row); }
std::string ValueOf(int row) { return "value of " + KeyOf(row) + std::string(300, static_cast<char>('a' + row % 26)); }

std::string Text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ScrubClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = TestCluster::Start(
        {.server_flags = {"--scrub_period_s=1", "--scrub_bytes_per_second=1000000000", "--checkpoint_seconds=1"}});
    ASSERT_TRUE(started.has_value()) << started.error();
    cluster_ = std::move(*started);
    auto client = cluster_->Connect(30s);
    ASSERT_TRUE(client.has_value()) << client.error();
    CreateTableOptions options{.split_points = {KeyOf(kRows / 3), KeyOf(2 * kRows / 3)}, .deadline = 30s};
    options.table.replicas = 3;
    const auto made = client->CreateTable(kTable, options);
    ASSERT_TRUE(made.has_value()) << made.error();
    auto table = client->OpenTable(kTable);
    ASSERT_TRUE(table.has_value()) << table.error();
    table_ = std::make_unique<Table>(*table);
    for (int row = 0; row < kRows; ++row) Write(row);
  }

  void Write(int row) const {
    const auto put = table_->Put(KeyOf(row), ValueOf(row), {.ack = Ack::kAll, .deadline = 30s});
    ASSERT_TRUE(put.has_value()) << put.error();
  }
  void ExpectAll() const {
    for (int row = 0; row < kRows; ++row) {
      const auto read =
          table_->Get(KeyOf(row), {.read = row % 2 == 0 ? Read::Strong() : Read::Eventual(), .deadline = 30s});
      ASSERT_TRUE(read.has_value()) << read.error();
      ASSERT_EQ(read->value, ValueOf(row));
    }
  }
  // Reads everything again and again until it holds.
  template <class Condition>
  ::testing::AssertionResult ReadUntil(const Condition& condition) const {
    const auto limit = std::chrono::steady_clock::now() + 90s;
    while (!condition()) {
      ExpectAll();
      if (HasFatalFailure()) return ::testing::AssertionFailure() << "a read went wrong";
      if (std::chrono::steady_clock::now() > limit) return ::testing::AssertionFailure() << "not within 90 s";
    }
    return ::testing::AssertionSuccess();
  }

  cluster::Launcher& launcher() { return cluster_->launcher(); }
  std::string StoreOf(const std::string& server) { return launcher().DataDir(server) + "/store"; }
  // The table's file; empty: it has none just now.
  std::string TableFile(const std::string& server) {
    for (const auto& entry : fs::directory_iterator(StoreOf(server))) {
      if (entry.path().filename().string().starts_with("data_")) return entry.path();
    }
    return {};
  }
  static bool Has(const std::string& file, const std::string& text) {
    return !file.empty() && Text(file).find(text) != std::string::npos;
  }
  // A bit of each place where the text stands.
  static int Damage(const std::string& file, const std::string& text) {
    const std::string bytes = Text(file);
    const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    int damages = 0;
    for (size_t at = bytes.find(text); at != bytes.npos; at = bytes.find(text, at + 1), ++damages) {
      const char other = static_cast<char>(bytes[at] ^ 4);
      EXPECT_EQ(pwrite(fd, &other, 1, static_cast<off_t>(at)), 1);
    }
    close(fd);
    return damages;
  }
  // What the server's lives have said.
  std::string Said(const std::string& server) {
    std::string all;
    for (const auto& entry : fs::directory_iterator(launcher().DataDir(server) + "/logs")) {
      if (!entry.is_symlink() && entry.path().filename().string().find(".WARNING.") != std::string::npos)
        all += Text(entry.path());
    }
    return all;
  }
  int FilesRemoved(const std::string& server) {
    const std::string log = Said(server);
    const std::string said = "the damaged file of table";
    int times = 0;
    for (size_t at = log.find(said); at != log.npos; at = log.find(said, at + 1)) ++times;
    return times;
  }
  bool AllEqual() const { return cluster_->Ebla("check").code == 0; }

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Table> table_;
};

TEST_F(ScrubClusterTest, WhatIsDamagedIsMadeAnewAndNeverServed) {
  const std::string victim = "ts-1", damaged = "value of " + KeyOf(100);
  ASSERT_TRUE(ReadUntil([&] { return Has(TableFile(victim), damaged); })) << "no checkpoint has it";
  ASSERT_GT(Damage(TableFile(victim), damaged), 0);
  // The next checkpoint is read anew; the block of another page changes with it.
  Write(kRows - 1);
  EXPECT_TRUE(ReadUntil([&] { return FilesRemoved(victim) == 1; })) << Said(victim);
  EXPECT_TRUE(ReadUntil([&] { return AllEqual(); })) << cluster_->Ebla("check");
  EXPECT_TRUE(ReadUntil([&] { return Has(TableFile(victim), damaged); })) << "it is not here again";

  // Of one that is stopped.
  const std::string stopped = "ts-2";
  ASSERT_TRUE(ReadUntil([&] { return Has(TableFile(stopped), damaged); }));
  ASSERT_TRUE(launcher().End(stopped).ok());
  ASSERT_GT(Damage(TableFile(stopped), damaged), 0);
  const Status again = launcher().Restart(stopped);
  ASSERT_TRUE(again.ok()) << again;
  Write(100);  // to the very page: it cannot be applied there, and is acknowledged by all
  EXPECT_TRUE(ReadUntil([&] { return FilesRemoved(stopped) == 1; })) << Said(stopped);
  EXPECT_TRUE(ReadUntil([&] { return AllEqual(); })) << cluster_->Ebla("check");
  ExpectAll();
}

// The log that a start needs: it says so, and a new server takes its place.
TEST_F(ScrubClusterTest, AServerWhoseLogIsDamagedDoesNotStart) {
  const std::string victim = "ts-3";
  ASSERT_TRUE(launcher().End(victim).ok());
  int damages = 0;
  for (const auto& entry : fs::directory_iterator(StoreOf(victim) + "/log")) {
    if (entry.path().extension() == ".log") damages += Damage(entry.path(), "value of " + KeyOf(kRows - 1));
  }
  ASSERT_GT(damages, 0);
  (void)launcher().Restart(victim, false);
  const Result<int> code = cluster::ExitCode(*launcher().Process(victim), 30s);
  EXPECT_TRUE(!code || *code == 1) << *code;
  EXPECT_THAT(Text(launcher().LogFile(victim)), HasSubstr("is damaged at byte"));
  ExpectAll();
}

}  // namespace
}  // namespace ebla::testing

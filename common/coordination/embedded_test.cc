// Properties of the embedded coordinator alone: it restarts from its directory.
#include <gtest/gtest.h>
#include <wiredtiger.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "common/base/read_all.h"
#include "common/coordination/embedded_coordinator.h"
#include "common/testing/waiting_executor.h"

namespace ebla::coordination {
namespace {

class EmbeddedTest : public ::testing::Test {
 protected:
  EmbeddedTest() : directory_((std::filesystem::temp_directory_path() / "ebla_embedded_XXXXXX").string()) {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
  }
  ~EmbeddedTest() override {
    Close();
    std::filesystem::remove_all(directory_);
  }
  void Open() {
    auto opened = EmbeddedCoordination::Open(directory_);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    coordination_ = *std::move(opened);
    client_ = coordination_->NewClient(executor_);
  }
  void Close() {
    client_.reset();
    coordination_.reset();
  }
  Status Do(std::vector<Op> ops) {
    std::optional<Status> outcome;
    client_->Multi(std::move(ops), [&](const std::expected<MultiResult, MultiError>& done) {
      outcome = done.has_value() ? Status::Ok() : done.error().status;
    });
    EXPECT_TRUE(executor_.RunUntil([&] { return outcome.has_value(); }, std::chrono::seconds(10)));
    return *outcome;
  }
  Result<Node> Get(const std::string& path) {
    std::optional<Result<Node>> node;
    client_->Get(path, [&](Result<Node> result) { node = std::move(result); }, nullptr);
    EXPECT_TRUE(executor_.RunUntil([&] { return node.has_value(); }, std::chrono::seconds(10)));
    return *node;
  }

  std::set<std::filesystem::path> Files() const {
    std::set<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (!entry.is_directory()) files.insert(entry.path());
    }
    return files;
  }
  // A copy of an open database. False: its threads created or removed files meanwhile, so the copy is of no single
  // moment.
  bool CopyFiles(const std::filesystem::path& to) const {
    std::filesystem::remove_all(to);
    std::filesystem::create_directory(to);
    const auto files = Files();
    std::error_code error;
    for (const auto& file : files) {
      if (!std::filesystem::copy_file(file, to / file.filename(), error)) return false;
    }
    return files == Files();
  }

  std::string directory_;
  testing::WaitingExecutor executor_;
  std::unique_ptr<EmbeddedCoordination> coordination_;
  std::unique_ptr<Coordinator> client_;
};

TEST_F(EmbeddedTest, PersistentNodesVersionsAndNumbersSurviveARestartAndEphemeralNodesDoNot) {
  Open();
  EXPECT_EQ(Do({Op::Create("/a", "1"), Op::Set("/a", "2", 0), Op::Create("/gone", "")}), Status::Ok());
  EXPECT_EQ(Do({Op::Create("/live", "", CreateMode::kEphemeral), Op::Delete("/gone", 0)}), Status::Ok());
  EXPECT_EQ(Do({Op::Create("/a/n-", "x", CreateMode::kPersistentSequential)}), Status::Ok());
  EXPECT_EQ(Do({Op::Set("/a", "3", 1), Op::Check("/none", kAnyVersion)}).code(), Code::kNotFound);
  const int64_t session = client_->session();
  Close();
  Open();
  EXPECT_GT(client_->session(), session) << "a session's number is not used twice";
  EXPECT_EQ(Get("/a")->data, "2");
  EXPECT_EQ(Get("/a")->version, 1);
  EXPECT_EQ(Get("/a/n-0000000000")->data, "x");
  EXPECT_EQ(Get("/live").error().code(), Code::kNotFound);
  EXPECT_EQ(Get("/gone").error().code(), Code::kNotFound);
  EXPECT_EQ(Do({Op::Create("/a/n-", "y", CreateMode::kPersistentSequential)}), Status::Ok());
  EXPECT_EQ(Get("/a/n-0000000001")->data, "y");
}

TEST_F(EmbeddedTest, WhatWasAnsweredIsOnDiskWithoutAClose) {
  Open();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(Do({Op::Create("/k" + std::to_string(i), std::string(2000, 'v'))}), Status::Ok());
  // The files as a crash would leave them at this moment.
  const std::string copy = directory_ + "/crashed";
  while (!CopyFiles(copy)) continue;
  auto crashed = EmbeddedCoordination::Open(copy);
  ASSERT_TRUE(crashed.has_value()) << crashed.error();
  client_ = (*crashed)->NewClient(executor_);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get("/k" + std::to_string(i))->data.size(), 2000u) << i;
  client_.reset();
}

TEST_F(EmbeddedTest, ASecondProcessIsRefused) {
  Open();
  const auto second = EmbeddedCoordination::Open(directory_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(second.error().message().contains("in use by another process")) << second.error();
}

TEST_F(EmbeddedTest, ANewerFormatIsRefused) {
  Open();
  Close();
  WT_CONNECTION* connection = nullptr;
  WT_SESSION* session = nullptr;
  WT_CURSOR* cursor = nullptr;
  ASSERT_EQ(wiredtiger_open(directory_.c_str(), nullptr, "log=(enabled=true)", &connection), 0);
  ASSERT_EQ(connection->open_session(connection, nullptr, nullptr, &session), 0);
  ASSERT_EQ(session->open_cursor(session, "table:meta", nullptr, nullptr, &cursor), 0);
  cursor->set_key(cursor, "format");
  cursor->set_value(cursor, "2");
  ASSERT_EQ(cursor->insert(cursor), 0);
  ASSERT_EQ(connection->close(connection, nullptr), 0);
  const auto refused = EmbeddedCoordination::Open(directory_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message().contains("upgrade this program")) << refused.error();
}

TEST_F(EmbeddedTest, ADamagedBaseConfigurationDoesNotMatter) {
  Open();
  EXPECT_EQ(Do({Op::Create("/a", "1")}), Status::Ok());
  Close();
  std::ofstream(directory_ + "/WiredTiger.basecfg") << "version=(major=3,minor=2),eviction_divty_target=5\n";
  Open();
  EXPECT_EQ(Get("/a")->data, "1");
}

TEST_F(EmbeddedTest, NoDatabaseIsMadeOverOneThatHasLostItsTurtle) {
  Open();
  EXPECT_EQ(Do({Op::Create("/a", "1")}), Status::Ok());
  Close();
  std::filesystem::remove(directory_ + "/WiredTiger.turtle");
  const auto refused = EmbeddedCoordination::Open(directory_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message().contains(directory_ + "/WiredTiger.turtle")) << refused.error();
}

// WiredTiger tells nothing of damage that it meets while it opens a database.
TEST_F(EmbeddedTest, EachDamageOfItsMetadataIsRefusedByName) {
  constexpr size_t kPage = 4096;
  Open();
  EXPECT_EQ(Do({Op::Create("/a", "1")}), Status::Ok());
  Close();
  const std::string damaged = directory_ + "/damaged";
  std::ifstream in(directory_ + "/WiredTiger.wt", std::ios::binary);
  const std::string bytes = ReadAll(in);
  int refused = 0;
  for (size_t at = 0; at + kPage <= bytes.size(); at += kPage) {
    ASSERT_TRUE(CopyFiles(damaged));
    std::fstream file(damaged + "/WiredTiger.wt", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << std::string(kPage, '\0');
    file.close();
    const auto opened = EmbeddedCoordination::Open(damaged);
    if (opened.has_value()) continue;  // nothing of the last checkpoint is there
    ++refused;
    EXPECT_TRUE(opened.error().message().contains("/WiredTiger.")) << opened.error() << " page " << at / kPage;
  }
  EXPECT_GE(refused, 2);
}

TEST_F(EmbeddedTest, NoneIsMadeWhereOneWas) {
  const std::string gone = directory_ + "/gone", empty = directory_ + "/empty";
  std::filesystem::create_directory(empty);
  for (const std::string& directory : {gone, empty}) {
    const auto refused = EmbeddedCoordination::Open(directory, {.made_before = true});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kInternal);
    EXPECT_TRUE(refused.error().message().contains(directory)) << refused.error();
  }
  EXPECT_FALSE(std::filesystem::exists(gone));
  EXPECT_TRUE(std::filesystem::is_empty(empty));
}

TEST_F(EmbeddedTest, OneWithFewerChangesThanAreCountedIsRefused) {
  const std::string counted = directory_ + "/counted", older = directory_ + "/older";
  const EmbeddedOptions options{.mark_file = directory_ + "/CATALOG", .made_before = true};
  const auto change = [](EmbeddedCoordination& coordination, const char* path) {
    EXPECT_TRUE(coordination.Multi({Op::Create(path, "")}).ok());
  };
  {
    const auto made = EmbeddedCoordination::Open(counted, {.mark_file = options.mark_file});
    ASSERT_TRUE(made.has_value()) << made.error();
    change(**made, "/a");
  }
  std::filesystem::copy(counted, older);
  {
    const auto opened = EmbeddedCoordination::Open(counted, options);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    change(**opened, "/b");
  }
  const auto refused = EmbeddedCoordination::Open(older, options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message().contains("is older than it was: it has 1 changes, and ")) << refused.error();
  EXPECT_TRUE(EmbeddedCoordination::Open(counted, options).has_value());
}

TEST_F(EmbeddedTest, ADirectoryThatCannotBeMadeIsRefused) {
  const auto refused = EmbeddedCoordination::Open("/proc/no/such");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::coordination

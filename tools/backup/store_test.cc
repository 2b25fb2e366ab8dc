// The promises of every store of backups, and the S3 store's behaviour when its server fails. The server checks
// signatures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tools/backup/directory_store.h"
#include "tools/backup/listing.h"
#include "tools/backup/open_store.h"
#include "tools/backup/restore.h"
#include "tools/backup/s3_store.h"
#include "tools/backup/testing/s3_process.h"

namespace ebla::backup {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Status Put(BackupStore& store, const std::string& name, const std::string& bytes) {
  EBLA_ASSIGN(const auto writer, store.Create(name));
  EBLA_TRY(writer->Write(std::string_view(bytes).substr(0, bytes.size() / 2)));
  EBLA_TRY(writer->Write(std::string_view(bytes).substr(bytes.size() / 2)));
  return writer->Finish();
}
Result<std::string> Get(BackupStore& store, const std::string& name, size_t step) {
  EBLA_ASSIGN(const auto reader, store.Open(name));
  std::string all;
  while (true) {
    EBLA_ASSIGN(const std::string read, reader->Read(step));
    all += read;
    if (read.size() < step) return all;
  }
}

class StoreTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!GetParam()) {
      store_ = std::make_unique<DirectoryStore>(directory_.path());
      return;
    }
    auto server = testing::S3Process::Start();
    ASSERT_TRUE(server.has_value()) << server.error();
    server_ = *std::move(server);
    store_ = std::make_unique<S3Store>(server_->Settings(), Hasty());
  }
  static S3ClientOptions Hasty() { return {.patience = 3s, .retry_first = 1ms, .retry_most = 10ms}; }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<testing::S3Process> server_;
  std::unique_ptr<BackupStore> store_;
};

TEST_P(StoreTest, GivesBackWhatWasPut) {
  std::string large(S3Store::kReadBytes + 12'345, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7919 >> 8);
  for (const std::string& bytes : {large, large.substr(0, S3Store::kReadBytes), std::string("x"), std::string()}) {
    ASSERT_TRUE(Put(*store_, "monday/00001.part", bytes).ok()) << bytes.size();
    const auto read = Get(*store_, "monday/00001.part", 1'000'000);
    ASSERT_TRUE(read.has_value()) << read.error();
    EXPECT_TRUE(*read == bytes) << bytes.size();
  }
}

TEST_P(StoreTest, ListsFoldersAndObjectsAndDeletes) {
  for (const char* name : {"monday/manifest", "monday/1 & +ä.part", "monday/2.part", "tuesday/progress", "alone"})
    ASSERT_TRUE(Put(*store_, name, name).ok()) << name;
  EXPECT_THAT(*store_->List(""), ElementsAre("alone", "monday/", "tuesday/"));
  EXPECT_THAT(*store_->List("monday"), ElementsAre("1 & +ä.part", "2.part", "manifest"));
  EXPECT_EQ(*Get(*store_, "monday/1 & +ä.part", 10), "monday/1 & +ä.part");
  EXPECT_TRUE(*store_->Exists("monday/2.part"));
  for (const char* name : {"1 & +ä.part", "2.part", "manifest", "absent"})
    EXPECT_TRUE(store_->Delete(std::string("monday/") + name).ok());
  EXPECT_FALSE(*store_->Exists("monday/2.part"));
  EXPECT_THAT(*store_->List(""), ElementsAre("alone", "tuesday/"));
  EXPECT_THAT(*store_->List("monday"), IsEmpty());
  EXPECT_EQ(store_->Open("monday/2.part").error().code(), Code::kNotFound);
}

TEST_P(StoreTest, WhatIsNotFinishedIsNotThere) {
  {
    const auto writer = store_->Create("monday/manifest");
    ASSERT_TRUE(writer.has_value()) << writer.error();
    ASSERT_TRUE((*writer)->Write("half").ok());
    EXPECT_FALSE(*store_->Exists("monday/manifest"));
  }
  EXPECT_FALSE(*store_->Exists("monday/manifest"));
  EXPECT_THAT(*store_->List("monday"), IsEmpty());
}

TEST(DirectoryStoreTest, OneWritesAnObject) {
  const testing::TemporaryDirectory directory;
  DirectoryStore store(directory.path()), other(directory.path());
  auto writer = store.Create("index");
  ASSERT_TRUE(writer.has_value()) << writer.error();
  ASSERT_TRUE((*writer)->Write("of the first").ok());
  EXPECT_THAT(other.Create("index").error().message(), HasSubstr("is being written by another process"));
  ASSERT_TRUE((*writer)->Finish().ok());
  ASSERT_TRUE(Put(other, "index", "of the second").ok());
  EXPECT_EQ(*Get(store, "index", 100), "of the second");
  const auto mode = std::filesystem::status(directory.path() + "/index").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write) << "it holds all data";
}

// A backup of no tables.
void Make(BackupStore& store, const std::string& name, const std::string& since) {
  ASSERT_TRUE(WriteManifest(store, kManifestFile, {.name = name, .since = since}, {}).ok());
  ASSERT_TRUE(Put(store, name + "/00001.part", "x").ok());
}

TEST_P(StoreTest, ABackupIsDeletedOnceNoneIsOnTopOfIt) {
  Make(*store_, "monday", "");
  Make(*store_, "tuesday", "monday");
  EXPECT_THAT(Delete(*store_, "monday", {}).message(), HasSubstr("tuesday builds on monday"));
  const Status missing = Delete(*store_, "sunday", {});
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("there is no backup sunday in "));
  EXPECT_THAT(missing.message(), EndsWith("; there are monday, tuesday"));
  EXPECT_EQ(Verify(*store_, "sunday", {}, false).error().message(), missing.message()) << "so says each that reads one";
  EXPECT_TRUE(Delete(*store_, "tuesday", {}).ok());
  EXPECT_TRUE(Delete(*store_, "monday", {}).ok());
  EXPECT_THAT(*store_->List(""), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "S3" : "Directory"; });

class S3FaultsTest : public StoreTest {
 protected:
  std::string Refused(S3Settings settings) {
    S3Store store(std::move(settings), Hasty());
    const Status put = Put(store, "monday/manifest", "x");
    EXPECT_FALSE(put.ok());
    return put.ToString();
  }
};

TEST_P(S3FaultsTest, AServerThatFailsForAWhileIsAskedAgain) {
  server_->Fail({"503", "500", "drop", "429", "lose"});
  ASSERT_TRUE(Put(*store_, "monday/1.part", "one").ok()) << "also when its answer was lost";
  EXPECT_EQ(server_->requests(), 6u);
  server_->Fail({"503", "drop"});
  EXPECT_EQ(*Get(*store_, "monday/1.part", 10), "one");
  server_->Fail({"lose", "503"});
  EXPECT_TRUE(store_->Delete("monday/1.part").ok());
  server_->Fail({"503"});
  EXPECT_THAT(*store_->List(""), IsEmpty());
}

TEST_P(S3FaultsTest, AServerThatIsGoneIsAnErrorInTheEnd) {
  S3Store store(server_->Settings(), {.patience = 50ms, .retry_first = 1ms, .retry_most = 10ms});
  server_->Fail(std::vector<std::string>(1'000, "503"));
  const Status refused = Put(store, "monday/1.part", "one");
  EXPECT_EQ(refused.code(), Code::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("503 SlowDown"));
  S3Settings settings = server_->Settings();
  server_.reset();
  S3Store gone(settings, {.patience = 50ms, .retry_first = 1ms, .retry_most = 10ms});
  const Status away = Put(gone, "monday/1.part", "one");
  EXPECT_EQ(away.code(), Code::kUnavailable);
  EXPECT_THAT(away.message(), HasSubstr(settings.endpoint));
}

TEST_P(S3FaultsTest, SaysWhatIsWrongWithKeysBucketAndRegion) {
  S3Settings settings = server_->Settings();
  settings.secret = "another";
  EXPECT_THAT(Refused(settings),
              HasSubstr("PERMISSION_DENIED: s3://backups/nightly/monday/manifest: the key AKTEST "
                        "lacks permission or is wrong (the store answers 403 SignatureDoesNotMatch"));
  settings = server_->Settings();
  settings.bucket = "absent";
  EXPECT_THAT(Refused(settings), HasSubstr("there is no bucket absent at " + settings.endpoint));
  settings = server_->Settings();
  settings.region = "moon-1";
  EXPECT_THAT(Refused(settings),
              HasSubstr("the bucket backups is in region test-1, not moon-1: say --s3-region test-1"));
  EXPECT_EQ(server_->requests(), 3u) << "nothing of that is tried again";
}

TEST_P(S3FaultsTest, ATokenOfASessionIsSignedToo) {
  S3Settings settings = server_->Settings();
  settings.session_token = "of/a+session==";
  S3Store store(settings, Hasty());
  EXPECT_TRUE(Put(store, "monday/1.part", "one").ok());
}

INSTANTIATE_TEST_SUITE_P(S3, S3FaultsTest, ::testing::Values(true));

TEST(OpenStore, TakesDirectoriesAndBuckets) {
  EXPECT_EQ((*OpenStore({.place = "/backups"}))->LocationOf("monday"), "/backups/monday");
  EXPECT_THAT(OpenStore({.place = "gs://bucket"}).error().message(), HasSubstr("a directory, or s3://BUCKET/PREFIX"));
}

}  // namespace
}  // namespace ebla::backup

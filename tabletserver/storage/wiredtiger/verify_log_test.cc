#include "tabletserver/storage/wiredtiger/verify_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr TabletId kVerified{70};

class VerifyLogTest : public ::testing::Test {
 protected:
  void Write(uint64_t first, uint64_t last) {
    auto store = Open();
    ASSERT_TRUE(store) << store.error();
    ReplicaState state;
    state.table = TableId{7};
    ASSERT_TRUE((**store)->PutReplicaState(kVerified, state).ok());
    for (uint64_t lsn = first; lsn <= last; ++lsn) {
      ASSERT_TRUE(AppendOne(***store, kVerified, Entry(lsn, {Put("key", std::string(1000, 'v'))})).ok());
    }
  }
  Result<std::unique_ptr<WtStore>> Open() {
    WtStoreOptions options = SmallStore(directory_ / "store", flusher_, background_);
    options.inventory_directory = directory_ / "";
    options.life = life_;
    options.server = server_;
    return WtStore::Open(std::move(options));
  }
  // Every file of the store except the one that names the process.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory_ / "store")) {
      if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
      std::ifstream in(entry.path(), std::ios::binary);
      files[entry.path()] = std::string(std::istreambuf_iterator<char>(in), {});
    }
    return files;
  }
  std::vector<fs::path> Segments() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_ / "store/log")) {
      if (entry.path().extension() == ".log") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }
  Result<LogSummary> Verify(VerifyLogOptions options = {}) { return VerifyLog(directory_ / "", std::move(options)); }

  TemporaryDirectory directory_;
  uint64_t life_ = 0;
  std::string server_;
  ebla::testing::ThreadExecutor flusher_;
  ebla::testing::ThreadExecutor background_;
};

TEST_F(VerifyLogTest, SaysWhatIsThereAndChangesNothing) {
  Write(1, 300);
  Write(301, 400);
  const auto before = Files();
  for (int times = 0; times < 2; ++times) {
    const auto summary = Verify();
    ASSERT_TRUE(summary) << summary.error();
    EXPECT_EQ(summary->tablets, 1u);
    EXPECT_EQ(summary->entries, 400u);
    EXPECT_EQ(summary->values, 1u);
    EXPECT_GE(summary->segments, 2u) << "each life begins one";
    EXPECT_GT(summary->bytes, 400'000);
  }
  EXPECT_EQ(Files(), before);
}

TEST_F(VerifyLogTest, DamageIsNamedAsAStartWould) {
  Write(1, 300);
  Write(301, 400);
  const fs::path first = Segments().front();
  std::fstream(first, std::ios::in | std::ios::out | std::ios::binary).seekp(100'000).write("damage", 6);
  const auto summary = Verify();
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code(), Code::kInternal);
  EXPECT_THAT(summary.error().message(), HasSubstr(first.string() + " is damaged at byte "));
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message(), summary.error().message());
}

TEST_F(VerifyLogTest, ALogThatHasLostItsEndIsNotWhole) {
  Write(1, 300);
  Write(301, 400);
  const fs::path last = Segments().back();
  std::ofstream(last, std::ios::binary | std::ios::trunc) << std::string(1 << 20, '\0');
  EXPECT_THAT(Verify().error().message(), HasSubstr(last.string() + " ends at byte 0 before frame "));
  for (const char* const copy : {"INVENTORY", "store/INVENTORY"}) fs::remove(directory_ / copy);
  EXPECT_THAT(Verify().error().message(), HasSubstr("store/INVENTORY are missing or damaged"));
}

// A build without an inventory runs in between, and removes segments that the inventory names.
TEST_F(VerifyLogTest, SegmentsThatAnOlderBuildHasRemovedAreNotMissed) {
  life_ = 1;
  Write(1, 2'000);
  ASSERT_GE(Segments().size(), 3u);
  const fs::path first = Segments().front();
  {
    const auto disk = *PosixLogDisk::Open(directory_ / "store/log");
    const auto log = *SharedLog::Open(*disk, {.segment_bytes = 1 << 20, .kept_segments = 1});
    ASSERT_TRUE(log->CutStart(kVerified, Lsn{1'900}).ok());
    ASSERT_TRUE(log->Clean().ok());
    ASSERT_TRUE(log->Flush(SharedLog::Depth::kDisk).ok());
  }
  ASSERT_FALSE(fs::exists(first));
  EXPECT_THAT(Verify({.life = 2}).error().message(), HasSubstr(first.string() + " is missing, and the log needs it"));
  const auto summary = Verify({.life = 3});
  ASSERT_TRUE(summary) << summary.error();
  EXPECT_EQ(summary->entries, 101u);
}

TEST_F(VerifyLogTest, TheLogOfAnotherServerIsNamed) {
  server_ = "one";
  Write(1, 3);
  EXPECT_TRUE(Verify({.server = "one"}));
  EXPECT_EQ(Verify({.server = "another"}).error().code(), Code::kInvalidArgument);
}

TEST_F(VerifyLogTest, AServerThatRunsOrNoServerIsNamed) {
  EXPECT_EQ(Verify().error().code(), Code::kNotFound);
  const auto store = Open();
  ASSERT_TRUE(store);
  EXPECT_EQ(Verify().error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

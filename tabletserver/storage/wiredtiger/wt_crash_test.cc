// Kill -9 at random moments and steps, with room on the disk and without.
#include <fcntl.h>
#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "common/base/descriptor.h"
#include "tabletserver/storage/testing/crash_child.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"

namespace ebla::tabletserver::testing {
namespace {

// The later fate of the files of a store's log, by their inodes. Each is held open, so that no later file has its
// inode.
class LogFiles {
 public:
  explicit LogFiles(const std::string& store) : directory_(store + "/log") {}

  void Look() {
    std::error_code gone;  // meanwhile
    for (std::filesystem::directory_iterator at(directory_, gone), end; !gone && at != end; at.increment(gone)) {
      const std::string name = at->path().filename();
      if (!name.ends_with(".log")) continue;
      auto held = std::make_unique<Descriptor>(open(at->path().c_str(), O_RDONLY | O_CLOEXEC));
      struct stat file{};
      if (!held->valid() || fstat(held->get(), &file) != 0) continue;
      const auto [one, first] = seen_.try_emplace(file.st_ino, Seen{std::move(held), name});
      if (!first && std::exchange(one->second.name, name) != name) ++used_again_;
    }
  }
  size_t used_again() const { return used_again_; }

 private:
  struct Seen {
    std::unique_ptr<Descriptor> held;
    std::string name;
  };
  const std::string directory_;
  std::map<ino_t, Seen> seen_;
  size_t used_again_ = 0;
};

struct CrashKind {
  FlushMode mode;
  bool sorted_tables;
};

class WtCrashTest : public ::testing::TestWithParam<CrashKind> {
 protected:
  CrashChildOptions Options() const {
    CrashChildOptions options;
    options.directory = directory / "store";
    options.mode = GetParam().mode;
    options.sorted_tables = GetParam().sorted_tables;
    return options;
  }
  std::unique_ptr<WtStore> MustOpen(const CrashChildOptions& options) {
    WtStoreOptions open = SmallStore(options.directory, flusher, background);
    open.disk_reserve_bytes = options.disk_reserve_bytes;
    open.disk_check_period = std::chrono::milliseconds(5);
    open.sorted_tables = options.sorted_tables;
    if (open.sorted_tables) open.buffer_bytes = kSmallBufferBytes;
    auto store = WtStore::Open(open);
    CHECK(store) << store.error();
    CHECK((**store)->EnsureTable(kCrashTable, TableCompression::kNone).ok());
    return std::move(*store);
  }

  TemporaryDirectory directory;
  ebla::testing::ThreadExecutor flusher;
  ebla::testing::ThreadExecutor background;
};

// EBLA_CRASH_ROUNDS for more of them, EBLA_SEED to have the same again.
TEST_P(WtCrashTest, NothingFlushedIsLostAndAllAgrees) {
  std::mt19937_64 random(TestSeed());
  CrashChildOptions options = Options();
  uint64_t acknowledged = 0;
  for (uint64_t round = 0; round < FromEnvironment("EBLA_CRASH_ROUNDS", 5); ++round) {
    CrashChild child(options);
    ASSERT_TRUE(child.ReadAcknowledgements(1 + random() % 1500));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));  // not always just after an answer
    child.Kill();
    // On a copy too: the next child then recovers by itself from what the first one left.
    const std::string copy = directory / "copy";
    std::filesystem::copy(options.directory, copy, std::filesystem::copy_options::recursive);
    // A crash of the machine may tear a file of the inventory as well, but not both.
    std::filesystem::resize_file(copy + (random() % 2 == 0 ? "/INVENTORY" : "/INVENTORY.2"), random() % 4096);
    CrashChildOptions copied = options;
    copied.directory = copy;
    EXPECT_EQ(CheckAfterCrash(**MustOpen(copied), copied, child.acknowledged()), "") << "round " << round;
    std::filesystem::remove_all(copy);
    for (const auto& [tablet, lsn] : child.acknowledged()) acknowledged = std::max(acknowledged, lsn.value);
  }
  EXPECT_EQ(CheckAfterCrash(**MustOpen(options), options, {}), "");
  EXPECT_GT(acknowledged, 200u);
}

// A step is a call that changes the store's files, of a start, too. A table is made and dropped beside checkpoints.
TEST_P(WtCrashTest, AProcessThatDiesAtAStepLosesNothing) {
  std::mt19937_64 random(TestSeed());
  CrashChildOptions options = Options();
  options.checkpoint_rounds = 2;
  std::filesystem::create_directory(options.directory);  // the first step may be the last
  std::map<TabletId, Lsn> acknowledged;
  for (uint64_t round = 0; round < FromEnvironment("EBLA_CRASH_ROUNDS", 6); ++round) {
    const uint64_t most = round % 4 == 0 ? 100 : 1500;  // the start has some hundred of them
    options.kill_at = std::to_string(1 + random() % most) + ":" + options.directory;
    CrashChild child(options);
    while (child.ReadAcknowledgements(1)) {
    }
    child.Kill();
    for (const auto& [tablet, lsn] : child.acknowledged()) acknowledged[tablet] = std::max(acknowledged[tablet], lsn);
    const std::string copy = directory / "copy";
    std::filesystem::copy(options.directory, copy, std::filesystem::copy_options::recursive);
    CrashChildOptions copied = options;
    copied.directory = copy;
    auto store = MustOpen(copied);
    if (!acknowledged.empty()) {
      EXPECT_EQ(CheckAfterCrash(**store, copied, acknowledged), "") << "killed at " << options.kill_at;
    }
    // A table that was being made or dropped can be used, whatever was left of it.
    ASSERT_EQ((*store)->EnsureTable(kPassingTable, TableCompression::kNone), Status());
    ASSERT_EQ((*store)->ReplaceInterval(kPassingTable, {}, {}), Status()) << "killed at " << options.kill_at;
    store.reset();
    std::filesystem::remove_all(copy);
  }
  EXPECT_FALSE(acknowledged.empty());
}

// Segments of the log that were used before: none of their old contents returns.
TEST_P(WtCrashTest, LogFilesAreUsedAgain) {
  std::mt19937_64 random(TestSeed());
  CrashChildOptions options = Options();
  options.value_bytes = 4000;
  for (uint64_t round = 0; round < FromEnvironment("EBLA_CRASH_ROUNDS", 2); ++round) {
    CrashChild child(options);
    LogFiles files(options.directory);
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (files.used_again() < 3 && std::chrono::steady_clock::now() < limit) {
      ASSERT_TRUE(child.ReadAcknowledgements(1 + random() % 100));
      files.Look();
    }
    EXPECT_GE(files.used_again(), 3u);
    child.Kill();
    ASSERT_EQ(CheckAfterCrash(**MustOpen(options), options, child.acknowledged()), "") << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, WtCrashTest,
                         ::testing::Values(CrashKind{FlushMode::kSync, false}, CrashKind{FlushMode::kInterval, false},
                                           CrashKind{FlushMode::kInterval, true}),
                         [](const auto& info) {
                           return std::string(info.param.mode == FlushMode::kSync ? "Sync" : "Interval") +
                                  (info.param.sorted_tables ? "Sorted" : "");
                         });

// ---- full disks ----------------------------------------------------------------------------------------------------

// A filesystem of its own in memory; ok() is false where mounting is not allowed.
class SmallFilesystem {
 public:
  explicit SmallFilesystem(const std::string& path) : path_(path) {
    std::filesystem::create_directory(path);
    ok_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64m") == 0;
    if (!ok_) why_ = std::strerror(errno);
  }
  ~SmallFilesystem() {
    if (ok_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool ok() const { return ok_; }
  const std::string& why() const { return why_; }
  void Fill() const {
    std::ofstream file(path_ + "/filler", std::ios::binary | std::ios::app);
    const std::string block(4096, 'f');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void MakeRoom() const { std::filesystem::remove(path_ + "/filler"); }
  int64_t FreeBytes() const { return FilesystemSpace(path_)->free_bytes; }

 private:
  const std::string path_;
  bool ok_ = false;
  std::string why_;
};

using WtFullDiskTest = WtCrashTest;

TEST_P(WtFullDiskTest, WritesAreRefusedReadsGoOnAndItRecovers) {
  const SmallFilesystem disk(directory / "disk");
  if (!disk.ok()) GTEST_SKIP() << "cannot mount a small filesystem here: " << disk.why();
  CrashChildOptions options;
  options.directory = directory / "disk/store";
  options.mode = GetParam().mode;
  options.sorted_tables = GetParam().sorted_tables;
  options.value_bytes = 10'000;
  options.disk_reserve_bytes = 12 << 20;
  options.checkpoint_rounds = 0;
  CrashChild child(options);
  while (child.ReadAcknowledgements(1000)) {
  }
  ASSERT_TRUE(child.overloaded());
  EXPECT_GT(disk.FreeBytes(), 4 << 20);
  child.Kill();
  // Another program takes the rest, but for the ballast, which recovery uses.
  disk.Fill();
  ASSERT_EQ(disk.FreeBytes(), 0);
  auto store = MustOpen(options);
  EXPECT_EQ(CheckAfterCrash(**store, options, child.acknowledged()), "");
  EXPECT_TRUE(((*store)->health().room != DiskRoom::kAll));
  EXPECT_FALSE(std::filesystem::exists(options.directory + "/BALLAST"));
  const LogEntry write = Entry(1, {Put("k", "v")}), barrier = Entry(1, {}, EntryKind::kBarrier);
  EXPECT_EQ(AppendOne(**store, TabletId{9}, write).code(), Code::kOverloaded);
  EXPECT_TRUE(AppendOne(**store, TabletId{9}, barrier).ok());
  EXPECT_TRUE((*store)->PutReplicaState(TabletId{9}, {}).ok());
  EXPECT_TRUE(FlushNow(**store).ok());
  EXPECT_TRUE(CheckpointNow(**store));
  // Does the same as a host that has applied all of it, because the log fills the disk.
  const auto replicas = (*store)->Recover();
  ASSERT_TRUE(replicas);
  for (const RecoveredReplica& replica : *replicas) {
    EXPECT_TRUE((*store)->TruncateLog(replica.tablet, replica.last_logged.lsn.Next()).ok());
  }
  // It recovers by itself.
  disk.MakeRoom();
  while (((*store)->health().room != DiskRoom::kAll)) std::this_thread::yield();
  EXPECT_TRUE(AppendOne(**store, TabletId{9}, Entry(2)).ok());
  EXPECT_TRUE(FlushNow(**store).ok());
  EXPECT_TRUE(std::filesystem::exists(options.directory + "/BALLAST"));
  EXPECT_TRUE((*store)->health().status.ok());
}

// Without a reserve a full disk is the store's end, but not the process's; and not the data's.
TEST_P(WtFullDiskTest, WithoutAReserveTheStoreFailsAndTheProcessLives) {
  const SmallFilesystem disk(directory / "disk");
  if (!disk.ok()) GTEST_SKIP() << "cannot mount a small filesystem here: " << disk.why();
  CrashChildOptions options;
  options.directory = directory / "disk/store";
  uint64_t last = 0;
  {
    auto store = MustOpen(options);
    ASSERT_TRUE(AppendOne(**store, TabletId{1}, Entry(++last)).ok());
    ASSERT_TRUE(FlushNow(**store).ok());
    disk.Fill();
    Status status;
    while (status.ok()) {
      status = AppendOne(**store, TabletId{1}, Entry(last + 1, {Put("k", std::string(100'000, 'v'))}));
      if (status.ok()) status = FlushNow(**store);
      if (status.ok()) ++last;
    }
    EXPECT_EQ(status.code(), Code::kInternal) << status;
    EXPECT_EQ((*store)->health().status.code(), Code::kInternal);
    EXPECT_EQ((*store)->Get(kCrashTable, "k").error().code(), Code::kInternal);
    EXPECT_EQ(CheckpointNow(**store).error().code(), Code::kInternal);
  }
  disk.MakeRoom();
  // Another process would open the same directory; this one may not, so it opens a copy.
  options.directory = directory / "copy";
  ASSERT_TRUE(CopyFiles(directory / "disk/store", options.directory));
  auto store = MustOpen(options);
  const auto log = (*store)->ReadLog(TabletId{1}, Lsn{1}, Lsn{UINT64_MAX}, SIZE_MAX);
  ASSERT_TRUE(log);
  EXPECT_GE(log->size(), last);
}

INSTANTIATE_TEST_SUITE_P(Modes, WtFullDiskTest, ::testing::Values(FlushMode::kSync),
                         [](const auto&) { return "Sync"; });

// ---- the reserve alone ---------------------------------------------------------------------------------------------

TEST(DiskReserveTest, RefusesBelowTheReserveAndKeepsABallast) {
  TemporaryDirectory directory;
  int64_t free = 10'000;
  const auto space = [&](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, 100'000}; };
  const auto ballast = [&] { return std::filesystem::exists(directory / "BALLAST"); };
  DiskReserve reserve(directory.path(), 800, space);
  reserve.Check();
  EXPECT_TRUE(ballast());
  EXPECT_EQ(std::filesystem::file_size(directory / "BALLAST"), 800u);
  EXPECT_FALSE(reserve.writes_refused());
  free = 800;
  reserve.Check();
  EXPECT_FALSE(reserve.writes_refused());
  free = 799;
  reserve.NoteWritten(49);
  EXPECT_FALSE(reserve.writes_refused());  // a sixteenth of the reserve has to be written before it looks
  reserve.NoteWritten(1);
  EXPECT_TRUE(reserve.writes_refused());
  free = 850;
  reserve.Check();
  EXPECT_TRUE(reserve.writes_refused());  // no flapping
  free = 900;
  reserve.Check();
  EXPECT_FALSE(reserve.writes_refused());
  free = 199;
  reserve.Check();
  EXPECT_TRUE(reserve.writes_refused());
  EXPECT_FALSE(ballast());  // given back: the store has to go on
  free = 1699;
  reserve.Check();
  EXPECT_TRUE(reserve.writes_refused());  // not before the ballast can be made again
  EXPECT_FALSE(ballast());
  free = 1700;
  reserve.Check();
  EXPECT_TRUE(ballast());
  EXPECT_FALSE(reserve.writes_refused());
}

TEST(DiskReserveTest, DeletesPassBelowTheReserveAsFarAsTheBallastGoes) {
  TemporaryDirectory directory;
  int64_t free = 10'000;
  const auto space = [&](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, 100'000}; };
  DiskReserve reserve(directory.path(), 800, space);
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kAll);
  free = 200;
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kDeletes);
  free = 199;
  reserve.NoteWritten(50);
  EXPECT_EQ(reserve.room(), DiskRoom::kNone);
  reserve.Check();  // gives back the ballast
  free = 999;
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kDeletes);
  free = 199;
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kNone) << "the ballast is used as well";
  free = 249;
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kNone) << "no flapping";
  free = 250;
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kDeletes);
  free = 1700;
  reserve.Check();
  EXPECT_EQ(reserve.room(), DiskRoom::kAll);
}

TEST(DiskReserveTest, GivesTheBallastToRecovery) {
  TemporaryDirectory directory;
  int64_t free = 10'000;
  const auto space = [&](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, 100'000}; };
  DiskReserve(directory.path(), 800, space).Check();
  free = 10;
  DiskReserve next(directory.path(), 800, space);
  next.BeforeOpen();
  EXPECT_FALSE(std::filesystem::exists(directory / "BALLAST"));
  EXPECT_TRUE(next.writes_refused());
}

TEST(DiskReserveTest, WithoutAReserveNothingIsRefused) {
  TemporaryDirectory directory;
  const auto space = [&](const std::string&) -> Result<DiskSpace> { return DiskSpace{0, 100'000}; };
  DiskReserve reserve(directory.path(), 0, space);
  reserve.BeforeOpen();
  reserve.Check();
  EXPECT_FALSE(reserve.writes_refused());
  EXPECT_EQ(reserve.last().total_bytes, 100'000);
  EXPECT_FALSE(std::filesystem::exists(directory / "BALLAST"));
}

}  // namespace
}  // namespace ebla::tabletserver::testing

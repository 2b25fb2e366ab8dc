// The disk of a real process fails, dawdles or fills up: what its clients see, what `ebla health` shows, and that a
// restart or room mends it. disk_faults.cc is the failing disk; a full one is a small filesystem.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/testing/eventually.h"
#include "common/testing/temporary_directory.h"
#include "common/testing/test_files.h"
#include "ebla/client.h"
#include "test_paths.h"
#include "tests/integration/cluster_fixture.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/probe.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRows = 2000;

std::string KeyOf(int row) { return "key" + std::to_string(100'000 + row); }
// Random bytes, so that no compression makes a file small.
std::string ValueOf(int row, size_t bytes = 1000) {
  std::mt19937 random(static_cast<uint32_t>(row));
  std::string value(bytes, '\0');
  std::ranges::generate(value, [&] { return static_cast<char>(random()); });
  return value;
}

// Prints the outcome and how long it took.
Status Try(const std::string& what, const std::function<Status()>& call) {
  const auto began = steady_clock::now();
  const Status status = call();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began);
  std::cout << what << ": " << status << " after " << took.count() << " ms" << std::endl;
  return status;
}

// The faults of processes that are started with it, which may be set before and while they run.
class FaultyDisk {
 public:
  void Set(const std::string& lines) const {
    std::ofstream(directory_ / "next") << lines;
    std::filesystem::rename(directory_ / "next", directory_ / "faults");
  }
  void Mend() const { std::filesystem::remove(directory_ / "faults"); }
  // A command that becomes the program behind it.
  std::vector<std::string> Command() const {
    const char* const asan = std::getenv("ASAN_OPTIONS");
    return {"/usr/bin/env", "ASAN_OPTIONS=verify_asan_link_order=0:" + std::string(asan != nullptr ? asan : ""),
            "LD_PRELOAD=" + std::string(kBinaryDir) + "/test/libdisk_faults.so",
            "EBLA_DISK_FAULTS=" + (directory_ / "faults")};
  }

 private:
  TemporaryDirectory directory_;
};

// ---- a standalone --------------------------------------------------------------------------------------------------

class DiskFaultsTest : public ::testing::Test {
 protected:
  void TearDown() override {
    Kill();
    if (mounted_) ::umount2(Disk().c_str(), MNT_DETACH);
  }

  // ---- the process ----

  std::string Disk() const { return directory_ / "disk"; }
  std::string Data() const { return Disk() + "/data"; }
  std::string Store() const { return Data() + "/store"; }
  int64_t RunFiles(size_t more_than_bytes = 0) const {
    return std::ranges::count_if(std::filesystem::directory_iterator(Store()), [&](const auto& entry) {
      return entry.path().filename().string().starts_with("run_") && entry.file_size() > more_than_bytes;
    });
  }
  void StartProcess(const std::vector<std::string>& flags = {"--disk_reserve_mb=0"}) {
    std::filesystem::create_directories(Disk());
    std::vector<std::string> command = faulty_.Command();
    for (const std::string& more :
         {kBinaryDir + std::string("/bin/ebla-standalone"), std::string("--listen=127.0.0.1:0"),
          std::string("--http_listen=127.0.0.1:0"), std::string("--cache_mb=64"), "--data_dir=" + Data()})
      command.push_back(more);
    command.insert(command.end(), flags.begin(), flags.end());
    const auto spawned = cluster::Spawn(
        {.command = command, .working_dir = Disk(), .output_file = directory_ / "output", .die_with_parent = true});
    ASSERT_TRUE(spawned.has_value()) << spawned.error();
    process_ = *spawned;
    ASSERT_TRUE(Eventually([&] { return cluster::AskReadyIn(Data(), process_.pid, 1s).ok(); }, 60s))
        << FileBytes(directory_ / "output");
    auto client = Client::Connect({.masters = {Address()}, .deadline = 20s, .connect_timeout = 20s});
    ASSERT_TRUE(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
    carts_.reset();
  }
  void StopProcess() {
    carts_.reset();
    client_.reset();
    ASSERT_TRUE(cluster::Signal(process_, SIGTERM).ok());
    ASSERT_EQ(cluster::ExitCode(process_, 30s), 0);
    process_ = {};
  }
  void Kill() {
    carts_.reset();
    client_.reset();
    if (!process_) return;
    (void)cluster::Signal(process_, SIGKILL);
    cluster::WaitForExit(process_, 10s);
    process_ = {};
  }
  std::string Address() const { return cluster::AddressIn(Data(), "thrift"); }
  std::string Ready() const {
    const Status ready = cluster::AskReadyIn(Data(), process_.pid, 5s);
    return ready.ok() ? "ready" : ready.message();
  }

  // ---- what an operator and a client see ----

  std::string Ebla(const std::string& arguments) const {
    return RunCommand("EBLA_TLS_DIR= EBLA_MASTERS=" + Address() + " " + kBinaryDir + "/bin/ebla " + arguments).text;
  }
  // The first answer of `ebla health` with this text; the last one if none has it.
  std::string HealthWith(const std::string& text) const {
    std::string health;
    (void)Eventually([&] { return (health = Ebla("health")).contains(text); }, 30s);
    std::cout << "health: " << health << std::flush;
    return health;
  }
  Table& Carts() {
    if (!carts_) carts_.emplace(client_->OpenTable("carts").value());
    return *carts_;
  }
  void MakeTable(TableDurability durability = TableDurability::kSync) {
    CreateTableOptions options;
    options.table.durability = durability;
    const auto made = client_->CreateTable("carts", options);
    ASSERT_TRUE(made.has_value()) << made.error();
  }
  void PutRows(int rows, size_t bytes) {
    for (int row = 0; row < rows; ++row) {
      const auto put = Carts().Put(KeyOf(row), ValueOf(row, bytes));
      ASSERT_TRUE(put.has_value()) << put.error();
    }
  }
  Status TryPut(const std::string& key, std::chrono::milliseconds deadline = 20s) {
    return Try("put", [&] {
      const auto put = Carts().Put(key, "v", {.deadline = deadline});
      return put ? Status() : Status(put.error());
    });
  }
  Status TryGet(const std::string& key, std::chrono::milliseconds deadline = 20s) {
    return Try("get", [&] {
      const auto got = Carts().Get(key, {.deadline = deadline});
      return got ? Status() : Status(got.error());
    });
  }

  TemporaryDirectory directory_;
  FaultyDisk faulty_;
  bool mounted_ = false;
  cluster::ProcessId process_;
  std::optional<Client> client_;
  std::optional<Table> carts_;
};

// Once is enough: the kernel forgets what it could not write, and later syncs pass.
TEST_F(DiskFaultsTest, ALogsSyncThatFailsOnceEndsTheStoreUntilARestart) {
  ASSERT_NO_FATAL_FAILURE(StartProcess());
  MakeTable();
  PutRows(10, 100);
  faulty_.Set("sync /store/log/ 5 1");
  const Status put = TryPut("lost", 3s);
  EXPECT_FALSE(put.ok());
  EXPECT_THAT(put.code(), ::testing::AnyOf(Code::kUnknownOutcome, Code::kInternal, Code::kUnavailable));
  EXPECT_FALSE(TryGet(KeyOf(3), 3s).ok());
  EXPECT_THAT(HealthWith("has failed"),
              AllOf(HasSubstr("its store has failed: cannot sync "), HasSubstr("/log/"),
                    HasSubstr("Input/output error"), HasSubstr("only a restart"), Not(HasSubstr("disk reserve"))));
  EXPECT_THAT(Ready(), HasSubstr("Input/output error"));
  EXPECT_THAT(Ebla("server list"), HasSubstr("store-failed"));
  Kill();
  faulty_.Mend();
  ASSERT_NO_FATAL_FAILURE(StartProcess());
  for (int row = 0; row < 10; ++row) EXPECT_EQ(Carts().Get(KeyOf(row))->value, ValueOf(row, 100));
  EXPECT_EQ(TryPut("again"), Status());
  EXPECT_THAT(HealthWith("healthy"), Not(HasSubstr("failed")));
}

TEST_F(DiskFaultsTest, ASlowLogIsNamedWhileItHangsAndAfterwards) {
  ASSERT_NO_FATAL_FAILURE(StartProcess());
  MakeTable();
  ASSERT_EQ(TryPut("quick"), Status());
  EXPECT_THAT(Ebla("health"), Not(HasSubstr("slow")));
  faulty_.Set("sync /store/log/ wait:5000 2");
  std::string meanwhile;
  std::thread looking([&] { meanwhile = HealthWith("its disk is slow"); });
  EXPECT_EQ(TryPut("slow"), Status());
  looking.join();
  EXPECT_THAT(meanwhile, AllOf(HasSubstr("a sync of the log has lasted "), HasSubstr("iostat")));
  EXPECT_THAT(HealthWith("a sync of the log took 5."), HasSubstr("its disk is slow"));
  EXPECT_EQ(TryPut("quick again"), Status());
}

TEST_F(DiskFaultsTest, ALogWithoutRoomEndsTheStoreUntilARestart) {
  ASSERT_NO_FATAL_FAILURE(StartProcess());
  MakeTable();
  PutRows(10, 100);
  faulty_.Set("write /store/log/ 28");
  const Status put = TryPut("lost", 3s);
  EXPECT_FALSE(put.ok());
  EXPECT_THAT(HealthWith("has failed"), AllOf(HasSubstr("its store has failed: cannot write "), HasSubstr("/log/"),
                                              HasSubstr("No space left on device")));
  Kill();
  faulty_.Mend();
  ASSERT_NO_FATAL_FAILURE(StartProcess());
  for (int row = 0; row < 10; ++row) EXPECT_EQ(Carts().Get(KeyOf(row))->value, ValueOf(row, 100));
  EXPECT_EQ(TryPut("again"), Status());
}

// ---- tables --------------------------------------------------------------------------------------------------------

// The only replica: the rest of the table, and other tables, are served.
TEST_F(DiskFaultsTest, AnUnreadableFileIsItsTablesDamage) {
  ASSERT_NO_FATAL_FAILURE(StartProcess({"--disk_reserve_mb=0", "--checkpoint_seconds=3600"}));
  MakeTable();
  PutRows(kRows, 1000);
  // The stop writes one run: a merge of several would bring pages into memory before the disk fails.
  ASSERT_NO_FATAL_FAILURE(StopProcess());
  ASSERT_EQ(RunFiles(size_t{1} << 20), 1);
  ASSERT_NO_FATAL_FAILURE(StartProcess({"--disk_reserve_mb=0", "--checkpoint_seconds=3600"}));
  ASSERT_TRUE(client_->CreateTable("users").has_value());
  faulty_.Set("read /store/run_ 5");
  // The pass for expired rows reads the whole table after the start, and leaves a page where it rested in the cache.
  int row = 0;
  Status got = TryGet(KeyOf(row), 3s);
  while (got.ok() && row + 100 < kRows) got = TryGet(KeyOf(row += 100), 3s);
  EXPECT_FALSE(got.ok());
  EXPECT_NE(got.code(), Code::kNotFound);
  EXPECT_THAT(HealthWith("damaged"),
              AllOf(HasSubstr("1 replica damaged"), HasSubstr("no whole replica"), Not(HasSubstr("store has failed"))));
  EXPECT_TRUE(client_->OpenTable("users")->Put("bea", "2").has_value());
  faulty_.Mend();
  EXPECT_EQ(Carts().Get(KeyOf(row))->value, ValueOf(row)) << "the disk reads it again";
}

TEST_F(DiskFaultsTest, ATablesFileWithoutRoomEndsTheStoreUntilARestart) {
  ASSERT_NO_FATAL_FAILURE(StartProcess({"--disk_reserve_mb=0", "--checkpoint_seconds=1"}));
  MakeTable();
  faulty_.Set("write /store/run_ 28");
  PutRows(100, 1000);
  EXPECT_THAT(HealthWith("has failed"),
              AllOf(HasSubstr("its store has failed: "), HasSubstr("No space left on device")));
  Kill();
  faulty_.Mend();
  ASSERT_NO_FATAL_FAILURE(StartProcess());
  for (int row = 0; row < 100; ++row) EXPECT_EQ(Carts().Get(KeyOf(row))->value, ValueOf(row));
}

// The runs are whole, and the merge is tried again.
TEST_F(DiskFaultsTest, AMergeWithoutRoomEndsAloneAndIsTriedAgain) {
  const std::vector<std::string> flags = {"--disk_reserve_mb=0", "--checkpoint_seconds=3600"};
  ASSERT_NO_FATAL_FAILURE(StartProcess(flags));
  MakeTable();
  PutRows(kRows, 1000);
  ASSERT_NO_FATAL_FAILURE(StopProcess());
  ASSERT_NO_FATAL_FAILURE(StartProcess(flags));
  ASSERT_EQ(Carts().Delete(KeyOf(0)), Status());
  ASSERT_NO_FATAL_FAILURE(StopProcess());
  ASSERT_EQ(RunFiles(), 2);
  faulty_.Set("write /store/run_ 28");
  ASSERT_NO_FATAL_FAILURE(StartProcess(flags));
  EXPECT_THAT(Ebla("table compact carts"), HasSubstr("No space left on device"));
  EXPECT_THAT(HealthWith("healthy"), Not(HasSubstr("failed")));
  for (int row = 1; row < kRows; row += 100) EXPECT_EQ(TryGet(KeyOf(row)), Status());
  EXPECT_EQ(RunFiles(), 2) << "the unfinished run is gone";
  faulty_.Mend();
  EXPECT_EQ(TryPut("again"), Status());
  EXPECT_THAT(Ebla("table compact carts"), HasSubstr("done"));
  EXPECT_EQ(TryGet(KeyOf(0)).code(), Code::kNotFound);
  EXPECT_EQ(TryGet(KeyOf(1)), Status());
}

// ---- a full disk ---------------------------------------------------------------------------------------------------

class FullDiskTest : public DiskFaultsTest {
 protected:
  static constexpr int64_t kReserve = int64_t{48} << 20;
  static constexpr int kLooksUntilItRests = 100;  // longer than from one checkpoint to the next

  bool Mount() {
    std::filesystem::create_directories(Disk());
    mounted_ = ::mount("ebla-full-disk", Disk().c_str(), "tmpfs", 0, "size=640m") == 0;
    return mounted_;
  }
  int64_t FreeBytes() const {
    struct statvfs room{};
    EXPECT_EQ(::statvfs(Disk().c_str(), &room), 0);
    return static_cast<int64_t>(room.f_bavail * room.f_frsize);
  }
  // A foreign file takes all but this, as far as the server leaves it: both take room at the same time.
  void Leave(int64_t bytes) const {
    const int fd = ::open((Disk() + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    const int64_t there = ::lseek(fd, 0, SEEK_END);
    const int error = ::posix_fallocate(fd, there, std::max<int64_t>(FreeBytes() - bytes, 1));
    ::close(fd);
    ASSERT_TRUE(error == 0 || error == ENOSPC) << std::strerror(error);
  }
};

TEST_F(FullDiskTest, AtTheReserveDeletesPassAndBringRoomBack) {
  if (!Mount()) GTEST_SKIP() << "cannot mount a small filesystem here: " << std::strerror(errno);
  ASSERT_NO_FATAL_FAILURE(StartProcess({"--disk_reserve_mb=48", "--checkpoint_seconds=2"}));
  MakeTable(TableDurability::kInterval);
  constexpr int kLarge = 1000;
  constexpr size_t kLargeBytes = 100'000;
  PutRows(kLarge, kLargeBytes);
  // The server gives room of its log back for a while.
  int full = 0;
  EXPECT_TRUE(Eventually([&] {
    full = FreeBytes() < kReserve ? full + 1 : 0;
    Leave(kReserve * 3 / 4);
    return full >= kLooksUntilItRests;
  })) << "free: "
      << FreeBytes();
  ASSERT_THAT(HealthWith("disk reserve"), AllOf(HasSubstr("its disk reserve is reached"), HasSubstr("delete records"),
                                                HasSubstr("ebla table compact"), Not(HasSubstr("add a server"))));
  const Status put = TryPut("more", 2s);
  EXPECT_FALSE(put.ok());
  EXPECT_THAT(put.message(), HasSubstr("only deletes pass"));
  EXPECT_EQ(TryGet(KeyOf(0)), Status());
  for (int row = 0; row < kLarge; ++row) {
    const Status deleted = Carts().Delete(KeyOf(row));
    ASSERT_TRUE(deleted.ok()) << row << ": " << deleted << ", free: " << FreeBytes();
  }
  std::cout << "free after the deletes: " << (FreeBytes() >> 20) << " MiB" << std::endl;
  EXPECT_EQ(TryPut("more", 60s), Status()) << "free: " << (FreeBytes() >> 20) << " MiB; " << Ebla("health");
  std::cout << "free now: " << (FreeBytes() >> 20) << " MiB" << std::endl;
  EXPECT_THAT(HealthWith("healthy"), Not(HasSubstr("reserve")));
}

// ---- one of three servers ------------------------------------------------------------------------------------------

class DiskFaultsClusterTest : public ClusterFixture {
 protected:
  static constexpr char kVictim[] = "ts-1";

  void SetUp() override {
    TestClusterOptions options{.master_flags = {"--replace_after_s=600"}, .server_flags = {"--checkpoint_seconds=1"}};
    options.launch_context = [this](const std::string& name) {
      cluster::LaunchContext context;
      if (name == kVictim) context.command_prefix = faulty_.Command();
      return context;
    };
    ASSERT_NO_FATAL_FAILURE(Start(std::move(options)));
    CreateTableOptions table{.split_points = {KeyOf(kRows / 3), KeyOf(2 * kRows / 3)}, .deadline = 30s};
    table.table.replicas = 3;
    const auto made = client_->CreateTable("carts", table);
    ASSERT_TRUE(made.has_value()) << made.error();
    for (int row = 0; row < kRows; ++row) ASSERT_EQ(Put(row, 1000), Status());
    // The victim leads a tablet.
    ASSERT_TRUE(Eventually([&] { return client_->TransferTablet("carts", KeyOf(0), kVictim).ok(); }, 30s));
  }
  Status Put(int row, size_t bytes) {
    const auto put = client_->OpenTable("carts")->Put(KeyOf(row), ValueOf(row, bytes), {.deadline = 30s});
    return put ? Status() : Status(put.error());
  }
  // A write and a read of each tablet, in the one that the victim leads first.
  void UseAll() {
    for (const int row : {0, kRows / 2, kRows - 1}) {
      EXPECT_EQ(Try("put " + KeyOf(row), [&] { return Put(row, 900); }), Status());
      const auto got = client_->OpenTable("carts")->Get(KeyOf(row), {.read = Read::Strong(), .deadline = 30s});
      ASSERT_TRUE(got.has_value()) << got.error();
      EXPECT_EQ(got->value, ValueOf(row, 900));
    }
  }
  std::string HealthWith(const std::string& text) {
    std::string health;
    (void)Eventually([&] { return (health = cluster_->Ebla("health").text).contains(text); }, 60s);
    std::cout << "health: " << health << std::flush;
    return health;
  }
  void ExpectAllWhole() {
    EXPECT_TRUE(
        Eventually([&] { return cluster_->Ebla("health").code == 0 && cluster_->Ebla("check").code == 0; }, 90s))
        << cluster_->Ebla("health") << cluster_->Ebla("check");
  }

  FaultyDisk faulty_;
};

TEST_F(DiskFaultsClusterTest, WhereTheLogsSyncFailsOthersServe) {
  faulty_.Set("sync /store/log/ 5 1");
  const Status first = Try("put", [&] { return Put(0, 900); });
  EXPECT_THAT(first.code(), ::testing::AnyOf(Code::kOk, Code::kUnknownOutcome)) << first;
  EXPECT_THAT(HealthWith("has failed"), AllOf(HasSubstr("server ts-1: its store has failed: cannot sync "),
                                              HasSubstr("ebla server drain ts-1"), Not(HasSubstr("disk reserve"))));
  UseAll();
  ASSERT_TRUE(launcher().Kill(kVictim, SIGKILL).ok());
  faulty_.Mend();
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  ExpectAllWhole();
  UseAll();
}

TEST_F(DiskFaultsClusterTest, ASlowLogIsNamed) {
  faulty_.Set("sync /store/log/ wait:5000");
  UseAll();
  EXPECT_THAT(HealthWith("its disk is slow"), HasSubstr("server ts-1: its disk is slow: a sync of the log "));
  UseAll();
}

TEST_F(DiskFaultsClusterTest, AFileThatCannotBeReadOnceIsMadeAnewFromOthers) {
  ASSERT_TRUE(launcher().End(kVictim).ok());
  ASSERT_TRUE(launcher().Restart(kVictim).ok());
  ASSERT_TRUE(Eventually([&] { return client_->TransferTablet("carts", KeyOf(0), kVictim).ok(); }, 30s));
  std::string faults;
  for (const auto& entry : std::filesystem::directory_iterator(launcher().DataDir(kVictim) + "/store")) {
    const std::string name = entry.path().filename();
    if (name.starts_with("run_")) faults += "read /store/" + name + " 5 1\n";
  }
  ASSERT_NE(faults, "");
  faulty_.Set(faults);
  (void)cluster_->Ebla("scrub --server ts-1");
  UseAll();
  ExpectAllWhole();
  UseAll();
}

}  // namespace
}  // namespace ebla::testing

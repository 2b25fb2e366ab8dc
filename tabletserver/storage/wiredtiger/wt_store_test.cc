// The promises of WtStore alone: directories that it refuses, sessions, group commit, the disk's reserve, memory.
#include "tabletserver/storage/wiredtiger/wt_store.h"

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wiredtiger.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include "common/testing/eventually.h"
#include "tabletserver/storage/testing/store_fixture.h"
#include "tabletserver/storage/wiredtiger/file_recycler.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::HasSubstr;

constexpr TableId kTable{7};
constexpr TabletId kTablet{70};

class WtStoreTest : public ::testing::Test {
 protected:
  WtStoreOptions Options() { return SmallStore(directory / "store", flusher, background); }
  std::unique_ptr<WtStore> MustOpen(WtStoreOptions options) {
    auto opened = WtStore::Open(std::move(options));
    CHECK(opened) << opened.error();
    return std::move(*opened);
  }
  std::unique_ptr<WtStore> MustOpen() { return MustOpen(Options()); }
  Status OpenError() {
    auto opened = WtStore::Open(Options());
    return opened ? Status() : opened.error();
  }
  void WriteFile(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }

  TemporaryDirectory directory;
  ebla::testing::ThreadExecutor flusher;
  ebla::testing::ThreadExecutor background;
};

// The database cannot replace its files any more, while all that is open works as before.
TEST_F(WtStoreTest, ADatabaseThatDoesNotCloseIsSaid) {
  auto store = MustOpen();
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  std::filesystem::rename(directory / "store", directory / "elsewhere");
  const Status closed = store->Close();
  EXPECT_EQ(closed.code(), Code::kInternal);
  EXPECT_THAT(closed.message(), HasSubstr("closing the database"));
  EXPECT_TRUE(store->Close().ok()) << "once";
}

TEST_F(WtStoreTest, AStoreThatFailedWhileItRanSaysSoAtItsEnd) {
  auto store = MustOpen();
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  std::filesystem::rename(directory / "store", directory / "elsewhere");
  ASSERT_FALSE(CheckpointNow(**store));
  const Status failed = (*store)->health().status;
  ASSERT_EQ(failed.code(), Code::kInternal);
  EXPECT_EQ(store->Close(), failed);
}

// ---- directories ---------------------------------------------------------------------------------------------------

TEST_F(WtStoreTest, ADirectoryInUseIsRefused) {
  auto store = MustOpen();
  const Status status = OpenError();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("in use by another process (pid " + std::to_string(getpid()) + ")"));
  store.reset();
  EXPECT_TRUE(OpenError().ok());
}

TEST_F(WtStoreTest, ANewerFormatIsRefused) {
  MustOpen().reset();
  WriteFile(directory / "store/FORMAT", "ebla-store 5\n");
  const Status status = OpenError();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("has store format 5, this build knows up to 4"));
  WriteFile(directory / "store/FORMAT", "rubbish");
  EXPECT_THAT(OpenError().message(), HasSubstr("FORMAT is damaged"));
  std::filesystem::remove(directory / "store/FORMAT");
  EXPECT_THAT(OpenError().message(), HasSubstr("store/FORMAT is gone"));
}

// A new store in the place of a lost one would vote without what this server had acknowledged.
TEST_F(WtStoreTest, NoStoreIsMadeWhereOneWas) {
  namespace fs = std::filesystem;
  MustOpen().reset();
  WtStoreOptions options = Options();
  options.made_before = true;
  EXPECT_TRUE(WtStore::Open(options)) << "it is there";
  const std::string kept = directory / "kept", store = directory / "store";
  options.directory = kept;
  for (const auto& [lost, named] :
       std::vector<std::pair<std::string, std::string>>{{"", kept}, {"/FORMAT", "/FORMAT"}, {"/log", "/log/*.log"}}) {
    fs::remove_all(kept);
    fs::copy(store, kept, fs::copy_options::recursive);
    fs::remove_all(kept + lost);
    const auto opened = WtStore::Open(options);
    ASSERT_FALSE(opened) << lost;
    EXPECT_EQ(opened.error().code(), Code::kInternal) << lost;
    EXPECT_THAT(opened.error().message(), HasSubstr(named + " is gone, and this directory had a store"));
    EXPECT_FALSE(fs::exists(kept + lost)) << "nothing is made";
  }
}

// The older database names none of the newer runs, which the newest files need when they are put back.
TEST_F(WtStoreTest, AStartThatIsRefusedRemovesNoRuns) {
  namespace fs = std::filesystem;
  const std::string store = directory / "store", older = directory / "older", newest = directory / "newest";
  WtStoreOptions options = Options();
  options.sorted_tables = true;
  const auto write = [&](uint64_t lsn) {
    const auto opened = MustOpen(options);
    ASSERT_TRUE((*opened)->EnsureTable(kTable, TableCompression::kNone).ok());
    const LogEntry entry = Entry(lsn, {Put("k" + std::to_string(lsn), "v")});
    ASSERT_TRUE(AppendOne(**opened, kTablet, entry).ok());
    ASSERT_TRUE(ApplyOne(**opened, kTablet, kTable, entry).ok());
    ASSERT_TRUE(CheckpointNow(**opened));
  };
  ASSERT_NO_FATAL_FAILURE(write(1));
  fs::copy(store, older, fs::copy_options::recursive);
  ASSERT_NO_FATAL_FAILURE(write(2));
  fs::copy(store, newest, fs::copy_options::recursive);
  for (const auto& file : fs::directory_iterator(older)) {
    const std::string name = file.path().filename();
    if (name.ends_with(".wt") || name.starts_with("WiredTiger"))
      fs::copy_file(file.path(), store + "/" + name, fs::copy_options::overwrite_existing);
  }
  const auto refused = WtStore::Open(options);
  ASSERT_FALSE(refused);
  ASSERT_THAT(refused.error().message(), HasSubstr("is an older copy"));
  for (const auto& file : fs::directory_iterator(newest)) {
    const std::string name = file.path().filename();
    EXPECT_TRUE(!name.starts_with("run_") || fs::exists(store + "/" + name)) << name;
  }
}

TEST_F(WtStoreTest, TablesAreSortedOnceTheClusterHasTheFeatureAndForEver) {
  const auto in_place = [this](TableId table) {
    return std::filesystem::exists(directory / ("store/data_" + std::to_string(table.value) + ".wt"));
  };
  const auto features = std::make_shared<Features>();
  WtStoreOptions options = Options();
  options.sorted_tables = true;
  options.features = features;
  constexpr TableId kFirst{1}, kSecond{2}, kThird{3};
  {
    auto store = MustOpen(options);
    ASSERT_TRUE((*store)->EnsureTable(kFirst, TableCompression::kNone).ok());
    EXPECT_TRUE(in_place(kFirst));
    features->Learn(kSortedTables.level);
    ASSERT_TRUE((*store)->EnsureTable(kSecond, TableCompression::kNone).ok());
    EXPECT_FALSE(in_place(kSecond));
  }
  options.features = std::make_shared<Features>();
  auto store = MustOpen(options);
  ASSERT_TRUE((*store)->EnsureTable(kThird, TableCompression::kNone).ok());
  EXPECT_FALSE(in_place(kThird)) << "earlier builds refuse the store already";
}

// An earlier build would find no records of a sorted table, and take the table for empty.
TEST_F(WtStoreTest, AStoreWithSortedTablesHasANewerFormat) {
  const auto format = [this] {
    std::ifstream file(directory / "store/FORMAT");
    std::string line;
    std::getline(file, line);
    return line;
  };
  WtStoreOptions options = Options();
  options.sorted_tables = true;
  {
    auto store = MustOpen(options);
    EXPECT_EQ(format(), "ebla-store 3");
    ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
    EXPECT_EQ(format(), "ebla-store 4");
    ASSERT_TRUE(ApplyOne(**store, kTablet, kTable, Entry(1, {Put("a", "1")})).ok());
  }
  auto store = MustOpen();
  EXPECT_EQ(Dump(**store, kTable), "a=1@1") << "also where new tables are not sorted";
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  EXPECT_EQ(Dump(**store, kTable), "a=1@1");
}

TEST_F(WtStoreTest, AMissingParentIsNamed) {
  WtStoreOptions options = Options();
  options.directory = directory / "no/such/place";
  const auto opened = WtStore::Open(options);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), HasSubstr("no/such/place: No such file or directory"));
}

TEST_F(WtStoreTest, DamagedFilesGiveAnError) {
  {
    auto store = MustOpen();
    ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
    ASSERT_TRUE(AppendOne(**store, kTablet, Entry(1)).ok());
    ASSERT_TRUE((*store)->PutReplicaState(kTablet, {}).ok());
    ASSERT_TRUE(CheckpointNow(**store));
  }
  MustOpen().reset();  // so that the log has two segments, and the first one must be whole
  const std::filesystem::path good = directory / "store", kept = directory / "kept";
  std::filesystem::copy(good, kept, std::filesystem::copy_options::recursive);
  int refused = 0;
  for (const char* file :
       {"WiredTiger.wt", "WiredTiger.turtle", "log/0000000000000001.log", "applied.wt", "data_7.wt", "WiredTiger"}) {
    std::filesystem::remove_all(good);
    std::filesystem::copy(kept, good, std::filesystem::copy_options::recursive);
    ASSERT_TRUE(std::filesystem::exists(good / file)) << file;
    WriteFile(good / file, std::string(5000, '\x5a'));
    // Never a crash. Reading notices the damage that opening misses.
    auto opened = WtStore::Open(Options());
    Status status = opened ? Status() : opened.error();
    if (opened) {
      (**opened)->EnsureTable(kTable, TableCompression::kNone).ok();
      if (status.ok() && !(**opened)->Recover()) status = (**opened)->Recover().error();
      if (status.ok()) status = (**opened)->Scan(kTable, {}, [](auto, auto&) { return true; });
      if (status.ok()) status = (**opened)->health().status;
      if (status.ok()) {
        const auto log = (**opened)->ReadLog(kTablet, Lsn{1}, Lsn{9}, 1000);
        if (!log) status = log.error();
      }
    }
    LOG(INFO) << file << " damaged: " << status;
    if (status.ok()) continue;
    ++refused;
    // A table's file is not the store.
    EXPECT_EQ(status.code(), std::string_view(file) == "data_7.wt" ? Code::kUnavailable : Code::kInternal) << file;
  }
  EXPECT_EQ(refused, 5);  // the file named WiredTiger is a text that nothing depends on
}

// ---- the log -------------------------------------------------------------------------------------------------------

TEST_F(WtStoreTest, AnEntryIsNeverReplaced) {
  auto store = MustOpen();
  ASSERT_TRUE(AppendOne(**store, kTablet, Entry(1)).ok());
  EXPECT_EQ(AppendOne(**store, kTablet, Entry(1)).code(), Code::kInternal);
  // And the store trusts itself no longer.
  EXPECT_EQ((*store)->health().status.code(), Code::kInternal);
  EXPECT_EQ(AppendOne(**store, kTablet, Entry(2)).code(), Code::kInternal);
  EXPECT_EQ(FlushNow(**store).code(), Code::kInternal);
  EXPECT_EQ((*store)->Recover().error().code(), Code::kInternal);
  EXPECT_EQ(CheckpointNow(**store).error().code(), Code::kInternal);
}

TEST_F(WtStoreTest, ManyFlushesShareOneFsync) {
  auto store = MustOpen();
  ebla::testing::ThreadExecutor completions;
  std::promise<void> blocked, all;
  flusher.Post([&, go = blocked.get_future().share()] { go.wait(); });
  std::atomic<int> done = 0;
  for (uint64_t lsn = 1; lsn <= 50; ++lsn) {
    ASSERT_TRUE(AppendOne(**store, kTablet, Entry(lsn)).ok());
    (*store)->Flush(FlushMode::kSync, completions, [&](Status status) {
      EXPECT_TRUE(status.ok());
      if (++done == 50) all.set_value();
    });
  }
  const int64_t before = (*store)->health().flushes;
  EXPECT_EQ(done, 0);
  blocked.set_value();
  all.get_future().wait();
  EXPECT_EQ((*store)->health().flushes - before, 1);
}

TEST_F(WtStoreTest, AnIntervalEndsWithAnFsync) {
  WtStoreOptions options = Options();
  options.interval = std::chrono::milliseconds(20);
  auto store = MustOpen(options);
  const int64_t before = (*store)->health().flushes;
  ASSERT_TRUE(AppendOne(**store, kTablet, Entry(1)).ok());
  ASSERT_TRUE(FlushNow(**store, FlushMode::kInterval).ok());
  while ((*store)->health().flushes == before) std::this_thread::yield();
  EXPECT_EQ((*store)->health().flushes, before + 1);
}

TEST_F(WtStoreTest, AnIntervalOfWhatWasFlushedAtOnceEndsWithAnFsync) {
  WtStoreOptions options = Options();
  options.interval = std::chrono::milliseconds(20);
  auto store = MustOpen(options);
  for (int64_t round = 1; round <= 3; ++round) {
    const int64_t before = (*store)->health().flushes;
    ASSERT_TRUE(AppendOne(**store, kTablet, Entry(round)).ok());
    std::optional<Status> flushed;
    while (!flushed) flushed = (*store)->FlushAtOnce();  // the last round's fsync may still go on
    ASSERT_TRUE(flushed->ok());
    while ((*store)->health().flushes == before) std::this_thread::yield();
  }
}

TEST_F(WtStoreTest, TheMostDemandingTableSetsTheInterval) {
  WtStoreOptions options = Options();
  options.interval = std::chrono::hours(1);
  auto store = MustOpen(options);
  const auto fsynced = [&](int64_t lsn, auto change) {
    const int64_t before = (*store)->health().flushes;
    ASSERT_TRUE(AppendOne(**store, kTablet, Entry(lsn)).ok());
    ASSERT_TRUE(FlushNow(**store, FlushMode::kInterval).ok());
    change();
    while ((*store)->health().flushes == before) std::this_thread::yield();
  };
  (*store)->SetFlushInterval(kTable, 1, std::chrono::milliseconds(1));
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  ASSERT_TRUE((*store)->EnsureTable(TableId{77}, TableCompression::kNone).ok());
  (*store)->SetFlushInterval(TableId{77}, 1, Duration::max());
  fsynced(1, [&] { (*store)->SetFlushInterval(kTable, 2, std::chrono::milliseconds(10)); });
  (*store)->SetFlushInterval(kTable, 1, std::chrono::hours(1));  // an older word
  fsynced(2, [] {});
}

// ---- compaction ----------------------------------------------------------------------------------------------------

// Half a million bytes' worth of rows stay of some twenty times as many, and others are written all the while.
TEST_F(WtStoreTest, ACompactionGivesRoomBackWhileWritesGoOn) {
  auto store = MustOpen();
  constexpr TabletId kBusy{8};
  constexpr uint64_t kRows = 6'000;
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  const auto key = [](uint64_t row) { return "k" + std::to_string(100'000 + row); };
  for (uint64_t row = 0; row < kRows; ++row) {
    ASSERT_TRUE(
        ApplyOne(**store, kTablet, kTable, Entry(row + 1, {Put(key(row), std::string(2'000, 'v'))}), {"k", "l"}).ok());
  }
  ASSERT_TRUE(CheckpointNow(**store));
  for (uint64_t row = 0; row < kRows; ++row) {
    if (row % 20 == 0) continue;
    ASSERT_TRUE(ApplyOne(**store, kTablet, kTable, Entry(kRows + row + 1, {Delete(key(row))}), {"k", "l"}).ok());
  }
  ASSERT_TRUE(CheckpointNow(**store));
  const auto before = (*store)->FileBytes(kTable);
  ASSERT_TRUE(before) << before.error();
  EXPECT_GT(*before, 10'000'000);

  std::atomic<bool> over = false;
  std::atomic<uint64_t> written = 0;
  std::jthread writer([&] {
    for (uint64_t lsn = 1; !over; ++lsn) {
      CHECK(ApplyOne(**store, kBusy, kTable, Entry(lsn, {Put("a" + std::to_string(lsn % 100), "value")}), {"", "k"})
                .ok());
      written = lsn;
    }
  });
  while (written == 0) std::this_thread::yield();
  const uint64_t then = written;
  const auto done = (*store)->Compact(kTable, std::chrono::minutes(5));
  ASSERT_TRUE(done) << done.error();
  EXPECT_TRUE(*done);
  EXPECT_GT(written, then);
  over = true;
  writer.join();
  EXPECT_LT(*(*store)->FileBytes(kTable), *before / 2);
  EXPECT_TRUE((*store)->health().status.ok());
  int rows = 0;
  ASSERT_TRUE((*store)->Scan(kTable, {.range = {"k", "l"}}, [&](auto, auto&) { return ++rows > 0; }).ok());
  EXPECT_EQ(rows, 300);
  EXPECT_EQ((*store)->Compact(TableId{99}, std::chrono::seconds(1)).error().code(), Code::kNoSuchTable);
}

// ---- sessions ------------------------------------------------------------------------------------------------------

TEST_F(WtStoreTest, TheDiskIsWatchedWhileCheckpointsKeepTheirThreadBusy) {
  std::atomic<int64_t> free{int64_t{1} << 30};
  WtStoreOptions options = Options();
  options.disk_reserve_bytes = 1 << 20;
  options.disk_check_period = std::chrono::milliseconds(1);
  options.disk_space = [&free](const std::string&) -> Result<DiskSpace> { return DiskSpace{free, int64_t{1} << 30}; };
  const auto store = MustOpen(std::move(options));
  std::promise<void> end;
  background.Post([over = end.get_future().share()] { over.wait(); });
  free = 1000;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while ((*store)->health().room == DiskRoom::kAll && std::chrono::steady_clock::now() < limit)
    std::this_thread::yield();
  EXPECT_EQ((*store)->health().room, DiskRoom::kNone);
  EXPECT_EQ(AppendOne(**store, kTablet, Entry(1)).code(), Code::kOverloaded);
  end.set_value();
}

TEST_F(WtStoreTest, TheSpaceOfADroppedTableIsGivenBackLater) {
  const auto of_table = ::testing::Contains(::testing::StartsWith("data_"));
  const auto drop_one = [&](uint64_t lsn, std::chrono::milliseconds disk_check_period) {
    WtStoreOptions options = Options();
    options.disk_check_period = disk_check_period;
    auto store = MustOpen(options);
    EXPECT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
    const LogEntry entry = Entry(lsn, {Put("k", std::string(5 << 20, 'v'))});
    EXPECT_TRUE(AppendOne(**store, kTablet, entry).ok());
    EXPECT_TRUE(ApplyOne(**store, kTablet, kTable, entry).ok());
    EXPECT_TRUE(CheckpointNow(**store).has_value());
    // Eviction may hold it still.
    EXPECT_TRUE(ebla::testing::Eventually([&] { return (*store)->DropTable(kTable).code() != Code::kComeAgain; }));
    EXPECT_EQ((*store)->FileBytes(kTable).error().code(), Code::kNoSuchTable);
    return store;
  };
  {
    const auto store = drop_one(1, std::chrono::hours(1));
    EXPECT_THAT(RemovedFiles(Options().directory), of_table);
  }
  const auto store = drop_one(2, std::chrono::milliseconds(10));
  EXPECT_TRUE(
      ebla::testing::Eventually([&] { return !::testing::Matches(of_table)(RemovedFiles(Options().directory)); }));
}

TEST_F(WtStoreTest, SessionsEndWithTheirThreads) {
  WtStoreOptions options = Options();
  options.sessions_max = 60;
  auto store = MustOpen(options);
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  for (int i = 0; i < 200; ++i) {
    std::thread([&] { EXPECT_TRUE((*store)->Get(kTable, "a")); }).join();
  }
}

TEST_F(WtStoreTest, AViewSeesNothingThatChangesDuringIt) {
  for (const bool sorted : {false, true}) {
    WtStoreOptions options = Options();
    options.directory = directory / (sorted ? "sorted" : "in_place");
    options.sorted_tables = sorted;
    auto store = MustOpen(options);
    ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
    ASSERT_TRUE(ApplyOne(**store, kTablet, kTable, Entry(1, {Put("a", "1"), Put("b", "1"), Put("c", "1")})).ok());
    const Status read = (*store)->Read(kTable, nullptr, [&](RecordStore::View& view) -> Status {
      std::string shown;
      for (int times = 0; times < 2; ++times) {
        for (const bool reverse : {false, true}) {
          EBLA_TRY(view.Scan({.reverse = reverse}, [&](std::string_view key, const StoredRecord& record) {
            shown += std::string(key) + record.value + " ";
            return true;
          }));
        }
        for (const char* const key : {"a", "b", "bb", "c"}) {
          EBLA_ASSIGN(const auto record, view.Get(key));
          shown += record ? record->value : "-";
        }
        if (times == 1) continue;
        std::thread([&] {
          const LogEntry later = Entry(2, {Put("a", "2"), Delete("b"), Put("bb", "2")});
          EXPECT_TRUE(ApplyOne(**store, kTablet, kTable, later).ok());
          EXPECT_TRUE(CheckpointNow(**store));
          EXPECT_TRUE((*store)->TruncateRange(kTable, {"c", ""}).ok());
        }).join();
      }
      EXPECT_EQ(shown, "a1 b1 c1 c1 b1 a1 11-1a1 b1 c1 c1 b1 a1 11-1");
      return {};
    });
    EXPECT_EQ(read, Status());
    EXPECT_EQ(Dump(**store, kTable), "a=2@2 bb=2@2");
  }
}

TEST_F(WtStoreTest, AThreadOutlivesTheStore) {
  std::promise<void> used, closed;
  auto store = MustOpen();
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  std::thread thread([&] {
    EXPECT_TRUE((*store)->Get(kTable, "a"));
    used.set_value();
    closed.get_future().wait();
  });
  used.get_future().wait();
  store.reset();
  closed.set_value();
  thread.join();
  EXPECT_TRUE((*MustOpen())->Get(kTable, "a"));
}

TEST_F(WtStoreTest, TooManyThreadsAreToldSo) {
  WtStoreOptions options = Options();
  options.sessions_max = 40;
  auto store = MustOpen(options);
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  std::promise<void> enough;
  std::shared_future<void> stop = enough.get_future().share();
  std::atomic<int> overloaded = 0, answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 60; ++i) {
    threads.emplace_back([&] {
      const auto got = (*store)->Get(kTable, "a");
      EXPECT_EQ(got ? Code::kOk : got.error().code(), got ? Code::kOk : Code::kOverloaded);
      overloaded += got ? 0 : 1;
      ++answered;
      stop.wait();
    });
  }
  while (answered < 60) std::this_thread::yield();
  enough.set_value();
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(overloaded, 0);
  EXPECT_TRUE((*store)->Get(kTable, "a"));
  EXPECT_TRUE((*store)->health().status.ok());
}

// ---- memory --------------------------------------------------------------------------------------------------------

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST_F(WtStoreTest, DataFourTimesTheCacheStaysCorrectAndTheMemoryBounded) {
  WtStoreOptions options = Options();
  options.cache_bytes = 40 << 20;
  const int64_t before = ResidentBytes();  // what other tests have left, which is much with a sanitizer
  auto store = MustOpen(options);
  ASSERT_TRUE((*store)->EnsureTable(kTable, TableCompression::kNone).ok());
  const auto key = [](uint64_t i) { return "user" + std::to_string(1'000'000'000 + i * 7919 % 1'000'003); };
  const auto value = [](uint64_t i) { return std::to_string(i) + std::string(1000, static_cast<char>('a' + i % 26)); };
  constexpr uint64_t kRecords = 160'000;
  constexpr uint64_t kAtOnce = 100;
  for (uint64_t i = 0; i < kRecords; i += kAtOnce) {
    std::vector<Effect> effects;
    for (uint64_t j = i; j < i + kAtOnce; ++j) effects.push_back(Put(key(j), value(j)));
    ASSERT_TRUE(ApplyOne(**store, kTablet, kTable, Entry(1 + i / kAtOnce, std::move(effects))).ok());
  }
  const auto begun = (*store)->PagesReadByThisThread();
  for (uint64_t i = 0; i < kRecords; i += 7) {
    const auto got = (*store)->Get(kTable, key(i));
    ASSERT_TRUE(got && *got) << i;
    ASSERT_EQ((*got)->value, value(i));
  }
  const auto ended = (*store)->PagesReadByThisThread();
  ASSERT_TRUE(begun && ended);
  EXPECT_GT(*ended - *begun, kRecords / 100) << "most of it is not in the cache";
  // While eviction is behind with writes, clean pages are evicted at once.
  const auto reads_of_one_page = [&] {
    const uint64_t before = (*store)->PagesReadByThisThread().value_or(0);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE((*store)->Get(kTable, key(0)));
    return (*store)->PagesReadByThisThread().value_or(0) - before;
  };
  EXPECT_TRUE(ebla::testing::Eventually([&] { return reads_of_one_page() <= 3; }))
      << "what is in the cache is not read again";
  uint64_t scanned = 0;
  ASSERT_TRUE((*store)->Scan(kTable, {}, [&](auto, auto&) { return ++scanned > 0; }).ok());
  EXPECT_EQ(scanned, kRecords);
  EXPECT_GT((*store)->health().cache_misses, 0);
  const int64_t resident = ResidentBytes() - before;
  LOG(INFO) << "resident " << (resident >> 20) << " MB more, with a cache of " << (options.cache_bytes >> 20) << " MB";
  EXPECT_LT(resident, (options.cache_bytes * 13 / 10 + (300 << 20)) * (kSanitized ? 3 : 1));
}

}  // namespace
}  // namespace ebla::tabletserver::testing

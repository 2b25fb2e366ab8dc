// The inventory of a store: its files, torn and lost, and what a start of a whole store concludes from them.
#include "tabletserver/storage/wiredtiger/store_inventory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/testing/eventually.h"
#include "common/testing/test_files.h"
#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

using ebla::testing::FileBytes;
using ebla::testing::SetFileBytes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

StoreInventory::Contents SomeContents(uint64_t needed) {
  StoreInventory::Contents contents;
  contents.life = 3;
  contents.written_ms = 1'700'000'000'000;
  contents.server = "a-server";
  contents.log = {.log = 77, .first_segment = 2, .last_segment = 5, .last_bytes = 64 << 20};
  contents.log.end = {77, 5, 8192, needed + 2};
  contents.log.needed = needed;
  contents.checkpoint = 9;
  contents.clock = {"a-boot", 1234, 1'700'000'000'000};
  return contents;
}

// ---- files ---------------------------------------------------------------------------------------------------------

class InventoryFilesTest : public ::testing::Test {
 protected:
  InventoryFilesTest() { fs::create_directory(directory_ / "store"); }
  StoreInventory::Files Files() const { return InventoryFiles(directory_ / "store", directory_.path()); }

  const TemporaryDirectory directory_;
};

TEST_F(InventoryFilesTest, WhatIsWrittenIsFoundInEachOfThem) {
  StoreInventory inventory(Files());
  EXPECT_FALSE(inventory.found());
  EXPECT_THAT(inventory.damaged(), IsEmpty());
  ASSERT_TRUE(inventory.Write(SomeContents(10), true).ok());
  for (const std::string& lost : Files()) {
    const std::string bytes = FileBytes(lost);
    EXPECT_EQ(bytes.size(), kInventoryBytes);
    fs::remove(lost);
    const StoreInventory again(Files());
    ASSERT_TRUE(again.found());
    StoreInventory::Contents expected = SomeContents(10);
    expected.generation = again.found()->generation;
    EXPECT_EQ(*again.found(), expected);
    SetFileBytes(lost, bytes);
  }
}

TEST_F(InventoryFilesTest, EachWriteIsOfOneInTurnAndTheNewestCounts) {
  StoreInventory inventory(Files());
  ASSERT_TRUE(inventory.Write(SomeContents(0), true).ok());
  for (uint64_t needed = 1; needed <= 4; ++needed) {
    const std::array before = {FileBytes(Files()[0]), FileBytes(Files()[1])};
    ASSERT_TRUE(inventory.Write(SomeContents(needed), false).ok());
    EXPECT_EQ((FileBytes(Files()[0]) != before[0]) + (FileBytes(Files()[1]) != before[1]), 1);
    EXPECT_EQ(StoreInventory(Files()).found()->log.needed, needed);
    EXPECT_EQ(StoreInventory(Files()).found()->generation, needed + 2);
  }
}

// A crash of the machine, in the middle of a write, at every byte: sectors are old, new or spoilt.
TEST_F(InventoryFilesTest, ATornWriteLeavesTheOtherFile) {
  {
    StoreInventory inventory(Files());
    ASSERT_TRUE(inventory.Write(SomeContents(1), true).ok());
  }
  const std::array old = {FileBytes(Files()[0]), FileBytes(Files()[1])};
  {
    StoreInventory inventory(Files());
    ASSERT_TRUE(inventory.Write(SomeContents(2), false).ok());
  }
  const size_t written = FileBytes(Files()[0]) != old[0] ? 0 : 1;
  const std::string fresh = FileBytes(Files()[written]);
  for (size_t at = 0; at < kInventoryBytes; at += at < 512 ? 1 : 256) {
    for (const std::string& torn : {fresh.substr(0, at) + old[written].substr(at), fresh.substr(0, at),
                                    fresh.substr(0, at) + std::string(kInventoryBytes - at, '\x5a')}) {
      SetFileBytes(Files()[written], torn);
      const StoreInventory found(Files());
      ASSERT_TRUE(found.found()) << at;
      const uint64_t needed = found.found()->log.needed;
      EXPECT_TRUE(needed == 1 || (needed == 2 && torn.starts_with(fresh.substr(0, fresh.find('\0'))))) << at;
    }
  }
}

TEST_F(InventoryFilesTest, ADamagedFileIsToldAndWrittenAgain) {
  {
    StoreInventory inventory(Files());
    ASSERT_TRUE(inventory.Write(SomeContents(1), true).ok());
  }
  std::string bytes = FileBytes(Files()[0]);
  bytes[60] ^= 1;
  SetFileBytes(Files()[0], bytes);
  StoreInventory inventory(Files());
  EXPECT_THAT(inventory.damaged(), ElementsAre(Files()[0] + ": its checksum is another"));
  ASSERT_TRUE(inventory.Write(SomeContents(2), false).ok());
  EXPECT_EQ(DecodeInventory(FileBytes(Files()[0]))->log.needed, 2u);
}

TEST_F(InventoryFilesTest, LinesOfALaterBuildStay) {
  StoreInventory::Contents contents = SomeContents(1);
  contents.others = {"catalog 17", "wonder of the world"};
  {
    StoreInventory inventory(Files());
    ASSERT_TRUE(inventory.Write(contents, true).ok());
    SetFileBytes(Files()[0], EncodeInventory(contents));
    SetFileBytes(Files()[1], EncodeInventory(contents));
  }
  StoreInventory inventory(Files());
  ASSERT_TRUE(inventory.Write(SomeContents(2), false).ok());
  EXPECT_EQ(StoreInventory(Files()).found()->others, contents.others);
}

// A directory of every release is opened: these bytes are read for ever.
TEST_F(InventoryFilesTest, TheBytesOfFormatOne) {
  const std::string text =
      "ebla inventory, format 1, crc e4557423\n"
      "generation 7\nlife 3\nwritten 1700000000000\nserver a-server\nlog 77\nsegments 2 5 67108864\nend 5 8192 12\n"
      "needed 10\n"
      "checkpoint 9\nclock a-boot 1234 1700000000000\n";
  StoreInventory::Contents contents = SomeContents(10);
  contents.generation = 7;
  const std::string block = text + std::string(kInventoryBytes - text.size(), '\0');
  EXPECT_EQ(EncodeInventory(contents), block);
  EXPECT_EQ(DecodeInventory(block).value(), contents);
}

// Earlier builds wrote such files.
TEST_F(InventoryFilesTest, OneWithoutAServerIsOfAnyServer) {
  const std::string text =
      "ebla inventory, format 1, crc 35e02a6e\n"
      "generation 7\nlife 3\nwritten 1700000000000\nlog 77\nsegments 2 5 67108864\nend 5 8192 12\nneeded 10\n"
      "checkpoint 9\nclock a-boot 1234 1700000000000\n";
  SetFileBytes(Files()[1], text + std::string(kInventoryBytes - text.size(), '\0'));
  const StoreInventory inventory(Files());
  ASSERT_TRUE(inventory.found());
  EXPECT_EQ(inventory.found()->server, "");
  EXPECT_TRUE(inventory.CheckIsOf("a-server").ok());
}

// The disks of two servers were exchanged, or one server's IDENTITY is beside the store of another.
TEST_F(InventoryFilesTest, FilesOfTwoStoresAreRefusedByName) {
  {
    StoreInventory inventory(Files());
    ASSERT_TRUE(inventory.Write(SomeContents(1), true).ok());
  }
  EXPECT_TRUE(StoreInventory(Files()).CheckIsOf("a-server").ok());
  EXPECT_TRUE(StoreInventory(Files()).CheckIsOf("").ok());
  const Status other = StoreInventory(Files()).CheckIsOf("another");
  EXPECT_EQ(other.code(), Code::kInvalidArgument);
  EXPECT_THAT(other.message(), AllOf(HasSubstr("/INVENTORY is of log 77 of the server with the uuid a-server"),
                                     HasSubstr("IDENTITY has the uuid another")));
  for (const size_t exchanged : {0, 1}) {
    for (const auto& [log, server] : {std::pair(78, "a-server"), std::pair(78, ""), std::pair(77, "another")}) {
      StoreInventory::Contents contents = SomeContents(1);
      contents.generation = 5;  // the newer one
      contents.log.log = static_cast<uint64_t>(log);
      contents.server = server;
      const std::string kept = FileBytes(Files()[exchanged]);
      SetFileBytes(Files()[exchanged], EncodeInventory(contents));
      const Status mixed = StoreInventory(Files()).CheckIsOf("a-server");
      EXPECT_EQ(mixed.code(), Code::kInvalidArgument);
      EXPECT_THAT(mixed.message(),
                  AllOf(HasSubstr(Files()[0] + " is of log "), HasSubstr(Files()[1] + " of log "), HasSubstr("put")));
      SetFileBytes(Files()[exchanged], kept);
    }
  }
}

TEST_F(InventoryFilesTest, AScrubMakesAFileAgainThatIsGoneOrDamaged) {
  StoreInventory inventory(Files());
  ASSERT_TRUE(inventory.Write(SomeContents(1), true).ok());
  for (const std::string& file : Files()) {
    const std::string whole = FileBytes(file);
    for (const bool removed : {false, true}) {
      SetFileBytes(file, "spoilt");
      if (removed) fs::remove(file);
      ASSERT_TRUE(inventory.Scrub().ok());
      EXPECT_EQ(FileBytes(file), whole);
    }
  }
  ASSERT_TRUE(inventory.Write(SomeContents(2), true).ok());
  for (const std::string& file : Files()) EXPECT_EQ(DecodeInventory(FileBytes(file))->log.needed, 2u);
}

// A build without an inventory has run in between: it may have removed segments that were the oldest.
TEST_F(InventoryFilesTest, AMissingLifeForgivesTheOldestSegmentAlone) {
  StoreInventory inventory(Files());
  ASSERT_TRUE(inventory.Write(SomeContents(10), true).ok());
  const StoreInventory found(Files());
  EXPECT_EQ(FoundByLife(found, 4)->log.first_segment, 2u);
  EXPECT_EQ(FoundByLife(found, 5)->log.first_segment, UINT64_MAX);
  EXPECT_EQ(FoundByLife(found, 5)->log.last_segment, 5u);
  EXPECT_EQ(FoundByLife(found, 5)->log.needed, 10u);
  EXPECT_EQ(FoundByLife(found, 5)->log.told_ms, 1'700'000'000'000);
}

// ---- stores --------------------------------------------------------------------------------------------------------

constexpr TableId kInventoryTable{7};
constexpr TabletId kInventoryTablet{70};

class InventoryOfStoreTest : public ::testing::Test {
 protected:
  WtStoreOptions Options(uint64_t life = 0) {
    WtStoreOptions options = SmallStore(directory_ / "store", flusher_, background_);
    options.inventory_directory = directory_.path();
    options.life = life;
    options.clock = [] { return ClockMark{"a-boot", 1234, 1'700'000'000'000}; };
    return options;
  }
  std::unique_ptr<WtStore> MustOpen(WtStoreOptions options) {
    auto opened = WtStore::Open(std::move(options));
    CHECK(opened) << opened.error();
    return std::move(*opened);
  }
  std::unique_ptr<WtStore> MustOpen() { return MustOpen(Options()); }
  // Appends entries after those that are there, and flushes each.
  void Write(WtStore& store, int entries) {
    for (; entries > 0; --entries) {
      ASSERT_TRUE(AppendOne(*store, kInventoryTablet, Entry(++last_, {Put("key", std::string(2'000, 'v'))})).ok());
      ASSERT_TRUE(FlushNow(*store).ok());
    }
  }
  std::string OpenError(WtStoreOptions options) {
    const auto opened = WtStore::Open(std::move(options));
    if (opened) return "";
    EXPECT_EQ(opened.error().code(), Code::kInternal);
    return opened.error().message();
  }
  std::string OpenError() { return OpenError(Options()); }
  StoreInventory::Contents Found() const {
    return StoreInventory(InventoryFiles(directory_ / "store", directory_.path())).found().value();
  }
  std::vector<fs::path> Segments() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_ / "store/log")) {
      if (entry.path().extension() == ".log") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }
  void RemoveInventory() {
    fs::remove(directory_ / "INVENTORY");
    fs::remove(directory_ / "store/INVENTORY");
  }

  const TemporaryDirectory directory_;
  ebla::testing::ThreadExecutor flusher_, background_;
  uint64_t last_ = 0;
};

TEST_F(InventoryOfStoreTest, AStoreThatRunsNotesItsLogWithoutBeingAsked) {
  const auto store = MustOpen();
  Write(*store, 5);
  EXPECT_TRUE(ebla::testing::Eventually([&] { return Found().log.needed >= 5; }));
  EXPECT_EQ(Found().log.last_bytes, 1 << 20);
  EXPECT_EQ(Found().written_ms, 1'700'000'000'000);
}

TEST_F(InventoryOfStoreTest, TheClocksOfTheLastProcessAreFound) {
  EXPECT_FALSE(MustOpen()->found_clock());
  EXPECT_EQ(MustOpen()->found_clock(), (ClockMark{"a-boot", 1234, 1'700'000'000'000}));
}

TEST_F(InventoryOfStoreTest, OneFileOfItIsEnoughToKnowThatThereWasAStore) {
  Write(*MustOpen(), 3);
  fs::rename(directory_ / "store", directory_ / "elsewhere");
  EXPECT_THAT(OpenError(), HasSubstr(directory_ / "store is gone, and this directory had a store"));
  EXPECT_FALSE(fs::exists(directory_ / "store")) << "nothing is made";
  std::ofstream(directory_ / "INVENTORY", std::ios::trunc) << "spoilt";
  EXPECT_THAT(OpenError(), HasSubstr("is gone")) << "nor by one that is damaged";
  fs::rename(directory_ / "elsewhere", directory_ / "store");
  EXPECT_EQ(OpenError(), "");
}

TEST_F(InventoryOfStoreTest, AStoreOfAnotherServerIsRefusedAndStaysAsItIs) {
  WtStoreOptions options = Options();
  options.server = "one";
  Write(*MustOpen(options), 3);
  options.server = "another";
  const auto opened = WtStore::Open(options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Found().server, "one");
  options.server = "one";
  EXPECT_EQ(OpenError(options), "");
}

// A server that runs has both open, and does not miss them.
TEST_F(InventoryOfStoreTest, AScrubOfTheStoreReadsIt) {
  WtStoreOptions options = Options();
  options.inventory_period = std::chrono::hours(1);
  const auto store = MustOpen(options);
  RemoveInventory();
  ASSERT_TRUE((*store)->Scrub([](int64_t) { return true; }).ok());
  for (const char* const file : {"INVENTORY", "store/INVENTORY"}) EXPECT_TRUE(fs::exists(directory_ / file)) << file;
}

// It tells what an older build may open, and is not guessed.
TEST_F(InventoryOfStoreTest, AFormatThatIsCutIsDamageAtEveryLength) {
  Write(*MustOpen(), 3);
  const std::string file = directory_ / "store/FORMAT", whole = FileBytes(file);
  ASSERT_EQ(whole.size(), 26u);
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    SetFileBytes(file, whole.substr(0, size));
    EXPECT_THAT(OpenError(), HasSubstr(file + " is damaged: ")) << size;
    EXPECT_EQ(FileBytes(file), whole.substr(0, size));
  }
  SetFileBytes(file, whole);
  EXPECT_EQ(OpenError(), "");
}

// With fewer descriptors than a start needs, at many of the files that it opens. Each start begins a segment, too.
TEST_F(InventoryOfStoreTest, AStartWithoutDescriptorsTellsOfNoDamage) {
  Write(*MustOpen(), 3);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(lowest);
  int refused = 0;
  for (rlim_t more = 1;; more += 3) {
    const rlimit few{static_cast<rlim_t>(lowest) + more, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    auto opened = WtStore::Open(Options());
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (opened) break;
    ++refused;
    EXPECT_EQ(opened.error().code(), Code::kUnavailable) << more << ": " << opened.error();
  }
  EXPECT_GE(refused, 5);
  EXPECT_EQ(OpenError(), "");
}

TEST_F(InventoryOfStoreTest, ALostEndIsRefusedAndNamed) {
  Write(*MustOpen(), 20);
  const fs::path last = Segments().back();
  fs::resize_file(last, 40'000);
  for (int start = 0; start < 3; ++start)
    EXPECT_THAT(OpenError(Options(7)), AllOf(HasSubstr(last.string() + " ends at byte "),
                                             HasSubstr(" at 2023-11-14T22:13:20"), HasSubstr("the disk has lost")));
}

TEST_F(InventoryOfStoreTest, WhereItJoinsShortEachStartTellsUntilThatIsDealtWith) {
  Write(*MustOpen(), 20);
  const fs::path last = Segments().back();
  fs::resize_file(last, 40'000);
  WtStoreOptions options = Options();
  options.joins_short = true;
  std::optional<LogLoss> loss;
  {
    const auto store = MustOpen(options);
    loss = (*store)->lost_replicas().loss();
    ASSERT_TRUE(loss);
    EXPECT_EQ(loss->file, last.string());
    EXPECT_GT(loss->through, loss->from);
    EXPECT_EQ(loss->marked_ms, 1'700'000'000'000);
  }
  {
    const auto store = MustOpen(options);
    EXPECT_EQ((*store)->lost_replicas().loss(), loss);
    auto replicas = (*store)->Recover();
    ASSERT_TRUE(replicas) << replicas.error();
    ASSERT_TRUE((*store)->lost_replicas().Mark(*replicas).ok());
  }
  {
    const auto store = MustOpen(options);
    EXPECT_EQ((*store)->lost_replicas().loss(), loss) << "no checkpoint has what was removed from the records";
    auto replicas = (*store)->Recover();
    ASSERT_TRUE(replicas && (*store)->lost_replicas().Mark(*replicas).ok());
    ASSERT_TRUE(CheckpointNow(**store));
  }
  EXPECT_FALSE((*MustOpen(options))->lost_replicas().loss());
  EXPECT_EQ(OpenError(), "");
}

// Every server may have lost the same part of its log. A refused start leaves the log as it was for the file to return.
TEST_F(InventoryOfStoreTest, RecordsOfATabletThatTheLogDoesNotKnowAreNotToBeRemoved) {
  WtStoreOptions options = Options();
  options.joins_short = true;
  Write(*MustOpen(options), 20);
  const std::string last = Segments().back(), before = FileBytes(last);
  {
    const auto store = MustOpen(options);
    ASSERT_TRUE((*store)->EnsureTable(kInventoryTable, TableCompression::kNone).ok());
    ASSERT_TRUE((*store)->PutReplicaState(kInventoryTablet, {.table = kInventoryTable}).ok());
    const LogEntry entry = Entry(last_, {Put("key", "value")});
    ASSERT_TRUE(ApplyOne(**store, kInventoryTablet, kInventoryTable, entry).ok());
    ASSERT_TRUE(CheckpointNow(**store));
  }
  const std::string newest = Segments().back(), whole = FileBytes(newest);
  ASSERT_NE(newest, last);
  for (int start = 0; start < 2; ++start) {
    fs::resize_file(newest, 4096);
    EXPECT_THAT(OpenError(options),
                AllOf(HasSubstr(newest + " ends at byte 4096"), HasSubstr("it has lost that tablet 70 is here")));
  }
  EXPECT_EQ(Segments().back(), newest) << "none is begun";
  SetFileBytes(newest, whole);
  EXPECT_FALSE((*MustOpen(options))->lost_replicas().loss());
}

TEST_F(InventoryOfStoreTest, ALogWithoutItsInventoryIsNotTrusted) {
  Write(*MustOpen(), 3);
  const std::string last = Segments().back();
  RemoveInventory();
  EXPECT_EQ(OpenError(), last + " may lack its end: nothing is left that tells where it was");
  WtStoreOptions options = Options();
  options.joins_short = true;
  EXPECT_TRUE((*MustOpen(options))->lost_replicas().loss());
}

TEST_F(InventoryOfStoreTest, EachSingleFileIsEnough) {
  for (const char* const file : {"INVENTORY", "store/INVENTORY"}) {
    for (const bool removed : {false, true}) {
      Write(*MustOpen(), 3);
      std::ofstream(directory_ / file, std::ios::trunc) << "spoilt";
      if (removed) fs::remove(directory_ / file);
      EXPECT_EQ(OpenError(), "");
      EXPECT_TRUE(DecodeInventory(FileBytes(directory_ / file))) << "it is made again";
    }
  }
}

// The oldest segment is no longer needed on the disk before it is removed.
TEST_F(InventoryOfStoreTest, SegmentsThatWereRemovedAreNotMissed) {
  WtStoreOptions options = Options();
  options.disk_check_period = std::chrono::milliseconds(5);
  options.inventory_period = std::chrono::hours(1);
  for (uint64_t life = 0; life < 3; ++life) {
    const auto store = MustOpen(options);
    const uint64_t before = Found().log.first_segment;
    Write(*store, 1'200);
    ASSERT_TRUE((*store)->TruncateLog(kInventoryTablet, Lsn{last_}).ok());
    ASSERT_TRUE(FlushNow(**store).ok());
    EXPECT_TRUE(ebla::testing::Eventually([&] {
      return std::ranges::all_of(InventoryFiles(directory_ / "store", directory_.path()), [&](const std::string& file) {
        const auto contents = DecodeInventory(FileBytes(file));
        return contents && contents->log.first_segment > before;
      });
    }));
  }
  fs::remove(Segments().front());
  EXPECT_THAT(OpenError(), HasSubstr(" is missing, and the log needs it"));
}

TEST_F(InventoryOfStoreTest, RecordsOfAnOlderCheckpointAreTold) {
  const auto write = [this](uint64_t lsn) {
    const auto store = MustOpen();
    ASSERT_TRUE((*store)->EnsureTable(kInventoryTable, TableCompression::kNone).ok());
    ASSERT_TRUE(
        ApplyOne(**store, kInventoryTablet, kInventoryTable, Entry(lsn, {Put("key", std::to_string(lsn))})).ok());
    ASSERT_TRUE(CheckpointNow(**store));
  };
  write(1);
  const uint64_t first = Found().checkpoint;
  EXPECT_GT(first, 0u);
  fs::copy(directory_ / "store", directory_ / "older", fs::copy_options::recursive);
  write(2);
  EXPECT_GT(Found().checkpoint, first + 1);
  EXPECT_EQ(OpenError(), "");
  // The database alone: the log and the inventory are the newest.
  fs::rename(directory_ / "store/log", directory_ / "log");
  fs::rename(directory_ / "store/INVENTORY", directory_ / "kept");
  fs::remove_all(directory_ / "store");
  fs::rename(directory_ / "older", directory_ / "store");
  fs::remove_all(directory_ / "store/log");
  fs::rename(directory_ / "log", directory_ / "store/log");
  fs::rename(directory_ / "kept", directory_ / "store/INVENTORY");
  EXPECT_THAT(OpenError(), HasSubstr("store/WiredTiger.wt or WiredTiger.turtle is an older copy: it has checkpoint "));
}

// A directory of a build that knows no inventory opens, and has one from then on.
TEST_F(InventoryOfStoreTest, AStoreWithoutOneBeginsIt) {
  Write(*MustOpen(), 3);
  {
    const auto disk = *PosixLogDisk::Open(directory_ / "store/log");
    const auto log = *SharedLog::Open(*disk);
    ASSERT_TRUE(log->Erase(kInventoriedKey).ok());
    ASSERT_TRUE(log->Flush(SharedLog::Depth::kDisk).ok());
  }
  RemoveInventory();
  EXPECT_EQ(OpenError(), "");
  fs::resize_file(Segments().front(), 8'192);
  EXPECT_NE(OpenError(), "");
}

}  // namespace
}  // namespace ebla::tabletserver::testing

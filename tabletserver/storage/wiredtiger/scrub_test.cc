// Damages a byte of a store's files, and sees that it is found, and that no read returns anything but what was written.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "common/base/key_range.h"
#include "tabletserver/storage/testing/store_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"

namespace ebla::tabletserver::testing {
namespace {

namespace fs = std::filesystem;

constexpr TableId kPlain{3}, kPacked{4};
constexpr TabletId kOfPlain{30}, kOfPacked{40};
constexpr int kRows = 400;

std::string KeyOf(int row) { return "key" + std::to_string(1000 + row); }
std::string ValueOf(int row) { return std::string(400, static_cast<char>('a' + row % 26)) + std::to_string(row); }

const TabletStore::ScrubPace kAtOnce = [](int64_t) { return true; };

// A directory with two tables of one tablet each, all of it checkpointed, and some log behind that.
class DamagedStoreTest : public ::testing::Test {
 protected:
  static constexpr int kLoggedLater = 40;

  DamagedStoreTest() { Fill(); }

  WtStoreOptions Options(const std::string& directory) {
    WtStoreOptions options = SmallStore(directory, flusher_, background_);
    options.log_file_bytes = 128 << 10;
    return options;
  }

  void Fill() {
    auto store = *WtStore::Open(Options(original_));
    EXPECT_TRUE((*store)->EnsureTable(kPlain, TableCompression::kNone).ok());
    EXPECT_TRUE((*store)->EnsureTable(kPacked, TableCompression::kSnappy).ok());
    for (const auto& [tablet, table] : {std::pair(kOfPlain, kPlain), std::pair(kOfPacked, kPacked)}) {
      EXPECT_TRUE((*store)->PutReplicaState(tablet, {.table = table, .promised = Epoch{2}}).ok());
      for (int row = 0; row < kRows; ++row) {
        const LogEntry entry = Entry(static_cast<uint64_t>(row) + 1, {Put(KeyOf(row), ValueOf(row))});
        EXPECT_TRUE(AppendOne(**store, tablet, entry).ok());
        EXPECT_TRUE(ApplyOne(**store, tablet, table, entry).ok());
      }
    }
    EXPECT_TRUE(CheckpointNow(**store).has_value());
  }

  // The store of a fresh copy of the directory.
  std::string Copy() {
    const std::string to = directory_ / "copy";
    fs::remove_all(to);
    fs::copy(original_, to, fs::copy_options::recursive);
    return to;
  }

  struct Place {
    fs::path file;
    int64_t offset = 0;
    int bit = 0;
  };
  static std::vector<fs::path> Files(const std::string& directory) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file() && entry.file_size() > 0) files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }
  static void Flip(const Place& place) {
    const int fd = open(place.file.c_str(), O_RDWR);
    ASSERT_GE(fd, 0) << place.file;
    char byte = 0;
    ASSERT_EQ(pread(fd, &byte, 1, place.offset), 1);
    byte = static_cast<char>(byte ^ (1 << place.bit));
    ASSERT_EQ(pwrite(fd, &byte, 1, place.offset), 1);
    close(fd);
  }

  enum class Found { kNothing, kAtStart, kDamage, kStoreFailed };

  // The store's own status, after every row was read. A wrong row fails the test.
  Found Examine(const std::string& directory) {
    auto opened = WtStore::Open(Options(directory));
    if (!opened) return Found::kAtStart;
    TabletStore& store = ***opened;
    const auto replicas = store.Recover();
    if (!replicas) return Found::kAtStart;
    EXPECT_EQ(replicas->size(), 2u);
    EXPECT_TRUE(store.Scrub(kAtOnce).ok() || !store.health().status.ok());
    const bool found = !store.damage().Empty();
    for (const TableId table : {kPlain, kPacked}) {
      for (int row = 0; row < kRows; ++row) {
        const auto record = store.Get(table, KeyOf(row));
        if (!record) continue;
        EXPECT_TRUE(record->has_value()) << row;
        EXPECT_EQ(record->value_or(StoredRecord{}).value, ValueOf(row));
      }
    }
    for (const TabletId tablet : {kOfPlain, kOfPacked}) {
      const auto log = store.ReadLog(tablet, Lsn{1}, Lsn{kRows}, 100 << 20);
      if (!log) continue;
      EXPECT_EQ(log->size(), static_cast<size_t>(kRows));
      for (const LogEntry& entry : *log) {
        EXPECT_EQ(entry.effects.at(0).value, ValueOf(static_cast<int>(entry.version.lsn.value) - 1));
      }
    }
    if (!store.health().status.ok()) return Found::kStoreFailed;
    EXPECT_EQ(store.damage().Empty(), !found) << "a read found what the scrub had not";
    return store.damage().Empty() ? Found::kNothing : Found::kDamage;
  }

  TemporaryDirectory directory_;
  const std::string original_ = directory_ / "store";
  ebla::testing::ThreadExecutor flusher_, background_;
};

TEST_F(DamagedStoreTest, AWholeStoreHasNothingToFind) { EXPECT_EQ(Examine(Copy()), Found::kNothing); }

// WiredTiger would believe it, and overrun its stack.
TEST_F(DamagedStoreTest, TheFormOfTheMetadataIsCheckedBeforeItIsBelieved) {
  std::ifstream in(original_ + "/WiredTiger.turtle");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  for (const std::string form : {"key_format=S", "value_format=S"}) {
    const size_t at = text.find("," + form + ",");
    ASSERT_NE(at, std::string::npos);
    for (size_t i = 1; i <= form.size(); i += 3) {
      const std::string copy = Copy();
      Flip({.file = copy + "/WiredTiger.turtle", .offset = static_cast<int64_t>(at + i), .bit = 1});
      EXPECT_EQ(Examine(copy), Found::kAtStart) << form << " byte " << i;
    }
  }
}

// Every hundredth byte or so of all files; each is found, or changes nothing that is read.
TEST_F(DamagedStoreTest, NoFlippedBitIsEverServed) {
  std::mt19937_64 random(TestSeed());
  const uint64_t damages = FromEnvironment("EBLA_DAMAGES", 150);
  std::map<Found, int> found;
  std::map<std::string, std::map<Found, int>> by_file;
  for (uint64_t i = 0; i < damages; ++i) {
    const std::string copy = Copy();
    const std::vector<fs::path> files = Files(copy);
    Place place{.file = files[random() % files.size()], .bit = static_cast<int>(random() % 8)};
    place.offset = static_cast<int64_t>(random() % fs::file_size(place.file));
    SCOPED_TRACE(place.file.string() + " byte " + std::to_string(place.offset) + " bit " + std::to_string(place.bit));
    Flip(place);
    const Found what = Examine(copy);
    ++found[what];
    ++by_file[place.file.lexically_relative(copy).string()][what];
    if (HasFailure()) break;
  }
  for (const auto& [file, kinds] : by_file) {
    std::cout << file << ":";
    for (const auto& [what, count] : kinds)
      std::cout << " " << std::array{"harmless", "start refused", "damage", "store failed"}[static_cast<size_t>(what)]
                << " " << count;
    std::cout << "\n";
  }
  EXPECT_GT(found[Found::kDamage], 0);
}

// ---- while the store is in use --------------------------------------------------------------------------------------

class ScrubTest : public DamagedStoreTest {
 protected:
  ScrubTest() : copy_(Copy()) { Open(); }

  void Open() {
    store_.reset();
    auto opened = WtStore::Open(Options(copy_));
    ASSERT_TRUE(opened.has_value()) << opened.error();
    store_ = *std::move(opened);
    const auto replicas = (*store_)->Recover();
    ASSERT_TRUE(replicas.has_value()) << replicas.error();
  }
  Status Scrub() { return (*store_)->Scrub(kAtOnce); }
  // Does the same as a drop.
  void Drop(TabletId tablet, TableId table) {
    ASSERT_TRUE((*store_)->PutReplicaState(tablet, {.table = table, .promised = Epoch{3}, .tombstone = true}).ok());
    ASSERT_TRUE((*store_)->TruncateRange(table, {}).ok());
    ASSERT_TRUE((*store_)->ForgetReplica(tablet).ok());
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
  }
  // The first place of this text in a file.
  Place PlaceOf(const std::string& file, const std::string& text) {
    std::ifstream in(copy_ + "/" + file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const size_t at = bytes.find(text);
    EXPECT_NE(at, bytes.npos) << file;
    return {.file = copy_ + "/" + file, .offset = static_cast<int64_t>(at)};
  }
  // The watcher removes what the log needs no more.
  static void WaitGone(const fs::path& file) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (fs::exists(file) && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    EXPECT_FALSE(fs::exists(file)) << file;
  }
  std::string SegmentWith(const std::string& text) {
    for (const fs::path& file : Files(copy_ + "/log")) {
      std::ifstream in(file, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      if (file.extension() == ".log" && bytes.find(text) != bytes.npos) return "log/" + file.filename().string();
    }
    ADD_FAILURE() << "no segment has it";
    return {};
  }
  size_t Logged(TabletId tablet) {
    const auto log = (*store_)->ReadLog(tablet, Lsn{1}, Lsn{kRows}, 100 << 20);
    return log ? log->size() : 0;
  }

  const std::string copy_;
  std::unique_ptr<WtStore> store_;
};

TEST_F(ScrubTest, ADamagedTableGoesWithItsReplicasAndIsMadeAnew) {
  Flip(PlaceOf("data_3.wt", ValueOf(200)));
  ASSERT_TRUE(Scrub().ok());
  EXPECT_THAT((*store_)->damage().tables, ::testing::ElementsAre(kPlain));
  EXPECT_TRUE((*store_)->damage().logs.empty());
  EXPECT_TRUE((*store_)->health().status.ok());
  EXPECT_EQ((*store_)->Get(kPlain, KeyOf(200)).error().code(), Code::kUnavailable);
  EXPECT_EQ((*store_)->Get(kPlain, KeyOf(0)).value()->value, ValueOf(0)) << "what is whole is read";
  const LogEntry entry = Entry(kRows + 1, {Put(KeyOf(200), "new")});
  ASSERT_TRUE(AppendOne(**store_, kOfPlain, entry).ok());
  EXPECT_EQ(ApplyOne(**store_, kOfPlain, kPlain, entry).code(), Code::kUnavailable);

  Drop(kOfPlain, kPlain);
  EXPECT_TRUE((*store_)->damage().Empty());
  EXPECT_EQ((*store_)->Get(kPacked, KeyOf(200)).value()->value, ValueOf(200)) << "another table";
  ASSERT_TRUE((*store_)->EnsureTable(kPlain, TableCompression::kNone).ok());
  EXPECT_EQ(Dump(**store_, kPlain), "");
  Open();
  ASSERT_TRUE(Scrub().ok());
  EXPECT_TRUE((*store_)->damage().Empty());
}

// The blocks of a file as it lies there, whether or not they still count.
struct BlockOnDisk {
  int64_t offset = 0;
  int kind = 0;
};
std::vector<BlockOnDisk> BlocksOf(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<BlockOnDisk> blocks;
  for (size_t at = 4096; at + 4096 <= bytes.size(); at += 4096) {
    uint32_t size = 0;
    std::memcpy(&size, bytes.data() + at + 28, sizeof size);
    if (size < 4096 || size % 4096 != 0 || at + size > bytes.size()) continue;
    if (BlockIsWhole(std::span(bytes).subspan(at, size))) blocks.push_back({static_cast<int64_t>(at), bytes[at + 24]});
  }
  return blocks;
}

// No read asks for them: the next checkpoint that changes the table does, and would fail the store.
TEST_F(ScrubTest, DamagedListsOfBlocksAreFoundWhileTheTableRests) {
  constexpr int kListOfBlocks = 1;
  const LogEntry entry = Entry(kRows + 1, {Put(KeyOf(200), "so that blocks are free")});
  ASSERT_TRUE(AppendOne(**store_, kOfPlain, entry).ok());
  ASSERT_TRUE(ApplyOne(**store_, kOfPlain, kPlain, entry).ok());
  ASSERT_TRUE(CheckpointNow(**store_).has_value());
  ASSERT_TRUE(Scrub().ok());
  ASSERT_TRUE((*store_)->damage().Empty());
  int lists = 0;
  for (const BlockOnDisk& block : BlocksOf(copy_ + "/data_3.wt")) {
    if (block.kind != kListOfBlocks) continue;
    ++lists;
    Flip({.file = copy_ + "/data_3.wt", .offset = block.offset + 50, .bit = 1});
  }
  ASSERT_GT(lists, 0);
  ASSERT_TRUE(Scrub().ok());
  EXPECT_THAT((*store_)->damage().tables, ::testing::ElementsAre(kPlain));
  Drop(kOfPlain, kPlain);
  EXPECT_TRUE((*store_)->damage().Empty());
  EXPECT_TRUE((*store_)->health().status.ok()) << (*store_)->health().status;
}

// Writing a page may have to read values that lie apart from it.
TEST_F(ScrubTest, TheLongestKeysStandOnTheirPages) {
  constexpr int kApart = 5;
  const TableId table{5};
  const TabletId tablet{50};
  ASSERT_TRUE((*store_)->EnsureTable(table, TableCompression::kNone).ok());
  ASSERT_TRUE((*store_)->PutReplicaState(tablet, {.table = table, .promised = Epoch{2}}).ok());
  for (uint64_t row = 1; row <= 4; ++row) {
    const LogEntry entry = Entry(row, {Put(std::string(kKeyBytesMax - 1, 'k') + std::to_string(row), "value")});
    ASSERT_TRUE(AppendOne(**store_, tablet, entry).ok());
    ASSERT_TRUE(ApplyOne(**store_, tablet, table, entry).ok());
  }
  ASSERT_TRUE(CheckpointNow(**store_).has_value());
  const std::vector<BlockOnDisk> blocks = BlocksOf(copy_ + "/data_5.wt");
  EXPECT_FALSE(blocks.empty());
  EXPECT_EQ(std::ranges::count(blocks, kApart, &BlockOnDisk::kind), 0);
  Open();
  for (uint64_t row = 1; row <= 4; ++row) {
    const auto record = (*store_)->Get(table, std::string(kKeyBytesMax - 1, 'k') + std::to_string(row));
    ASSERT_TRUE(record && *record);
    EXPECT_EQ((*record)->value, "value");
  }
}

TEST_F(ScrubTest, ADamagedFileStaysWhileAnotherReplicaIsInIt) {
  ASSERT_TRUE((*store_)->PutReplicaState(TabletId{31}, {.table = kPlain, .promised = Epoch{2}}).ok());
  Flip(PlaceOf("data_3.wt", ValueOf(200)));
  ASSERT_TRUE(Scrub().ok());
  Drop(kOfPlain, kPlain);
  EXPECT_THAT((*store_)->damage().tables, ::testing::ElementsAre(kPlain));
  EXPECT_EQ((*store_)->Get(kPlain, KeyOf(0)).value()->value, ValueOf(0));
  Drop(TabletId{31}, kPlain);
  EXPECT_TRUE((*store_)->damage().Empty());
}

TEST_F(ScrubTest, DamageOfEntriesCostsTheirTabletAloneItsLog) {
  const LogEntry last = Entry(kRows + 1, {Put("of the packed one alone", "x")});
  ASSERT_TRUE(AppendOne(**store_, kOfPacked, last).ok());
  ASSERT_TRUE(FlushNow(**store_).ok());
  // Twice as much has passed through memory since.
  for (int row = 0; row < kRows; ++row)
    ASSERT_TRUE(AppendOne(**store_, kOfPlain, Entry(static_cast<uint64_t>(kRows + row) + 1, {Put("k", "v")})).ok());
  ASSERT_TRUE(FlushNow(**store_).ok());
  Open();
  const std::string segment = SegmentWith("of the packed one alone");
  Flip(PlaceOf(segment, "of the packed one alone"));
  ASSERT_TRUE(Scrub().ok());
  EXPECT_THAT((*store_)->damage().logs, ::testing::ElementsAre(kOfPacked));
  EXPECT_TRUE((*store_)->damage().tables.empty());
  EXPECT_TRUE((*store_)->health().status.ok());
  EXPECT_FALSE((*store_)->ReadLog(kOfPacked, Lsn{kRows + 1}, Lsn{kRows + 1}, 1).has_value());
  EXPECT_EQ(Logged(kOfPlain), static_cast<size_t>(kRows));
  Drop(kOfPacked, kPacked);
  EXPECT_TRUE((*store_)->damage().Empty());
  WaitGone(copy_ + "/" + segment);
  Open();
  EXPECT_EQ(Logged(kOfPlain), static_cast<size_t>(kRows));
  ASSERT_TRUE(Scrub().ok());
  EXPECT_TRUE((*store_)->damage().Empty());
}

TEST_F(ScrubTest, DamageOfWhatMemoryStillHasIsMendedAtOnce) {
  ASSERT_TRUE(AppendOne(**store_, kOfPacked, Entry(kRows + 1, {Put("written a moment ago", "x")})).ok());
  ASSERT_TRUE(FlushNow(**store_).ok());
  const std::string segment = SegmentWith("written a moment ago");
  Flip(PlaceOf(segment, "written a moment ago"));
  ASSERT_TRUE(Scrub().ok());
  EXPECT_TRUE((*store_)->damage().Empty());
  EXPECT_EQ((*store_)->ReadLog(kOfPacked, Lsn{kRows + 1}, Lsn{kRows + 1}, 1).value().size(), 1u);
  WaitGone(copy_ + "/" + segment);
  Open();
  EXPECT_EQ((*store_)->ReadLog(kOfPacked, Lsn{kRows + 1}, Lsn{kRows + 1}, 1).value().size(), 1u);
}

}  // namespace
}  // namespace ebla::tabletserver::testing

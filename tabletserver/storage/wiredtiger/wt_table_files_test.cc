// Files that are missing, emptied, cut or damaged at their beginning. Pins the rules of WiredTiger on which the store
// relies, and whose damage each of them is.
#include "tabletserver/storage/wiredtiger/wt_table_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <tuple>

#include "common/base/descriptor.h"
#include "common/base/read_all.h"
#include "tabletserver/storage/testing/store_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::Combine;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Values;

enum class Damage { kMissing, kEmptied, kCut, kZeroBlock };
constexpr auto kDamages = {Damage::kMissing, Damage::kEmptied, Damage::kCut, Damage::kZeroBlock};

std::string NameOf(Damage damage) {
  switch (damage) {
    case Damage::kMissing: return "Missing";
    case Damage::kEmptied: return "Emptied";
    case Damage::kCut: return "Cut";
    case Damage::kZeroBlock: return "ZeroBlock";
  }
  return {};
}

void Do(Damage damage, const fs::path& file) {
  ASSERT_TRUE(fs::exists(file)) << file;
  switch (damage) {
    case Damage::kMissing: fs::remove(file); break;
    case Damage::kEmptied: fs::resize_file(file, 0); break;
    case Damage::kCut: fs::resize_file(file, 100); break;
    case Damage::kZeroBlock: {
      const Descriptor fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
      const std::string zeros(4096, '\0');
      ASSERT_EQ(pwrite(fd.get(), zeros.data(), zeros.size(), 0), std::ssize(zeros));
      break;
    }
  }
}

// ---- WiredTiger -----------------------------------------------------------------------------------------------------

// A database with Ebla's functions for files, and two tables of one row each.
class WiredTigerFilesTest : public ::testing::TestWithParam<Damage> {
 protected:
  WiredTigerFilesTest() {
    Open();
    for (const char* table : {kDamaged, kWhole}) {
      EXPECT_EQ(session_->create(session_, table, kConfig), 0);
      EXPECT_EQ(Insert(table), 0);
    }
    Close();
  }
  ~WiredTigerFilesTest() override { Close(); }

  void Open() {
    const std::string config = std::string("create,config_base=false,log=(enabled=false),statistics=(fast),") +
                               "extensions=[local={entry=" + kFilesEntry + ",early_load=true}]";
    ASSERT_EQ(wiredtiger_open(directory_.path().c_str(), &handler_, config.c_str(), &connection_), 0);
    ASSERT_EQ(connection_->open_session(connection_, nullptr, nullptr, &session_), 0);
  }
  void Close() {
    if (connection_ == nullptr) return;
    EXPECT_EQ(connection_->close(connection_, nullptr), 0);
    connection_ = nullptr;
  }
  int Insert(const char* table) {
    WT_CURSOR* cursor = nullptr;
    if (const int error = session_->open_cursor(session_, table, nullptr, nullptr, &cursor)) return error;
    cursor->set_key(cursor, 1);
    cursor->set_value(cursor, "value");
    const int error = cursor->insert(cursor);
    cursor->close(cursor);
    return error;
  }
  int OpenCursor(const char* uri, const char* config = nullptr) {
    WT_CURSOR* cursor = nullptr;
    const int error = session_->open_cursor(session_, uri, nullptr, config, &cursor);
    if (error == 0) cursor->close(cursor);
    return error;
  }
  int Drop(const char* table) { return session_->drop(session_, table, "force=true,checkpoint_wait=false"); }
  int Checkpoint() { return session_->checkpoint(session_, nullptr); }
  std::string File() { return directory_ / "damaged.wt"; }

  static constexpr const char* kDamaged = "table:damaged";
  static constexpr const char* kWhole = "table:whole";
  static constexpr const char* kConfig = "key_format=i,value_format=S";

  static int Quiet(WT_EVENT_HANDLER*, WT_SESSION*, const char*) { return 0; }
  static int QuietError(WT_EVENT_HANDLER*, WT_SESSION*, int, const char*) { return 0; }
  TemporaryDirectory directory_;
  WT_EVENT_HANDLER handler_{QuietError, Quiet, nullptr, nullptr};
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;
};

TEST_P(WiredTigerFilesTest, EveryCallThatOpensTheFileFailsAndNothingElse) {
  Do(GetParam(), File());
  Open();
  const int expected = GetParam() == Damage::kMissing ? ENOENT : WT_ERROR;
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(OpenCursor(kDamaged), expected);
    EXPECT_EQ(OpenCursor(kDamaged, "checkpoint=WiredTigerCheckpoint"), expected);
    EXPECT_EQ(OpenCursor("statistics:file:damaged.wt", "statistics=(fast)"), expected);
    EXPECT_EQ(session_->compact(session_, kDamaged, nullptr), expected);
    EXPECT_EQ(session_->create(session_, kDamaged, kConfig), 0);
    EXPECT_EQ(fs::exists(File()), GetParam() != Damage::kMissing) << "it is not made again";
    EXPECT_EQ(Insert(kWhole), 0);
    EXPECT_EQ(Checkpoint(), 0);
  }
  EXPECT_EQ(Drop(kDamaged), 0);
  EXPECT_FALSE(fs::exists(File()));
  EXPECT_EQ(session_->create(session_, kDamaged, kConfig), 0);
  EXPECT_EQ(Insert(kDamaged), 0);
  EXPECT_EQ(Checkpoint(), 0);
}

TEST_P(WiredTigerFilesTest, AnOpenTableLivesOnUntilItIsDropped) {
  Open();
  ASSERT_EQ(OpenCursor(kDamaged), 0);
  Do(GetParam(), File());
  EXPECT_EQ(Checkpoint(), 0);
  EXPECT_EQ(OpenCursor(kDamaged), 0);
  // A checkpoint of changes reads the lists of blocks of the one before, and panics if the file was cut.
  const bool cut = GetParam() == Damage::kEmptied || GetParam() == Damage::kCut;
  EXPECT_EQ(cut ? 0 : Insert(kDamaged), 0);
  EXPECT_EQ(Insert(kWhole), 0);
  EXPECT_EQ(Checkpoint(), 0);
  EXPECT_EQ(Drop(kDamaged), 0);
  EXPECT_FALSE(fs::exists(File()));
}

INSTANTIATE_TEST_SUITE_P(, WiredTigerFilesTest, ::testing::ValuesIn(kDamages),
                         [](const auto& info) { return NameOf(info.param); });

// ---- tables ---------------------------------------------------------------------------------------------------------

constexpr TableId kDamaged{3}, kWhole{4};
constexpr TabletId kOfDamaged{30}, kOfWhole{40};
constexpr int kRows = 50;
const TabletStore::ScrubPace kAtOnce = [](int64_t) { return true; };

std::string KeyOf(int row) { return "key" + std::to_string(1000 + row); }
std::string ValueOf(int row) { return std::string(400, static_cast<char>('a' + row % 26)) + std::to_string(row); }

// A store of two tables of one tablet each, all of it in files.
class TableFilesFixture : public ::testing::Test {
 protected:
  Result<std::unique_ptr<WtStore>> TryOpen() {
    WtStoreOptions options = SmallStore(path_, flusher_, background_);
    options.sorted_tables = sorted_;
    return WtStore::Open(std::move(options));
  }
  void Open() {
    store_.reset();
    auto opened = TryOpen();
    ASSERT_TRUE(opened.has_value()) << opened.error();
    store_ = *std::move(opened);
    const auto replicas = (*store_)->Recover();
    ASSERT_TRUE(replicas.has_value()) << replicas.error();
  }
  void Fill() {
    ASSERT_NO_FATAL_FAILURE(Open());
    FillTable(kOfDamaged, kDamaged);
    files_ = TableFiles();
    ASSERT_EQ(files_.size(), 1u);
    FillTable(kOfWhole, kWhole);
  }
  void FillTable(TabletId tablet, TableId table) {
    ASSERT_TRUE((*store_)->EnsureTable(table, TableCompression::kNone).ok());
    ASSERT_TRUE((*store_)->PutReplicaState(tablet, {.table = table, .promised = Epoch{2}}).ok());
    for (int row = 0; row < kRows; ++row)
      Write(tablet, table, static_cast<uint64_t>(row) + 1, KeyOf(row), ValueOf(row));
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
  }
  void Write(TabletId tablet, TableId table, uint64_t lsn, const std::string& key, const std::string& value) {
    const LogEntry entry = Entry(lsn, {Put(key, value)});
    ASSERT_TRUE(AppendOne(**store_, tablet, entry).ok());
    const Status applied = ApplyOne(**store_, tablet, table, entry);
    ASSERT_TRUE(applied.ok()) << applied;
  }
  std::vector<fs::path> TableFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("data_") || name.starts_with("run_")) files.push_back(entry.path());
    }
    return files;
  }
  std::vector<TableId> DamagedTables() { return (*store_)->damage().tables; }
  std::string Value(TableId table, int row) {
    const auto record = (*store_)->Get(table, KeyOf(row));
    if (!record) return record.error().ToString();
    return record->value_or(StoredRecord{}).value;
  }
  void ExpectAlive() { EXPECT_TRUE((*store_)->health().status.ok()) << (*store_)->health().status; }

  // Every call leaves the store alive, and does not take the table for one that is not there.
  void ExpectDamaged(uint64_t lsn) {
    EXPECT_THAT(DamagedTables(), ElementsAre(kDamaged));
    EXPECT_TRUE((*store_)->EnsureTable(kDamaged, TableCompression::kNone).ok());
    EXPECT_TRUE((*store_)->Scrub(kAtOnce).ok());
    const std::vector<KeyRange> all(1);
    const auto sizes = (*store_)->EstimateSizes(kDamaged, all);
    EXPECT_TRUE(sizes.has_value() || sizes.error().code() == Code::kUnavailable) << sizes.error();
    const auto compacted = (*store_)->Compact(kDamaged, std::chrono::seconds(1));
    EXPECT_TRUE(compacted.has_value() || compacted.error().code() != Code::kNoSuchTable) << compacted.error();
    ExpectAlive();
    EXPECT_THAT(DamagedTables(), ElementsAre(kDamaged));
    EXPECT_EQ(Value(kWhole, 7), ValueOf(7));
    Write(kOfWhole, kWhole, lsn, "another", "value");
    // It may be served by the file that is open; its log has it in any case.
    const LogEntry entry = Entry(lsn, {Put(KeyOf(7), "new")});
    EXPECT_TRUE(AppendOne(**store_, kOfDamaged, entry).ok());
    const Status applied = ApplyOne(**store_, kOfDamaged, kDamaged, entry);
    EXPECT_TRUE(applied.ok() || applied.code() == Code::kUnavailable) << applied;
    EXPECT_TRUE(CheckpointNow(**store_).has_value());
    ExpectAlive();
  }
  // The same as repair does.
  void DropAndMakeAnew() {
    const ReplicaState gone{.table = kDamaged, .promised = Epoch{3}, .tombstone = true};
    ASSERT_TRUE((*store_)->PutReplicaState(kOfDamaged, gone).ok());
    ASSERT_TRUE((*store_)->TruncateRange(kDamaged, {}).ok());
    const Status forgotten = (*store_)->ForgetReplica(kOfDamaged);
    ASSERT_TRUE(forgotten.ok()) << forgotten;
    EXPECT_THAT(DamagedTables(), ElementsAre());
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
    ASSERT_TRUE((*store_)->EnsureTable(kDamaged, TableCompression::kNone).ok());
    EXPECT_EQ(Dump(**store_, kDamaged), "");
    const TabletId fresh{31};
    ASSERT_TRUE((*store_)->PutReplicaState(fresh, {.table = kDamaged, .promised = Epoch{4}}).ok());
    Write(fresh, kDamaged, 1, KeyOf(0), "made anew");
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
    for (int start = 0; start < 2; ++start) {
      ASSERT_TRUE((*store_)->Scrub(kAtOnce).ok());
      EXPECT_THAT(DamagedTables(), ElementsAre());
      EXPECT_EQ(Value(kDamaged, 0), "made anew");
      EXPECT_EQ(Value(kWhole, 7), ValueOf(7));
      ASSERT_NO_FATAL_FAILURE(Open());
    }
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "store";
  bool sorted_ = false;
  ebla::testing::ThreadExecutor flusher_, background_;
  std::unique_ptr<WtStore> store_;
  std::vector<fs::path> files_;  // of the table that is to be damaged
};

enum class Tables { kInPlace, kSorted };

class WtTableFilesTest : public TableFilesFixture, public ::testing::WithParamInterface<std::tuple<Damage, Tables>> {
 protected:
  WtTableFilesTest() {
    sorted_ = std::get<Tables>(GetParam()) == Tables::kSorted;
    Fill();
  }
  Damage damage() const { return std::get<Damage>(GetParam()); }
};

TEST_P(WtTableFilesTest, AStartNotesATableWhoseFileIsDamaged) {
  store_.reset();
  Do(damage(), files_[0]);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_THAT(DamagedTables(), ElementsAre(kDamaged));
  const auto read = (*store_)->Get(kDamaged, KeyOf(7));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), Code::kUnavailable);
  EXPECT_THAT(read.error().message(), HasSubstr("damaged"));
  ExpectDamaged(kRows + 1);
  ASSERT_NO_FATAL_FAILURE(Open());
  ExpectDamaged(kRows + 2);
  DropAndMakeAnew();
}

TEST_P(WtTableFilesTest, TheScrubOfARunningStoreFindsIt) {
  EXPECT_EQ(Value(kDamaged, 7), ValueOf(7));
  Do(damage(), files_[0]);
  ASSERT_TRUE((*store_)->Scrub(kAtOnce).ok());
  ExpectDamaged(kRows + 1);
  ASSERT_NO_FATAL_FAILURE(Open());
  // WiredTiger has made a cut file as long as before, of zeros, which are right in the first block alone.
  ASSERT_TRUE((*store_)->Scrub(kAtOnce).ok());
  ExpectDamaged(kRows + 2);
  DropAndMakeAnew();
}

// WiredTiger closes files that were not used for a while.
TEST_P(WtTableFilesTest, AReadThatOpensTheFileFindsIt) {
  ASSERT_NO_FATAL_FAILURE(Open());
  Do(damage(), files_[0]);
  const auto read = (*store_)->Get(kDamaged, KeyOf(7));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code(), Code::kUnavailable);
  ExpectDamaged(kRows + 1);
  DropAndMakeAnew();
}

INSTANTIATE_TEST_SUITE_P(, WtTableFilesTest,
                         Combine(::testing::ValuesIn(kDamages), Values(Tables::kInPlace, Tables::kSorted)),
                         [](const auto& info) {
                           return NameOf(std::get<Damage>(info.param)) +
                                  (std::get<Tables>(info.param) == Tables::kSorted ? "Sorted" : "InPlace");
                         });

// ---- the store's own files ------------------------------------------------------------------------------------------

class WtStoreFilesTest : public TableFilesFixture {
 protected:
  WtStoreFilesTest() {
    Fill();
    store_.reset();
  }
  std::string Refusal() {
    const auto opened = TryOpen();
    return opened.has_value() ? "none" : opened.error().message();
  }
};

TEST_F(WtStoreFilesTest, AStartWithoutASystemTableIsRefusedAndNamesItsFile) {
  const std::string whole = directory_ / "whole";
  fs::rename(path_, whole);
  for (const Damage damage : kDamages) {
    for (const std::string name : {"applied.wt", "window.wt", "runs.wt"}) {
      SCOPED_TRACE(name + " " + NameOf(damage));
      fs::remove_all(path_);
      fs::copy(whole, path_, fs::copy_options::recursive);
      Do(damage, path_ + "/" + name);
      const std::string refusal = Refusal();
      EXPECT_THAT(refusal, HasSubstr(path_ + "/" + name + " is missing or damaged"));
      EXPECT_THAT(refusal, HasSubstr("all tablets of this server need it"));
    }
  }
}

TEST_F(WtStoreFilesTest, TheScrubOfARunningStoreFindsASystemTableThatIsMissing) {
  ASSERT_NO_FATAL_FAILURE(Open());
  fs::remove(path_ + "/window.wt");
  EXPECT_FALSE((*store_)->Scrub(kAtOnce).ok());
  EXPECT_THAT((*store_)->health().status.message(), HasSubstr("window.wt is missing"));
}

TEST_F(WtStoreFilesTest, NoDatabaseIsMadeOverOneThatHasLostItsTurtle) {
  for (const Damage damage : {Damage::kEmptied, Damage::kMissing}) {
    Do(damage, path_ + "/WiredTiger.turtle");
    EXPECT_THAT(Refusal(), HasSubstr(path_ + "/WiredTiger.turtle is missing or empty"));
  }
  fs::remove(path_ + "/WiredTiger.wt");
  EXPECT_THAT(Refusal(), HasSubstr(path_ + "/WiredTiger.turtle is missing or empty"));
}

TEST_F(WtStoreFilesTest, WithoutItsMetadataAStartIsRefused) {
  fs::remove(path_ + "/WiredTiger.wt");
  EXPECT_THAT(Refusal(), HasSubstr("WiredTiger.wt"));
}

class WtMetadataTest : public WtStoreFilesTest {
 protected:
  WtMetadataTest() { fs::rename(path_, whole_); }

  std::string Bytes(const std::string& name) const {
    std::ifstream in(whole_ + "/" + name, std::ios::binary);
    return ReadAll(in);
  }
  // A start either refuses the damaged file by its name, or uses nothing of the damaged part.
  void Start(const std::string& name, const std::string& damaged, size_t at) {
    fs::remove_all(path_);
    fs::copy(whole_, path_, fs::copy_options::recursive);
    std::ofstream(path_ + "/" + name, std::ios::binary) << damaged;
    const std::string refusal = Refusal();
    if (refusal == "none") return;
    ++refused_;
    EXPECT_THAT(refusal, HasSubstr(path_ + "/WiredTiger.")) << name << " at " << at;
  }
  static std::string Exchanged(const std::string& bytes, size_t one, size_t other, size_t size) {
    std::string exchanged = bytes;
    return exchanged.replace(one, size, bytes, other, size).replace(other, size, bytes, one, size);
  }

  const std::string whole_ = directory_ / "whole";
  int refused_ = 0;
};

// WiredTiger's messages about the end of a database come last, and many. The file is named before them.
TEST_F(WtMetadataTest, ADamagedPageIsRefusedByName) {
  constexpr size_t kPage = 4096;
  const std::string name = "WiredTiger.wt", bytes = Bytes(name);
  for (size_t at = kPage; at + kPage <= bytes.size(); at += kPage) {
    Start(name, std::string(bytes).replace(at, kPage, kPage, '\0'), at);
    Start(name, std::string(bytes).replace(at + 100, 1, 1, static_cast<char>(bytes[at + 100] ^ 4)), at);
    if (at + 2 * kPage <= bytes.size()) Start(name, Exchanged(bytes, at, at + kPage, kPage), at);
  }
  EXPECT_GE(refused_, 6);
}

TEST_F(WtMetadataTest, ADamagedTurtleIsRefusedByName) {
  const std::string name = "WiredTiger.turtle", bytes = Bytes(name);
  const size_t part = bytes.size() / 8;
  for (size_t one = 0; one < 8 * part; one += part) {
    for (size_t other = 0; other < one; other += part) Start(name, Exchanged(bytes, one, other, part), one);
    Start(name, std::string(bytes).replace(one + 7, 1, 1, static_cast<char>(bytes[one + 7] ^ 4)), one);
  }
  EXPECT_GE(refused_, 24);
}

// The first start makes WiredTiger.wt before the turtle.
TEST(WtFirstStartTest, ACrashBeforeTheTurtleIsNoDamage) {
  TemporaryDirectory directory;
  ebla::testing::ThreadExecutor flusher, background;
  const std::string path = directory / "store";
  fs::create_directory(path);
  std::ofstream(path + "/WiredTiger.wt") << std::string(4096, '\0');
  const auto opened = WtStore::Open(SmallStore(path, flusher, background));
  EXPECT_TRUE(opened.has_value()) << opened.error();
}

TEST_F(WtStoreFilesTest, ADamagedBaseConfigurationDoesNotMatter) {
  EXPECT_FALSE(fs::exists(path_ + "/WiredTiger.basecfg")) << "none is written";
  std::ofstream(path_ + "/WiredTiger.basecfg") << "version=(major=3,minor=2),eviction_divty_target=5\n";
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(Value(kWhole, 7), ValueOf(7));
}

}  // namespace
}  // namespace ebla::tabletserver::testing

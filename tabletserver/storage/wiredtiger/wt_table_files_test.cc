// Files that are missing, emptied, cut or damaged at their beginning, and directories in their place. Pins the rules of
// WiredTiger on which the store relies, and whose damage each of them is.
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
#include "tabletserver/storage/testing/table_files_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::Combine;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Values;

enum class Damage { kMissing, kEmptied, kCut, kZeroBlock, kDirectory };
constexpr auto kDamages = {Damage::kMissing, Damage::kEmptied, Damage::kCut, Damage::kZeroBlock, Damage::kDirectory};

std::string NameOf(Damage damage) {
  switch (damage) {
    case Damage::kMissing: return "Missing";
    case Damage::kEmptied: return "Emptied";
    case Damage::kCut: return "Cut";
    case Damage::kZeroBlock: return "ZeroBlock";
    case Damage::kDirectory: return "Directory";
  }
  return {};
}

void Do(Damage damage, const fs::path& file) {
  ASSERT_TRUE(fs::exists(file)) << file;
  switch (damage) {
    case Damage::kMissing: fs::remove(file); break;
    case Damage::kEmptied: fs::resize_file(file, 0); break;
    case Damage::kCut: fs::resize_file(file, 100); break;
    case Damage::kDirectory:
      fs::remove(file);
      fs::create_directories(file / "with something in it");
      break;
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
  const int expected = GetParam() == Damage::kMissing ? ENOENT : GetParam() == Damage::kDirectory ? EISDIR : WT_ERROR;
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

class WtTableFilesTest : public TableFilesFixture, public ::testing::WithParamInterface<std::tuple<Damage, TableKind>> {
 protected:
  WtTableFilesTest() {
    sorted_ = std::get<TableKind>(GetParam()) == TableKind::kSorted;
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
  ASSERT_TRUE((*store_)->Scrub(AtOnce).ok());
  ExpectDamaged(kRows + 1);
  ASSERT_NO_FATAL_FAILURE(Open());
  // WiredTiger has made a cut file as long as before, of zeros, which are right in the first block alone.
  ASSERT_TRUE((*store_)->Scrub(AtOnce).ok());
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
                         Combine(::testing::ValuesIn(kDamages), Values(TableKind::kInPlace, TableKind::kSorted)),
                         [](const auto& info) {
                           return NameOf(std::get<Damage>(info.param)) +
                                  (std::get<TableKind>(info.param) == TableKind::kSorted ? "Sorted" : "InPlace");
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

// Its blocks are whole, and WiredTiger would panic without a word of its tablets.
TEST_F(WtStoreFilesTest, AStartWithAnOlderFileOfASystemTableIsRefusedAndNamesIt) {
  const std::string path = path_ + "/applied.wt";
  fs::copy(path, directory_ / "older");
  ASSERT_NO_FATAL_FAILURE(Open());
  for (uint64_t lsn = kRows + 1; lsn <= kRows + 3; ++lsn) {
    Write(kOfWhole, kWhole, lsn, "key", "value");
    ASSERT_TRUE(CheckpointNow(**store_).has_value());
  }
  store_.reset();
  fs::rename(path, path + ".whole");
  fs::copy(directory_ / "older", path);
  EXPECT_THAT(Refusal(), MatchesRegex(path + " is .*, and all tablets of this server need it"));
  fs::rename(path + ".whole", path);
  EXPECT_EQ(Refusal(), "none");
}

TEST_F(WtStoreFilesTest, TheScrubOfARunningStoreFindsASystemTableThatIsMissing) {
  ASSERT_NO_FATAL_FAILURE(Open());
  fs::remove(path_ + "/window.wt");
  EXPECT_FALSE((*store_)->Scrub(AtOnce).ok());
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

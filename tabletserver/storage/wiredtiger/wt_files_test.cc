#include "tabletserver/storage/wiredtiger/wt_files.h"

#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <wiredtiger_ext.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int kRows = 4096;
constexpr int64_t kRowBytes = 1000;
const std::function<bool()> kAtLeisure = [] { return false; };
constexpr Duration kNoRests = Duration::zero();

enum class Whose { kOurs, kWiredTigers };

// A database of one table with rows of about 1 KB, and what WiredTiger has complained of.
class Database {
 public:
  Database(const std::string& directory, Whose files) {
    handler_.callbacks.handle_error = Handler::OnError;
    std::string config = "create,cache_size=64MB,log=(enabled=true,file_max=1MB)";
    if (files == Whose::kOurs) config += std::string(",extensions=[local={entry=") + kFilesEntry + ",early_load=true}]";
    error_ = wiredtiger_open(directory.c_str(), &handler_.callbacks, config.c_str(), &connection_);
    if (error_ == 0) error_ = connection_->open_session(connection_, nullptr, nullptr, &session_);
    if (error_ == 0)
      error_ = session_->create(session_, "table:rows", "key_format=i,value_format=S,os_cache_dirty_max=64KB");
    if (error_ == 0) error_ = session_->open_cursor(session_, "table:rows", nullptr, nullptr, &cursor_);
  }
  ~Database() {
    if (connection_ != nullptr) CHECK_EQ(connection_->close(connection_, nullptr), 0);
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  int error() const { return error_; }
  const std::string& complaints() const { return handler_.said; }

  void Write(int rows = kRows) {
    for (int row = 0; row < rows; ++row) {
      const std::string value = Value(row);  // until insert() it is only pointed to
      cursor_->set_key(cursor_, row);
      cursor_->set_value(cursor_, value.c_str());
      CHECK_EQ(cursor_->insert(cursor_), 0);
    }
  }
  void Empty() { CHECK_EQ(session_->truncate(session_, "table:rows", nullptr, nullptr, nullptr), 0); }
  void Checkpoint() { CHECK_EQ(session_->checkpoint(session_, nullptr), 0); }
  void ExpectRows() {
    int rows = 0;
    ASSERT_EQ(cursor_->reset(cursor_), 0);
    for (; cursor_->next(cursor_) == 0; ++rows) {
      const char* value = nullptr;
      ASSERT_EQ(cursor_->get_value(cursor_, &value), 0);
      ASSERT_EQ(value, Value(rows));
    }
    EXPECT_EQ(rows, kRows);
  }

 private:
  struct Handler {
    WT_EVENT_HANDLER callbacks{};
    std::string said;
    static int OnError(WT_EVENT_HANDLER* self, WT_SESSION*, int, const char* message) {
      reinterpret_cast<Handler*>(self)->said += std::string(message) + "\n";
      return 0;
    }
  };

  static std::string Value(int row) {
    std::string value = std::to_string(row) + " ";
    uint32_t state = static_cast<uint32_t>(row) + 1;  // not to be compressed away
    while (value.size() < kRowBytes) {
      state = state * 1664525 + 1013904223;
      value += static_cast<char>('a' + (state >> 24) % 26);
    }
    return value;
  }

  Handler handler_;
  int error_ = 0;
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;
  WT_CURSOR* cursor_ = nullptr;
};

// ---- files ----------------------------------------------------------------------------------------------------------

TEST(WtFilesTest, WhatWasWrittenIsThereForBothKindsOfFiles) {
  const TemporaryDirectory directory;
  Database(directory.path(), Whose::kWiredTigers).Write();
  {
    Database database(directory.path(), Whose::kOurs);
    ASSERT_EQ(database.error(), 0) << database.complaints();
    database.ExpectRows();
    database.Write();
  }
  Database database(directory.path(), Whose::kWiredTigers);
  ASSERT_EQ(database.error(), 0) << database.complaints();
  database.ExpectRows();
}

TEST(WtFilesTest, ALogOfSeveralFilesIsMade) {
  const TemporaryDirectory directory;
  Database database(directory.path(), Whose::kOurs);
  ASSERT_EQ(database.error(), 0) << database.complaints();
  const auto log_files = [&] {
    return std::ranges::count_if(std::filesystem::directory_iterator(directory.path()), [](const auto& entry) {
      return entry.path().filename().string().starts_with("WiredTigerLog.");
    });
  };
  database.Write();
  EXPECT_GE(log_files(), kRows * kRowBytes >> 20);
  EXPECT_EQ(database.complaints(), "");
}

TEST(WtFilesTest, AFileThatIsTooShortIsNamed) {
  const TemporaryDirectory directory;
  Database(directory.path(), Whose::kOurs).Write();
  std::filesystem::resize_file(directory / "rows.wt", 4096);
  const Database database(directory.path(), Whose::kOurs);
  EXPECT_NE(database.error(), 0);
  EXPECT_THAT(database.complaints(), HasSubstr(directory / "rows.wt is damaged at byte"));
}

TEST(WtFilesTest, ADirectoryThatIsNotThereIsNamed) {
  const TemporaryDirectory directory;
  const Database database(directory / "missing", Whose::kOurs);
  EXPECT_EQ(database.error(), ENOENT);
  EXPECT_THAT(database.complaints(), HasSubstr(directory / "missing"));
}

int SaySilently(WT_EXTENSION_API*, WT_SESSION*, const char*, ...) { return 0; }

// The files, as WiredTiger sees them.
WT_FILE_SYSTEM& UsedFiles(bool of_view = false) {
  static WT_FILE_SYSTEM* files = nullptr;
  static WT_EXTENSION_API api{};
  api.err_printf = SaySilently;
  WT_CONNECTION connection{};
  connection.get_extension_api = [](WT_CONNECTION*) { return &api; };
  connection.set_file_system = [](WT_CONNECTION*, WT_FILE_SYSTEM* given, const char*) {
    files = given;
    return 0;
  };
  CHECK_EQ(of_view ? EblaUseWtFilesOfView(&connection, nullptr) : EblaUseWtFiles(&connection, nullptr), 0);
  return *files;
}

TEST(WtFilesTest, AfterASyncThatFailedNoneSucceeds) {
  const TemporaryDirectory directory;
  WT_FILE_SYSTEM& files = UsedFiles();
  const auto open = [&](const std::string& name) {
    WT_FILE_HANDLE* handle = nullptr;
    CHECK_EQ(files.fs_open_file(&files, nullptr, name.c_str(), WT_FS_OPEN_FILE_TYPE_DATA, WT_FS_OPEN_CREATE, &handle),
             0);
    return handle;
  };
  WT_FILE_HANDLE* const good = open(directory / "good");
  EXPECT_EQ(good->fh_write(good, nullptr, 0, 3, "abc"), 0);
  EXPECT_EQ(good->fh_sync(good, nullptr), 0);
  CHECK_EQ(mkfifo((directory / "pipe").c_str(), 0600), 0);
  WT_FILE_HANDLE* const pipe = open(directory / "pipe");  // which cannot be synced
  EXPECT_EQ(pipe->fh_sync(pipe, nullptr), EIO);
  EXPECT_EQ(good->fh_sync(good, nullptr), EIO);
  good->close(good, nullptr);
  pipe->close(pipe, nullptr);
  files.terminate(&files, nullptr);
}

// An operator may move a table's file to another disk. A view of a store never changes the files behind its links.
TEST(WtFilesTest, AWriteThroughALinkIsInTheFileUnlessTheStoreIsAView) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink(directory / "real", directory / "link");
  for (const bool of_view : {false, true}) {
    std::ofstream(directory / "real") << "old";
    WT_FILE_SYSTEM& files = UsedFiles(of_view);
    WT_FILE_HANDLE* file = nullptr;
    ASSERT_EQ(files.fs_open_file(&files, nullptr, (directory / "link").c_str(), WT_FS_OPEN_FILE_TYPE_DATA, 0, &file),
              0);
    EXPECT_EQ(file->fh_write(file, nullptr, 0, 3, "new"), 0);
    EXPECT_EQ(file->fh_sync(file, nullptr), 0);
    file->close(file, nullptr);
    files.terminate(&files, nullptr);
    std::string text;
    std::ifstream(directory / "real") >> text;
    EXPECT_EQ(text, of_view ? "old" : "new");
  }
}

// The process's descriptor of the file.
int DescriptorOf(const std::string& path) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == path) return std::stoi(entry.path().filename());
  }
  return -1;
}

TEST(WtFilesTest, AWriterOfMuchSendsPiecesAndOneThatFailsIsFinal) {
  const TemporaryDirectory directory;
  WT_FILE_SYSTEM& files = UsedFiles();
  const std::string path = directory / "file";
  WT_FILE_HANDLE* file = nullptr;
  CHECK_EQ(files.fs_open_file(&files, nullptr, path.c_str(), WT_FS_OPEN_FILE_TYPE_DATA, WT_FS_OPEN_CREATE, &file), 0);
  const std::string bytes(4 * PacedSyncs::kPieceBytes, 'x');
  {
    const PacedSyncs paced = PacedSyncs::WhileWriting([] { return false; });
    ASSERT_EQ(file->fh_write(file, nullptr, 0, bytes.size(), bytes.data()), 0);
    EXPECT_EQ(file->fh_sync_nowait(file, nullptr), 0);
    EXPECT_EQ(paced.pieces(), 4);
    // From now on the descriptor is of a pipe, which cannot be synced.
    ASSERT_EQ(file->fh_write(file, nullptr, 0, bytes.size(), bytes.data()), 0);
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    ASSERT_GE(dup2(pipes[0], DescriptorOf(path)), 0);
    EXPECT_EQ(file->fh_sync_nowait(file, nullptr), EIO);
    close(pipes[0]);
    close(pipes[1]);
  }
  EXPECT_EQ(file->fh_sync(file, nullptr), EIO);
  file->close(file, nullptr);
  files.terminate(&files, nullptr);
}

TEST(WtFilesTest, AtTheLimitOfOpenFilesItTriesForAWhile) {
  const TemporaryDirectory directory;
  WT_FILE_SYSTEM& files = UsedFiles();
  rlimit limit{};
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  WT_FILE_HANDLE* handle = nullptr;
  const auto open = [&] {
    return files.fs_open_file(&files, nullptr, (directory / "file").c_str(), WT_FS_OPEN_FILE_TYPE_DATA,
                              WT_FS_OPEN_CREATE, &handle);
  };
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(open(), EMFILE);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(500));
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_EQ(open(), 0);
  handle->close(handle, nullptr);
  files.terminate(&files, nullptr);
}

// ---- pace -----------------------------------------------------------------------------------------------------------

TEST(WtFilesTest, ACheckpointGoesToTheDiskInPieces) {
  const TemporaryDirectory directory;
  Database database(directory.path(), Whose::kOurs);
  ASSERT_EQ(database.error(), 0) << database.complaints();
  database.Write();
  const auto pieces_of_checkpoint = [&] {
    const PacedSyncs paced(kAtLeisure);
    database.Checkpoint();
    return paced.pieces();
  };
  constexpr int64_t kPieces = kRows * kRowBytes / PacedSyncs::kPieceBytes;
  EXPECT_GE(pieces_of_checkpoint(), kPieces);
  EXPECT_LE(pieces_of_checkpoint(), kPieces / 4) << "what has been synced is not synced again";
  database.Write();
  database.Checkpoint();
  EXPECT_LE(pieces_of_checkpoint(), kPieces / 4) << "nor what another has synced";
}

TEST(WtFilesTest, ARestGoesByWhatItFollowsAndHasItsBounds) {
  bool hurried = false;
  PacedSyncs paced([&] { return hurried; }, PacedSyncs::kRestMax * 3 / 2);
  const auto rested_after = [&](Duration piece) {
    const auto begun = std::chrono::steady_clock::now();
    const Duration rested = paced.RestAfter(piece);
    EXPECT_GE(std::chrono::steady_clock::now() - begun, rested);
    return rested;
  };
  const Duration piece = std::chrono::milliseconds(5), left = PacedSyncs::kRestMax / 2 - PacedSyncs::kRestFrom * piece;
  EXPECT_EQ(rested_after(piece), PacedSyncs::kRestFrom * piece);
  EXPECT_EQ(rested_after(std::chrono::hours(1)), PacedSyncs::kRestMax);
  hurried = true;
  EXPECT_EQ(rested_after(std::chrono::hours(1)), Duration::zero()) << "in a hurry";
  hurried = false;
  EXPECT_EQ(rested_after(std::chrono::hours(1)), left);
  EXPECT_EQ(rested_after(std::chrono::hours(1)), Duration::zero()) << "no rest is left";
  EXPECT_EQ(paced.RestAfterCut(Duration::zero()), PacedSyncs::kCutRestMin) << "which is another's";
  EXPECT_EQ(paced.RestAfterCut(std::chrono::milliseconds(5)), PacedSyncs::kRestFrom * std::chrono::milliseconds(5));
}

class CutFileTest : public ::testing::Test {
 protected:
  static constexpr int64_t kCut = PacedSyncs::kCutBytes;
  static constexpr int64_t kBytes = 8 * kCut;

  CutFileTest() {
    CHECK_EQ(files_.fs_open_file(&files_, nullptr, path_.c_str(), WT_FS_OPEN_FILE_TYPE_DATA, WT_FS_OPEN_CREATE, &file_),
             0);
    Write(kBytes - 1, "x");
    Sync();
  }
  ~CutFileTest() override {
    file_->close(file_, nullptr);
    files_.terminate(&files_, nullptr);
  }

  void Write(int64_t at, std::string_view bytes) {
    CHECK_EQ(file_->fh_write(file_, nullptr, at, bytes.size(), bytes.data()), 0);
  }
  std::string Read(int64_t at, size_t bytes) {
    std::string read(bytes, '\0');
    // Past fh_read, which takes nothing for a block that is none.
    std::ifstream in(path_, std::ios::binary);
    in.seekg(at);
    in.read(read.data(), static_cast<std::streamsize>(bytes));
    CHECK_EQ(in.gcount(), static_cast<std::streamsize>(bytes));
    return read;
  }
  void Cut(int64_t at) { CHECK_EQ(file_->fh_truncate(file_, nullptr, at), 0); }
  void Sync() { CHECK_EQ(file_->fh_sync(file_, nullptr), 0); }
  int64_t Bytes() const { return static_cast<int64_t>(std::filesystem::file_size(path_)); }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_ / "file";
  WT_FILE_SYSTEM& files_ = UsedFiles();
  WT_FILE_HANDLE* file_ = nullptr;
};

TEST_F(CutFileTest, WhatACheckpointCutsOffGoesInPiecesAsItSyncs) {
  PacedSyncs paced(kAtLeisure, kNoRests);
  Cut(kBytes - kCut);
  EXPECT_EQ(Bytes(), kBytes - kCut) << "little goes at once";
  Cut(kCut / 2);
  EXPECT_EQ(Bytes(), kBytes - kCut) << "while the file's blocks are locked";
  Sync();
  EXPECT_EQ(Bytes(), kCut / 2);
  EXPECT_EQ(paced.cuts(), kBytes / kCut - 1);
  Sync();
  EXPECT_EQ(paced.cuts(), kBytes / kCut - 1);
}

TEST_F(CutFileTest, MuchGoesInLargerPieces) {
  std::filesystem::resize_file(path_, 20'000 * kCut);
  PacedSyncs paced(kAtLeisure, kNoRests);
  Cut(0);
  Sync();
  EXPECT_EQ(Bytes(), 0);
  EXPECT_LT(paced.cuts(), 4'000);
}

TEST_F(CutFileTest, InAHurryAllGoesAtOnce) {
  bool hurried = false;
  PacedSyncs paced([&] { return hurried; }, kNoRests);
  Cut(kBytes - 2 * kCut);
  EXPECT_EQ(Bytes(), kBytes);
  hurried = true;
  Sync();
  EXPECT_EQ(Bytes(), kBytes - 2 * kCut);
  EXPECT_EQ(paced.cuts(), 1);
  Cut(kCut);
  EXPECT_EQ(Bytes(), kCut) << "what follows in the checkpoint may need the space";
}

TEST_F(CutFileTest, ACutThatFailsIsLivedWith) {
  WT_FILE_HANDLE* reader = nullptr;  // whose file cannot be cut
  CHECK_EQ(
      files_.fs_open_file(&files_, nullptr, path_.c_str(), WT_FS_OPEN_FILE_TYPE_DATA, WT_FS_OPEN_READONLY, &reader), 0);
  EXPECT_EQ(reader->fh_truncate(reader, nullptr, kCut), EBUSY) << "which WiredTiger passes over";
  PacedSyncs paced(kAtLeisure, kNoRests);
  EXPECT_EQ(reader->fh_truncate(reader, nullptr, kCut), 0);
  EXPECT_EQ(reader->fh_sync(reader, nullptr), 0);
  EXPECT_EQ(Bytes(), kBytes);
  EXPECT_EQ(paced.cuts(), 0);
  reader->close(reader, nullptr);
}

TEST_F(CutFileTest, WhatIsBehindTheEndIsNotWrittenToTheDiskFirst) {
  PacedSyncs paced(kAtLeisure, kNoRests);
  for (int64_t at = 0; at < kBytes; at += PacedSyncs::kPieceBytes) Write(at, std::string(PacedSyncs::kPieceBytes, 'x'));
  Cut(PacedSyncs::kPieceBytes);
  Sync();
  EXPECT_LE(paced.pieces(), 2);
}

TEST_F(CutFileTest, WhatIsWrittenAgainStays) {
  PacedSyncs paced(kAtLeisure, kNoRests);
  Cut(100);
  Write(3 * kCut, "again");
  Write(50, "before");
  Sync();
  EXPECT_EQ(Bytes(), 3 * kCut + 5);
  EXPECT_EQ(Read(3 * kCut, 5), "again");
  Write(4 * kCut, "after");
  Sync();
  EXPECT_EQ(Bytes(), 4 * kCut + 5);
}

TEST_F(CutFileTest, WhatIsWrittenMeanwhileStays) {
  constexpr int64_t kBlock = 4096;
  PacedSyncs paced(kAtLeisure, kNoRests);
  Cut(0);
  std::jthread writer([this] {
    for (int64_t at = 0; at < kBytes; at += kBlock)
      Write(at, std::string(kBlock, static_cast<char>('a' + at / kBlock % 26)));
  });
  Sync();
  writer.join();
  Sync();
  EXPECT_EQ(Bytes(), kBytes);
  for (int64_t at = 0; at < kBytes; at += kBlock) {
    ASSERT_EQ(Read(at, kBlock), std::string(kBlock, static_cast<char>('a' + at / kBlock % 26))) << at;
  }
}

TEST_F(CutFileTest, WhoTakesNoTimeCutsAtOnce) {
  {
    const PacedSyncs paced(kAtLeisure, kNoRests);
    Cut(3 * kCut);
  }
  Sync();
  EXPECT_EQ(Bytes(), kBytes) << "whose sync takes none either";
  Cut(5 * kCut);
  EXPECT_EQ(Bytes(), 5 * kCut);
  const PacedSyncs paced(kAtLeisure, kNoRests);
  Sync();
  EXPECT_EQ(Bytes(), 5 * kCut) << "no other cut is left to be made";
}

TEST(WtFilesTest, ATableThatIsEmptiedGivesItsSpaceBack) {
  const TemporaryDirectory directory;
  {
    Database database(directory.path(), Whose::kOurs);
    ASSERT_EQ(database.error(), 0) << database.complaints();
    constexpr int64_t kBytes = 6 * PacedSyncs::kCutBytes;
    const auto bytes = [&] { return static_cast<int64_t>(std::filesystem::file_size(directory / "rows.wt")); };
    database.Write(kBytes / kRowBytes);
    database.Checkpoint();
    ASSERT_GE(bytes(), kBytes);
    database.Empty();
    int64_t cuts = 0;
    for (int checkpoint = 0; checkpoint < 5; ++checkpoint) {
      const PacedSyncs paced(kAtLeisure, kNoRests);
      database.Write(1);
      database.Checkpoint();
      cuts += paced.cuts();
    }
    EXPECT_LT(bytes(), kBytes / 6);
    EXPECT_GE(cuts, 5);
    EXPECT_EQ(database.complaints(), "");
    database.Write();
  }
  Database database(directory.path(), Whose::kWiredTigers);
  ASSERT_EQ(database.error(), 0) << database.complaints();
  database.ExpectRows();
}

TEST(WtFilesTest, PartsAreNotedUntilTheyAreTaken) {
  WrittenParts written;
  constexpr int64_t kPart = WrittenParts::kPartBytes;
  written.Note(3 * kPart - 10, 2 * kPart);
  written.Note(2 * kPart, 100);
  EXPECT_THAT(written.Take(), ElementsAre(Pair(2, 110), Pair(3, kPart), Pair(4, kPart - 10)));
  EXPECT_THAT(written.Take(), IsEmpty());
}

TEST(WtFilesTest, PartsAreSentInTurnAndOnceAndStillToBeSynced) {
  WrittenParts written;
  constexpr int64_t kPart = WrittenParts::kPartBytes;
  for (const int64_t part : {1, 2, 5}) written.Note(part * kPart, 10);
  EXPECT_THAT(written.NextToSend(11), ElementsAre(Pair(1, 10), Pair(2, 10)));
  written.Note(kPart, 30);
  EXPECT_THAT(written.NextToSend(10), ElementsAre(Pair(5, 10)));
  EXPECT_THAT(written.NextToSend(10), ElementsAre(Pair(1, 30)));
  EXPECT_THAT(written.NextToSend(10), IsEmpty());
  EXPECT_THAT(written.Take(), ElementsAre(Pair(1, 40), Pair(2, 10), Pair(5, 10)));
  EXPECT_THAT(written.NextToSend(10), IsEmpty());
}

}  // namespace
}  // namespace ebla::tabletserver::testing

// Files of an archive: what is written is read, and what lacks is said.
#include "tools/backup/archive/archive_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/iso_time.h"
#include "common/testing/temporary_directory.h"
#include "tools/backup/archive/replay.h"
#include "tools/backup/directory_store.h"

namespace ebla::backup {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class ArchiveFilesTest : public ::testing::Test {
 protected:
  std::vector<ArchivedEntry> Entries(int64_t at_ms, size_t count = 3) {
    std::vector<ArchivedEntry> entries;
    for (size_t i = 0; i < count; ++i) {
      const Expiry expires{std::chrono::milliseconds(99)};
      entries.push_back(
          {TableId{7},
           TabletId{70},
           {Epoch{2}, Lsn{i + 1}},
           at_ms + static_cast<int64_t>(i),
           {{"put" + std::to_string(i), false, std::string(100'000, 'x'), expires}, {"gone", true, "", {}}}});
    }
    return entries;
  }

  void Write(ArchiveIndex& index, int64_t at_ms, const Key& key) {
    const auto name = WriteArchiveFile(store_, index, index.files.last + 1, Entries(at_ms), key);
    ASSERT_TRUE(name.has_value()) << name.error();
    index.files.Add(*name, key);
  }
  void Write(ArchiveIndex& index, int64_t at_ms) { Write(index, at_ms, key_); }
  Result<std::vector<ArchivedEntry>> Read(const ArchiveFile& file, const Key& key) {
    std::vector<ArchivedEntry> entries;
    EBLA_TRY(ReadArchiveFile(store_, "c-1", file, key, [&](ArchivedEntry entry) -> Status {
      entries.push_back(std::move(entry));
      return {};
    }));
    return entries;
  }
  Result<std::vector<ArchivedEntry>> Read(const ArchiveFile& file) { return Read(file, key_); }

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
  const Key key_ = std::string(kKeyBytes, 'k');
};

TEST_F(ArchiveFilesTest, WhatIsWrittenIsRead) {
  ArchiveIndex index{.cluster = "c-1", .writer = "w", .every_ms = 5'000};
  index.tables.push_back({.id = 7, .name = "carts", .options = {.replicas = 2}, .spans = {{5, 9}, {20, 30}}});
  index.tables[0].whole = true;
  index.tables[0].unseen_ms = 3;
  index.tables[0].seen_ms = 4;
  index.places["ts-1"] = {.log = ~uint64_t{0}, .segment = 2, .offset = 4096, .sequence = 8};
  index.chains.tablets.push_back({TabletId{70}, TableId{7}, 12, -3, 2, 14, false, {{3, Epoch{1}}, {9, Epoch{2}}}});
  index.chains.tables.push_back({TableId{7}, TabletChains::Coverage{.span = {20, 30}, .whole = true}});
  index.chains.tables.push_back({TableId{8}, std::nullopt});
  index.chains.starts.push_back({TabletId{71}, TableId{7}, {{TabletId{70}, 13}}, 13});
  index.chains.looked_ms = 31;
  Write(index, 100);
  Write(index, 200);
  ASSERT_TRUE(WriteArchiveIndex(store_, index, key_).ok());
  const auto read = ReadArchiveIndex(store_, "c-1", key_);
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->every_ms, 5'000);
  EXPECT_EQ(read->tables[0].options.replicas, 2);
  EXPECT_TRUE(read->tables[0].whole);
  EXPECT_EQ(read->tables[0].unseen_ms, 3);
  EXPECT_EQ(read->tables[0].seen_ms, 4);
  EXPECT_NE(read->tables[0].Covering(21, 30), nullptr);
  EXPECT_EQ(read->tables[0].Covering(8, 21), nullptr) << "a gap lies between";
  EXPECT_EQ(read->places.at("ts-1").log, ~uint64_t{0});
  EXPECT_EQ(read->chains.tablets[0].offset_ms, -3);
  EXPECT_FALSE(read->chains.tablets[0].was_listed);
  EXPECT_EQ(read->chains.tablets[0].epochs.at(1).epoch, Epoch{2});
  EXPECT_TRUE(read->chains.tables[0].coverage->whole);
  EXPECT_FALSE(read->chains.tables[1].coverage);
  EXPECT_EQ(read->chains.starts[0].origins[0].second, 13u);
  EXPECT_EQ(read->chains.looked_ms, 31);

  const auto files = ListArchiveFiles(store_, *read, key_);
  ASSERT_TRUE(files.has_value()) << files.error();
  ASSERT_THAT(*files, SizeIs(2));
  EXPECT_EQ((*files)[1].from_ms, 200);
  EXPECT_EQ((*files)[1].through_ms, 202);
  const std::vector<ArchivedEntry> entries = Read((*files)[0]).value();
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[2].at_ms, 102);
  EXPECT_EQ(entries[2].effects[0].key, "put2");
  EXPECT_EQ(entries[2].effects[0].expires, Expiry(std::chrono::milliseconds(99)));
  EXPECT_TRUE(entries[2].effects[1].is_delete);
}

TEST_F(ArchiveFilesTest, WhatTheIndexDoesNotNameCountsForNothing) {
  ArchiveIndex index{.cluster = "c-1", .writer = "w"};
  Write(index, 100);
  Write(index, 200);
  ArchiveIndex overtaken = index, interrupted = index;
  Write(index, 300);
  overtaken.writer = "other";
  Write(overtaken, 300);
  Write(interrupted, 300);
  Write(interrupted, 400);
  ASSERT_THAT(*ListArchiveFiles(store_, index, key_), SizeIs(3));
  ASSERT_THAT(*ListArchiveFiles(store_, overtaken, key_), SizeIs(3));
  ASSERT_TRUE(DeleteUnnamedFiles(store_, index).ok());
  ASSERT_THAT(*ListArchiveFiles(store_, index, key_), SizeIs(3));
  EXPECT_THAT(store_.List(".archive/c-1").value(), SizeIs(3));
}

TEST_F(ArchiveFilesTest, AFileThatLacksOrHasAnotherNameIsSaid) {
  ArchiveIndex index{.cluster = "c-1", .writer = "w"};
  for (int64_t number = 1; number <= 20; ++number) Write(index, 100 * number);
  ASSERT_THAT(*ListArchiveFiles(store_, index, key_), SizeIs(20));
  const std::string folder = directory_.path() + "/.archive/c-1/";
  for (const char* name : {"000000000001-100-102-w", "000000000007-700-702-w", "000000000020-2000-2002-w"}) {
    const std::string path = folder + name + ".log";
    std::filesystem::rename(path, folder + "aside");
    EXPECT_THAT(ListArchiveFiles(store_, index, key_).error().message(), HasSubstr("of the archive is missing"))
        << name;
    std::filesystem::rename(folder + "aside", path);
  }
  // A restore of a moment would skip the file because of its name.
  std::filesystem::rename(folder + "000000000002-200-202-w.log", folder + "000000000002-0-0-w.log");
  EXPECT_THAT(ListArchiveFiles(store_, index, key_).error().message(), HasSubstr("a file of the archive was renamed"));
  std::filesystem::rename(folder + "000000000002-0-0-w.log", folder + "000000000002-200-202-w.log");
  // The oldest file may be missing if the index was told of it.
  index.files.RemoveFirst("000000000001-100-102-w.log", key_);
  EXPECT_THAT(*ListArchiveFiles(store_, index, key_), SizeIs(19));
  EXPECT_TRUE(DeleteUnnamedFiles(store_, index).ok());
  EXPECT_FALSE(std::filesystem::exists(folder + "000000000001-100-102-w.log"));
}

TEST_F(ArchiveFilesTest, AnotherFilesContentsAreNotTakenForItsOwn) {
  const Key none;
  ArchiveIndex index{.cluster = "c-1", .writer = "w"};
  Write(index, 100, none);
  Write(index, 200, none);
  const auto files = ListArchiveFiles(store_, index, none);
  ASSERT_THAT(*files, SizeIs(2));
  const std::string folder = directory_.path() + "/.archive/c-1/";
  std::filesystem::copy_file(folder + (*files)[0].name, folder + (*files)[1].name,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(Read((*files)[0], none).has_value());
  EXPECT_THAT(Read((*files)[1], none).error().message(), HasSubstr("another file's contents"));
}

TEST_F(ArchiveFilesTest, AnArchiveOfBeforeIsRead) {
  const std::string json = R"({"format":1,"cluster":"c-1","writer":"w","last_file":2,"places":{},"tables":[],)"
                           R"("chains":{"tablets":[[70,7,12,-3,2,14]],"tables":[],"starts":[]}})";
  const std::string index_name = ".archive/c-1/index";
  auto index = BlockWriter::Create(store_, index_name, key_);
  ASSERT_TRUE(index->Write(json).ok());
  ASSERT_TRUE(index->Finish().ok());
  for (const char* name : {".archive/c-1/000000000001-5-5.log", ".archive/c-1/000000000002-5-5.log"}) {
    const std::string object = name;
    auto file = BlockWriter::Create(store_, object, key_);
    ASSERT_TRUE(file->Write(std::string("\x07\x46\x01\x01\x05\x01\x02\x01k", 9)).ok());
    ASSERT_TRUE(file->Finish().ok());
  }
  const auto read = ReadArchiveIndex(store_, "c-1", key_);
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_TRUE(read->chains.tablets.at(0).was_listed);
  const auto files = ListArchiveFiles(store_, *read, key_);
  ASSERT_TRUE(files.has_value()) << files.error();
  ASSERT_THAT(*files, SizeIs(2));
  EXPECT_EQ(Read((*files)[0]).value().at(0).effects.at(0).key, "k");
  EXPECT_FALSE(HasArchiveFiles(store_, "c-2").value());
  EXPECT_TRUE(HasArchiveFiles(store_, "c-1").value());
}

TEST(MomentTest, IsReadAndShown) {
  EXPECT_EQ(ParseMoment("1764045000123").value(), 1764045000123);
  EXPECT_EQ(ParseMoment("2025-11-25T04:30:00Z").value(), 1764045000000);
  EXPECT_EQ(ParseMoment("2025-11-25T04:30:00.25Z").value(), 1764045000250);
  EXPECT_EQ(ParseMoment("now", 1764045000250).value(), 1764045000250);
  EXPECT_EQ(ParseMoment("5m ago", 1764045000250).value(), 1764044700250);
  EXPECT_EQ(ParseMoment("1h30m ago", 1764045000250).value(), 1764039600250);
  EXPECT_EQ(IsoTime(1764045000250), "2025-11-25T04:30:00.250Z");
  for (const char* wrong : {"", "yesterday", "5m", "ago", " ago", "-5m ago", "30000d ago", "2025-11-25",
                            "2025-02-30T04:30:00Z", "2025-11-25T04:30:00", "2025-11-25T04:30:00Zulu"})
    EXPECT_FALSE(ParseMoment(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace ebla::backup

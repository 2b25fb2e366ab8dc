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

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
  const Key key_ = std::string(kKeyBytes, 'k');
};

TEST_F(ArchiveFilesTest, WhatIsWrittenIsRead) {
  ArchiveIndex index{.cluster = "c-1", .writer = "w", .last_file = 2};
  index.tables.push_back({.id = 7, .name = "carts", .options = {.replicas = 2}, .spans = {{5, 9}, {20, 30}}});
  index.tables[0].whole = true;
  index.places["ts-1"] = {.log = ~uint64_t{0}, .segment = 2, .offset = 4096, .sequence = 8};
  index.chains.tablets.push_back({TabletId{70}, TableId{7}, 12, -3, 2, 14});
  index.chains.tables.push_back({TableId{7}, TabletChains::Coverage{.span = {20, 30}, .whole = true}});
  index.chains.tables.push_back({TableId{8}, std::nullopt});
  index.chains.starts.push_back({TabletId{71}, TableId{7}, {{TabletId{70}, 13}}, 13});
  ASSERT_TRUE(WriteArchiveIndex(store_, index, key_).ok());
  const auto read = ReadArchiveIndex(store_, "c-1", key_);
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(read->tables[0].options.replicas, 2);
  EXPECT_TRUE(read->tables[0].whole);
  EXPECT_NE(read->tables[0].Covering(21, 30), nullptr);
  EXPECT_EQ(read->tables[0].Covering(8, 21), nullptr) << "a gap lies between";
  EXPECT_EQ(read->places.at("ts-1").log, ~uint64_t{0});
  EXPECT_EQ(read->chains.tablets[0].offset_ms, -3);
  EXPECT_TRUE(read->chains.tables[0].coverage->whole);
  EXPECT_FALSE(read->chains.tables[1].coverage);
  EXPECT_EQ(read->chains.starts[0].origins[0].second, 13u);

  ASSERT_TRUE(WriteArchiveFile(store_, "c-1", 1, Entries(100), key_).ok());
  ASSERT_TRUE(WriteArchiveFile(store_, "c-1", 2, Entries(200), key_).ok());
  ASSERT_TRUE(WriteArchiveFile(store_, "c-1", 3, Entries(300), key_).ok()) << "the index does not name it yet";
  const auto files = ListArchiveFiles(store_, *read);
  ASSERT_TRUE(files.has_value()) << files.error();
  ASSERT_THAT(*files, SizeIs(2));
  ASSERT_TRUE(DeleteUnnamedFiles(store_, *read).ok());
  EXPECT_FALSE(store_.Exists(".archive/c-1/000000000003-300-302.log").value());
  EXPECT_EQ((*files)[1].from_ms, 200);
  EXPECT_EQ((*files)[1].through_ms, 202);
  std::vector<ArchivedEntry> entries;
  ASSERT_TRUE(ReadArchiveFile(store_, "c-1", (*files)[0], key_, [&](ArchivedEntry entry) -> Status {
                entries.push_back(std::move(entry));
                return {};
              }).ok());
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[2].at_ms, 102);
  EXPECT_EQ(entries[2].effects[0].key, "put2");
  EXPECT_EQ(entries[2].effects[0].expires, Expiry(std::chrono::milliseconds(99)));
  EXPECT_TRUE(entries[2].effects[1].is_delete);
}

TEST_F(ArchiveFilesTest, AFileThatLacksIsSaid) {
  const ArchiveIndex index{.cluster = "c-1", .writer = "w", .last_file = 3};
  for (uint64_t number = 1; number <= 3; ++number)
    ASSERT_TRUE(WriteArchiveFile(store_, "c-1", number, Entries(100), {}).ok());
  ASSERT_THAT(*ListArchiveFiles(store_, index), SizeIs(3));
  const std::string folder = directory_.path() + "/.archive/c-1/";
  std::filesystem::remove(folder + "000000000001-100-102.log");
  EXPECT_TRUE(ListArchiveFiles(store_, index).has_value()) << "the oldest may go";
  ASSERT_TRUE(WriteArchiveFile(store_, "c-1", 1, Entries(100), {}).ok());
  std::filesystem::remove(folder + "000000000002-100-102.log");
  EXPECT_THAT(ListArchiveFiles(store_, index).error().message(), HasSubstr("a file of the archive lacks"));
  std::filesystem::remove(folder + "000000000003-100-102.log");
  EXPECT_FALSE(ListArchiveFiles(store_, index).has_value());
}

TEST(MomentTest, IsReadAndShown) {
  EXPECT_EQ(ParseMoment("1764045000123").value(), 1764045000123);
  EXPECT_EQ(ParseMoment("2025-11-25T04:30:00Z").value(), 1764045000000);
  EXPECT_EQ(ParseMoment("2025-11-25T04:30:00.25Z").value(), 1764045000250);
  EXPECT_EQ(IsoTime(1764045000250), "2025-11-25T04:30:00.250Z");
  for (const char* wrong : {"", "yesterday", "2025-11-25", "2025-11-25T04:30:00", "2025-11-25T04:30:00Zulu"})
    EXPECT_FALSE(ParseMoment(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace ebla::backup

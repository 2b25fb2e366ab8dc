// Which tables were there at a moment, and from which backup that is told: never a table less without a word.
#include "tools/backup/archive/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/testing/temporary_directory.h"
#include "tools/backup/directory_store.h"

namespace ebla::backup {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Minutes after the backup began; it ended a minute later.
constexpr int64_t kBegan = 1'764'000'000'000;
int64_t At(int minute) { return kBegan + minute * 60'000; }

class ReplayTest : public ::testing::Test {
 protected:
  ArchivedTable& Know(uint64_t id, const std::string& name, int from, int through) {
    ArchivedTable& table = index_.tables.emplace_back();
    table.id = id;
    table.name = name;
    table.spans = {{At(from), At(through)}};
    return table;
  }
  // Made while the archive looked, between two looks a second apart.
  ArchivedTable& KnowMade(uint64_t id, const std::string& name, int at, int through) {
    ArchivedTable& table = Know(id, name, at, through);
    table.whole = true;
    table.unseen_ms = At(at);
    table.seen_ms = At(at) + 1'000;
    return table;
  }
  Replay Open(int minute) {
    EXPECT_TRUE(WriteArchiveIndex(store_, index_, {}).ok());
    Result<Replay> replay = Replay::Open(store_, backup_, At(minute), {});
    EXPECT_TRUE(replay.has_value()) << replay.error();
    return *std::move(replay);
  }
  static std::vector<uint64_t> Ids(const Result<std::vector<ArchivedTable>>& tables) {
    std::vector<uint64_t> ids;
    EXPECT_TRUE(tables.has_value()) << tables.error();
    for (const ArchivedTable& table : *tables) ids.push_back(table.id);
    return ids;
  }
  void Save(const std::string& name, int began, bool everything, const std::string& cluster = "c-1") {
    Manifest manifest{.name = name, .cluster = cluster, .began_ms = At(began), .ended_ms = At(began + 1)};
    manifest.tables.push_back({.name = "carts", .id = 7});
    if (everything) manifest.documents.push_back({"users", "{}"});
    ASSERT_TRUE(WriteManifest(store_, kManifestFile, manifest, {}).ok());
  }

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
  ArchiveIndex index_{.cluster = "c-1", .writer = "w"};
  Manifest backup_{.name = "base",
                   .since = {},
                   .cluster = "c-1",
                   .began_ms = At(0),
                   .ended_ms = At(1),
                   .tables = {{.name = "carts", .id = 7}},
                   .documents = {{"users", "{}"}}};
};

TEST_F(ReplayTest, ATableThatWasMadeSinceIsThereAndOneThatWasMadeLaterIsNot) {
  Know(7, "carts", -10, 20);
  KnowMade(8, "made", 5, 20);
  KnowMade(9, "later", 15, 20);
  KnowMade(10, "dropped", 5, 7).dropped_ms = At(8);
  EXPECT_THAT(Ids(Open(10).MadeSince("")), ElementsAre(8u));
  EXPECT_THAT(Ids(Open(10).MadeSince("later")), IsEmpty());
}

TEST_F(ReplayTest, ATableThatWasMadeSinceAndIsNotKnownIsSaid) {
  KnowMade(8, "made", 5, 6).spans.push_back({At(9), At(20)});
  EXPECT_THAT(Open(10).MadeSince("").error().message(), HasSubstr("table \"made\" was created after the backup began"));
  EXPECT_THAT(Ids(Open(6).MadeSince("")), ElementsAre(8u)) << "before the gap";
  index_.tables[0].spans = {{At(6), At(20)}};
  index_.tables[0].whole = false;
  EXPECT_FALSE(Open(10).MadeSince("").has_value()) << "its beginning lacks";
  index_.tables[0].spans.clear();
  EXPECT_FALSE(Open(10).MadeSince("").has_value());
}

// The archiver looked last before the backup, and again when the table was there.
TEST_F(ReplayTest, ATableThatWasMadeWhileNobodyLookedIsThereToo) {
  ArchivedTable& table = KnowMade(8, "made", -3, 20);
  table.seen_ms = At(9);
  EXPECT_THAT(Ids(Open(10).MadeSince("")), ElementsAre(8u));
}

// A table that was seen before a backup of everything, and that the backup lacks, was dropped before it.
TEST_F(ReplayTest, ATableThatWasDroppedBeforeTheBackupIsNotMissed) {
  ArchivedTable& table = Know(8, "old", -20, -5);
  table.seen_ms = At(-20);
  table.dropped_ms = At(9);  // the time of the next look
  EXPECT_THAT(Ids(Open(5).MadeSince("")), IsEmpty());
}

TEST_F(ReplayTest, ATableMadeAgainUnderItsNameIsFoundByIt) {
  Know(7, "carts", -10, 3).dropped_ms = At(4);
  KnowMade(8, "carts", 5, 20);
  const Replay replay = Open(10);
  EXPECT_FALSE(replay.WasThere(backup_.tables[0]).value());
  EXPECT_THAT(Ids(replay.MadeSince("carts")), ElementsAre(8u));
}

// A backup that was made after a gap has the changes of the gap.
TEST_F(ReplayTest, WhatWasBeforeAGapIsNotWrittenOverTheBackup) {
  Know(7, "carts", -20, -1).spans.push_back({At(0) - 2'000, At(20)});
  Know(8, "gone", -20, -10);
  std::vector<ArchivedEntry> entries;
  const auto add = [&](uint64_t table, int64_t at_ms, const std::string& key) {
    entries.push_back({TableId{table}, TabletId{70}, {Epoch{1}, Lsn{1}}, at_ms, {{key, false, "v", {}}}});
  };
  add(7, At(0) - 61'000, "before the gap");
  add(7, At(0) - 3'000, "in another span");
  add(8, At(0), "of what is not known");
  add(7, At(0) - 1'500, "after it");
  add(7, At(3), "wanted");
  add(7, At(12), "later");
  const auto name = WriteArchiveFile(store_, index_, 1, entries, {});
  ASSERT_TRUE(name.has_value()) << name.error();
  index_.files.sum = 0;
  index_.files.Add(*name, {});
  std::vector<std::string> keys;
  const Status read = Open(10).Read([&](uint64_t, const UnresolvedEffect& change) -> Status {
    keys.push_back(change.key);
    return {};
  });
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_THAT(keys, ElementsAre("after it", "wanted"));
}

TEST_F(ReplayTest, TheBackupIsOneOfWhatIsWanted) {
  Save("everything", 0, true);
  Save("carts-only", 5, false);
  Save("later", 20, true);
  EXPECT_EQ(BackupBefore(store_, At(10), "", {}).value(), "everything");
  EXPECT_EQ(BackupBefore(store_, At(10), "carts", {}).value(), "carts-only");
  EXPECT_EQ(BackupBefore(store_, At(10), "other", {}).value(), "everything");
  EXPECT_EQ(BackupBefore(store_, At(0), "", {}).error().code(), Code::kNotFound);
  Save("stranger", 3, true, "c-2");
  EXPECT_THAT(BackupBefore(store_, At(10), "", {}).error().message(), HasSubstr("several clusters"));
}

}  // namespace
}  // namespace ebla::backup

// A whole backup, a backup built on it, an unfinished backup and an archive. Whichever bit of any of their files is
// flipped, verification reports it, and a restore meets an error before its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "common/base/read_all.h"
#include "common/testing/temporary_directory.h"
#include "tools/backup/archive/replay.h"
#include "tools/backup/directory_store.h"
#include "tools/backup/listing.h"
#include "tools/backup/record_stream.h"
#include "tools/backup/restore.h"

namespace ebla::backup {
namespace {

using ::testing::SizeIs;

constexpr int64_t kBegan = 1'764'000'000'000, kEnded = kBegan + 1'000, kMoment = kBegan + 60'000;

class DamageTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    MakeBackup("monday", "", 20);
    MakeBackup("tuesday", "monday", 5);
    MakeBackup("large", "", 260'000);  // several blocks
    MakeArchive();
    std::filesystem::create_directories(Path("unfinished"));
    Manifest unfinished = ReadManifest(store_, "monday", kManifestFile, key()).value();
    unfinished.name = "unfinished";
    ASSERT_TRUE(WriteManifest(store_, kProgressFile, unfinished, key()).ok());
  }
  Key key() const { return GetParam() ? Key(kKeyBytes, 'k') : Key(); }
  std::string Path(const std::string& object) const { return directory_.path() + "/" + object; }
  // A value that no compression makes smaller.
  std::string Value(size_t bytes) {
    std::string value(bytes, '\0');
    for (char& byte : value) byte = static_cast<char>(random_());
    return value;
  }

  // Two tables, one of them in two parts, and the cluster's settings.
  void MakeBackup(const std::string& name, const std::string& since, size_t value_bytes) {
    Manifest manifest{.name = name, .since = since, .cluster = "c-1", .began_ms = kBegan, .ended_ms = kEnded};
    manifest.documents = {{"planner", R"({"enabled":false})"}, {"users", R"({"users":[{"name":"ada"}]})"}};
    int file = 0;
    for (const std::string table : {"carts", "users"}) {
      TablePart& to = manifest.tables.emplace_back();
      to.name = table;
      to.id = table == "carts" ? 7 : 8;
      to.whole = since.empty();
      for (const KeyRange& range : {KeyRange{"", "m"}, KeyRange{"m", ""}}) {
        const Part part{.file = std::to_string(++file) + ".part", .range = range};
        auto writer = PartWriter::Create(store_, name, part, key());
        ASSERT_TRUE(writer.has_value()) << writer.error();
        const std::string first = range.start.empty() ? "a" : "z";
        ASSERT_TRUE(writer->Add({first + "1", {Value(value_bytes), {Epoch{3}, Lsn{7}}, {}}}).ok());
        if (!since.empty()) {
          ASSERT_TRUE(writer->AddDelete(first + "2").ok());
        }
        ASSERT_TRUE(writer->Add({first + "3", {Value(value_bytes), {Epoch{3}, Lsn{8}}, {}}}).ok());
        to.parts.push_back(writer->Finish(3, 9, range.end).value());
      }
    }
    ASSERT_TRUE(WriteManifest(store_, kManifestFile, manifest, key()).ok());
  }
  void MakeArchive() {
    ArchiveIndex index{.cluster = "c-1", .writer = "w", .every_ms = 5'000};
    index.tables.push_back({.id = 7, .name = "carts", .spans = {{kBegan - 10'000, kMoment}}});
    index.tables.push_back({.id = 8, .name = "users", .spans = {{kBegan - 10'000, kMoment}}});
    index.places["ts-1"] = {.log = 1, .segment = 2, .offset = 4096, .sequence = 8};
    for (int64_t file = 1; file <= 3; ++file) {
      const std::vector<ArchivedEntry> entries = {
          {TableId{7}, TabletId{70}, {Epoch{2}, Lsn{1}}, kEnded + 100 * file, {{"a1", false, Value(20), {}}}},
          {TableId{8}, TabletId{80}, {Epoch{2}, Lsn{1}}, kEnded + 100 * file, {{"z3", true, "", {}}}}};
      const auto name = WriteArchiveFile(store_, index, index.files.last + 1, entries, key());
      ASSERT_TRUE(name.has_value()) << name.error();
      index.files.Add(*name, key());
    }
    ASSERT_TRUE(WriteArchiveIndex(store_, index, key()).ok());
  }

  // ---- what reads them

  // Reads the backup as a restore does.
  Status ReadBackup(const std::string& name) {
    EBLA_ASSIGN(const Chain chain, Chain::Open(store_, name, key()));
    for (const TablePart& table : chain.newest().tables) {
      EBLA_ASSIGN(const auto stream, chain.Read(table.name));
      while (true) {
        EBLA_ASSIGN(const auto record, stream->Next());
        if (!record) break;
      }
    }
    return {};
  }
  Status ReadMoment() {
    EBLA_ASSIGN(const Manifest backup, ReadManifest(store_, "monday", kManifestFile, key()));
    EBLA_ASSIGN(const Replay replay, Replay::Open(store_, backup, kMoment, key()));
    for (const TablePart& table : backup.tables) {
      EBLA_ASSIGN([[maybe_unused]] const bool there, replay.WasThere(table));
    }
    return replay.Read([](uint64_t, const UnresolvedEffect&) -> Status { return {}; });
  }
  Status Verified(const std::string& name) {
    const auto verified = Verify(store_, name, key());
    return verified ? Status() : Status(verified.error());
  }
  // Reads the unfinished backup as an operator or a continued run does.
  Status Unfinished() {
    EBLA_ASSIGN([[maybe_unused]] const Manifest manifest, ReadManifest(store_, "unfinished", kProgressFile, key()));
    EBLA_ASSIGN(const std::vector<Listed> all, ListAll(store_, key()));
    const auto found = std::ranges::find(all, "unfinished", &Listed::name);
    if (found == all.end() || found->finished) return Error(Code::kNotFound, "it is not listed as unfinished");
    return found->problem.empty() ? Status() : Status(Code::kInvalidArgument, found->problem);
  }
  // Each reader that meets the file.
  std::vector<Status> Readers(const std::string& object) {
    if (object.starts_with(".archive/")) return {ReadMoment()};
    if (object.starts_with("unfinished/")) return {Unfinished()};
    const std::string name = object.starts_with("large/") ? "large" : "tuesday";  // and with it monday
    return {Verified(name), ReadBackup(name)};
  }
  std::vector<std::string> Objects() const {
    std::vector<std::string> objects;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      if (entry.is_regular_file()) objects.push_back(std::filesystem::relative(entry.path(), directory_.path()));
    }
    std::ranges::sort(objects);
    return objects;
  }
  void ExpectFound(const std::string& object, const std::string& bytes, const std::string& what) {
    std::ofstream(Path(object), std::ios::binary) << bytes;
    for (const Status& status : Readers(object)) EXPECT_FALSE(status.ok()) << object << ": " << what;
  }

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
  std::mt19937_64 random_{7};
};

TEST_P(DamageTest, AnyFlippedBitOfAnyFileIsFound) {
  ASSERT_THAT(Objects(), SizeIs(3 * 5 + 1 + 4)) << "lists, parts, progress, files of the archive and its index";
  size_t flips = 0;
  for (const std::string& object : Objects()) {
    for (const Status& status : Readers(object)) ASSERT_TRUE(status.ok()) << object << ": " << status;
    std::ifstream in(Path(object), std::ios::binary);
    const std::string whole = ReadAll(in);
    // In a large file, flips bits of its head, and some of the rest.
    const size_t apart = whole.size() < 4'096 ? 1 : whole.size() / 16;
    for (size_t at = 0; at < whole.size(); at += at < 24 ? 1 : apart, ++flips) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
      ExpectFound(object, flipped, "byte " + std::to_string(at));
    }
    ExpectFound(object, whole.substr(0, whole.size() / 2), "its second half lacks");
    ExpectFound(object, whole + '\0', "a byte more");
    std::filesystem::remove(Path(object));
    for (const Status& status : Readers(object)) EXPECT_FALSE(status.ok()) << object << " lacks";
    std::ofstream(Path(object), std::ios::binary) << whole;
    for (const Status& status : Readers(object)) ASSERT_TRUE(status.ok()) << object << ": " << status;
  }
  EXPECT_GT(flips, 3'000u);
}

INSTANTIATE_TEST_SUITE_P(PlainAndEncrypted, DamageTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Encrypted" : "Plain"; });

}  // namespace
}  // namespace ebla::backup

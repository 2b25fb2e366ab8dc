#include "tools/backup/record_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "common/testing/temporary_directory.h"
#include "tools/backup/directory_store.h"

namespace ebla::backup {
namespace {

using ::testing::HasSubstr;
using Held = std::map<std::string, std::string>;

Row RowOf(const std::string& key, const std::string& value) {
  Row row{key, {value, {Epoch{3}, Lsn{7}}, {}}};
  if (value == "expires") row.record.expires = Expiry(std::chrono::milliseconds(123'456));
  return row;
}

class ChainTest : public ::testing::Test {
 protected:
  // A backup of one table with these parts: what is there, and what was deleted since (an empty value).
  void Make(const std::string& name, const std::string& since, const std::vector<std::pair<KeyRange, Held>>& parts) {
    Manifest manifest{.name = name, .since = since, .cluster = "c", .tables = {}};
    manifest.documents = {{"planner", std::string("\0any\xff", 5)}};
    TablePart& table = manifest.tables.emplace_back();
    table.name = "carts";
    table.id = 5;
    table.whole = since.empty();
    table.options.default_read = Read::Bounded(std::chrono::milliseconds(50));
    table.options.key_group.emplace().delimiter = '/';
    for (const auto& [range, held] : parts) {
      Part part{.file = std::to_string(table.parts.size()) + ".part", .range = range};
      auto writer = PartWriter::Create(store_, name, part, {});
      ASSERT_TRUE(writer.has_value());
      for (const auto& [key, value] : held)
        ASSERT_TRUE((value.empty() ? writer->AddDelete(key) : writer->Add(RowOf(key, value))).ok());
      table.parts.push_back(*writer->Finish(3, 9, range.end));
    }
    ASSERT_TRUE(WriteManifest(store_, kManifestFile, manifest, {}).ok());
  }
  Held All(const std::string& name, const KeyRange& range = {}) {
    auto chain = Chain::Open(store_, name, {});
    EXPECT_TRUE(chain.has_value()) << chain.error();
    auto stream = chain->Read("carts", range);
    Held held;
    while (true) {
      auto record = (*stream)->Next();
      EXPECT_TRUE(record.has_value()) << record.error();
      if (!record || !*record) return held;
      EXPECT_EQ((*record)->row.record.version, (Version{Epoch{3}, Lsn{7}}));
      held[(*record)->row.key] = (*record)->row.record.value;
    }
  }

  testing::TemporaryDirectory directory_;
  DirectoryStore store_{directory_.path()};
};

TEST_F(ChainTest, AWholeBackupGivesBackItsPartsInOrder) {
  Make("monday", "", {{{"m", ""}, {{"m", "3"}, {"z", "expires"}}}, {{"", "m"}, {{"a", "1"}, {"b", "2"}}}});
  EXPECT_EQ(All("monday"), (Held{{"a", "1"}, {"b", "2"}, {"m", "3"}, {"z", "expires"}}));
  EXPECT_EQ(All("monday", {"b", "n"}), (Held{{"b", "2"}, {"m", "3"}}));
  const auto manifest = ReadManifest(store_, "monday", kManifestFile, {});
  EXPECT_EQ(manifest->tables[0].options.default_read, Read::Bounded(std::chrono::milliseconds(50)));
  EXPECT_EQ(manifest->tables[0].options.key_group->delimiter, '/');
  EXPECT_EQ(manifest->documents, (std::vector<Document>{{"planner", std::string("\0any\xff", 5)}}));
}

TEST_F(ChainTest, ChangesComeOnTopWhateverTheSplitsWere) {
  Make("monday", "", {{{"", "m"}, {{"a", "1"}, {"b", "2"}, {"c", "3"}}}, {{"m", ""}, {{"n", "4"}}}});
  Make("tuesday", "monday", {{{"", "b"}, {{"a", "11"}, {"aa", "12"}}}, {{"b", ""}, {{"b", ""}, {"z", "5"}}}});
  Make("wednesday", "tuesday", {{{"", ""}, {{"aa", ""}, {"b", "22"}}}});
  EXPECT_EQ(All("tuesday"), (Held{{"a", "11"}, {"aa", "12"}, {"c", "3"}, {"n", "4"}, {"z", "5"}}));
  EXPECT_EQ(All("wednesday"), (Held{{"a", "11"}, {"b", "22"}, {"c", "3"}, {"n", "4"}, {"z", "5"}}));
  EXPECT_EQ(All("wednesday", {"aa", "d"}), (Held{{"b", "22"}, {"c", "3"}}));
}

TEST_F(ChainTest, AFileInAnothersPlaceIsFound) {
  Make("monday", "", {{{"", "m"}, {{"a", "1"}}}, {{"m", ""}, {{"n", "4"}}}});
  const std::string directory = directory_.path() + "/monday/";
  std::filesystem::rename(directory + "0.part", directory + "x");
  std::filesystem::rename(directory + "1.part", directory + "0.part");
  std::filesystem::rename(directory + "x", directory + "1.part");
  auto chain = Chain::Open(store_, "monday", {});
  auto record = (*chain->Read("carts"))->Next();
  ASSERT_FALSE(record.has_value());
  EXPECT_THAT(record.error().message(), HasSubstr("outside its part"));
}

TEST_F(ChainTest, AMissingPredecessorIsNamed) {
  Make("tuesday", "monday", {{{"", ""}, {}}});
  EXPECT_THAT(Chain::Open(store_, "tuesday", {}).error().message(), HasSubstr("there is no backup monday"));
}

}  // namespace
}  // namespace ebla::backup
